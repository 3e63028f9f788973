"""Which STUN and TURN servers a client gets, and when (docs/protocol.md, "STUN and TURN servers")."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import DeadlineKind
from signald.core.errors import ErrorCode
from signald.core.handshake import RELAY_ONLY
from signald.core.hub import DisconnectReason
from signald.core.ice_server import IceServer
from signald.core.limits import Limits
from signald.core.messages import (
    Admit,
    Ended,
    Error,
    Event,
    Hello,
    IceServers,
    Instance,
    Join,
    Joined,
    Leave,
    Left,
    MemberJoined,
    Open,
    Opened,
    SessionId,
    Survival,
    Traits,
    Waiting,
    Welcome,
)
from signald.core.snapshot import dump, load, restore, take_snapshot
from signald.core.users import PeerId
from signald.dialects.serde import Serde
from tests.support.world import SERDE, Client, World

STUN = IceServer(("stun:s",))


def names(event: Event) -> list[str | None]:
    """The user names of the servers in an event; `None` for those without."""
    assert isinstance(event, IceServers | Welcome)
    return [server.username for server in event.ice_servers]


class IceSupplyTests(SynchronousTestCase):
    """TURN credentials for members."""

    def setUp(self) -> None:
        """A server with a STUN server for all clients, and TURN servers for members."""
        self.world = World()
        self.configure()

    def configure(self, seconds: float | None = 100.0, relay_only: bool = False) -> None:
        """Configure the servers."""
        self.world.carry_out(self.world.hub.ice.reload_servers((STUN,), seconds, relay_only, self.world.now))

    def test_only_members_get_credentials(self) -> None:
        """Neither the welcome nor a failed join nor the lobby contains credentials."""
        peer = self.world.connect()
        [welcome] = self.world.send(peer, Hello(1))
        self.assertEqual(names(welcome), [None])
        [refused] = self.world.send(peer, Join(SessionId("ZZZZZZZZZZ")))
        self.assertIsInstance(refused, Error)
        other = self.world.welcome_peer()[0]
        [_, opened] = self.world.send(other, Open(lobby=True))
        assert isinstance(opened, Opened)
        [waiting] = self.world.send(peer, Join(opened.session))
        self.assertIsInstance(waiting, Waiting)

    def test_members_have_them_before_anybody_to_connect_with(self) -> None:
        """The host gets credentials before `opened`, the guest before `joined`, each under its own pseudonym."""
        host, host_user = self.world.welcome_peer()
        given, opened = self.world.send(host, Open())
        assert isinstance(opened, Opened)
        self.assertEqual(names(given), [None, f"1:{host_user}"])
        guest, guest_user = self.world.welcome_peer()
        given, joined = self.world.send(guest, Join(opened.session))
        self.assertEqual(names(given), [None, f"2:{guest_user}"])
        self.assertIsInstance(joined, Joined)
        [came] = self.world.receive(host)
        self.assertIsInstance(came, MemberJoined)

    def test_a_second_session_brings_no_others(self) -> None:
        """Credentials belong to the user, so a second session sends no others.

        A session after the user's last one ended brings new credentials.
        """
        peer, _ = self.world.welcome_peer()
        _, first = self.world.send(peer, Open())
        [second] = self.world.send(peer, Open())
        assert isinstance(first, Opened)
        assert isinstance(second, Opened)
        [left] = self.world.send(peer, Leave(first.session))
        self.assertIsInstance(left, Left)
        self.world.send(peer, Leave(second.session))
        given, _ = self.world.send(peer, Open())
        self.assertEqual(self.world.credentials, 2)
        self.assertIsInstance(given, IceServers)

    def test_credentials_are_renewed_before_they_expire(self) -> None:
        """Credentials are renewed after four fifths of their lifetime, while the user is a member."""
        peer, _ = self.world.welcome_peer()
        _, opened = self.world.send(peer, Open())
        assert isinstance(opened, Opened)
        for count in (2, 3):
            self.world.tick(79.0)
            self.assertEqual(self.world.receive(peer), [])
            self.world.tick(1.0)
            [given] = self.world.receive(peer)
            assert isinstance(given, IceServers)
            self.assertTrue(str(given.ice_servers[1].username).startswith(f"{count}:"))
            self.assertEqual(given.ice_servers[1].expires, 100.0)
        self.world.send(peer, Leave(opened.session))
        self.world.tick(1000.0)
        self.assertEqual(self.world.receive(peer), [])
        kinds = {deadline.kind for deadline in self.world.hub.deadlines.heap}
        self.assertNotIn(DeadlineKind.CREDENTIALS, kinds)

    def test_opening_and_leaving_leaves_no_deadlines(self) -> None:
        """A user that becomes a member a thousand times has one current deadline and few obsolete ones."""
        world = World(Limits(message_burst=10_000, address_session_burst=10_000))
        world.hub.ice.reload_servers((), 100.0, False, world.now)
        peer, _ = world.welcome_peer()
        for _ in range(1000):
            _, opened = world.send(peer, Open())
            assert isinstance(opened, Opened)
            world.send(peer, Leave(opened.session))
            world.tick(0.01)
        self.assertLess(len(world.hub.deadlines.heap), 80)

    def test_away_member_gets_credentials_with_its_welcome(self) -> None:
        """No renewals are kept for an absent member; its next `welcome` has fresh credentials."""
        client = Client(self.world)
        client.open()
        client.lose()
        self.world.tick(20.0)
        client.peer = self.world.connect()
        self.assertEqual(self.world.credentials, 1)
        client.lose()
        for instance, survival in ((None, Survival.EVERYTHING), ("other", Survival.MEMBERSHIP)):
            client.lose()
            heard = self.resume(client, instance)
            self.assertEqual((heard.resumed, len(heard.ice_servers)), (survival, 2))
        self.world.tick(79.0)
        self.assertFalse([event for event in client.receive() if isinstance(event, IceServers)])
        self.world.tick(1.0)
        self.assertTrue([event for event in client.receive() if isinstance(event, IceServers)])

    def resume(self, client: Client, instance: str | None = None) -> Welcome:
        """Resume the client's identity, and return the welcome."""
        said: list[Event] = []
        hears = self.world.receive

        def overhear(peer: PeerId) -> list[Event]:
            events = hears(peer)
            said.extend(events)
            return events

        self.world.receive = overhear  # type: ignore[method-assign] # the client itself discards its welcome
        client.resume(instance)
        self.world.receive = hears  # type: ignore[method-assign] # as above
        assert isinstance(said[0], Welcome)
        return said[0]

    def test_ended_identity_gets_no_credentials(self) -> None:
        """A client whose identity has ended gets no credentials."""
        client = Client(self.world)
        client.open()
        client.lose()
        self.world.tick(31.0)
        welcome = self.resume(client)
        self.assertEqual((welcome.resumed, names(welcome)), (Survival.NOTHING, [None]))

    def test_after_a_restart(self) -> None:
        """A snapshot contains no credentials; a client that resumes gets fresh ones, which are renewed."""
        client = Client(self.world)
        client.open()
        records = dump(take_snapshot(self.world.hub, self.world.registry, self.world.now))
        self.assertNotIn(b"turn:t", records)
        after = World()
        after.hub.ice.reload_servers((STUN,), 100.0, False, after.now)
        after.carry_out(restore(load(records), after.hub, after.registry, after.now))
        client.world = self.world = after
        welcome = self.resume(client)
        self.assertEqual((welcome.resumed, len(welcome.ice_servers)), (Survival.EVERYTHING, 2))
        after.tick(80.0)
        self.assertTrue([event for event in client.receive() if isinstance(event, IceServers)])

    def test_other_servers_while_running(self) -> None:
        """After a reload all clients get the new servers, members with credentials and the others without."""
        member, _, _ = self.hosting()
        stranger, _ = self.world.welcome_peer()
        self.configure(seconds=50.0)
        [to_member] = self.world.receive(member)
        [to_stranger] = self.world.receive(stranger)
        self.assertEqual((len(names(to_member)), names(to_stranger)), (2, [None]))
        self.world.tick(40.0)
        self.assertEqual(len(self.world.receive(member)), 1)
        self.configure(seconds=None)
        [to_member] = self.world.receive(member)
        self.assertEqual(names(to_member), [None])
        self.world.tick(1000.0)
        self.assertEqual(self.world.receive(member), [])

    def hosting(self) -> tuple[PeerId, str, SessionId]:
        """Create a host that has received all its events."""
        peer, user = self.world.welcome_peer()
        _, opened = self.world.send(peer, Open())
        assert isinstance(opened, Opened)
        return peer, user, opened.session

    def test_without_turn_nothing_is_new(self) -> None:
        """Without TURN the server sends no additional events."""
        self.configure(seconds=None)
        peer, _ = self.world.welcome_peer()
        [opened] = self.world.send(peer, Open())
        self.assertIsInstance(opened, Opened)

    def test_a_loss_before_the_first_frame(self) -> None:
        """A visitor that is admitted while away gets credentials with its welcome."""
        host, _ = self.world.welcome_peer()
        _, opened = self.world.send(host, Open(lobby=True))
        assert isinstance(opened, Opened)
        client = Client(self.world)
        client.send(Join(opened.session))
        client.lose()
        self.world.send(host, Admit(opened.session, client.user))
        welcome = self.resume(client)
        self.assertEqual(len(welcome.ice_servers), 2)

    def test_the_original_dialect_has_no_such_message(self) -> None:
        """The serde dialect has no such message."""
        self.assertEqual(Serde().encode(IceServers((STUN,))), [])


class RelayedTests(SynchronousTestCase):
    """Sessions whose media is relayed by TURN servers only need a feature of the client."""

    def setUp(self) -> None:
        """Create a server that lets hosts choose relay-only."""
        self.world = World()

    def welcomed(self, *features: str, traits: Traits | None = None) -> PeerId:
        """Welcome a peer with these features."""
        peer = self.world.connect(traits)
        self.world.send(peer, Hello(1, features=features))
        return peer

    def open(self, request: Open) -> SessionId:
        """Open a session."""
        [opened] = self.world.send(self.welcomed(RELAY_ONLY), request)
        assert isinstance(opened, Opened)
        self.assertTrue(opened.relay_only)
        return opened.session

    def test_relay_only_chosen_by_the_host(self) -> None:
        """If a host chooses relay-only, the replies say so, and a client without the feature is not admitted."""
        session = self.open(Open(relay_only=True))
        [joined] = self.world.send(self.welcomed(RELAY_ONLY), Join(session))
        assert isinstance(joined, Joined)
        self.assertTrue(joined.relay_only)
        for peer in (self.welcomed(), self.welcomed("other"), self.welcomed(traits=SERDE)):
            before = self.world.state()
            [refused] = self.world.send(peer, Join(session))
            assert isinstance(refused, Error)
            self.assertEqual(refused.code, ErrorCode.RELAY_NEEDED)
            self.assertEqual(self.world.state(), before)

    def test_a_host_without_the_feature_cannot_open(self) -> None:
        """A host that chooses relay-only needs the feature itself."""
        peer = self.welcomed()
        before = self.world.state()
        [refused] = self.world.send(peer, Open(relay_only=True))
        assert isinstance(refused, Error)
        self.assertEqual((refused.code, self.world.state()), (ErrorCode.RELAY_NEEDED, before))

    def test_relay_only_required_by_the_server(self) -> None:
        """If the server requires relay-only, the setting applies to sessions that are opened from then on."""
        peer = self.welcomed(RELAY_ONLY)
        [early] = self.world.send(peer, Open())
        assert isinstance(early, Opened)
        self.world.hub.ice.reload_servers((), None, True, self.world.now)
        self.open(Open())
        [joined] = self.world.send(self.welcomed(), Join(early.session))
        assert isinstance(joined, Joined)
        self.assertFalse(joined.relay_only)

    def test_relay_only_cannot_be_switched_off(self) -> None:
        """The holder of the host key cannot switch relay-only off in an open session. Reopening a kept session can."""
        host = self.welcomed(RELAY_ONLY)
        [opened] = self.world.send(host, Open(relay_only=True, keep=True, succession=True))
        assert isinstance(opened, Opened)
        guest = self.welcomed(RELAY_ONLY)
        self.world.send(guest, Join(opened.session))
        other = self.welcomed(RELAY_ONLY)
        again = Open(keep=True, session=opened.session, host_key=opened.host_key)
        [claimed, *_] = self.world.send(other, again)
        assert isinstance(claimed, Opened)
        self.assertTrue(claimed.relay_only)
        [refused] = self.world.send(self.welcomed(), again)
        assert isinstance(refused, Error)
        self.assertEqual(refused.code, ErrorCode.RELAY_NEEDED)
        for peer in (guest, other):
            self.world.send(peer, Leave(opened.session))
        [anew] = self.world.send(self.welcomed(), again)
        assert isinstance(anew, Opened)
        self.assertFalse(anew.relay_only)

    def test_a_visitor_without_the_feature_is_turned_away(self) -> None:
        """A visitor without the feature is turned away when a kept session becomes relayed."""
        host = self.welcomed(RELAY_ONLY)
        [opened] = self.world.send(host, Open(keep=True, capacity=4))
        assert isinstance(opened, Opened)
        self.world.send(host, Leave(opened.session))
        can, cannot = self.welcomed(RELAY_ONLY), self.welcomed()
        for peer in (cannot, can):
            self.world.send(peer, Join(opened.session))
        request = Open(keep=True, capacity=4, relay_only=True, session=opened.session, host_key=opened.host_key)
        self.world.send(host, request)
        self.assertEqual([type(event).__name__ for event in self.world.receive(cannot)], ["NotAdmitted"])
        self.assertEqual([type(event).__name__ for event in self.world.receive(can)], ["Joined"])

    def test_a_program_that_forgets_how(self) -> None:
        """A client that resumes with a program without the feature loses the membership."""
        world = self.world
        guest = Client(world)
        guest.send()
        session = self.open(Open(relay_only=True))
        world.disconnect(guest.peer, DisconnectReason.LEFT)
        guest.peer = world.connect()
        guest.send(Hello(1, features=(RELAY_ONLY,), instance=Instance("one")))
        guest.send(Join(session))
        guest.lose()
        events = guest.resume(instance="two")
        self.assertEqual(guest.survival, Survival.MEMBERSHIP)
        self.assertFalse([event for event in events if isinstance(event, Joined)])
        self.assertNotIn(session, world.hub.users[guest.user].sessions)
        self.assertTrue(all(not isinstance(event, Ended) or event.session == session for event in events))
