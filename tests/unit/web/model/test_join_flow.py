"""Tests of the join and rejoin logic."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald_page.client.model.join_flow import (
    AS_GUEST,
    BAD_KEY,
    GRACE,
    IGNORED,
    JOIN,
    OPEN,
    REPORT,
    REPORTED,
    RETRY,
    JoinFlow,
)

ID = "7Q2M9RT6ZC"
KEY = "Wq4nLx8TzR2kVc6DbS1yMf9JpGa5uEe3iHo0tKqYZ7A"


def next_guest_request(flow: JoinFlow) -> str:
    """Return the request of a guest who has their devices."""
    return flow.request(False, ID, "", True)


class NextRequestTests(SynchronousTestCase):
    """`next_request` decides whether to open or join."""

    def test_a_host_opens_at_once(self) -> None:
        """A host opens a new session, or a session whose key they have, at once and only once."""
        for session, key in (("", ""), (ID, KEY)):
            flow = JoinFlow(False, lambda: 0.5)
            self.assertEqual(flow.request(True, session, key, False), OPEN)
            self.assertEqual(flow.request(True, session, key, True), "")

    def test_a_guest_joins_with_devices(self) -> None:
        """A guest joins only after the person has decided about the devices."""
        flow = JoinFlow(False, lambda: 0.5)
        self.assertEqual(flow.request(False, ID, "", False), "")
        self.assertEqual(next_guest_request(flow), JOIN)
        self.assertEqual(next_guest_request(flow), "")

    def test_host_without_key(self) -> None:
        """A member who became the host by hand-over rejoins as a guest, because they have no host key."""
        self.assertEqual(JoinFlow(False, lambda: 0.5).request(True, ID, "", True), JOIN)

    def test_reloaded_page(self) -> None:
        """A reloaded page sends no request before the resume has finished."""
        self.assertEqual(next_guest_request(JoinFlow(True, lambda: 0.5)), "")


class ResumeTests(SynchronousTestCase):
    """A resumed connection may have lost the memberships or the events."""

    def test_no_membership(self) -> None:
        """After a resume without memberships the session is requested again at once."""
        flow = JoinFlow(False, lambda: 0.5)
        next_guest_request(flow)
        flow.entered()
        flow.resumed(False, 100.0)
        self.assertEqual((flow.active, flow.session_lost(200.0), next_guest_request(flow)), (False, False, JOIN))

    def test_membership(self) -> None:
        """With a membership and an event of the session, no request is sent."""
        flow = JoinFlow(True, lambda: 0.5)
        flow.resumed(True, 100.0)
        flow.entered()
        self.assertEqual((flow.active, flow.session_lost(200.0), next_guest_request(flow)), (True, False, ""))

    def test_membership_of_an_ended_session(self) -> None:
        """A session that has ended sends no event after the resume, and is requested again once after a moment."""
        flow = JoinFlow(True, lambda: 0.5)
        flow.resumed(True, 100.0)
        self.assertEqual((flow.session_lost(100.0 + GRACE / 2), next_guest_request(flow)), (False, ""))
        self.assertTrue(flow.session_lost(100.0 + GRACE))
        self.assertFalse(flow.session_lost(200.0))
        self.assertEqual((next_guest_request(flow), next_guest_request(flow)), (JOIN, ""))


class RefusalTests(SynchronousTestCase):
    """`refused` decides how to react to a refusal."""

    def test_invalid_key(self) -> None:
        """A refused host key makes the person join as a guest."""
        for code in BAD_KEY:
            flow = JoinFlow(False, lambda: 0.5)
            flow.request(True, ID, KEY, False)
            self.assertEqual((flow.refused(OPEN, code, True, 0.0), next_guest_request(flow)), (AS_GUEST, JOIN))

    def test_other_refusals_keep_the_key(self) -> None:
        """Other refusals do not invalidate the host key."""
        for code in {code.value for code in ErrorCode} - {*BAD_KEY, "already-member"}:
            self.assertEqual(JoinFlow(False, lambda: 0.5).refused(OPEN, code, True, 0.0), REPORT)

    def test_a_lost_reply(self) -> None:
        """A request without a reply is repeated, except for opening a new session, which could open two."""
        for about, existed, reaction in ((JOIN, True, RETRY), (OPEN, True, RETRY), (OPEN, False, REPORT)):
            flow = JoinFlow(False, lambda: 0.5)
            next_guest_request(flow)
            self.assertEqual(flow.refused(about, "no-reply", existed, 0.0), reaction)
            self.assertEqual(next_guest_request(flow), JOIN if reaction == RETRY else "")

    def test_already_a_member(self) -> None:
        """A refusal because the person is already a member is ignored."""
        for about in (OPEN, JOIN):
            self.assertEqual(JoinFlow(False, lambda: 0.5).refused(about, "already-member", True, 0.0), IGNORED)

    def test_reported_refusals(self) -> None:
        """Only refusals of requests that a person's action caused are shown."""
        for about in REPORTED:
            self.assertEqual(JoinFlow(False, lambda: 0.5).refused(about, "server-full", False, 0.0), REPORT)
        for about in ("offer", "candidates", "leave"):
            self.assertEqual(JoinFlow(False, lambda: 0.5).refused(about, "not-a-member", True, 0.0), IGNORED)

    def test_the_codes_exist(self) -> None:
        """Each error code of the join logic is one that the server knows."""
        self.assertEqual({*BAD_KEY, "already-member"} - {code.value for code in ErrorCode}, set())
