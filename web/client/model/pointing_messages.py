"""The messages by which people point and draw on a shared screen. It does not touch the browser.

docs/protocol.md, "Pointing", defines them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    Place = tuple[float, float]

__all__ = ["AT", "AWAY", "MAX_LINE", "MAX_POINTS", "InvalidPointsError", "Points", "at_message", "decode_points"]

AT = "point-at"
AWAY = "point-away"
"""The types of the messages: the pointer moves, also while it draws; the pointer is gone."""

MAX_POINTS = 16
"""Most points in one message."""

MAX_ID = 64
"""Most characters of the id of the user whose screen it is."""

MAX_LINE = 2**31 - 1
"""The greatest number of a line."""

DIGITS = 4
"""Decimals of coordinates: a fifth of a pixel on a screen of 1,920."""


class InvalidPointsError(Exception):
    """A message has another form than the protocol defines."""


class Points:
    """Points on a shared screen.

    Attributes:
        screen: the user who shares the screen.
        places: the points in their order, each as parts of the picture's width and height, from 0.0 to 1.0.
        line: the number of the line that they belong to; None while the pointer moves without drawing.

    """

    def __init__(self, screen: str, places: list[Place], line: int | None) -> None:
        self.screen = screen
        self.places = places
        self.line = line


def at_message(points: Points) -> dict[str, Any]:
    """Return the message of points."""
    places = [[round(x, DIGITS), round(y, DIGITS)] for x, y in points.places]
    message: dict[str, Any] = {"type": AT, "screen": points.screen, "points": places}
    if points.line is not None:
        message["line"] = points.line
    return message


def decode_points(message: dict[str, Any]) -> Points:
    """Return the points of a message of the type `AT`; unknown keys are ignored.

    Raises:
        InvalidPointsError: the message does not have the form that the protocol defines.

    """
    screen, places, line = message.get("screen"), message.get("points"), message.get("line")
    if type(screen) is not str or not 0 < len(screen) <= MAX_ID:
        raise InvalidPointsError
    if type(places) is not list or not 0 < len(places) <= MAX_POINTS:
        raise InvalidPointsError
    return Points(screen, [_place(place) for place in places], _line(line) if "line" in message else None)


def _place(value: Any) -> Place:
    if type(value) is not list or len(value) != 2:
        raise InvalidPointsError
    return _coordinate(value[0]), _coordinate(value[1])


def _coordinate(value: Any) -> float:
    """Return a coordinate, clamped to the picture."""
    # Of numbers, only infinity and NaN are not equal to themselves after this subtraction.
    if type(value) not in (int, float) or value - value != 0:
        raise InvalidPointsError
    return float(max(0, min(1, value)))


def _line(value: Any) -> int:
    # JSON has one kind of number: 1.0 is the same number as 1.
    if type(value) not in (int, float) or not 0 <= value <= MAX_LINE or value % 1:
        raise InvalidPointsError
    return int(value)
