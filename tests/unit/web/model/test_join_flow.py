"""How a person comes into a session, and into it again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald_page.client.model.join_flow import (
    AGAIN,
    AS_GUEST,
    FOLLOWS_WITHIN,
    IGNORED,
    JOIN,
    OPEN,
    PERSONS,
    SPENT_KEY,
    TOLD,
    JoinFlow,
)

ID = "7Q2M9RT6ZC"
KEY = "Wq4nLx8TzR2kVc6DbS1yMf9JpGa5uEe3iHo0tKqYZ7A"


def ask(entry: JoinFlow) -> str:
    """What a guest with devices asks for."""
    return entry.request(False, ID, "", True)


class RequestTests(SynchronousTestCase):
    """`request`."""

    def test_a_host_opens_at_once(self) -> None:
        """A new session, or one whose key there is; once."""
        for session, key in (("", ""), (ID, KEY)):
            entry = JoinFlow(False)
            self.assertEqual(entry.request(True, session, key, False), OPEN)
            self.assertEqual(entry.request(True, session, key, True), "")

    def test_a_guest_joins_with_devices(self) -> None:
        """Not before the person has decided about them."""
        entry = JoinFlow(False)
        self.assertEqual(entry.request(False, ID, "", False), "")
        self.assertEqual(ask(entry), JOIN)
        self.assertEqual(ask(entry), "")

    def test_a_host_without_a_key(self) -> None:
        """Who was made the host of a session comes back as a guest, and opens no other one."""
        self.assertEqual(JoinFlow(False).request(True, ID, "", True), JOIN)

    def test_a_page_that_was_loaded_anew(self) -> None:
        """It waits for what the resume brings."""
        self.assertEqual(ask(JoinFlow(True)), "")


class ResumeTests(SynchronousTestCase):
    """The connection comes back with less than there was."""

    def test_nothing(self) -> None:
        """The person asks anew at once."""
        entry = JoinFlow(False)
        ask(entry)
        entry.entered()
        entry.resumed(False, 100.0)
        self.assertEqual((entry.inside, entry.forgotten(200.0), ask(entry)), (False, False, JOIN))

    def test_membership(self) -> None:
        """The session is told, and nothing need be asked."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        entry.entered()
        self.assertEqual((entry.inside, entry.forgotten(200.0), ask(entry)), (True, False, ""))

    def test_membership_of_nothing(self) -> None:
        """A session that ended meanwhile is not told: it is asked for after a moment, once."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        self.assertEqual((entry.forgotten(100.0 + FOLLOWS_WITHIN / 2), ask(entry)), (False, ""))
        self.assertTrue(entry.forgotten(100.0 + FOLLOWS_WITHIN))
        self.assertFalse(entry.forgotten(200.0))
        self.assertEqual((ask(entry), ask(entry)), (JOIN, ""))


class RefusalTests(SynchronousTestCase):
    """`refused`."""

    def test_a_spent_key(self) -> None:
        """The person joins as a guest."""
        for code in SPENT_KEY:
            entry = JoinFlow(False)
            entry.request(True, ID, KEY, False)
            self.assertEqual((entry.refused(OPEN, code, True), ask(entry)), (AS_GUEST, JOIN))

    def test_a_key_that_may_still_be_good(self) -> None:
        """Whatever else refuses a session says nothing about its key."""
        for code in {code.value for code in ErrorCode} - {*SPENT_KEY, "already-member"}:
            self.assertEqual(JoinFlow(False).refused(OPEN, code, True), TOLD)

    def test_a_lost_reply(self) -> None:
        """What can be asked twice is asked again; a second new session is one too many."""
        for about, again, follows in ((JOIN, True, AGAIN), (OPEN, True, AGAIN), (OPEN, False, TOLD)):
            entry = JoinFlow(False)
            ask(entry)
            self.assertEqual(entry.refused(about, "no-reply", again), follows)
            self.assertEqual(ask(entry), JOIN if follows == AGAIN else "")

    def test_in_already(self) -> None:
        """Who asked once too often is in."""
        for about in (OPEN, JOIN):
            self.assertEqual(JoinFlow(False).refused(about, "already-member", True), IGNORED)

    def test_what_people_asked_for(self) -> None:
        """Only that is told."""
        for about in PERSONS:
            self.assertEqual(JoinFlow(False).refused(about, "server-full", False), TOLD)
        for about in ("offer", "candidates", "leave"):
            self.assertEqual(JoinFlow(False).refused(about, "not-a-member", True), IGNORED)

    def test_the_codes_exist(self) -> None:
        """Each is one that the server knows."""
        self.assertEqual({*SPENT_KEY, "already-member"} - {code.value for code in ErrorCode}, set())
