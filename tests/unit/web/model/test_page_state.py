"""What follows from what happens on the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import RefusalReason, WaitReason
from signald_page.client.model import notices, page_state, remote_peer, texts
from signald_page.client.model.layout import GRID
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer

ID = "7Q2M9RT6ZC"
LINK = "https://example.org:9000/#7Q2M9RT6ZC"


def started() -> PageState:
    """A page with its start screen."""
    page = PageState()
    page.show_start("")
    return page


def hosting(*others: str) -> PageState:
    """A page whose person has opened a session, with these others connected."""
    page = started()
    page.start_call(HOST)
    page.session_joined(ID, HOST, [])
    page.session.link = LINK
    for user in others:
        page.member_joined(RemotePeer(user))
        page.connection_changed(user, "connected")
    return page


def visiting(*others: str, connected: bool = True) -> PageState:
    """A page whose person has joined a session with these others."""
    page = started()
    page.start_call(GUEST, ID)
    page.session_joined(ID, GUEST, [RemotePeer(user) for user in others])
    for user in others if connected else ():
        page.connection_changed(user, "connected")
    return page


class StartTests(SynchronousTestCase):
    """Before a call."""

    def test_begins_loading(self) -> None:
        """Nothing can be begun before the start screen works."""
        page = PageState()
        self.assertFalse(page.start_call(HOST))
        self.assertEqual(page.stage, "loading")

    def test_connectivity_test(self) -> None:
        """The connectivity test is shown in the place of the start screen, and leads back to it."""
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

    def test_an_address_that_names_no_session(self) -> None:
        """What is wrong with the page's address is told, and forgotten with the next address."""
        page = PageState()
        page.show_start("", "No such form.")
        self.assertEqual((page.stage, page.notices.problem), ("start", "No such form."))
        page.show_start(ID)
        self.assertEqual((page.stage, page.session.invited_id, page.notices.problem), ("start", ID, ""))

    def test_a_browser_that_cannot_call(self) -> None:
        """Nothing but the reason is offered, whatever the address says."""
        page = PageState()
        page.browser_unsupported(texts.NO_WEBRTC)
        page.show_start(ID)
        self.assertEqual((page.stage, page.notices.problem, page.session.invited_id), ("failed", texts.NO_WEBRTC, ""))

    def test_one_call_at_a_time(self) -> None:
        """A second press while the first is carried out changes nothing."""
        page = started()
        self.assertTrue(page.start_call(HOST))
        self.assertFalse(page.start_call(GUEST, ID))
        self.assertEqual((page.stage, page.role), ("connecting", HOST))

    def test_a_refused_join_goes_back(self) -> None:
        """An id that the server does not know leads back to the start screen, where it can be mended."""
        page = started()
        page.start_call(GUEST, ID)
        page.request_refused("join", "unknown-session", "There is no such call.")
        self.assertEqual((page.stage, page.notices.problem), ("start", "There is no such call."))

    def test_a_refused_hello_fails(self) -> None:
        """A server that does not even greet cannot be used."""
        page = started()
        page.start_call(HOST)
        page.request_refused("hello", "unsupported-version", "This server speaks version 2.")
        self.assertEqual((page.stage, page.notices.problem), ("failed", "This server speaks version 2."))

    def test_a_refusal_within_a_call(self) -> None:
        """Another refusal is told, and the call goes on."""
        page = hosting("ann")
        page.request_refused("offer", "outbox-full", "No.")
        self.assertEqual((page.stage, page.notices.problem), ("connected", "No."))

    def test_cancelled(self) -> None:
        """Who cancels before the call is open is back at the start."""
        page = started()
        page.start_call(HOST)
        page.hung_up()
        self.assertEqual(page.stage, "start")

    def test_an_unreachable_server(self) -> None:
        """Without a server the attempt fails, and can be repeated."""
        page = started()
        page.start_call(GUEST, ID)
        page.server_lost(texts.SERVER_UNREACHABLE)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_UNREACHABLE))
        self.assertTrue(page.start_call(GUEST, ID))
        self.assertEqual((page.stage, page.notices.problem), ("connecting", ""))

    def test_late_news_change_nothing(self) -> None:
        """What arrives after a cancelled attempt is ignored."""
        page = started()
        page.start_call(HOST)
        page.hung_up()
        page.session_joined(ID, GUEST, [RemotePeer("ann")])
        page.member_joined(RemotePeer("ann"))
        page.session_ended("idle")
        page.server_lost("Lost.")
        page.hung_up()
        page.return_to_start()
        self.assertEqual(
            (page.stage, page.session.id, page.participants.others, page.notices.problem), ("start", "", [], "")
        )


class SessionTests(SynchronousTestCase):
    """While a session lasts."""

    def test_a_host_waits(self) -> None:
        """An open session without others shows its id and link."""
        page = hosting()
        self.assertEqual((page.stage, page.session.id, page.session.link), ("waiting", ID, LINK))

    def test_calling_until_connected(self) -> None:
        """With another there the page is calling, and connected as soon as there is a path."""
        page = visiting("ann", connected=False)
        self.assertEqual(page.stage, "calling")
        page.connection_changed("ann", "connecting")
        self.assertEqual(page.stage, "calling")
        page.connection_changed("ann", "connected")
        self.assertEqual(page.stage, "connected")

    def test_a_guest_leaves(self) -> None:
        """The host waits again, and is told; the next arrival makes that old news."""
        for reason, notice in (("left", texts.LEFT_WAITING), ("gone", texts.LOST_WAITING)):
            page = hosting()
            page.member_joined(RemotePeer("ann"))
            page.member_left("ann", reason)
            self.assertEqual((page.stage, page.notices.notice), ("waiting", notice))
            page.member_joined(RemotePeer("bob"))
            self.assertEqual((page.stage, page.notices.notice), ("calling", ""))

    def test_a_guest_who_lost_only_the_server(self) -> None:
        """A connected call goes on without the server, until the connection breaks as well."""
        page = hosting("ann")
        page.member_left("ann", "gone")
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.OTHER_LOST_SERVER))
        page.connection_changed("ann", "disconnected")
        self.assertEqual((page.stage, page.notices.notice), ("waiting", texts.LOST_WAITING))

    def test_a_newcomer_replaces_whom_the_server_lost(self) -> None:
        """Who comes back with a new connection does not meet their own shadow."""
        page = hosting("ann")
        page.member_left("ann", "gone")
        page.member_joined(RemotePeer("ann-again"))
        self.assertEqual([other.user for other in page.participants.others], ["ann-again"])

    def test_strangers_change_nothing(self) -> None:
        """News of somebody who is not here are ignored."""
        page = hosting("ann")
        page.member_left("bob", "left")
        page.connection_changed("bob", "failed")
        self.assertEqual(([other.user for other in page.participants.others], page.stage), (["ann"], "connected"))

    def test_hanging_up(self) -> None:
        """Each side reads what its hanging up meant."""
        host, guest, heir = hosting("bob"), visiting("ann"), visiting("ann")
        host.session.has_host_key = True
        host.hung_up()
        heir.host_changed("me", "me")
        heir.hung_up()
        guest.hung_up()
        self.assertEqual(
            (host.stage, host.notices.outcome, host.participants.others), ("ended", texts.HUNG_UP_HOST, [])
        )
        self.assertEqual((heir.stage, heir.notices.outcome), ("ended", texts.YOU_ENDED))
        self.assertEqual((guest.stage, guest.notices.outcome), ("ended", texts.HUNG_UP))
        guest.return_to_start()
        self.assertEqual(guest.stage, "start")

    def test_the_session_ends(self) -> None:
        """Every reason has its sentence, and one that is not known has one, too."""
        for reason in ("host-left", "idle", "expired", "something-new"):
            page = visiting("ann")
            page.session_ended(reason)
            self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED.get(reason, texts.CALL_OVER)))

    def test_a_host_who_lost_only_the_server(self) -> None:
        """A connected call outlives its session; when it breaks, the session's end is told."""
        page = visiting("ann")
        page.session_ended("host-gone")
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.OTHER_LOST_SERVER))
        page.connection_changed("ann", "disconnected")
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED["host-gone"]))

    def test_a_host_who_is_gone_before_there_was_a_path(self) -> None:
        """Without a connection there is nothing that could go on."""
        page = visiting("ann", connected=False)
        page.session_ended("host-gone")
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.ENDED["host-gone"]))


class ServerLossTests(SynchronousTestCase):
    """The connection to the server breaks."""

    def test_while_waiting(self) -> None:
        """Nobody can join any more, so the call has failed."""
        page = hosting()
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_LOST))

    def test_while_connected(self) -> None:
        """The call goes on; when it breaks as well, that is told."""
        page = visiting("ann")
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual((page.stage, page.notices.notice), ("connected", texts.SERVER_LOST_CONNECTED))
        page.connection_changed("ann", "failed")
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.SERVER_LOST))

    def test_keeps_only_whom_it_reaches(self) -> None:
        """Somebody still being called is out of reach without a server."""
        page = hosting("ann")
        page.member_joined(RemotePeer("bob"))
        page.server_lost(texts.SERVER_LOST)
        self.assertEqual([other.user for other in page.participants.others], ["ann"])

    def test_hanging_up_without_a_server(self) -> None:
        """The person ends a call that goes on by itself."""
        page = visiting("ann")
        page.server_lost(texts.SERVER_LOST)
        page.hung_up()
        self.assertEqual((page.stage, page.notices.outcome), ("ended", texts.HUNG_UP))

    def test_a_second_break(self) -> None:
        """Of two who remain one may go, and the call goes on with the other."""
        page = hosting("ann", "bob")
        page.server_lost(texts.SERVER_LOST)
        page.connection_changed("ann", "closed")
        self.assertEqual((page.stage, [other.user for other in page.participants.others]), ("connected", ["bob"]))


class PathTests(SynchronousTestCase):
    """Paths between the two, found and lost."""

    def test_no_path(self) -> None:
        """A guest without a path has failed, and reads whether a TURN server was tried."""
        for turn, problem in ((False, texts.NO_PATH), (True, texts.NO_PATH_WITH_TURN)):
            page = visiting("ann", connected=False)
            page.network.turn_available = turn
            page.connection_changed("ann", "failed")
            self.assertEqual((page.stage, page.notices.problem), ("failed", problem))

    def test_no_path_with_a_hidden_address(self) -> None:
        """Who hides their address, and has no TURN server to hide behind, reads that this is why."""
        for turn, problem in ((False, texts.NO_PATH_RELAY_ONLY), (True, texts.NO_PATH_WITH_TURN)):
            page = visiting("ann", connected=False)
            page.network.relay_only = True
            page.network.turn_available = turn
            page.connection_changed("ann", "failed")
            self.assertEqual(page.notices.problem, problem)

    def test_a_hidden_address_and_nothing_to_hide_behind(self) -> None:
        """Nobody waits for a path that cannot be; one that there is goes on."""
        page = visiting("ann", connected=False)
        page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH_RELAY_ONLY))
        page = visiting("ann", connected=False)
        page.network.relay_only = page.network.turn_available = True
        page.tick(1.0)
        self.assertEqual(page.stage, "calling")
        page = visiting("ann")
        page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual(page.stage, "connected")

    def test_a_relayed_call_without_a_turn_server(self) -> None:
        """Nobody waits for a path that cannot be, and nobody is told to look at their own switch."""
        page = visiting("ann", connected=False)
        page.session.relay_only = True
        self.assertTrue(page.relay_only)
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))
        page = visiting("ann", connected=False)
        page.session.relay_only = page.network.relay_only = True
        page.tick(1.0)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))

    def test_no_path_to_a_guest(self) -> None:
        """The host keeps the session open, so that the guest can try again."""
        page = hosting()
        page.member_joined(RemotePeer("bob"))
        page.connection_changed("bob", "failed")
        self.assertEqual((page.stage, page.notices.problem), ("waiting", texts.NO_PATH))

    def test_one_of_several_without_a_path(self) -> None:
        """The call goes on with those who can be reached."""
        page = visiting("ann", "bob", connected=False)
        page.connection_changed("ann", "connected")
        page.connection_changed("bob", "failed")
        self.assertEqual((page.stage, [other.user for other in page.participants.others]), ("connected", ["ann"]))

    def test_browsers_that_do_not_agree(self) -> None:
        """A first negotiation that fails ends the attempt; a later one leaves the call as it was."""
        page = visiting("ann", connected=False)
        page.negotiation_failed("bob")
        self.assertEqual(page.stage, "calling")
        page.negotiation_failed("ann")
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NEGOTIATION_FAILED))
        page = visiting("ann")
        page.negotiation_failed("ann")
        self.assertEqual((page.stage, page.notices.problem), ("connected", ""))

    def test_a_long_search(self) -> None:
        """After some seconds the person reads that the search goes on, and at last that it was in vain."""
        page = visiting("ann", connected=False)
        self.assertEqual(page.tick(page_state.CALLING_LONG_AFTER - 1), [])
        self.assertEqual(page.notices.notice, "")
        self.assertEqual(page.tick(page_state.CALLING_LONG_AFTER), [])
        self.assertEqual(page.notices.notice, texts.CALLING_LONG)
        self.assertEqual(page.tick(remote_peer.GIVE_UP_AFTER), [])
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.NO_PATH))

    def test_a_search_beside_a_call(self) -> None:
        """While there is a picture of one, the search for another is not worth a word."""
        page = hosting("ann")
        page.member_joined(RemotePeer("bob"))
        page.tick(page_state.CALLING_LONG_AFTER)
        self.assertEqual((page.stage, page.notices.notice), ("connected", ""))

    def test_an_interruption(self) -> None:
        """After a while new paths are sought, and again ever more seldom; then everything is as before."""
        page = visiting("ann")
        self.assertEqual(page.tick(100.0), [])
        page.connection_changed("ann", "disconnected")
        self.assertTrue(page.participants.interrupted)
        self.assertEqual(page.stage, "connected")
        sought = [second for second in range(101, 120) if page.tick(float(second)) == ["ann"]]
        self.assertEqual(sought, [102, 106, 114])
        page.connection_changed("ann", "connected")
        self.assertFalse(page.participants.interrupted)
        page.tick(200.0)
        page.connection_changed("ann", "disconnected")
        self.assertEqual([page.tick(201.0), page.tick(202.0)], [[], ["ann"]])

    def test_a_failure_is_mended_at_once(self) -> None:
        """A browser that says so has nothing left to try by itself; the same after a change of the network."""
        for happens in (
            lambda page: page.connection_changed("ann", "failed"),
            lambda page: page.server_connected(),
            lambda page: page.participants.set_away("ann", False),
        ):
            page = visiting("ann")
            page.tick(100.0)
            page.connection_changed("ann", "disconnected")
            happens(page)
            self.assertEqual(page.tick(100.5), ["ann"])
            self.assertEqual(page.participants.others[0].restarts, 1)

    def test_another_network(self) -> None:
        """New paths are sought once the server is reached again, whether or not the loss of the old ones shows."""
        page = visiting("ann")
        page.tick(100.0)
        page.network.changed = True
        self.assertEqual(page.tick(100.5), [])
        page.network.interrupted()
        page.server_connected()
        self.assertEqual([page.tick(101.0), page.tick(102.0)], [["ann"], []])
        page = visiting("bob", connected=False)
        page.network.changed = True
        page.server_connected()
        self.assertEqual(page.tick(1.0), [])

    def test_nothing_is_agreed_without_the_server(self) -> None:
        """While either side has lost it, new paths are not sought and nobody is given up."""
        for lost, back in (
            (lambda page: page.network.interrupted(), lambda page: page.server_connected()),
            (
                lambda page: page.participants.set_away("ann", True),
                lambda page: page.participants.set_away("ann", False),
            ),
        ):
            page = visiting("ann")
            page.connection_changed("ann", "disconnected")
            lost(page)
            self.assertEqual(page.tick(100.0), [])
            self.assertEqual(page.stage, "connected")
            back(page)
            self.assertEqual(page.tick(100.5), ["ann"])

    def test_an_interruption_that_lasts(self) -> None:
        """Its steps do not prolong it: in the end the other person is lost."""
        page = visiting("ann")
        page.connection_changed("ann", "disconnected")
        page.tick(15.0)
        page.connection_changed("ann", "failed")
        page.connection_changed("ann", "connecting")
        page.tick(16.0)
        page.connection_changed("ann", "failed")
        page.tick(remote_peer.GIVE_UP_AFTER)
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.OTHER_LOST))

    def test_the_same_state_again(self) -> None:
        """A state that is told twice does not start its time anew."""
        page = visiting("ann")
        page.connection_changed("ann", "disconnected")
        page.tick(10.0)
        page.connection_changed("ann", "disconnected")
        self.assertEqual(page.participants.others[0].waited, 10.0)


class ReconnectTests(SynchronousTestCase):
    """The connection to the server is lost and comes back."""

    def test_the_seconds_are_counted(self) -> None:
        """From the loss to the return."""
        page = visiting("ann")
        page.tick(50.0)
        page.network.interrupted()
        page.tick(51.0)
        page.network.interrupted()
        page.tick(53.5)
        self.assertEqual((page.stage, page.network.offline_for), ("connected", 3.5))
        page.server_connected()
        self.assertIsNone(page.network.offline_for)

    def test_somebody_begins_anew(self) -> None:
        """Who loaded the page anew is called once more, in the same place."""
        page = visiting("ann", "bob")
        page.participants.set_away("ann", True)
        page.participants.connection_reset("ann")
        page.participants.connection_reset("nobody")
        ann = page.participants.others[0]
        self.assertEqual((ann.user, ann.away, ann.connection, ann.was_connected), ("ann", False, "new", False))

    def test_the_person_begins_anew(self) -> None:
        """After a reload, those who are there come in the place of those who were."""
        page = visiting("ann")
        page.session_joined(ID, HOST, [RemotePeer("bob")])
        self.assertEqual(
            (page.role, [other.user for other in page.participants.others], page.stage), (HOST, ["bob"], "calling")
        )

    def test_the_server_knows_nobody(self) -> None:
        """After too long an absence the person joins anew; whoever is not in a session is not moved."""
        page = visiting("ann")
        page.membership_lost()
        self.assertEqual((page.stage, page.participants.others, page.session.id), ("connecting", [], ID))
        page = started()
        page.membership_lost()
        self.assertEqual(page.stage, "start")

    def test_another_tab(self) -> None:
        """Only one of two tabs is this person; the other one says so."""
        page = visiting("ann")
        page.replaced_elsewhere()
        self.assertEqual((page.stage, page.notices.problem), ("failed", texts.TAKEN_OVER))
        page = started()
        page.replaced_elsewhere()
        self.assertEqual(page.stage, "start")


class DoorTests(SynchronousTestCase):
    """Waiting before the door, and keeping it."""

    def test_waiting(self) -> None:
        """The person reads what is waited for; once in, the session begins; or the reason is told."""
        page = started()
        page.start_call(GUEST, ID)
        for reason in WaitReason:
            page.admission_pending(reason.value)
            self.assertEqual(page.notices.progress, texts.WAITING_FOR[reason.value])
        page.session_joined(ID, GUEST, [])
        page.admission_pending("host")
        self.assertEqual(page.stage, "waiting")
        for why in RefusalReason:
            page = started()
            page.start_call(GUEST, ID)
            page.admission_refused(why.value)
            self.assertEqual((page.stage, page.notices.problem), ("start", texts.TURNED_AWAY[why.value]))

    def test_a_password(self) -> None:
        """It is asked for when the server wants it, and no longer once it was right."""
        for code in ("password-needed", "wrong-password"):
            page = started()
            page.start_call(GUEST, ID)
            page.request_refused("join", code, "A password.")
            self.assertEqual((page.stage, page.session.password_required), ("start", True))
            page.start_call(GUEST, ID)
            page.session_joined(ID, GUEST, [])
            self.assertFalse(page.session.password_required)

    def test_knocks(self) -> None:
        """The host sees who waits, until they do not, or somebody else is the host."""
        page = hosting()
        page.participants.knocked("bob", "Bob")
        page.participants.knocked("cat", "")
        page.participants.knock_over("bob")
        page.participants.knock_over("bob")
        self.assertEqual(page.participants.knocks, {"cat": ""})
        page.host_changed("ann", "me")
        self.assertEqual((page.role, page.participants.knocks), (GUEST, {}))
        page.host_changed("me", "me")
        self.assertEqual(page.role, HOST)

    def test_another_host(self) -> None:
        """Everybody is told who the host is now."""
        page = hosting("ann", "bob")
        page.participants.others[0].name = "Ann"
        page.host_changed("ann", "me")
        self.assertEqual((page.role, page.notices.notice), (GUEST, texts.IS_HOST.format("Ann")))
        page.host_changed("bob", "me")
        self.assertEqual(page.notices.notice, texts.IS_HOST.format(texts.SOMEBODY))
        self.assertEqual([other.host for other in page.participants.others], [False, True])
        page.host_changed("me", "me")
        self.assertEqual((page.role, page.notices.notice), (HOST, texts.YOU_ARE_HOST))
        self.assertEqual([other.host for other in page.participants.others], [False, False])

    def test_making_somebody_the_host_and_leaving(self) -> None:
        """The person leaves when the server says that the other is the host, and not before."""
        page = hosting("ann")
        page.participants.successor = "ann"
        self.assertTrue(page.in_session)
        page.host_changed("ann", "me")
        self.assertEqual((page.stage, page.role), ("ended", GUEST))
        self.assertEqual(page.notices.outcome, texts.HUNG_UP + " " + texts.IS_HOST.format(texts.SOMEBODY))

    def test_nobody_to_make_the_host(self) -> None:
        """Where the server refuses, the person stays, and does not leave with a later host."""
        page = hosting("ann", "bob")
        page.participants.successor = "bob"
        page.member_left("bob", "left")
        page.request_refused("hand-over", "unknown-member", "Gone.")
        self.assertEqual((page.stage, page.participants.successor, page.notices.problem), ("connected", "", "Gone."))
        page.member_joined(RemotePeer("bob"))
        page.host_changed("bob", "me")
        self.assertEqual((page.stage, page.role), ("connected", GUEST))

    def test_another_host_than_the_one_wanted(self) -> None:
        """Who wanted to leave the call to somebody stays when it came otherwise."""
        page = hosting("ann", "bob")
        page.participants.successor = "bob"
        page.host_changed("ann", "me")
        self.assertEqual((page.stage, page.participants.successor), ("connected", ""))

    def test_the_door(self) -> None:
        """That the host locked or unlocked the call is told to everybody; how it was before is not."""
        page = visiting("ann")
        page.settings_changed(True, False)
        self.assertEqual((page.session.locked, page.notices.notice), (True, ""))
        page.settings_changed(False, False, True)
        self.assertEqual((page.session.locked, page.notices.notice), (False, texts.UNLOCKED))
        page.settings_changed(True, False, True)
        self.assertEqual((page.session.locked, page.notices.notice), (True, texts.LOCKED))
        page.notices.notice = ""
        page.settings_changed(True, True, True)
        self.assertEqual((page.session.lobby, page.notices.notice), (True, ""))

    def test_who_leads(self) -> None:
        """A host of others, as long as the server may hear of it."""
        drifting = hosting("ann")
        drifting.server_lost("Lost.")
        for page, leads in ((hosting("ann"), True), (hosting(), False), (visiting("ann"), False), (drifting, False)):
            self.assertEqual(page.leads, leads)

    def test_news(self) -> None:
        """They are told for some seconds, and take nothing with them that was told since."""
        page = visiting("ann")
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

    def test_the_next_call(self) -> None:
        """It has none of the settings of the one before."""
        page = hosting()
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
    """What is wrong with the devices."""

    def test_told_until_read(self) -> None:
        """A problem is shown until the person dismisses it, and gone when the devices work."""
        page = started()
        page.devices.camera.stopped("missing")
        page.devices.changed()
        self.assertEqual(page.devices.problem, "No camera was found.")
        page.dismiss()
        self.assertEqual((page.devices.problem, page.notices.problem), ("", ""))
        page.devices.changed()
        page.devices.camera.started()
        page.devices.changed()
        self.assertEqual(page.devices.problem, "")


class ArrangementTests(SynchronousTestCase):
    """What the person wants to see large."""

    def test_a_screen_takes_the_grid_away_once(self) -> None:
        """A new screen is large; but nobody takes the person's choice away again and again."""
        page = visiting("ann", "bob")
        page.change_layout()
        page.change_layout()
        self.assertEqual(page.layout.arrangement, GRID)
        page.media_status_received("ann", True, True, True)
        self.assertEqual(page.pictures[1], "ann/screen")
        page.change_layout()
        for screen in (False, True):
            page.media_status_received("ann", True, True, screen)
            self.assertEqual(page.layout.arrangement, GRID)
