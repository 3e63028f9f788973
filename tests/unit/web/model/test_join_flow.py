"""How a person comes into a session, and into it again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald_page.client.model.join_flow import (
    AS_GUEST,
    EVENTS_WITHIN,
    IGNORED,
    INVALID_KEY,
    JOIN,
    OPEN,
    REPORT,
    RETRY,
    USER_REQUESTS,
    JoinFlow,
)

ID = "7Q2M9RT6ZC"
KEY = "Wq4nLx8TzR2kVc6DbS1yMf9JpGa5uEe3iHo0tKqYZ7A"


def ask(entry: JoinFlow) -> str:
    """What a guest with devices asks for."""
    return entry.next_request(False, ID, "", True)


class RequestTests(SynchronousTestCase):
    """`request`."""

    def test_a_host_opens_at_once(self) -> None:
        """A new session, or one whose key there is; once."""
        for session, key in (("", ""), (ID, KEY)):
            entry = JoinFlow(False)
            self.assertEqual(entry.next_request(True, session, key, False), OPEN)
            self.assertEqual(entry.next_request(True, session, key, True), "")

    def test_a_guest_joins_with_devices(self) -> None:
        """Not before the person has decided about them."""
        entry = JoinFlow(False)
        self.assertEqual(entry.next_request(False, ID, "", False), "")
        self.assertEqual(ask(entry), JOIN)
        self.assertEqual(ask(entry), "")

    def test_a_host_without_a_key(self) -> None:
        """Who was made the host of a session comes back as a guest, and opens no other one."""
        self.assertEqual(JoinFlow(False).next_request(True, ID, "", True), JOIN)

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
        self.assertEqual((entry.active, entry.session_lost(200.0), ask(entry)), (False, False, JOIN))

    def test_membership(self) -> None:
        """The session is told, and nothing need be asked."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        entry.entered()
        self.assertEqual((entry.active, entry.session_lost(200.0), ask(entry)), (True, False, ""))

    def test_membership_of_nothing(self) -> None:
        """A session that ended meanwhile is not told: it is asked for after a moment, once."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        self.assertEqual((entry.session_lost(100.0 + EVENTS_WITHIN / 2), ask(entry)), (False, ""))
        self.assertTrue(entry.session_lost(100.0 + EVENTS_WITHIN))
        self.assertFalse(entry.session_lost(200.0))
        self.assertEqual((ask(entry), ask(entry)), (JOIN, ""))


class RefusalTests(SynchronousTestCase):
    """`refused`."""

    def test_a_spent_key(self) -> None:
        """The person joins as a guest."""
        for code in INVALID_KEY:
            entry = JoinFlow(False)
            entry.next_request(True, ID, KEY, False)
            self.assertEqual((entry.refused(OPEN, code, True), ask(entry)), (AS_GUEST, JOIN))

    def test_a_key_that_may_still_be_good(self) -> None:
        """Whatever else refuses a session says nothing about its key."""
        for code in {code.value for code in ErrorCode} - {*INVALID_KEY, "already-member"}:
            self.assertEqual(JoinFlow(False).refused(OPEN, code, True), REPORT)

    def test_a_lost_reply(self) -> None:
        """What can be asked twice is asked again; a second new session is one too many."""
        for about, existed, follows in ((JOIN, True, RETRY), (OPEN, True, RETRY), (OPEN, False, REPORT)):
            entry = JoinFlow(False)
            ask(entry)
            self.assertEqual(entry.refused(about, "no-reply", existed), follows)
            self.assertEqual(ask(entry), JOIN if follows == RETRY else "")

    def test_in_already(self) -> None:
        """Who asked once too often is in."""
        for about in (OPEN, JOIN):
            self.assertEqual(JoinFlow(False).refused(about, "already-member", True), IGNORED)

    def test_what_people_asked_for(self) -> None:
        """Only that is told."""
        for about in USER_REQUESTS:
            self.assertEqual(JoinFlow(False).refused(about, "server-full", False), REPORT)
        for about in ("offer", "candidates", "leave"):
            self.assertEqual(JoinFlow(False).refused(about, "not-a-member", True), IGNORED)

    def test_the_codes_exist(self) -> None:
        """Each is one that the server knows."""
        self.assertEqual({*INVALID_KEY, "already-member"} - {code.value for code in ErrorCode}, set())
