"""Tests of what a change of a session means for its people."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import SessionChanged, SessionEnded
from signald.core.members import Person
from signald.core.messages import EndReason, LeaveReason, RefusalReason, SessionId, Traits, UserId
from signald.core.session_news import News, NewsKind, session_news
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from tests.support.world import with_guest

ANN, BOB, CAT = (UserId(letter * 26) for letter in "ABC")
ALONE = Session.new(SessionId("7Q2M9RT6ZC"), Settings(capacity=4, lobby=False), Person(ANN, Traits()))
PAIR = with_guest(ALONE, BOB)


class SessionNewsTests(SynchronousTestCase):
    """Each difference between two versions is one piece of news."""

    def news(self, known: Session | None, change: SessionChanged | SessionEnded) -> list[tuple[NewsKind, str, str]]:
        """Return kinds, first letters of users, and reasons."""
        found = session_news(known, change)
        self.assertTrue(all(item.session is change.session for item in found))
        return [(item.kind, (item.user or "-")[0], item.reason) for item in found]

    def test_nothing(self) -> None:
        """Two versions that differ in other things bring no news."""
        self.assertEqual(session_news(PAIR, SessionChanged(evolve(PAIR, version=2))), [])

    def test_an_open_session(self) -> None:
        """A new session is opened by its host; one that is opened with visitors has its guests join."""
        self.assertEqual(self.news(None, SessionChanged(ALONE)), [(NewsKind.OPENED, "A", "")])
        expected = [(NewsKind.OPENED, "A", ""), (NewsKind.JOINED, "B", "")]
        self.assertEqual(self.news(PAIR.ended(), SessionChanged(PAIR)), expected)

    def test_members(self) -> None:
        """Members join, leave for a reason, are away and come back."""
        away = PAIR.with_presence(BOB, away=True)
        for known, new, expected in (
            (ALONE, PAIR, (NewsKind.JOINED, "B", "")),
            (PAIR, ALONE, (NewsKind.LEFT, "B", "removed")),
            (PAIR, away, (NewsKind.AWAY, "B", "")),
            (away, PAIR, (NewsKind.BACK, "B", "")),
            (PAIR, PAIR.with_new_host(ANN, BOB), (NewsKind.BECAME_HOST, "B", "")),
        ):
            self.assertEqual(self.news(known, SessionChanged(new, LeaveReason.REMOVED)), [expected])

    def test_a_newcomer_as_host(self) -> None:
        """Whoever takes an open session over with the host key joins and is its host, in place of the former one."""
        taken_over = PAIR.reopened_by(Person(CAT, Traits()), PAIR.settings)
        self.assertEqual(
            self.news(PAIR, SessionChanged(taken_over, LeaveReason.REPLACED)),
            [(NewsKind.JOINED, "C", ""), (NewsKind.BECAME_HOST, "C", ""), (NewsKind.LEFT, "A", "replaced")],
        )

    def test_visitors(self) -> None:
        """Visitors wait, are admitted, or not; who stops waiting has the reason of the change."""
        lobby = evolve(ALONE, settings=evolve(ALONE.settings, lobby=True))
        waiting = with_guest(lobby, CAT)
        self.assertEqual(self.news(lobby, SessionChanged(waiting)), [(NewsKind.WAITS, "C", "lobby")])
        self.assertEqual(self.news(waiting, SessionChanged(evolve(waiting, version=9))), [])
        admitted = waiting.with_visitor_admitted(ANN, CAT)
        self.assertEqual(self.news(waiting, SessionChanged(admitted)), [(NewsKind.JOINED, "C", "")])
        refused = SessionChanged(lobby, turned_away=RefusalReason.REFUSED)
        self.assertEqual(self.news(waiting, refused), [(NewsKind.NOT_ADMITTED, "C", "refused")])
        self.assertEqual(
            self.news(waiting, SessionChanged(lobby, LeaveReason.GONE)), [(NewsKind.NOT_ADMITTED, "C", "gone")]
        )

    def test_the_end(self) -> None:
        """All members leave for the reason of the end, and the session ends."""
        change = SessionEnded(PAIR.ended(), EndReason.IDLE)
        self.assertEqual(
            self.news(PAIR, change),
            [(NewsKind.LEFT, "A", "idle"), (NewsKind.LEFT, "B", "idle"), (NewsKind.ENDED, "-", "idle")],
        )
        self.assertEqual(session_news(None, change), [])
        self.assertEqual(session_news(PAIR, change)[-1], News(NewsKind.ENDED, change.session, None, "idle"))
