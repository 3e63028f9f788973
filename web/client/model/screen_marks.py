"""The pointers and lines that people show on shared screens, and how long each is shown. It does not touch the browser.

Time is passed in, in seconds. What others send is bounded here: rate, number and form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pointing_messages import InvalidPointsError, decode_points
from .token_bucket import TokenBucket

if TYPE_CHECKING:
    from typing import Any

    from .pointing_messages import Place, Points

__all__ = [
    "BURST",
    "FADE_SECONDS",
    "LINE_SECONDS",
    "MAX_PARTS",
    "PART_POINTS",
    "POINTER_SECONDS",
    "RATE",
    "LinePart",
    "Pointer",
    "ScreenMarks",
]

RATE = 40.0
BURST = 60.0
"""The rate limit for the messages of one person, per second and as a burst: more than the 30 that a page sends, and
less than its channel lets through (`peer_messaging`), so that pointing leaves some of that to other messages."""

LINE_SECONDS = 3.0
"""Seconds from the last point of a part of a line until it fades."""

FADE_SECONDS = 0.6
"""Seconds that the fading takes; extras.css has the same."""

POINTER_SECONDS = 2.0
"""Seconds without a movement after which a pointer goes away."""

PART_POINTS = 64
"""Most points of one part of a line. A longer line is divided, so that its beginning fades while it is still drawn."""

MAX_PARTS = 16
"""Most parts of lines that are shown of one person; beyond them the oldest goes."""


class LinePart:
    """A part of a line.

    Attributes:
        number: its number among all parts; no other part ever has it.
        user: who draws it.
        screen: the user on whose screen it is.
        places: its points, as parts of the picture's width and height.
        fading: whether it has begun to fade.

    """

    def __init__(self, number: int, user: str, screen: str, line: int) -> None:
        self.number = number
        self.user = user
        self.screen = screen
        self.places: list[Place] = []
        self.fading = False
        self.line = line
        self.drawn_at = 0.0


class Pointer:
    """Where a person points.

    Attributes:
        user: the person.
        screen: the user on whose screen it is.
        place: the place, as parts of the picture's width and height.

    """

    def __init__(self, user: str, screen: str, place: Place, now: float) -> None:
        self.user = user
        self.screen = screen
        self.place = place
        self.moved_at = now


class Person:
    """What is shown of one person, and the rate limit for their messages."""

    def __init__(self, now: float) -> None:
        self.pointer: Pointer | None = None
        self.parts: list[LinePart] = []
        self.drawing = False
        self.limit = TokenBucket(RATE, BURST, now)


class ScreenMarks:
    """All pointers and lines.

    Attributes:
        refused: how many messages were refused, by reason: `malformed`, `rate`, `no-screen`, or `no-member`.

    """

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self._people: dict[str, Person] = {}
        self._parts = 0

    def receive(
        self, user: str, message: dict[str, Any], now: float, members: list[str], screens: list[str]
    ) -> Points | None:
        """Show the points of a message, and return them; None if it is refused.

        Arguments:
            user: who sent it.
            message: a message of the type `point-at`.
            now: the time.
            members: the other members of the call.
            screens: the users whose screens are shown.

        """
        if not self._admit(user, now, members):
            return None
        try:
            points = decode_points(message)
        except InvalidPointsError:
            self._refuse("malformed")
            return None
        if points.screen not in screens:
            self._refuse("no-screen")
            return None
        self.add(user, points, now)
        return points

    def receive_away(self, user: str, now: float, members: list[str]) -> None:
        """Remove a member's pointer, because they no longer point; what they have drawn stays until it has faded."""
        if self._admit(user, now, members):
            self.hide_pointer(user)

    def add(self, user: str, points: Points, now: float) -> None:
        """Show points that are within all limits."""
        person = self._person(user, now)
        place, pointer = points.places[-1], person.pointer
        if pointer is None or (pointer.screen, pointer.place) != (points.screen, place):
            person.pointer = Pointer(user, points.screen, place, now)
        if points.line is None:
            person.drawing = False
            return
        for each in points.places:
            self._draw(person, user, points.screen, points.line, each, now)
        person.drawing = True

    def hide_pointer(self, user: str) -> None:
        """Remove a person's pointer."""
        if user in self._people:
            self._people[user].pointer = None
            self._people[user].drawing = False

    def forget(self, user: str) -> None:
        """Remove everything of a person."""
        self._people.pop(user, None)

    def tick(self, now: float, users: list[str], screens: list[str]) -> None:
        """Remove what has faded, and what belongs to people or screens that are gone.

        Arguments:
            now: the time.
            users: all members of the call.
            screens: the users whose screens are shown.

        """
        for user in list(self._people):
            if user not in users:
                del self._people[user]
        for person in self._people.values():
            pointer = person.pointer
            if pointer is not None and (pointer.screen not in screens or now - pointer.moved_at >= POINTER_SECONDS):
                person.pointer = None
            person.parts = [
                part
                for part in person.parts
                if part.screen in screens and now - part.drawn_at < LINE_SECONDS + FADE_SECONDS
            ]
            for part in person.parts:
                part.fading = now - part.drawn_at >= LINE_SECONDS

    @property
    def pointers(self) -> list[Pointer]:
        """The pointers that are shown."""
        return [person.pointer for person in self._people.values() if person.pointer is not None]

    @property
    def parts(self) -> list[LinePart]:
        """The parts of lines that are shown, the oldest of each person first."""
        found = []
        for person in self._people.values():
            found += person.parts
        return found

    def _admit(self, user: str, now: float, members: list[str]) -> bool:
        if user not in members:
            self._refuse("no-member")
            return False
        if not self._person(user, now).limit.admit(now):
            self._refuse("rate")
            return False
        return True

    def _person(self, user: str, now: float) -> Person:
        if user not in self._people:
            self._people[user] = Person(now)
        return self._people[user]

    def _draw(self, person: Person, user: str, screen: str, line: int, place: Place, now: float) -> None:
        last = person.parts[-1] if person.parts else None
        continued = person.drawing and last is not None and (last.screen, last.line) == (screen, line)
        if last is None or not continued or last.fading or len(last.places) >= PART_POINTS:
            self._parts += 1
            part = LinePart(self._parts, user, screen, line)
            if last is not None and continued:
                part.places.append(last.places[-1])
            person.parts = person.parts[-(MAX_PARTS - 1) :]
            person.parts.append(part)
            person.drawing = True
            last = part
        last.drawn_at = now
        if not last.places or last.places[-1] != place:
            last.places.append(place)

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
