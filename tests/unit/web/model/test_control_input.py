"""Tests how pointer and keys become messages of remote control."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.control_messages import Wheel, decode_message
from signald_page.client.model.control_input import ControlInput

CENTRE = (0.5, 0.5)


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """Return the types of messages, without their common beginning."""
    return [message["type"].removeprefix("control-") for message in messages]


def press(code: str, down: bool) -> dict[str, Any]:
    """Return the message of a key."""
    return {"type": "control-key", "code": code, "down": down}


class PointerTests(SynchronousTestCase):
    """Pointer, buttons and wheel."""

    def test_moves_are_thinned_out(self) -> None:
        """A move soon after another waits for the next tick, and only the last place counts."""
        control = ControlInput()
        self.assertEqual(control.move((0.1, 0.123456789), 1.0), [{"type": "control-pointer", "x": 0.1, "y": 0.12346}])
        self.assertEqual(control.move((0.2, 0.2), 1.005), [])
        self.assertEqual(control.move((0.3, 0.3), 1.01), [])
        self.assertEqual(control.tick(1.02), [{"type": "control-pointer", "x": 0.3, "y": 0.3}])
        self.assertEqual(control.tick(1.03), [])

    def test_buttons(self) -> None:
        """A button has its place, which includes a move that waited; a repeated press and a sixth button do nothing."""
        control = ControlInput()
        control.move(CENTRE, 1.0)
        control.move((0.6, 0.6), 1.001)
        pressed = {"type": "control-button", "x": 0.7, "y": 0.7, "button": 0, "down": True}
        self.assertEqual(control.buttons((0.7, 0.7), 1), [pressed])
        self.assertEqual(control.buttons((0.7, 0.7), 1), [])
        self.assertEqual(control.buttons((0.7, 0.7), 1 | 32), [])
        self.assertEqual(kinds(control.tick(1.1)), ["hold"])
        self.assertEqual(control.buttons((0.8, 0.8), 0)[0]["down"], False)

    def test_chords(self) -> None:
        """Buttons that are pressed and released while another one is held are, in any order, and none is left."""
        control = ControlInput()
        found = [
            (message["button"], message["down"])
            for pressed in (1, 1 | 2, 2, 2 | 4, 2 | 4 | 8 | 16, 0)
            for message in control.buttons(CENTRE, pressed)
        ]
        self.assertEqual(found[:4], [(0, True), (2, True), (0, False), (1, True)])
        self.assertEqual(found[4:], [(3, True), (4, True), (1, False), (2, False), (3, False), (4, False)])

    def test_wheel(self) -> None:
        """Distances in pixels, lines and pages become steps; a part of a step is kept."""
        control = ControlInput()
        self.assertEqual(control.wheel(CENTRE, 0.0, 60.0, 0), [])
        (message,) = control.wheel(CENTRE, 0.0, 60.0, 0)
        self.assertEqual((message["right"], message["down"]), (0, 1))
        (message,) = control.wheel(CENTRE, -3.0, 3.0, 1)
        self.assertEqual((message["right"], message["down"]), (-1, 1))
        (message,) = control.wheel(CENTRE, 0.0, 5.0, 2)
        self.assertEqual(message["down"], 10)

    @given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.integers(0, 2))))
    def test_any_wheel(self, turns: list[tuple[float, float, int]]) -> None:
        """Every message about the wheel is one that the protocol allows, without being clamped."""
        control = ControlInput()
        for right, down, unit in turns:
            for message in control.wheel(CENTRE, right, down, unit):
                self.assertEqual(decode_message(message), Wheel(0.5, 0.5, message["right"], message["down"]))


class KeyTests(SynchronousTestCase):
    """Keys."""

    def test_keys(self) -> None:
        """A key is pressed once however often it repeats, and a key without a code is none."""
        control = ControlInput()
        control.move(CENTRE, 1.0)
        control.move(CENTRE, 1.001)
        self.assertEqual(kinds(control.key("KeyA", "a", True, 1.0)), ["pointer", "key"])
        self.assertEqual(control.key("KeyA", "a", True, 1.1, True), [])
        self.assertTrue(control.holds("KeyA"))
        self.assertEqual(control.key("KeyA", "a", False, 1.2), [press("KeyA", False)])
        self.assertEqual(control.key("KeyA", "a", False, 1.3), [])
        self.assertFalse(control.holds("KeyA"))
        self.assertEqual(control.key("", "a", True, 1.4), [])

    def test_a_key_that_was_held_before(self) -> None:
        """The repetition of a key that was pressed elsewhere presses nothing."""
        self.assertEqual(ControlInput().key("Space", " ", True, 1.0, True), [])

    def test_a_second_press(self) -> None:
        """A press of a held key that is no repetition means that its release was not reported."""
        control = ControlInput()
        control.key("KeyV", "v", True, 1.0)
        self.assertEqual(control.key("KeyV", "v", True, 1.1), [press("KeyV", False), press("KeyV", True)])

    def test_command(self) -> None:
        """When Command goes up, so does each key whose release macOS does not report; modifiers report theirs."""
        control = ControlInput(apple=True)
        for code in ("ShiftLeft", "MetaLeft", "KeyC", "KeyV"):
            control.key(code, "", True, 1.0)
        released = control.key("MetaLeft", "Meta", False, 2.0)
        self.assertEqual(released, [press("KeyC", False), press("KeyV", False), press("MetaLeft", False)])
        self.assertTrue(control.holds("ShiftLeft"))
        control.key("MetaRight", "Meta", True, 3.0)
        control.key("KeyX", "x", True, 3.0)
        codes = sorted(message["code"] for message in control.release_all())
        self.assertEqual(codes, ["KeyX", "MetaRight", "ShiftLeft"])

    def test_caps_lock(self) -> None:
        """Caps Lock is a press and a release at once; macOS reports a release alone when it goes off."""
        both = [press("CapsLock", True), press("CapsLock", False)]
        for apple, released in ((False, []), (True, both)):
            control = ControlInput(apple)
            self.assertEqual(control.key("CapsLock", "CapsLock", True, 1.0), both)
            self.assertEqual(control.key("CapsLock", "CapsLock", False, 2.0), released)
            self.assertEqual(control.release_all(), [])

    def test_alt_graph(self) -> None:
        """The control key that Windows presses together with AltGr is released; one of the person's is not."""
        control = ControlInput()
        control.key("ControlLeft", "Control", True, 5.0)
        sent = control.key("AltRight", "AltGraph", True, 5.0)
        self.assertEqual(sent[0], {"type": "control-key", "code": "ControlLeft", "down": False})
        self.assertEqual(sent[1:], [{"type": "control-key", "code": "AltRight", "down": True}])
        self.assertEqual(control.key("ControlLeft", "Control", False, 6.0), [])
        control = ControlInput()
        control.key("ControlLeft", "Control", True, 4.0)
        self.assertEqual(len(control.key("AltRight", "AltGraph", True, 5.0)), 1)

    def test_hold(self) -> None:
        """While something is held, this is said once a second."""
        control = ControlInput()
        self.assertEqual(control.tick(10.0), [])
        control.key("KeyA", "a", True, 10.0)
        said = [kinds(control.tick(10.0 + count / 20)) for count in range(41)]
        self.assertEqual([index for index, found in enumerate(said) if found == ["hold"]], [0, 20, 40])

    def test_release_all(self) -> None:
        """Everything that is held is released, once."""
        control = ControlInput()
        control.key("KeyA", "a", True, 1.0)
        control.buttons(CENTRE, 1 | 2)
        self.assertEqual(kinds(control.release_all()), ["key", "button", "button"])
        self.assertEqual(control.release_all(), [])
