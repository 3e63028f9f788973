"""Tests of the join and rejoin logic."""

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
    """Return the request of a guest who has their devices."""
    return entry.next_request(False, ID, "", True)


class RequestTests(SynchronousTestCase):
    """`next_request` decides whether to open or join."""

    def test_a_host_opens_at_once(self) -> None:
        """A host opens a new session, or one whose key they have, at once and only once."""
        for session, key in (("", ""), (ID, KEY)):
            entry = JoinFlow(False)
            self.assertEqual(entry.next_request(True, session, key, False), OPEN)
            self.assertEqual(entry.next_request(True, session, key, True), "")

    def test_a_guest_joins_with_devices(self) -> None:
        """A guest joins only after the person has decided about the devices."""
        entry = JoinFlow(False)
        self.assertEqual(entry.next_request(False, ID, "", False), "")
        self.assertEqual(ask(entry), JOIN)
        self.assertEqual(ask(entry), "")

    def test_a_host_without_a_key(self) -> None:
        """A member who was made the host joins again as a guest, because they have no key."""
        self.assertEqual(JoinFlow(False).next_request(True, ID, "", True), JOIN)

    def test_a_page_that_was_loaded_anew(self) -> None:
        """A reloaded page sends no request before the resume has finished."""
        self.assertEqual(ask(JoinFlow(True)), "")


class ResumeTests(SynchronousTestCase):
    """A resumed connection may have lost the memberships or the events."""

    def test_nothing(self) -> None:
        """Without memberships the session is requested again at once."""
        entry = JoinFlow(False)
        ask(entry)
        entry.entered()
        entry.resumed(False, 100.0)
        self.assertEqual((entry.active, entry.session_lost(200.0), ask(entry)), (False, False, JOIN))

    def test_membership(self) -> None:
        """With a membership and an event of the session, no request is sent."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        entry.entered()
        self.assertEqual((entry.active, entry.session_lost(200.0), ask(entry)), (True, False, ""))

    def test_membership_of_nothing(self) -> None:
        """A session that ended meanwhile sends no event, and is requested again once after a moment."""
        entry = JoinFlow(True)
        entry.resumed(True, 100.0)
        self.assertEqual((entry.session_lost(100.0 + EVENTS_WITHIN / 2), ask(entry)), (False, ""))
        self.assertTrue(entry.session_lost(100.0 + EVENTS_WITHIN))
        self.assertFalse(entry.session_lost(200.0))
        self.assertEqual((ask(entry), ask(entry)), (JOIN, ""))


class RefusalTests(SynchronousTestCase):
    """`refused` decides how to react to a refusal."""

    def test_a_spent_key(self) -> None:
        """A refused host key makes the person join as a guest."""
        for code in INVALID_KEY:
            entry = JoinFlow(False)
            entry.next_request(True, ID, KEY, False)
            self.assertEqual((entry.refused(OPEN, code, True), ask(entry)), (AS_GUEST, JOIN))

    def test_a_key_that_may_still_be_good(self) -> None:
        """Other refusals do not invalidate the host key."""
        for code in {code.value for code in ErrorCode} - {*INVALID_KEY, "already-member"}:
            self.assertEqual(JoinFlow(False).refused(OPEN, code, True), REPORT)

    def test_a_lost_reply(self) -> None:
        """A request without a reply is repeated, except for opening a new session, which could open two."""
        for about, existed, follows in ((JOIN, True, RETRY), (OPEN, True, RETRY), (OPEN, False, REPORT)):
            entry = JoinFlow(False)
            ask(entry)
            self.assertEqual(entry.refused(about, "no-reply", existed), follows)
            self.assertEqual(ask(entry), JOIN if follows == RETRY else "")

    def test_in_already(self) -> None:
        """A refusal because the person is a member already is ignored."""
        for about in (OPEN, JOIN):
            self.assertEqual(JoinFlow(False).refused(about, "already-member", True), IGNORED)

    def test_what_people_asked_for(self) -> None:
        """Only refusals of requests that a person caused are reported."""
        for about in USER_REQUESTS:
            self.assertEqual(JoinFlow(False).refused(about, "server-full", False), REPORT)
        for about in ("offer", "candidates", "leave"):
            self.assertEqual(JoinFlow(False).refused(about, "not-a-member", True), IGNORED)

    def test_the_codes_exist(self) -> None:
        """Each error code of the join logic is one that the server knows."""
        self.assertEqual({*INVALID_KEY, "already-member"} - {code.value for code in ErrorCode}, set())
