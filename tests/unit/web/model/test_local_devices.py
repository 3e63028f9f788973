"""Tests of the description of the local devices."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.local_devices import LocalDevices
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.view_model import view


class MissingDeviceTests(SynchronousTestCase):
    """Missing devices are a note, which is shown once."""

    def setUp(self) -> None:
        """Start with devices that work."""
        self.devices = LocalDevices()

    def stop(self, microphone: str, camera: str) -> tuple[str, bool]:
        """Let the devices stop with these problem codes; return the sentence, and whether it is a note."""
        self.devices.microphone.stopped(microphone)
        self.devices.camera.stopped(camera)
        self.devices.changed()
        return self.devices.problem, self.devices.problem_is_note

    def test_once(self) -> None:
        """The same missing devices are mentioned once, also in later calls; the note stays until it is dismissed."""
        self.assertEqual(self.stop("", "missing"), ("No camera was found.", True))
        self.assertIn("No camera", self.stop("", "missing")[0])
        self.devices.problem = ""
        self.assertEqual(self.stop("", "missing"), ("", True))
        self.assertEqual(self.stop("", ""), ("", False))
        self.assertEqual(self.stop("", "missing"), ("", True))
        self.assertIn("No camera and no microphone", self.stop("missing", "missing")[0])

    def test_again_on_request(self) -> None:
        """A person who asks for a device is told again that there is none."""
        self.stop("", "missing")
        self.devices.problem = ""
        self.devices.asked()
        self.assertIn("No camera", self.stop("", "missing")[0])

    def test_other_problems(self) -> None:
        """A device that is refused or busy is an alarm, each time, also beside a missing one."""
        self.assertFalse(self.stop("busy", "missing")[1])
        self.devices.problem = ""
        self.assertIn("could not be started", self.stop("busy", "missing")[0])
        self.stop("missing", "missing")
        self.stop("refused", "refused")
        self.assertEqual(self.stop("missing", "missing"), ("", True))

    def test_how_it_is_shown(self) -> None:
        """A note is a status in quiet colours, and an alarm an alert."""
        page = PageState()
        page.show_start("")
        page.start_call(HOST)
        page.session_joined("7Q2M9RT6ZC", HOST, [])
        for code, quiet, role in (("missing", True, "status"), ("busy", False, "alert")):
            page.devices.camera.stopped(code)
            page.devices.changed()
            shown = view(page)
            self.assertEqual((shown["problem", "quiet"], shown["error", "role"]), (quiet, role))
            self.assertFalse(shown["problem", "hidden"])
