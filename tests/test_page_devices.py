"""The camera and the microphone of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client import devices
from signald_page.client.devices import Device, problem_of


class DeviceTests(SynchronousTestCase):
    """`Device`."""

    def test_its_life(self) -> None:
        """It is asked for, runs, and stops for a reason, which the next attempt forgets."""
        device = Device(devices.VIDEO)
        self.assertEqual((device.kind, device.status, device.problem), ("video", devices.OFF, ""))
        device.asked()
        self.assertEqual(device.status, devices.ASKING)
        device.started()
        self.assertEqual(device.status, devices.ON)
        device.stopped("lost")
        self.assertEqual((device.status, device.problem), (devices.OFF, "lost"))
        device.asked()
        self.assertEqual(device.problem, "")


class ProblemTests(SynchronousTestCase):
    """`problem_of`."""

    def test_errors(self) -> None:
        """Each error of `getUserMedia` has its reason, and an unknown one has one, too."""
        self.assertEqual(problem_of("NotAllowedError"), "refused")
        self.assertEqual(problem_of("NotFoundError"), "missing")
        self.assertEqual(problem_of("NotReadableError"), "busy")
        self.assertEqual(problem_of("TypeError"), "unsupported")
