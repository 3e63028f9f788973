"""Turns what a person does with pointer and keys into points on a shared screen. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pointing_messages import MAX_LINE, MAX_POINTS, Points

if TYPE_CHECKING:
    from .pointing_messages import Place

__all__ = ["INTERVAL", "LARGE_STEP", "STEP", "PointingInput"]

INTERVAL = 1 / 30
"""Least seconds between two messages."""

STEP, LARGE_STEP = 0.01, 0.05
"""The part of the picture by which an arrow key moves the pointer, without Shift and with it."""

ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}

CENTRE = (0.5, 0.5)

MAX_WAITING = 30
"""Most messages that wait to be sent, a second's worth; beyond them the oldest is dropped."""


class PointingInput:
    """Where the person points, and what has not been sent yet.

    Attributes:
        drawing: whether the pen is down.

    """

    def __init__(self) -> None:
        self.drawing = False
        self._screen = ""
        self._place: Place = CENTRE
        self._line = 0
        self._unsent: list[Points] = []
        self._sent_at: float | None = None
        self._left = False

    @property
    def waits(self) -> bool:
        """Whether something has not been sent yet."""
        return self._left or bool(self._unsent)

    def move(self, screen: str, place: Place) -> None:
        """Move the pointer on the screen of a user; a place beside the picture becomes the nearest one on it."""
        if screen != self._screen:
            self.lift()
            self._screen = screen
        self._left = False
        self._place = (_clamp(place[0]), _clamp(place[1]))
        self._add(self._line if self.drawing else None)

    def press(self, screen: str, place: Place) -> None:
        """Put the pen down at a place, which begins a line."""
        self.lift()
        self._line = self._line % MAX_LINE + 1
        self._screen = screen
        self.drawing = True
        self.move(screen, place)

    def lift(self) -> None:
        """Lift the pen."""
        self.drawing = False

    def leave(self) -> None:
        """Lift the pen and take the pointer away, once everything else has been sent."""
        self.lift()
        self._left = True

    def key(self, screen: str, key: str, large: bool) -> bool:
        """Handle a key on the screen of a user, and return whether it was one of those that point.

        Arguments:
            screen: the user who shares the screen.
            key: W3C `key`.
            large: whether Shift is held, for larger steps.

        """
        place = self._place if screen == self._screen else CENTRE
        if key == " ":
            if self.drawing:
                self.lift()
            else:
                self.press(screen, place)
            return True
        if key not in ARROWS:
            return False
        step = LARGE_STEP if large else STEP
        self.move(screen, (place[0] + step * ARROWS[key][0], place[1] + step * ARROWS[key][1]))
        return True

    def take(self, now: float) -> Points | None:
        """Return the next points to send, if it is time; call it at least thirty times a second."""
        if not self._unsent or (self._sent_at is not None and now - self._sent_at < INTERVAL):
            return None
        self._sent_at = now
        return self._unsent.pop(0)

    def take_leave(self) -> bool:
        """Return whether to send that the pointer has gone; True once, when everything else has been sent."""
        left = self._left and not self._unsent
        if left:
            self._left = False
        return left

    def clear(self) -> None:
        """Lift the pen, and forget what has not been sent."""
        self.lift()
        self._unsent = []

    def _add(self, line: int | None) -> None:
        """Add the present place to what is sent next; while the pen is up, only the last place counts."""
        last = self._unsent[-1] if self._unsent else None
        if last is None or (last.screen, last.line) != (self._screen, line):
            self._unsent = self._unsent[-(MAX_WAITING - 1) :]
            self._unsent.append(Points(self._screen, [self._place], line))
        elif line is None:
            last.places = [self._place]
        elif last.places[-1] != self._place:
            if len(last.places) == MAX_POINTS:
                # Every second point still shows the line's form.
                last.places = last.places[::2]
            last.places.append(self._place)


def _clamp(value: float) -> float:
    return max(0.0, min(1.0, value))
