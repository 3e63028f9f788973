"""Tests which pointers and lines are shown on shared screens, and for how long."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import peer_messaging
from signald_page.client.model.pointing_input import INTERVAL
from signald_page.client.model.pointing_messages import Points
from signald_page.client.model.screen_marks import (
    BURST,
    FADE_SECONDS,
    LINE_SECONDS,
    MAX_PARTS,
    PART_POINTS,
    POINTER_SECONDS,
    RATE,
    ScreenMarks,
)
from tests.unit.web.model.test_pointing_messages import ODD_MESSAGES

MEMBERS = ["ann", "bob"]
SCREENS = ["me", "ann"]


def at(*places: tuple[float, float], line: int | None = None, screen: str = "ann") -> dict[str, Any]:
    """Return a message with these points."""
    message: dict[str, Any] = {"type": "point-at", "screen": screen, "points": [list(place) for place in places]}
    return message if line is None else {**message, "line": line}


class MarksCase(SynchronousTestCase):
    """A test case with the marks in a call with Ann and Bob, in which Ann and this person share a screen."""

    def setUp(self) -> None:
        """Begin without marks."""
        self.marks = ScreenMarks()

    def receive(self, user: str, message: dict[str, Any], now: float = 0.0) -> bool:
        """Receive a message, and return whether it was accepted."""
        return self.marks.receive(user, message, now, MEMBERS, SCREENS) is not None

    def tick(self, now: float, users: list[str] | None = None, screens: list[str] | None = None) -> None:
        """Let time pass."""
        self.marks.tick(now, MEMBERS if users is None else users, SCREENS if screens is None else screens)

    def pointers(self) -> list[tuple[str, str, tuple[float, float]]]:
        """Return user, screen and place of each pointer."""
        return [(pointer.user, pointer.screen, pointer.place) for pointer in self.marks.pointers]

    def lines(self) -> list[list[tuple[float, float]]]:
        """Return the points of each part of a line."""
        return [part.places for part in self.marks.parts]


class PointerTests(MarksCase):
    """Pointers."""

    def test_last_place(self) -> None:
        """A pointer is at the last of the points, on the screen that the message names; each member has one."""
        self.receive("bob", at((0.1, 0.1), (0.2, 0.3)))
        self.receive("ann", at((0.5, 0.5), screen="me"))
        self.assertEqual(sorted(self.pointers()), [("ann", "me", (0.5, 0.5)), ("bob", "ann", (0.2, 0.3))])
        self.receive("bob", at((0.9, 0.9), screen="me"))
        self.assertEqual(len(self.pointers()), 2)
        self.assertEqual(self.lines(), [])

    def test_still_pointer_goes(self) -> None:
        """A pointer goes after two seconds without a movement, even if its place is sent again."""
        self.receive("bob", at((0.1, 0.1)), 1.0)
        self.receive("bob", at((0.1, 0.1)), 2.0)
        self.tick(1.0 + POINTER_SECONDS - 0.01)
        self.assertEqual(len(self.pointers()), 1)
        self.tick(1.0 + POINTER_SECONDS)
        self.assertEqual(self.pointers(), [])
        self.receive("bob", at((0.1, 0.1)), 4.0)
        self.assertEqual(len(self.pointers()), 1)

    def test_away(self) -> None:
        """A pointer that has left the screen goes at once, and the line stays; only a member can say that."""
        self.receive("bob", at((0.1, 0.1), (0.2, 0.2), line=1))
        self.marks.receive_away("eve", 0.0, MEMBERS)
        self.assertEqual(len(self.pointers()), 1)
        self.marks.receive_away("bob", 0.0, MEMBERS)
        self.assertEqual((self.pointers(), self.lines()), ([], [[(0.1, 0.1), (0.2, 0.2)]]))
        self.assertEqual(self.marks.refused, {"no-member": 1})
        self.marks.hide_pointer("ann")

    def test_gone(self) -> None:
        """With a member or a screen everything goes that belongs to it."""
        self.receive("bob", at((0.1, 0.1), line=1))
        self.receive("ann", at((0.5, 0.5), line=1, screen="me"))
        self.tick(0.1, screens=["ann"])
        self.assertEqual([pointer[0] for pointer in self.pointers()], ["bob"])
        self.assertEqual(len(self.lines()), 1)
        self.tick(0.2, users=["ann"])
        self.assertEqual((self.pointers(), self.lines()), ([], []))
        self.receive("bob", at((0.1, 0.1), line=1))
        self.marks.forget("bob")
        self.marks.forget("bob")
        self.assertEqual((self.pointers(), self.lines()), ([], []))


class LineTests(MarksCase):
    """Lines."""

    def test_line_grows(self) -> None:
        """Points with the same number belong to one line; the same point twice is one."""
        self.receive("bob", at((0.1, 0.1), (0.2, 0.2), line=1))
        self.receive("bob", at((0.2, 0.2), (0.3, 0.3), line=1), 0.1)
        self.assertEqual(self.lines(), [[(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]])

    def test_another_line(self) -> None:
        """Another number, another screen, or a movement without drawing in between, begins a line of its own."""
        self.receive("bob", at((0.1, 0.1), line=1))
        self.receive("bob", at((0.2, 0.2), line=2))
        self.receive("bob", at((0.3, 0.3), line=2, screen="me"))
        self.receive("bob", at((0.4, 0.4), screen="me"))
        self.receive("bob", at((0.5, 0.5), line=2, screen="me"))
        self.marks.receive_away("bob", 0.0, MEMBERS)
        self.receive("bob", at((0.6, 0.6), line=2, screen="me"))
        self.assertEqual(self.lines(), [[(each, each)] for each in (0.1, 0.2, 0.3, 0.5, 0.6)])
        self.assertEqual(len({part.number for part in self.marks.parts}), 5)

    def test_line_fades(self) -> None:
        """A line fades three seconds after its last point, and is gone when it has faded."""
        self.receive("bob", at((0.1, 0.1), line=1), 1.0)
        self.receive("bob", at((0.2, 0.2), line=1), 2.0)
        for passed, fading in ((0.0, [False]), (LINE_SECONDS - 0.01, [False]), (LINE_SECONDS, [True])):
            self.tick(2.0 + passed)
            self.assertEqual([part.fading for part in self.marks.parts], fading)
        self.tick(2.01 + LINE_SECONDS + FADE_SECONDS)
        self.assertEqual(self.lines(), [])

    def test_beginning_fades_first(self) -> None:
        """A long line is divided into parts that touch, of which the first fades while the line is still drawn."""
        for count in range(PART_POINTS + 10):
            self.receive("bob", at((count / 1000, 0.5), line=1), count * 0.1)
        first, second = self.lines()
        self.assertEqual((len(first), first[-1], len(second)), (PART_POINTS, second[0], 11))
        self.tick(PART_POINTS * 0.1 + LINE_SECONDS)
        self.assertEqual([part.fading for part in self.marks.parts], [True, False])

    def test_goes_on_after_a_rest(self) -> None:
        """A line that goes on after it has begun to fade is continued from its last point."""
        self.receive("bob", at((0.1, 0.1), line=1), 0.0)
        self.tick(LINE_SECONDS)
        self.receive("bob", at((0.2, 0.2), line=1), LINE_SECONDS)
        self.assertEqual(self.lines(), [[(0.1, 0.1)], [(0.1, 0.1), (0.2, 0.2)]])

    def test_own(self) -> None:
        """The points of this person are shown without a limit of their rate."""
        for count in range(200):
            self.marks.add("me", Points("ann", [(count / 200, 0.5)], 1), 0.0)
        self.assertEqual(self.pointers(), [("me", "ann", (0.995, 0.5))])


class RefusalTests(MarksCase):
    """What is refused changes nothing, and is counted."""

    def test_reasons(self) -> None:
        """Strangers, unknown screens and malformed messages are refused."""
        self.assertFalse(self.receive("eve", at((0.5, 0.5))))
        self.assertFalse(self.receive("bob", at((0.5, 0.5), screen="bob")))
        self.assertFalse(self.receive("bob", at((0.5, float("nan")))))
        self.assertFalse(self.receive("bob", {"type": "point-at"}))
        self.assertEqual(self.marks.refused, {"no-member": 1, "no-screen": 1, "malformed": 2})
        self.assertEqual((self.pointers(), self.lines()), ([], []))

    def test_rate(self) -> None:
        """Of a flood a burst is shown, and then forty messages a second; others are not affected."""
        accepted = sum(self.receive("bob", at((0.5, 0.5), line=1), 5.0) for _ in range(1000))
        self.assertEqual(accepted, BURST)
        self.assertEqual(self.marks.refused, {"rate": 1000 - BURST})
        self.assertTrue(self.receive("ann", at((0.5, 0.5)), 5.0))
        accepted = sum(self.receive("bob", at((0.5, 0.5), line=1), 5.0 + count / 1000) for count in range(2000))
        self.assertTrue(2 * RATE - 1 <= accepted <= 2 * RATE, accepted)
        self.assertLess(1 / INTERVAL, RATE)
        self.assertLess(RATE, peer_messaging.RATE)
        self.marks.receive_away("bob", 6.999, MEMBERS)
        self.assertEqual(len(self.pointers()), 2)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("ann", "bob", "eve")),
                st.one_of(
                    ODD_MESSAGES,
                    st.builds(
                        lambda places, line, screen: at(*places, line=line, screen=screen),
                        st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), min_size=1, max_size=16),
                        st.none() | st.integers(0, 2),
                        st.sampled_from(("me", "ann", "bob")),
                    ),
                ),
                st.floats(0.0, 1.0),
            ),
            max_size=30,
        ),
        st.integers(1, 40),
    )
    def test_any_messages(self, received: list[tuple[str, dict[str, Any], float]], repeated: int) -> None:
        """Whatever is received, and however often: everything shown is within its bounds, and all goes in the end."""
        marks, now = ScreenMarks(), 0.0
        for user, message, passed in received * repeated:
            now += passed / 10
            marks.receive(user, message, now, MEMBERS, SCREENS)
            marks.tick(now, MEMBERS, SCREENS)
            self.assertTrue({pointer.user for pointer in marks.pointers} <= set(MEMBERS))
            self.assertLessEqual(len(marks.pointers), len(MEMBERS))
            for part in marks.parts:
                self.assertIn(part.screen, SCREENS)
                self.assertTrue(1 <= len(part.places) <= PART_POINTS)
                self.assertTrue(all(0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 for x, y in part.places))
            for user in MEMBERS:
                self.assertLessEqual(sum(part.user == user for part in marks.parts), MAX_PARTS)
        marks.tick(now + LINE_SECONDS + FADE_SECONDS + 0.01, MEMBERS, SCREENS)
        self.assertEqual((marks.pointers, marks.parts), ([], []))
