"""Tests of the page's state and its transitions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import RefusalReason, WaitReason
from signald_page.client.model import notices, page_state, remote_peer, texts
from signald_page.client.model.layout import GRID, OWN_SCREEN
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer

ID = "7Q2M9RT6ZC"
LINK = "https://example.org:9000/#7Q2M9RT6ZC"


def start_page() -> PageState:
    """Return a page that shows the start screen."""
    page = PageState()
    page.show_start("")
    return page


def host_page(*members: str) -> PageState:
    """Return a page whose person opened a session, with these connected participants."""
    page = start_page()
    page.start_call(HOST)
    page.session_joined(ID, HOST, [])
    page.session.link = LINK
    for user in members:
        page.member_joined(RemotePeer(user))
        page.connection_changed(user, "connected")
    return page


def guest_page(*members: str, connected: bool = True) -> PageState:
    """Return a page whose person joined a session with these participants."""
    page = start_page()
    page.start_call(GUEST, ID)
    page.session_joined(ID, GUEST, [RemotePeer(user) for user in members])
    for user in members if connected else ():
        page.connection_changed(user, "connected")
    return page


class PhaseTests(SynchronousTestCase):
    """The table `NEXT` is the only way from phase to phase."""

    def test_only_one_place_changes_the_phase(self) -> None:
        """No statement of the page's Python assigns the phase, except that of `_enter` and the first one."""
        with self.assertRaises(AttributeError):
            setattr(PageState(), "phase", page_state.SESSION)  # noqa: B010 # the type checker would refuse the assignment
        folder = Path(page_state.__file__).parents[1]
        found = []
        for file in sorted(folder.rglob("*.py")):
            for function in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    found += [
                        (file.name, function.name)
                        for node in ast.walk(function)
                        if isinstance(node, ast.Attribute)
                        and isinstance(node.ctx, ast.Store)
                        and node.attr in ("phase", "_phase")
                    ]
        self.assertEqual(found, [("page_state.py", "__init__"), ("page_state.py", "_enter")])

    def test_every_event_in_every_phase(self) -> None:
        """Whatever happens in whichever phase, the phase stays or changes as the table says."""
        seen = set()
        for number in range(len(self.pages())):
            for happen in self.events():
                page = self.pages()[number]
                before = page.phase
                happen(page)
                if page.phase != before:
                    self.assertIn(page.phase, page_state.NEXT[before])
                    seen.add((before, page.phase))
        self.assertEqual(seen, {(phase, after) for phase, rest in page_state.NEXT.items() for after in rest})

    def pages(self) -> list[PageState]:
        """Return a page in each phase, and one in a call that is detached from the server."""
        loading, test, start, connecting, ended, failed = PageState(), *(start_page() for _ in range(5))
        test.show_test()
        for page in (connecting, ended, failed):
            page.start_call(HOST)
        ended.session_joined(ID, HOST, [])
        ended.hung_up()
        failed.server_lost("lost")
        detached = host_page("bob")
        detached.server_lost("lost")
        return [loading, test, start, connecting, ended, failed, host_page(), guest_page("bob"), detached]

    def events(self) -> list[Callable[[PageState], object]]:
        """Return all events that may change the phase."""
        return [
            lambda page: page.show_start(ID),
            lambda page: page.show_test(),
            lambda page: page.start_call(GUEST, ID),
            lambda page: page.return_to_start(),
            lambda page: page.session_joined(ID, GUEST, [RemotePeer("bob")]),
            lambda page: page.admission_pending("host"),
            lambda page: page.admission_refused("full"),
            lambda page: page.request_refused("hello", "server-full", "full"),
            lambda page: page.request_refused("join", "session-full", "full"),
            lambda page: page.session_ended("host-left"),
            lambda page: page.server_lost("lost"),
            lambda page: page.membership_lost(),
            lambda page: page.replaced_elsewhere(),
            lambda page: page.connection_changed("bob", "failed"),
            lambda page: page.negotiation_failed("bob"),
            lambda page: page.connection_refused("bob"),
            lambda page: page.tick(1000.0),
            lambda page: page.hung_up(),
        ]

    def test_what_the_table_forbids_changes_nothing(self) -> None:
        """A failure that may not follow the phase leaves the page as it was."""
        page = start_page()
        page._fail("failed")
        self.assertEqual((page.phase, page.notices.problem), (page_state.START, ""))


class StartScreenTests(SynchronousTestCase):
    """The page is on the start screen or connects."""

    def test_loading(self) -> None:
        """No call can be started before the start screen is shown."""
        page = PageState()
        self.assertFalse(page.start_call(HOST))
        self.assertEqual(page.stage, "loading")

    def test_connectivity_test(self) -> None:
        """The connectivity test replaces the start screen and returns to it."""
        page = PageState()
        self.assertTrue(page.show_test())
        page.show_start(ID)
        page.devices.previewing = True
        page.notices.problem = "What went wrong."
        self.assertTrue(page.show_test())
        self.assertEqual((page.stage, page.notices.problem, page.devices.previewing), ("test", "", False))
        self.assertFalse(page.show_test())
        self.assertFalse(page.start_call(HOST))
        page.show_start(ID)
        self.assertEqual((page.stage, page.session.invited_id), ("start", ID))
        page.start_call(HOST)
        self.assertFalse(page.show_test())
        self.assertEqual(page.stage, "connecting")

    def test_malformed_fragment(self) -> None:
        """A malformed fragment of the page's URL is reported until the next one."""
        page = PageState()
        page.show_start("", "No such form.")
        self.assertEqual((page.stage, page.notices.problem), ("start", "No such form."))
        page.show_start(ID)
        self.assertEqual((page.stage, page.session.invited_id, page.notices.problem), ("start", ID, ""))

    def test_one_call_at_a_time(self) -> None:
        """Starting a second call while the first one connects does nothing."""
        page = start_page()
        self.assertTrue(page.start_call(HOST))
        self.assertFalse(page.start_call(GUEST, ID))
        self.assertEqual((page.stage, page.role), ("connecting", HOST))

    def test_a_refused_join_goes_back(self) -> None:
        """An unknown session id returns to the start screen, where it can be corrected."""
        page = start_page()
        page.start_call(GUEST, ID)
        page.request_refused("join", "unknown-session", "There is no such call.")
        self.assertEqual((page.stage, page.notices.problem), ("start", "There is no such call."))

    def test_a_refused_hello_fails(self) -> None:
        """A refused hello makes the attempt fail."""
        page = start_page()
        page.start_call(HOST)
        page.request_refused("hello", "unsupported-version", "This server speaks version 2.")
        self.assertEqual((page.stage, page.notices.problem), ("failed", "This server speaks version 2."))

    def test_a_refusal_within_a_call(self) -> None:
        """Other refusals are reported, and the call goes on."""
        page = host_page("ann")
        page.request_refused("offer", "outbox-full", "No.")
        self.assertEqual((page.stage, page.notices.problem), ("connected", "No."))

    def test_devices_left_off(self) -> None:
        """A link can leave devices off before a call and after one, but changes nothing in a call."""

        def wanted(page: PageState) -> tuple[bool, bool]:
            return page.devices.microphone.wanted, page.devices.camera.wanted

        page = PageState()
        page.leave_off(False, True)
        self.assertEqual(wanted(page), (True, False))
        page.leave_off(False, False)
        self.assertEqual(wanted(page), (True, False))
        page.show_start("")
        page.start_call(HOST)
        page.leave_off(True, True)
        page.session_joined(ID, HOST, [])
        page.leave_off(True, True)
        self.assertEqual(wanted(page), (True, False))
        page.hung_up()
        page.leave_off(True, False)
        self.assertEqual(wanted(page), (False, False))

    def test_cancelled(self) -> None:
        """Cancelling before the session is open returns to the start screen."""
        page = start_page()
        page.start_call(HOST)
        page.hung_up()
        self.assertEqual(page.stage, "start")

    def test_an_unreachable_server(self) -> None:
        """If the server is unreachable, the attempt fails and can be repeated."""
        page = start_page()
        page.start_call(GUEST, ID)
        page.server_lost(texts.SERVER_UNREACHABLE)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_UNREACHABLE))
        self.assertTrue(page.start_call(GUEST, ID))
        self.assertEqual((page.stage, page.notices.problem), ("connecting", ""))

    def test_late_events_are_ignored(self) -> None:
        """Events that arrive after a cancelled attempt are ignored."""
        page = start_page()
        page.start_call(HOST)
        page.hung_up()
        page.session_joined(ID, GUEST, [RemotePeer("ann")])
        page.member_joined(RemotePeer("ann"))
        page.session_ended("idle")
        page.server_lost("Lost.")
        page.hung_up()
        page.return_to_start()
        self.assertEqual(
            (page.stage, page.session.id, page.participants.members, page.notices.problem), ("start", "", [], "")
        )


class SessionTests(SynchronousTestCase):
    """The page is in a session."""

    def test_a_host_waits(self) -> None:
        """A host who is alone sees the session id and the link."""
        page = host_page()
        self.assertEqual((page.stage, page.session.id, page.session.link), ("waiting", ID, LINK))

    def test_calling_until_connected(self) -> None:
        """With another participant the page is calling until a peer connection is established."""
        page = guest_page("ann", connected=False)
        self.assertEqual(page.stage, "calling")
        page.connection_changed("ann", "connecting")
        self.assertEqual(page.stage, "calling")
        page.connection_changed("ann", "connected")
        self.assertEqual(page.stage, "connected")

    def test_a_guest_leaves(self) -> None:
        """When a guest leaves, the host waits again and sees a notice, until the next participant joins."""
        for reason, notice in (("left", texts.LEFT_WAITING), ("gone", texts.LOST_WAITING)):
            page = host_page()
            page.member_joined(RemotePeer("ann"))
            page.member_left("ann", reason)
            self.assertEqual((page.stage, page.notices.notice), ("waiting", notice))
            page.member_joined(RemotePeer("bob"))
            self.assertEqual((page.stage, page.notices.notice), ("calling", ""))

    def test_a_guest_who_lost_only_the_server(self) -> None:
        """A peer connection outlives the participant's signaling connection.

        The participant is removed when the peer connection breaks as well.
        """
        page = host_page("ann")
        page.member_left("ann", "gone")
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.OTHER_LOST_SERVER))
        page.connection_changed("ann", "disconnected")
        self.assertEqual((page.stage, page.notices.notice), ("waiting", texts.LOST_WAITING))

    def test_rejoined_participant_replaces_the_lost_one(self) -> None:
        """A participant who rejoins with a new signaling connection replaces their lost membership."""
        page = host_page("ann")
        page.member_left("ann", "gone")
        page.member_joined(RemotePeer("ann-again"))
        self.assertEqual([member.user for member in page.participants.members], ["ann-again"])

    def test_events_about_unknown_users(self) -> None:
        """Events about unknown users are ignored."""
        page = host_page("ann")
        page.member_left("bob", "left")
        page.connection_changed("bob", "failed")
        self.assertEqual(([member.user for member in page.participants.members], page.stage), (["ann"], "connected"))

    def test_hanging_up(self) -> None:
        """The outcome of hanging up depends on the person's role."""
        host, guest, new_host = host_page("bob"), guest_page("ann"), guest_page("ann")
        host.session.has_host_key = True
        host.hung_up()
        new_host.host_changed("me", "me")
        new_host.hung_up()
        guest.hung_up()
        self.assertEqual(
            (host.stage, host.notices.outcome, host.participants.members), ("ended", texts.HUNG_UP_HOST, [])
        )
        self.assertEqual((new_host.stage, new_host.notices.outcome), ("ended", texts.YOU_ENDED))
        self.assertEqual((guest.stage, guest.notices.outcome), ("ended", texts.HUNG_UP))
        guest.return_to_start()
        self.assertEqual(guest.stage, "start")

    def test_the_session_ends(self) -> None:
        """Each reason for the end of a session has a sentence, and so has an unknown reason."""
        for reason in ("host-left", "idle", "expired", "something-new"):
            page = guest_page("ann")
            page.session_ended(reason)
            self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED.get(reason, texts.CALL_OVER)))

    def test_ways_back(self) -> None:
        """A guest who left, or whose host was lost, can rejoin, and a host with the key can open the call again."""
        guest = guest_page("ann")
        guest.hung_up()
        self.assertTrue(guest.returnable)
        self.assertTrue(guest.start_call(GUEST, ID))
        guest.session_joined(ID, GUEST, [RemotePeer("ann")])
        for reason, returnable in (("removed", False), ("by-host", False), ("replaced", False), ("host-gone", True)):
            page = guest_page("ann", connected=False)
            page.session_ended(reason)
            self.assertEqual((page.stage, page.returnable), ("ended", returnable), reason)
        for key in (True, False):
            host, idle = host_page("bob"), host_page()
            host.session.has_host_key = idle.session.has_host_key = key
            host.hung_up()
            idle.session_ended("idle")
            self.assertEqual((host.returnable, idle.returnable), (key, key))

    def test_the_summary(self) -> None:
        """The summary counts the time in which somebody was connected, and begins anew with each call."""
        page = guest_page("ann", connected=False)
        page.tick(1.0)
        page.connection_changed("ann", "connected")
        page.tick(3.0)
        page.tick(6.0)
        self.assertEqual(page.summary.seconds, 5.0)
        page.hung_up()
        page.start_call(GUEST, ID)
        self.assertEqual(page.summary.seconds, 0.0)

    def test_a_host_who_lost_only_the_server(self) -> None:
        """A peer connection outlives a session whose host lost the signaling connection.

        When the peer connection breaks, the reason is shown.
        """
        page = guest_page("ann")
        page.session_ended("host-gone")
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.OTHER_LOST_SERVER))
        page.connection_changed("ann", "disconnected")
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED["host-gone"]))

    def test_host_lost_before_a_connection(self) -> None:
        """Without a peer connection, the loss of the host ends the call."""
        page = guest_page("ann", connected=False)
        page.session_ended("host-gone")
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED["host-gone"]))


class ServerLossTests(SynchronousTestCase):
    """The signaling connection is lost for good."""

    def test_while_waiting(self) -> None:
        """Without a signaling connection nobody can join, so the call of a waiting host fails."""
        page = host_page()
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_LOST))

    def test_while_connected(self) -> None:
        """A connected call continues, and the later loss of its peer connection is reported."""
        page = guest_page("ann")
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.SERVER_LOST_CONNECTED))
        page.connection_changed("ann", "failed")
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_LOST))

    def test_unconnected_participants_are_removed(self) -> None:
        """Participants without a peer connection are removed when the signaling connection is lost for good."""
        page = host_page("ann")
        page.member_joined(RemotePeer("bob"))
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual([member.user for member in page.participants.members], ["ann"])

    def test_hanging_up_without_a_server(self) -> None:
        """The person can end a call that continues without the signaling connection."""
        page = guest_page("ann")
        page.server_lost(texts.SERVER_LOST)
        page.hung_up()
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.HUNG_UP))

    def test_one_of_two_connections_breaks(self) -> None:
        """A call without a signaling connection continues with the remaining participant when one of two leaves."""
        page = host_page("ann", "bob")
        page.server_lost(texts.SERVER_LOST)
        page.connection_changed("ann", "closed")
        self.assertEqual((page.stage, [member.user for member in page.participants.members]), ("connected", ["bob"]))


class PeerConnectionTests(SynchronousTestCase):
    """Peer connections are established, interrupted and given up."""

    def test_no_path(self) -> None:
        """The call of a guest without a network path fails, and the message says whether a TURN server was tried."""
        for turn, problem in ((False, texts.NO_PATH), (True, texts.NO_PATH_WITH_TURN)):
            page = guest_page("ann", connected=False)
            page.network.turn_available = turn
            page.connection_changed("ann", "failed")
            self.assertEqual((page.stage, page.notices.problem), ("failed", problem))

    def test_no_path_with_a_hidden_address(self) -> None:
        """If a person hides their address and there is no TURN server, the message names this as the reason."""
        for turn, problem in ((False, texts.NO_PATH_RELAY_ONLY), (True, texts.NO_PATH_WITH_TURN)):
            page = guest_page("ann", connected=False)
            page.network.relay_only = True
            page.network.turn_available = turn
            page.connection_changed("ann", "failed")
            self.assertEqual(page.notices.problem, problem)

    def test_relay_only_without_a_turn_server(self) -> None:
        """Without a TURN server a new relay-only connection is given up at once; an existing connection continues."""
        page = guest_page("ann", connected=False)
        page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH_RELAY_ONLY))
        page = guest_page("ann", connected=False)
        page.network.relay_only = page.network.turn_available = True
        page.tick(1.0)
        self.assertEqual(page.stage, "calling")
        page = guest_page("ann")
        page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual(page.stage, "connected")

    def test_relay_only_session_without_a_turn_server(self) -> None:
        """A relay-only session without a TURN server is given up at once.

        The message does not blame the person's own setting.
        """
        page = guest_page("ann", connected=False)
        page.session.relay_only = True
        self.assertTrue(page.relay_only)
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))
        page = guest_page("ann", connected=False)
        page.session.relay_only = page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))

    def test_no_path_to_a_guest(self) -> None:
        """The session stays open when there is no path to a guest, who can then try again."""
        page = host_page()
        page.member_joined(RemotePeer("bob"))
        page.connection_changed("bob", "failed")
        self.assertEqual((page.stage, page.notices.problem), ("waiting", texts.NO_PATH))

    def test_one_of_several_without_a_path(self) -> None:
        """The call goes on with the participants who can be reached."""
        page = guest_page("ann", "bob", connected=False)
        page.connection_changed("ann", "connected")
        page.connection_changed("bob", "failed")
        self.assertEqual((page.stage, [member.user for member in page.participants.members]), ("connected", ["ann"]))

    def test_failed_negotiation(self) -> None:
        """A failed first negotiation ends the attempt; a failed later one leaves the call as it was."""
        page = guest_page("ann", connected=False)
        page.negotiation_failed("bob")
        self.assertEqual(page.stage, "calling")
        page.negotiation_failed("ann")
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NEGOTIATION_FAILED))
        page = guest_page("ann")
        page.negotiation_failed("ann")
        self.assertEqual((page.stage, page.notices.problem), ("connected", ""))

    def test_a_browser_without_connections(self) -> None:
        """A browser that opens no connection fails a guest, with the reason; a host's session stays open."""
        page = guest_page("ann", connected=False)
        page.connection_refused("bob")
        self.assertEqual(page.stage, "calling")
        page.connection_refused("ann")
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.CONNECTION_REFUSED))
        page = host_page()
        page.member_joined(RemotePeer("bob"))
        page.connection_refused("bob")
        self.assertEqual((page.stage, page.notices.problem), ("waiting", texts.CONNECTION_REFUSED))

    def test_a_reported_failure(self) -> None:
        """After the report of an ICE failure the page waits some seconds for a path, and then says whose failure."""
        page = guest_page("ann", connected=False)
        page.failure_reported("bob")
        page.failure_reported("ann")
        page.tick(remote_peer.GIVE_UP_REPORTED_AFTER - 1)
        self.assertEqual(page.stage, "calling")
        page.tick(remote_peer.GIVE_UP_REPORTED_AFTER)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.OTHER_REFUSED))

    def test_a_reported_failure_beside_a_connection(self) -> None:
        """A report of an ICE failure does not shorten the repair of a connection."""
        page = guest_page("ann")
        page.failure_reported("ann")
        page.connection_changed("ann", "disconnected")
        page.tick(remote_peer.GIVE_UP_REPORTED_AFTER)
        self.assertEqual(page.stage, "connected")

    def test_a_long_search(self) -> None:
        """After some seconds the page shows that the search for a path continues, and in the end that it failed."""
        page = guest_page("ann", connected=False)
        self.assertEqual(page.tick(page_state.CALLING_LONG_AFTER - 1), [])
        self.assertEqual(page.notices.notice, "")
        self.assertEqual(page.tick(page_state.CALLING_LONG_AFTER), [])
        self.assertEqual(page.notices.notice, texts.CALLING_LONG)
        self.assertEqual(page.tick(remote_peer.GIVE_UP_AFTER), [])
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))

    def test_a_search_beside_a_call(self) -> None:
        """During a connected call the search for another path is not shown."""
        page = host_page("ann")
        page.member_joined(RemotePeer("bob"))
        page.tick(page_state.CALLING_LONG_AFTER)
        self.assertEqual((page.stage, page.notices.notice), ("connected", ""))

    def test_an_interruption(self) -> None:
        """ICE is restarted with back-off during an interruption.

        The back-off starts again with the next interruption.
        """
        page = guest_page("ann")
        self.assertEqual(page.tick(100.0), [])
        page.connection_changed("ann", "disconnected")
        self.assertTrue(page.participants.interrupted)
        self.assertEqual(page.stage, "connected")
        restarted = [second for second in range(101, 120) if page.tick(float(second)) == ["ann"]]
        self.assertEqual(restarted, [102, 106, 114])
        page.connection_changed("ann", "connected")
        self.assertFalse(page.participants.interrupted)
        page.tick(200.0)
        page.connection_changed("ann", "disconnected")
        self.assertEqual([page.tick(201.0), page.tick(202.0)], [[], ["ann"]])

    def test_immediate_ice_restart(self) -> None:
        """ICE is restarted at once after a failure, and after the signaling connection is restored on either side."""
        for cause in (
            lambda page: page.connection_changed("ann", "failed"),
            lambda page: page.server_connected(),
            lambda page: page.participants.set_away("ann", False),
        ):
            page = guest_page("ann")
            page.tick(100.0)
            page.connection_changed("ann", "disconnected")
            cause(page)
            self.assertEqual(page.tick(100.5), ["ann"])
            self.assertEqual(page.participants.members[0].restarts, 1)

    def test_network_change(self) -> None:
        """After a network change ICE is restarted as soon as the signaling connection works.

        This happens even if no loss was noticed.
        """
        page = guest_page("ann")
        page.tick(100.0)
        page.network.changed = True
        self.assertEqual(page.tick(100.5), [])
        page.network.interrupted()
        page.server_connected()
        self.assertEqual([page.tick(101.0), page.tick(102.0)], [["ann"], []])
        page = guest_page("bob", connected=False)
        page.network.changed = True
        page.server_connected()
        self.assertEqual(page.tick(1.0), [])

    def test_no_negotiation_without_the_server(self) -> None:
        """While either side has lost the signaling connection, ICE is not restarted and no participant is given up."""
        for lost, back in (
            (lambda page: page.network.interrupted(), lambda page: page.server_connected()),
            (
                lambda page: page.participants.set_away("ann", True),
                lambda page: page.participants.set_away("ann", False),
            ),
        ):
            page = guest_page("ann")
            page.connection_changed("ann", "disconnected")
            lost(page)
            self.assertEqual(page.tick(100.0), [])
            self.assertEqual(page.stage, "connected")
            back(page)
            self.assertEqual(page.tick(100.5), ["ann"])

    def test_an_interruption_that_lasts(self) -> None:
        """The state changes of an interruption do not prolong it: the participant is given up in the end."""
        page = guest_page("ann")
        page.connection_changed("ann", "disconnected")
        page.tick(15.0)
        page.connection_changed("ann", "failed")
        page.connection_changed("ann", "connecting")
        page.tick(16.0)
        page.connection_changed("ann", "failed")
        page.tick(remote_peer.GIVE_UP_AFTER)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.OTHER_LOST))

    def test_repeated_connection_state(self) -> None:
        """A connection state that is reported twice does not restart its timeout."""
        page = guest_page("ann")
        page.connection_changed("ann", "disconnected")
        page.tick(10.0)
        page.connection_changed("ann", "disconnected")
        self.assertEqual(page.participants.members[0].waited, 10.0)


class ReconnectTests(SynchronousTestCase):
    """The signaling connection is lost and restored."""

    def test_offline_seconds(self) -> None:
        """The duration of the loss is counted from its start."""
        page = guest_page("ann")
        page.tick(50.0)
        page.network.interrupted()
        page.tick(51.0)
        page.network.interrupted()
        page.tick(53.5)
        self.assertEqual((page.stage, page.network.offline_for), ("connected", 3.5))
        page.server_connected()
        self.assertIsNone(page.network.offline_for)

    def test_participant_reloaded(self) -> None:
        """A participant who reloaded their page gets a new peer connection at the same position."""
        page = guest_page("ann", "bob")
        page.participants.set_away("ann", True)
        page.participants.connection_reset("ann")
        page.participants.connection_reset("nobody")
        ann = page.participants.members[0]
        self.assertEqual((ann.user, ann.away, ann.connection, ann.was_connected), ("ann", False, "new", False))

    def test_own_page_reloaded(self) -> None:
        """After a reload of the local page, the received participants replace the previous participants."""
        page = guest_page("ann")
        page.session_joined(ID, HOST, [RemotePeer("bob")])
        self.assertEqual(
            (page.role, [member.user for member in page.participants.members], page.stage), (HOST, ["bob"], "calling")
        )

    def test_membership_lost(self) -> None:
        """A person whose membership the server no longer has joins again; without a session nothing happens."""
        page = guest_page("ann")
        page.membership_lost()
        self.assertEqual((page.stage, page.participants.members, page.session.id), ("connecting", [], ID))
        page = start_page()
        page.membership_lost()
        self.assertEqual(page.stage, "start")

    def test_replaced_by_another_tab(self) -> None:
        """A page whose user was taken over by another tab fails and shows the reason."""
        page = guest_page("ann")
        page.replaced_elsewhere()
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.TAKEN_OVER))
        page = start_page()
        page.replaced_elsewhere()
        self.assertEqual(page.stage, "start")


class AdmissionTests(SynchronousTestCase):
    """Admission, passwords, the lobby and the change of hosts follow the server's events."""

    def test_admission_pending(self) -> None:
        """The reason for waiting is shown until the person is admitted or refused."""
        page = start_page()
        page.start_call(GUEST, ID)
        for reason in WaitReason:
            page.admission_pending(reason.value)
            self.assertEqual(page.notices.progress, texts.WAITING_FOR[reason.value])
        page.session_joined(ID, GUEST, [])
        page.admission_pending("host")
        self.assertEqual(page.stage, "waiting")
        for why in RefusalReason:
            page = start_page()
            page.start_call(GUEST, ID)
            page.admission_refused(why.value)
            self.assertEqual((page.stage, page.notices.problem), ("start", texts.TURNED_AWAY[why.value]))

    def test_a_password(self) -> None:
        """The page asks for the password when the server requires one, until the join succeeds."""
        for code in ("password-needed", "wrong-password"):
            page = start_page()
            page.start_call(GUEST, ID)
            page.request_refused("join", code, "A password.")
            self.assertEqual((page.stage, page.session.password_required), ("start", True))
            page.start_call(GUEST, ID)
            page.session_joined(ID, GUEST, [])
            self.assertFalse(page.session.password_required)

    def test_knocks(self) -> None:
        """The host sees the waiting visitors, until they stop waiting or another member becomes the host."""
        page = host_page()
        page.participants.knocked("bob", "Bob")
        page.participants.knocked("cat", "")
        page.participants.knock_over("bob")
        page.participants.knock_over("bob")
        self.assertEqual(page.participants.knocks, {"cat": ""})
        page.host_changed("ann", "me")
        self.assertEqual((page.role, page.participants.knocks), (GUEST, {}))
        page.host_changed("me", "me")
        self.assertEqual(page.role, HOST)

    def test_host_changed(self) -> None:
        """A change of the host is announced."""
        page = host_page("ann", "bob")
        page.participants.members[0].name = "Ann"
        page.host_changed("ann", "me")
        self.assertEqual((page.role, page.notices.notice), (GUEST, texts.IS_HOST.format("Ann")))
        page.host_changed("bob", "me")
        self.assertEqual(page.notices.notice, texts.IS_HOST.format(texts.SOMEBODY))
        self.assertEqual([member.host for member in page.participants.members], [False, True])
        page.host_changed("me", "me")
        self.assertEqual((page.role, page.notices.notice), (HOST, texts.YOU_ARE_HOST))
        self.assertEqual([member.host for member in page.participants.members], [False, False])

    def test_hand_over_and_leave(self) -> None:
        """A host who wants to leave and hands over first leaves when the server confirms the new host."""
        page = host_page("ann")
        page.participants.successor = "ann"
        self.assertTrue(page.in_session)
        page.host_changed("ann", "me")
        self.assertEqual((page.stage, page.role), ("ended", GUEST))
        self.assertEqual(page.notices.outcome, texts.HUNG_UP + " " + texts.IS_HOST.format(texts.SOMEBODY))

    def test_refused_hand_over(self) -> None:
        """After a refused hand-over the person stays in the call, even if the host changes later."""
        page = host_page("ann", "bob")
        page.participants.successor = "bob"
        page.member_left("bob", "left")
        page.request_refused("hand-over", "unknown-member", "Gone.")
        self.assertEqual((page.stage, page.participants.successor, page.notices.problem), ("connected", "", "Gone."))
        page.member_joined(RemotePeer("bob"))
        page.host_changed("bob", "me")
        self.assertEqual((page.stage, page.role), ("connected", GUEST))

    def test_hand_over_to_another_participant(self) -> None:
        """A host who wanted to hand over to one participant stays when another one becomes the host."""
        page = host_page("ann", "bob")
        page.participants.successor = "bob"
        page.host_changed("ann", "me")
        self.assertEqual((page.stage, page.participants.successor), ("connected", ""))

    def test_lock_announcement(self) -> None:
        """A change of the lock is announced; its initial state is not."""
        page = guest_page("ann")
        page.settings_changed(True, False)
        self.assertEqual((page.session.locked, page.notices.notice), (True, ""))
        page.settings_changed(False, False, True)
        self.assertEqual((page.session.locked, page.notices.notice), (False, texts.UNLOCKED))
        page.settings_changed(True, False, True)
        self.assertEqual((page.session.locked, page.notices.notice), (True, texts.LOCKED))
        page.notices.notice = ""
        page.settings_changed(True, True, True)
        self.assertEqual((page.session.lobby, page.notices.notice), (True, ""))

    def test_leads(self) -> None:
        """A person can act as the host of other participants while the signaling connection works."""
        detached = host_page("ann")
        detached.server_lost("Lost.")
        for page, leads in (
            (host_page("ann"), True),
            (host_page(), False),
            (guest_page("ann"), False),
            (detached, False),
        ):
            self.assertEqual(page.leads, leads)

    def test_announcements(self) -> None:
        """An announcement is removed after some seconds, while later notices stay."""
        page = guest_page("ann")
        page.tick(100.0)
        page.settings_changed(True, False, True)
        page.tick(100.0 + notices.ANNOUNCEMENT_SECONDS / 2)
        self.assertEqual(page.notices.notice, texts.LOCKED)
        page.settings_changed(False, False, True)
        page.tick(100.0 + notices.ANNOUNCEMENT_SECONDS)
        self.assertEqual(page.notices.notice, texts.UNLOCKED)
        page.tick(100.0 + 2 * notices.ANNOUNCEMENT_SECONDS)
        self.assertEqual(page.notices.notice, "")
        page.settings_changed(True, False, True)
        page.member_joined(RemotePeer("bob"))
        page.connection_changed("bob", "connected")
        self.assertEqual(page.notices.notice, texts.LOCKED)
        page.notices.notice = texts.LEFT_WAITING
        page.tick(200.0)
        self.assertEqual(page.notices.notice, texts.LEFT_WAITING)

    def test_next_call_has_no_old_settings(self) -> None:
        """The next call has none of the settings of the previous one."""
        page = host_page()
        page.session.password = "sesame"
        page.settings_changed(True, True, True)
        page.hung_up()
        page.return_to_start()
        page.start_call(GUEST, ID)
        self.assertEqual((page.session.password, page.session.locked, page.session.lobby), ("", False, False))
        page.session_joined(ID, GUEST, [])
        page.member_joined(RemotePeer("ann"))
        self.assertEqual(page.notices.notice, "")


class DeviceTests(SynchronousTestCase):
    """Problems of the devices are shown."""

    def test_problem_until_dismissed(self) -> None:
        """A problem is shown until the person dismisses it or the devices work."""
        page = start_page()
        page.devices.camera.stopped("missing")
        page.devices.changed()
        self.assertEqual(page.devices.problem, "No camera was found.")
        page.dismiss()
        self.assertEqual((page.devices.problem, page.notices.problem), ("", ""))
        page.devices.changed()
        page.devices.camera.started()
        page.devices.changed()
        self.assertEqual(page.devices.problem, "")


class LayoutTests(SynchronousTestCase):
    """The person can choose the arrangement of pictures."""

    def test_own_screen(self) -> None:
        """The own screen is a picture while it is shared and shown."""
        page = guest_page("ann")
        for sharing, shown, pictures in (
            (False, False, ["ann"]),
            (True, False, ["ann"]),
            (True, True, ["ann", OWN_SCREEN]),
            (False, True, ["ann"]),
        ):
            page.devices.sharing, page.devices.screen_shown = sharing, shown
            self.assertEqual(page.pictures, (pictures, ""))

    def test_first_shared_screen_overrides_the_grid(self) -> None:
        """Only the first shared screen of a participant overrides a chosen grid."""
        page = guest_page("ann", "bob")
        page.change_layout()
        page.change_layout()
        self.assertEqual(page.layout.arrangement, GRID)
        page.media_status_received("ann", True, True, True)
        self.assertEqual(page.pictures[1], "ann/screen")
        page.change_layout()
        for screen in (False, True):
            page.media_status_received("ann", True, True, screen)
            self.assertEqual(page.layout.arrangement, GRID)
