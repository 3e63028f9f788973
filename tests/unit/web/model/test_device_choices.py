"""The devices there are, and which the person chose."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.device_choices import (
    CAMERA,
    MAX_DEVICES,
    MICROPHONE,
    SPEAKER,
    DeviceChoices,
    device_kind,
)
from signald_page.client.model.devices import AUDIO, VIDEO


class ChoicesTests(SynchronousTestCase):
    """`DeviceChoices`."""

    def setUp(self) -> None:
        """Two cameras, a microphone."""
        self.choices = DeviceChoices({})
        self.entries = [(CAMERA, "c1", "Front"), (MICROPHONE, "m1", ""), (CAMERA, "c2", "Back")]
        self.more = self.choices.set_available(self.entries)

    def test_found(self) -> None:
        """Each kind has its devices, in the browser's order; one without a name is counted."""
        self.assertEqual(self.choices.options(CAMERA, ""), [("c1", "Front", True), ("c2", "Back", False)])
        self.assertEqual(self.choices.options(MICROPHONE, ""), [("m1", "Microphone 1", True)])
        self.assertEqual(self.choices.options(SPEAKER, ""), [])
        self.assertTrue(self.choices.several_cameras)

    def test_the_one_in_use_is_marked(self) -> None:
        """Whatever was chosen: what runs is what the list shows."""
        self.choices.choose(CAMERA, "c1")
        self.assertEqual([used for _, _, used in self.choices.options(CAMERA, "c2")], [False, True])
        self.assertEqual([used for _, _, used in self.choices.options(CAMERA, "")], [True, False])

    def test_without_permission(self) -> None:
        """Browsers then list devices without id and name, which cannot be chosen."""
        self.choices.set_available([(CAMERA, "", ""), (MICROPHONE, "", "")])
        self.assertEqual(self.choices.options(CAMERA, ""), [])

    def test_one_more(self) -> None:
        """A device that is plugged in is noticed; the first look, and one that goes, are not."""
        self.assertEqual(self.more, [])
        self.assertEqual(self.choices.set_available([*self.entries, (MICROPHONE, "m2", "Headset")]), [MICROPHONE])
        self.assertEqual(self.choices.set_available(self.entries), [])

    def test_bounded(self) -> None:
        """A browser that lists devices without end does not fill the page."""
        self.choices.set_available([(CAMERA, f"c{number}", "") for number in range(1000)])
        self.assertEqual(len(self.choices.options(CAMERA, "")), MAX_DEVICES)

    def test_what_is_asked_for(self) -> None:
        """A choice that is there is demanded; without one, the camera that looks at the person is asked for."""
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "user")
        self.assertNotIn("deviceId", self.choices.constraints(AUDIO))
        self.choices.choose(CAMERA, "c2")
        self.choices.choose(MICROPHONE, "m1")
        self.assertEqual(self.choices.constraints(VIDEO)["deviceId"], {"exact": "c2"})
        self.assertNotIn("facingMode", self.choices.constraints(VIDEO))
        self.assertEqual(self.choices.constraints(AUDIO)["deviceId"], {"exact": "m1"})
        self.choices.set_available([])
        self.assertEqual(self.choices.constraints(AUDIO)["deviceId"], {"ideal": "m1"})

    def test_turning(self) -> None:
        """The other camera of a phone, and back; a camera by name ends it."""
        self.choices.choose(CAMERA, "c1")
        self.choices.flip()
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "environment")
        self.choices.flip()
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "user")
        self.choices.flip()
        self.choices.choose(CAMERA, "c1")
        self.assertEqual(self.choices.facing, "user")

    def test_remembered(self) -> None:
        """Choices of earlier calls count, of known kinds alone."""
        choices = DeviceChoices({CAMERA: "c9", "other": "x"})
        choices.set_available(self.entries)
        self.assertEqual(choices.constraints(VIDEO)["deviceId"], {"ideal": "c9"})
        self.assertEqual(choices.chosen, {CAMERA: "c9"})
        self.assertEqual([used for _, _, used in choices.options(CAMERA, "")], [True, False])

    def test_kinds(self) -> None:
        """Tracks and devices have different words for the same."""
        self.assertEqual((device_kind(VIDEO), device_kind(AUDIO)), (CAMERA, MICROPHONE))
