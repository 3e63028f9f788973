"""Turns the pointer and keys of a viewer into messages of remote control. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    Messages = list[dict[str, Any]]

__all__ = ["ControlInput", "wheel_steps"]

MOVE_INTERVAL = 0.012
"""Least seconds between two messages about the pointer, so that 200 events a second are never reached."""

HOLD_INTERVAL = 1.0
"""Seconds between two messages that say that a key or button is held."""

STEP_PIXELS, STEP_LINES = 100.0, 3.0
"""Pixels and lines that one step of the wheel scrolls."""

LINES, PAGES = 1, 2
"""Units of a wheel event (`WheelEvent.deltaMode`); 0 are pixels."""

MAX_STEPS = 10
"""Most steps of the wheel in one message."""

BUTTON_BITS = (1, 4, 2, 8, 16)
"""The bits for the buttons left, middle, right, back and forward in `MouseEvent.buttons`."""

MODIFIERS = ("Shift", "Control", "Alt", "Meta")
"""The beginnings of the codes of keys whose release every system reports."""

DIGITS = 5
"""Decimals of coordinates: a hundredth of a pixel on a screen of 1,000."""


class ControlInput:
    """What the viewer holds, and what has not been sent yet."""

    def __init__(self, apple: bool = False) -> None:
        """Start with nothing held; `apple` is whether this is a computer of Apple's, where Caps Lock differs."""
        self._apple = apple
        self._keys: dict[str, float] = {}
        self._buttons: list[int] = []
        self._place = (0.0, 0.0)
        self._moved_at = 0.0
        self._unsent = False
        self._held_at = 0.0
        self._wheel = (0.0, 0.0)

    def move(self, place: tuple[float, float], now: float) -> Messages:
        """Move the pointer; a move soon after another is kept until `tick` or another event."""
        self._place = place
        self._unsent = now - self._moved_at < MOVE_INTERVAL
        if self._unsent:
            return []
        self._moved_at = now
        return [self._message("pointer")]

    def buttons(self, place: tuple[float, float], pressed: int) -> Messages:
        """Press and release buttons at a place, so that exactly those of a mask are held (W3C Pointer Events).

        A button that is pressed while another one is held comes with a `pointermove`: only the mask tells all of them.
        """
        self._place = place
        messages: Messages = []
        for button, bit in enumerate(BUTTON_BITS):
            down = bool(pressed & bit)
            if (button in self._buttons) == down:
                continue
            self._unsent = False
            if down:
                self._buttons.append(button)
            else:
                self._buttons.remove(button)
            messages.append(self._message("button", {"button": button, "down": down}))
        return messages

    def wheel(self, place: tuple[float, float], right: float, down: float, unit: int) -> Messages:
        """Turn the wheel by a distance; what is less than a step is kept until it is one."""
        self._place = place
        total_right, total_down = (
            kept + wheel_steps(delta, unit)
            for kept, delta in zip(self._wheel, (right, down))  # noqa: B905 - MicroPython
        )
        steps = (_whole(total_right), _whole(total_down))
        self._wheel = (total_right - steps[0], total_down - steps[1])
        if steps == (0, 0):
            return []
        self._unsent = False
        right_steps, down_steps = (max(-MAX_STEPS, min(MAX_STEPS, count)) for count in steps)
        return [self._message("wheel", {"right": right_steps, "down": down_steps})]

    def holds(self, code: str) -> bool:
        """Return whether a key is held."""
        return code in self._keys

    def key(self, code: str, key: str, down: bool, time: float, repeated: bool = False) -> Messages:
        """Press or release a key.

        Arguments:
            code: W3C `code`; empty on keyboards of phones.
            key: W3C `key`.
            down: whether it is pressed.
            time: the time of the event in seconds.
            repeated: whether the event comes from the repetition of a key that is held.

        """
        if not code or repeated or not (down or code in self._keys or code == "CapsLock"):
            return []
        if code == "CapsLock":
            # macOS reports its lock, not its key: a press alone when it goes on, and a release alone when it goes off.
            return self._flush() + _press(code) if down or self._apple else []
        sent = self._flush()
        if down and code in self._keys:
            # Its release was not reported.
            sent += self.key(code, key, False, time)
        if down and code == "AltRight" and key == "AltGraph" and self._keys.get("ControlLeft") == time:
            # Windows presses the left control key along with AltGr, at the same time.
            sent += self.key("ControlLeft", "Control", False, time)
        if down:
            self._keys[code] = time
        else:
            del self._keys[code]
            if code.startswith("Meta"):
                sent += self._release_keys()
        return sent + [{"type": "control-key", "code": code, "down": down}]  # noqa: RUF005 - MicroPython

    def _release_keys(self) -> Messages:
        """Release all keys but modifiers: macOS reports no release of another key while Command is held."""
        messages: Messages = []
        for code in list(self._keys):
            if not any(code.startswith(name) for name in MODIFIERS):
                messages += self.key(code, "", False, 0.0)
        return messages

    def release_all(self) -> Messages:
        """Release everything, because the page does not hear any more when the person does."""
        messages: Messages = []
        for code in list(self._keys):
            # The release of Command may have released it.
            messages += self.key(code, "", False, 0.0)
        return messages + self.buttons(self._place, 0)

    def tick(self, now: float) -> Messages:
        """Send what is kept, and that something is held; call it about twenty times a second."""
        messages = self._flush()
        if (self._keys or self._buttons) and now - self._held_at >= HOLD_INTERVAL:
            self._held_at = now
            messages.append({"type": "control-hold"})
        return messages

    def _flush(self) -> Messages:
        unsent, self._unsent = self._unsent, False
        return [self._message("pointer")] if unsent else []

    def _message(self, kind: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
        message = {"type": "control-" + kind, "x": round(self._place[0], DIGITS), "y": round(self._place[1], DIGITS)}
        message.update(more or {})
        return message


def wheel_steps(delta: float, unit: int) -> float:
    """Return the steps of the wheel for a distance of a wheel event."""
    if unit == PAGES:
        return MAX_STEPS * delta
    return delta / (STEP_LINES if unit == LINES else STEP_PIXELS)


def _press(code: str) -> Messages:
    """Return the messages that press and release a key."""
    return [{"type": "control-key", "code": code, "down": down} for down in (True, False)]


def _whole(number: float) -> int:
    """Return a number without its fraction."""
    return int(number)
