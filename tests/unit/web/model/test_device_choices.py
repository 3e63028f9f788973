"""Tests of the available and the chosen devices."""

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


class DeviceChoicesTests(SynchronousTestCase):
    """`DeviceChoices` lists the devices and turns the choice into constraints."""

    def setUp(self) -> None:
        """Provide two cameras and a microphone."""
        self.choices = DeviceChoices({})
        self.entries = [(CAMERA, "c1", "Front"), (MICROPHONE, "m1", ""), (CAMERA, "c2", "Back")]
        self.gained = self.choices.set_available(self.entries)

    def test_listed_devices(self) -> None:
        """The devices of each kind are listed in the browser's order; a device without a name gets a number."""
        self.assertEqual(self.choices.options(CAMERA, ""), [("c1", "Front", True), ("c2", "Back", False)])
        self.assertEqual(self.choices.options(MICROPHONE, ""), [("m1", "Microphone 1", True)])
        self.assertEqual(self.choices.options(SPEAKER, ""), [])
        self.assertTrue(self.choices.several_cameras)

    def test_device_in_use(self) -> None:
        """The device in use is marked, whichever device was chosen."""
        self.choices.choose(CAMERA, "c1")
        self.assertEqual([used for _, _, used in self.choices.options(CAMERA, "c2")], [False, True])
        self.assertEqual([used for _, _, used in self.choices.options(CAMERA, "")], [True, False])

    def test_without_permission(self) -> None:
        """Devices that the browser lists without an id, before permission is granted, are not offered."""
        self.choices.set_available([(CAMERA, "", ""), (MICROPHONE, "", "")])
        self.assertEqual(self.choices.options(CAMERA, ""), [])

    def test_new_device(self) -> None:
        """A device that is plugged in is reported; the first list and an unplugged device are not."""
        self.assertEqual(self.gained, [])
        self.assertEqual(self.choices.set_available([*self.entries, (MICROPHONE, "m2", "Headset")]), [MICROPHONE])
        self.assertEqual(self.choices.set_available(self.entries), [])

    def test_bounded_list(self) -> None:
        """The number of listed devices is bounded."""
        self.choices.set_available([(CAMERA, f"c{number}", "") for number in range(1000)])
        self.assertEqual(len(self.choices.options(CAMERA, "")), MAX_DEVICES)

    def test_constraints(self) -> None:
        """An available choice becomes an exact constraint; without a choice the front camera is requested."""
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "user")
        self.assertNotIn("deviceId", self.choices.constraints(AUDIO))
        self.choices.choose(CAMERA, "c2")
        self.choices.choose(MICROPHONE, "m1")
        self.assertEqual(self.choices.constraints(VIDEO)["deviceId"], {"exact": "c2"})
        self.assertNotIn("facingMode", self.choices.constraints(VIDEO))
        self.assertEqual(self.choices.constraints(AUDIO)["deviceId"], {"exact": "m1"})
        self.choices.set_available([])
        self.assertEqual(self.choices.constraints(AUDIO)["deviceId"], {"ideal": "m1"})

    def test_flipped_camera(self) -> None:
        """The camera can be flipped and flipped back; choosing a camera by name resets this."""
        self.choices.choose(CAMERA, "c1")
        self.choices.flip()
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "environment")
        self.choices.flip()
        self.assertEqual(self.choices.constraints(VIDEO)["facingMode"], "user")
        self.choices.flip()
        self.choices.choose(CAMERA, "c1")
        self.assertEqual(self.choices.facing, "user")

    def test_stored_choices(self) -> None:
        """Choices of earlier calls are used for known kinds, and ignored for unknown ones."""
        choices = DeviceChoices({CAMERA: "c9", "other": "x"})
        choices.set_available(self.entries)
        self.assertEqual(choices.constraints(VIDEO)["deviceId"], {"ideal": "c9"})
        self.assertEqual(choices.chosen, {CAMERA: "c9"})
        self.assertEqual([used for _, _, used in choices.options(CAMERA, "")], [True, False])

    def test_kinds(self) -> None:
        """Each kind of track maps to a kind of device."""
        self.assertEqual((device_kind(VIDEO), device_kind(AUDIO)), (CAMERA, MICROPHONE))
