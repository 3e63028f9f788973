"""Tests of the page's state in a call whose server was restarted and forgot the session."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.rejoining import RETURN_SECONDS, TRANSIENT_CODES
from signald_page.client.model import texts
from signald_page.client.model.join_flow import AS_GUEST, GIVE_UP, JOIN, LATER, OPEN, RETRY, JoinFlow
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.view_model import status
from tests.unit.web.model.test_page_state import ID, guest_page, host_page, start_page


def users(page: PageState) -> list[str]:
    """Return the participants."""
    return [member.user for member in page.participants.members]


class ReturnTests(SynchronousTestCase):
    """The page keeps the peer connections, and waits for the others."""

    def test_the_call_goes_on(self) -> None:
        """The pictures stay, and the page says that the server was restarted, until everybody is back."""
        page = guest_page("ann", "bob")
        self.assertTrue(page.server_restarted())
        self.assertEqual((page.stage, status(page), users(page)), ("connected", texts.SERVER_RESTARTED, ["ann", "bob"]))
        page.session_joined(ID, GUEST, [RemotePeer("ann", "Ann")], ("ann",))
        self.assertEqual((status(page), users(page)), (texts.SERVER_RESTARTED, ["ann", "bob"]))
        page.member_returned(RemotePeer("bob", "Bob"))
        self.assertEqual((status(page), users(page)), (texts.CONNECTED, ["ann", "bob"]))
        self.assertEqual(
            [(m.name, m.gone, m.was_connected) for m in page.participants.members][1], ("Bob", False, True)
        )

    def test_without_connections(self) -> None:
        """Participants without a connection are forgotten: they come back like new ones."""
        page = host_page("ann")
        page.member_joined(RemotePeer("bob"))
        page.participants.knocked("cat", "Cat")
        page.server_restarted()
        self.assertEqual((users(page), page.participants.knocks), (["ann"], {}))

    def test_without_its_connection(self) -> None:
        """One who comes back without the connection gets a new one in its place, and is not waited for any more."""
        page = host_page("ann")
        page.server_restarted()
        page.session_joined(ID, HOST, [])
        page.member_joined(RemotePeer("ann"))
        self.assertEqual((users(page), page.stage, page.network.returning), (["ann"], "calling", False))

    def test_others_join_meanwhile(self) -> None:
        """A new participant does not replace those who are expected."""
        page = host_page("ann")
        page.server_restarted()
        page.session_joined(ID, HOST, [])
        page.member_joined(RemotePeer("bob"))
        self.assertEqual(users(page), ["ann", "bob"])

    def test_alone(self) -> None:
        """A host who was alone waits for nobody, once the session is open again."""
        page = host_page()
        page.server_restarted()
        self.assertEqual(status(page), texts.SERVER_RESTARTED)
        page.session_joined(ID, HOST, [])
        self.assertEqual(status(page), texts.WAITING)

    def test_interrupted_connections(self) -> None:
        """A connection that breaks while its other side is not back is repaired when it is."""
        page = host_page("ann")
        page.tick(0.0)
        page.server_restarted()
        for state in ("disconnected", "failed"):
            page.connection_changed("ann", state)
        self.assertEqual((page.tick(40.0), users(page)), ([], ["ann"]))
        page.session_joined(ID, HOST, [RemotePeer("ann")], ("ann",))
        self.assertEqual(page.tick(41.0), ["ann"])

    def test_those_who_do_not_come_back(self) -> None:
        """In the end the page stops to wait: a connection goes on for as long as it lasts, a broken one is dropped."""
        page = host_page("ann", "bob")
        page.server_restarted()
        page.connection_changed("bob", "failed")
        page.session_joined(ID, HOST, [RemotePeer("cat")])
        page.return_ended(True)
        self.assertEqual((users(page), page.stage, page.network.returning), (["cat", "ann"], "connected", False))
        page.connection_changed("ann", "disconnected")
        self.assertEqual((users(page), page.stage), (["cat"], "calling"))

    def test_no_way_back(self) -> None:
        """A person who cannot come back goes on without the server, or fails where there is no connection."""
        page = guest_page("ann")
        page.server_restarted()
        page.return_ended(False)
        self.assertEqual((page.stage, status(page)), ("connected", texts.SERVER_LOST_CONNECTED))
        page = host_page()
        page.server_restarted()
        page.return_ended(False)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_LOST))

    def test_outside_of_a_session(self) -> None:
        """A page that is not in a session has nothing to keep."""
        page = start_page()
        self.assertFalse(page.server_restarted())
        self.assertFalse(page.network.returning)
        page.member_returned(RemotePeer("ann"))
        self.assertEqual(users(page), [])

    def test_next_call(self) -> None:
        """Another call does not wait."""
        page = host_page()
        page.server_restarted()
        page.hung_up()
        page.return_to_start()
        page.start_call(HOST)
        self.assertFalse(page.network.returning)


class JoinFlowTests(SynchronousTestCase):
    """The requests of a return."""

    def setUp(self) -> None:
        """Start a return as the host, in which the first request is made at once."""
        self.flow = JoinFlow(False, lambda: 0.5)
        self.flow.request(True, ID, "key", True)
        self.flow.entered()
        self.flow.return_started(100.0)
        self.assertFalse(self.flow.active)
        self.assertEqual(self.flow.request(True, ID, "key", True), OPEN)

    def test_transient(self) -> None:
        """A transient refusal makes the request again after a back-off."""
        self.assertEqual(self.flow.refused(OPEN, TRANSIENT_CODES[0], True, 100.0), LATER)
        self.assertEqual((self.flow.request(True, ID, "key", True), self.flow.tick(100.4)), ("", ""))
        self.assertEqual(self.flow.tick(100.5), RETRY)
        self.assertEqual(self.flow.request(True, ID, "key", True), OPEN)

    def test_another_host(self) -> None:
        """Where another member has become the host, the person comes back as a guest."""
        self.assertEqual(self.flow.refused(OPEN, "wrong-host-key", True, 100.0), AS_GUEST)
        self.assertEqual(self.flow.request(False, ID, "key", True), JOIN)

    def test_final(self) -> None:
        """Any other refusal ends the return, and so does its minute."""
        self.assertEqual(self.flow.refused(JOIN, "unknown-session", True, 100.0), GIVE_UP)
        self.assertEqual(self.flow.tick(100.0 + RETURN_SECONDS), GIVE_UP)
        self.assertEqual(self.flow.tick(200.0), "")

    def test_ended(self) -> None:
        """When everybody is back, the minute ends nothing."""
        self.flow.return_ended()
        self.assertEqual(self.flow.tick(100.0 + RETURN_SECONDS), "")
