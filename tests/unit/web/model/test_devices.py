"""Tests of the states of camera and microphone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import devices
from signald_page.client.model.devices import Device, browser_family, problem_code


class DeviceTests(SynchronousTestCase):
    """`Device` follows the life cycle of a camera or a microphone."""

    def test_life_cycle(self) -> None:
        """A device is requested, runs, and stops with a problem, which the next request clears."""
        device = Device(devices.VIDEO)
        self.assertEqual((device.kind, device.status, device.problem), ("video", devices.OFF, ""))
        device.requested()
        self.assertEqual(device.status, devices.REQUESTED)
        device.started()
        self.assertEqual(device.status, devices.ON)
        device.stopped("lost")
        self.assertEqual((device.status, device.problem), (devices.OFF, "lost"))
        device.requested()
        self.assertEqual(device.problem, "")

    def test_is_on(self) -> None:
        """A device is on while it runs, whatever was wished for since, and once it is granted if it is still wanted."""
        device = Device(devices.AUDIO)
        for wanted in (False, True):
            device.wanted = wanted
            for status, expected in (
                (devices.OFF, False),
                (devices.REQUESTED, wanted),
                (devices.ON, True),
                (devices.MUTED, False),
            ):
                device.status = status
                self.assertEqual(device.is_on, expected, (status, wanted))


class ProblemTests(SynchronousTestCase):
    """`problem_code` maps errors of `getUserMedia`."""

    def test_error_names(self) -> None:
        """Each error name has a problem code, and so has an unknown one."""
        self.assertEqual(problem_code("NotAllowedError"), "refused")
        self.assertEqual(problem_code("NotFoundError"), "missing")
        self.assertEqual(problem_code("NotReadableError"), "busy")
        self.assertEqual(problem_code("TypeError"), "unsupported")


class FamilyTests(SynchronousTestCase):
    """`browser_family` recognizes browsers by their user agent."""

    def test_user_agents(self) -> None:
        """Firefox and Safari are recognized, and all others count as Chromium."""
        webkit = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
        for agent, family in (
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "firefox"),
            (
                f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {webkit} FxiOS/127.0 Safari/605.1",
                "firefox",
            ),
            (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) {webkit} Version/17.5 Safari/605.1.15", "safari"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
                "chromium",
            ),
            ("", "chromium"),
        ):
            self.assertEqual(browser_family(agent), family, agent)
