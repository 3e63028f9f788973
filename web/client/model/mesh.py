"""Divides the uplink in a mesh, where each participant sends a stream of their own to each other participant."""

from __future__ import annotations

__all__ = ["CAPACITY", "LEAST_HEIGHT", "UPLINK", "Bounds", "divide_uplink", "fitting_height"]

CAPACITY = 8
"""The largest number of participants, which is the server's default for a session too. With more, what each has to
send and decode is too much for a laptop."""

UPLINK = 2_500_000
"""The bits per second that all videos may take together, which most homes can send."""

LEVELS = ((180, 150_000), (270, 300_000), (360, 500_000), (480, 800_000), (720, 1_200_000), (720, 2_500_000))
"""The heights in which a camera's picture is sent, with the most bits per second for each."""

LEAST_HEIGHT = LEVELS[0][0]

SHOWN_PART = 0.8
"""The part of the shown height that suffices: a picture that is enlarged by a fourth still looks sharp."""


class Bounds:
    """What may be sent to one participant.

    Attributes:
        bitrate: the most bits per second of the camera's video.
        scale: the divisor of its width and height, 1.0 at least.
        screen_bitrate: the most bits per second of the shared screen, whose size is not reduced.

    """

    def __init__(self, bitrate: int, scale: float, screen_bitrate: int) -> None:
        self.bitrate = bitrate
        self.scale = scale
        self.screen_bitrate = screen_bitrate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bounds) and self._values() == other._values()

    def _values(self) -> tuple[int, float, int]:
        return self.bitrate, self.scale, self.screen_bitrate


def fitting_height(shown: int) -> int:
    """Return the least height of `LEVELS` that suffices for a picture that is shown with this height in pixels."""
    for height, _ in LEVELS:
        if height >= SHOWN_PART * shown:
            return height
    return LEVELS[-1][0]


def divide_uplink(shown: dict[str, int], captured: int, sharing: bool) -> dict[str, Bounds]:
    """Return what may be sent to each participant, so that all streams together fit into `UPLINK`.

    Each gets the picture that they show. While that is too much in sum, the largest of them becomes smaller by a level.
    A shared screen comes first: the camera is as small as it can be then.

    Arguments:
        shown: the height in pixels with which each participant shows the camera's picture.
        captured: the height of the camera's picture in pixels; 0 if it is unknown.
        sharing: whether a screen is shared.

    """
    levels = {}
    for user, height in shown.items():
        fitting = fitting_height(LEAST_HEIGHT if sharing else height)
        levels[user] = max(index for index, level in enumerate(LEVELS) if level[0] == fitting)
    while sum(LEVELS[index][1] for index in levels.values()) > UPLINK and any(levels.values()):
        # Of several, the one who came last.
        largest = max(levels.values())
        levels[[user for user, index in levels.items() if index == largest][-1]] -= 1
    rest = UPLINK - sum(LEVELS[index][1] for index in levels.values())
    bounds = {}
    for user, index in levels.items():
        height, bitrate = LEVELS[index]
        screen_bitrate = max(rest // len(levels), LEVELS[0][1]) if sharing else 0
        bounds[user] = Bounds(bitrate, max(1.0, captured / height), screen_bitrate)
    return bounds
