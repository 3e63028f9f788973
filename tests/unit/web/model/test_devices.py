"""The camera and the microphone of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import devices
from signald_page.client.model.devices import Device, browser_family, problem_code


class DeviceTests(SynchronousTestCase):
    """`Device`."""

    def test_its_life(self) -> None:
        """It is asked for, runs, and stops for a reason, which the next attempt forgets."""
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


class ProblemTests(SynchronousTestCase):
    """`problem_of`."""

    def test_errors(self) -> None:
        """Each error of `getUserMedia` has its reason, and an unknown one has one, too."""
        self.assertEqual(problem_code("NotAllowedError"), "refused")
        self.assertEqual(problem_code("NotFoundError"), "missing")
        self.assertEqual(problem_code("NotReadableError"), "busy")
        self.assertEqual(problem_code("TypeError"), "unsupported")


class FamilyTests(SynchronousTestCase):
    """`browser_family`."""

    def test_families(self) -> None:
        """By what they call themselves; whatever else there is, mostly is made of Chromium."""
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
