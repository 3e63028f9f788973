"""Who is told of which STUN and TURN servers, and when (docs/protocol.md, "STUN and TURN servers")."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import DeadlineKind
from signald.core.errors import ErrorCode
from signald.core.handshake import RELAY_ONLY
from signald.core.hub import Ending
from signald.core.limits import Limits
from signald.core.messages import (
    Admit,
    Ended,
    Error,
    Event,
    Hello,
    IceServer,
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
from signald.core.snapshot import dump, export, load, restore
from signald.core.users import PeerId
from signald.dialects.serde import Serde
from tests.support.world import SERDE, Client, World

STUN = IceServer(("stun:s",))


def names(event: Event) -> list[str | None]:
    """The user names of the servers that are told, `None` for those without."""
    assert isinstance(event, IceServers | Welcome)
    return [server.username for server in event.ice_servers]


class IceSupplyTests(SynchronousTestCase):
    """Credentials for members."""

    def setUp(self) -> None:
        """A server with a STUN server for all, and TURN servers for members."""
        self.world = World()
        self.configure()

    def configure(self, seconds: float | None = 100.0, relay_only: bool = False) -> None:
        """Say what the servers are."""
        self.world.act(self.world.hub.ice.configure((STUN,), seconds, relay_only, self.world.now))

    def test_a_stranger_has_none(self) -> None:
        """Not in `welcome`, not when it asks for a session that there is not, not in the lobby."""
        peer = self.world.connect()
        [welcome] = self.world.say(peer, Hello(1))
        self.assertEqual(names(welcome), [None])
        [refused] = self.world.say(peer, Join(SessionId("ZZZZZZZZZZ")))
        self.assertIsInstance(refused, Error)
        other = self.world.welcomed()[0]
        [_, opened] = self.world.say(other, Open(lobby=True))
        assert isinstance(opened, Opened)
        [waiting] = self.world.say(peer, Join(opened.session))
        self.assertIsInstance(waiting, Waiting)

    def test_members_have_them_before_anybody_to_connect_with(self) -> None:
        """The host before `opened`, the guest before `joined`, each under a name of its own."""
        host, host_user = self.world.welcomed()
        given, opened = self.world.say(host, Open())
        assert isinstance(opened, Opened)
        self.assertEqual(names(given), [None, f"1:{host_user}"])
        guest, guest_user = self.world.welcomed()
        given, joined = self.world.say(guest, Join(opened.session))
        self.assertEqual(names(given), [None, f"2:{guest_user}"])
        self.assertIsInstance(joined, Joined)
        [came] = self.world.hears(host)
        self.assertIsInstance(came, MemberJoined)

    def test_a_second_session_brings_no_others(self) -> None:
        """They are the user's; after the last session the next one brings new ones."""
        peer, _ = self.world.welcomed()
        _, first = self.world.say(peer, Open())
        [second] = self.world.say(peer, Open())
        assert isinstance(first, Opened)
        assert isinstance(second, Opened)
        [left] = self.world.say(peer, Leave(first.session))
        self.assertIsInstance(left, Left)
        self.world.say(peer, Leave(second.session))
        given, _ = self.world.say(peer, Open())
        self.assertEqual(self.world.credentials, 2)
        self.assertIsInstance(given, IceServers)

    def test_they_come_again_in_time(self) -> None:
        """After four fifths of their time, for as long as the user is a member, and no longer."""
        peer, _ = self.world.welcomed()
        _, opened = self.world.say(peer, Open())
        assert isinstance(opened, Opened)
        for count in (2, 3):
            self.world.tick(79.0)
            self.assertEqual(self.world.hears(peer), [])
            self.world.tick(1.0)
            [given] = self.world.hears(peer)
            assert isinstance(given, IceServers)
            self.assertTrue(str(given.ice_servers[1].username).startswith(f"{count}:"))
            self.assertEqual(given.ice_servers[1].expires, 100.0)
        self.world.say(peer, Leave(opened.session))
        self.world.tick(1000.0)
        self.assertEqual(self.world.hears(peer), [])
        kinds = {deadline.kind for deadline in self.world.hub.deadlines.heap}
        self.assertNotIn(DeadlineKind.CREDENTIALS, kinds)

    def test_opening_and_leaving_leaves_no_deadlines(self) -> None:
        """Who becomes a member a thousand times has one deadline that counts, and few that do not."""
        world = World(Limits(message_burst=10_000, address_session_burst=10_000))
        world.hub.ice.configure((), 100.0, False, world.now)
        peer, _ = world.welcomed()
        for _ in range(1000):
            _, opened = world.say(peer, Open())
            assert isinstance(opened, Opened)
            world.say(peer, Leave(opened.session))
            world.tick(0.01)
        self.assertLess(len(world.hub.deadlines.heap), 80)

    def test_one_who_is_away_has_them_when_it_is_back(self) -> None:
        """Nothing is kept of what came meanwhile; `welcome` has fresh ones."""
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
        self.assertFalse([event for event in client.hears() if isinstance(event, IceServers)])
        self.world.tick(1.0)
        self.assertTrue([event for event in client.hears() if isinstance(event, IceServers)])

    def resume(self, client: Client, instance: str | None = None) -> Welcome:
        """Come back, and return the welcome."""
        said: list[Event] = []
        hears = self.world.hears

        def overhear(peer: PeerId) -> list[Event]:
            events = hears(peer)
            said.extend(events)
            return events

        self.world.hears = overhear  # type: ignore[method-assign] # the client throws its welcome away
        client.resume(instance)
        self.world.hears = hears  # type: ignore[method-assign] # as above
        assert isinstance(said[0], Welcome)
        return said[0]

    def test_one_who_resumes_into_nothing_has_none(self) -> None:
        """An identity that is over is a stranger."""
        client = Client(self.world)
        client.open()
        client.lose()
        self.world.tick(31.0)
        welcome = self.resume(client)
        self.assertEqual((welcome.resumed, names(welcome)), (Survival.NOTHING, [None]))

    def test_after_a_restart(self) -> None:
        """The records hold no credentials; who comes back gets some, and they are told anew."""
        client = Client(self.world)
        client.open()
        records = dump(export(self.world.hub, self.world.registry, self.world.now))
        self.assertNotIn(b"turn:t", records)
        after = World()
        after.hub.ice.configure((STUN,), 100.0, False, after.now)
        after.act(restore(load(records), after.hub, after.registry, after.now))
        client.world = self.world = after
        welcome = self.resume(client)
        self.assertEqual((welcome.resumed, len(welcome.ice_servers)), (Survival.EVERYTHING, 2))
        after.tick(80.0)
        self.assertTrue([event for event in client.hears() if isinstance(event, IceServers)])

    def test_other_servers_while_running(self) -> None:
        """Everybody is told: members with credentials, the others without."""
        member, _, _ = self.hosting()
        stranger, _ = self.world.welcomed()
        self.configure(seconds=50.0)
        [to_member] = self.world.hears(member)
        [to_stranger] = self.world.hears(stranger)
        self.assertEqual((len(names(to_member)), names(to_stranger)), (2, [None]))
        self.world.tick(40.0)
        self.assertEqual(len(self.world.hears(member)), 1)
        self.configure(seconds=None)
        [to_member] = self.world.hears(member)
        self.assertEqual(names(to_member), [None])
        self.world.tick(1000.0)
        self.assertEqual(self.world.hears(member), [])

    def hosting(self) -> tuple[PeerId, str, SessionId]:
        """Make a host who has heard of everything."""
        peer, user = self.world.welcomed()
        _, opened = self.world.say(peer, Open())
        assert isinstance(opened, Opened)
        return peer, user, opened.session

    def test_without_turn_nothing_is_new(self) -> None:
        """No message that there was not before."""
        self.configure(seconds=None)
        peer, _ = self.world.welcomed()
        [opened] = self.world.say(peer, Open())
        self.assertIsInstance(opened, Opened)

    def test_a_loss_before_the_first_frame(self) -> None:
        """Who is admitted while being away gets them with the welcome."""
        host, _ = self.world.welcomed()
        _, opened = self.world.say(host, Open(lobby=True))
        assert isinstance(opened, Opened)
        client = Client(self.world)
        client.say(Join(opened.session))
        client.lose()
        self.world.say(host, Admit(opened.session, client.user))
        welcome = self.resume(client)
        self.assertEqual(len(welcome.ice_servers), 2)

    def test_the_original_hears_nothing_of_it(self) -> None:
        """The serde dialect has no such message."""
        self.assertEqual(Serde().encode(IceServers((STUN,))), [])


class RelayedTests(SynchronousTestCase):
    """Sessions whose media goes through TURN servers alone."""

    def setUp(self) -> None:
        """A server that leaves it to the hosts."""
        self.world = World()

    def welcomed(self, *features: str, traits: Traits | None = None) -> PeerId:
        """Make a peer with these features."""
        peer = self.world.connect(traits)
        self.world.say(peer, Hello(1, features=features))
        return peer

    def open(self, request: Open) -> SessionId:
        """Open a session."""
        [opened] = self.world.say(self.welcomed(RELAY_ONLY), request)
        assert isinstance(opened, Opened)
        self.assertTrue(opened.relay_only)
        return opened.session

    def test_a_host_wishes_it(self) -> None:
        """Everybody is told, and who does not say that they can do so does not get in."""
        session = self.open(Open(relay_only=True))
        [joined] = self.world.say(self.welcomed(RELAY_ONLY), Join(session))
        assert isinstance(joined, Joined)
        self.assertTrue(joined.relay_only)
        for peer in (self.welcomed(), self.welcomed("other"), self.welcomed(traits=SERDE)):
            before = self.world.state()
            [refused] = self.world.say(peer, Join(session))
            assert isinstance(refused, Error)
            self.assertEqual(refused.code, ErrorCode.RELAY_NEEDED)
            self.assertEqual(self.world.state(), before)

    def test_a_host_who_cannot(self) -> None:
        """Who wishes it has to be able to do it."""
        peer = self.welcomed()
        before = self.world.state()
        [refused] = self.world.say(peer, Open(relay_only=True))
        assert isinstance(refused, Error)
        self.assertEqual((refused.code, self.world.state()), (ErrorCode.RELAY_NEEDED, before))

    def test_the_server_wants_it(self) -> None:
        """Of every session that is opened from then on; those that are open stay as they are."""
        peer = self.welcomed(RELAY_ONLY)
        [early] = self.world.say(peer, Open())
        assert isinstance(early, Opened)
        self.world.hub.ice.configure((), None, True, self.world.now)
        self.open(Open())
        [joined] = self.world.say(self.welcomed(), Join(early.session))
        assert isinstance(joined, Joined)
        self.assertFalse(joined.relay_only)

    def test_nobody_switches_it_off(self) -> None:
        """The holder of the host key finds an open session as it is; one that is opened anew is as they wish."""
        host = self.welcomed(RELAY_ONLY)
        [opened] = self.world.say(host, Open(relay_only=True, keep=True, succession=True))
        assert isinstance(opened, Opened)
        guest = self.welcomed(RELAY_ONLY)
        self.world.say(guest, Join(opened.session))
        other = self.welcomed(RELAY_ONLY)
        again = Open(keep=True, session=opened.session, host_key=opened.host_key)
        [claimed, *_] = self.world.say(other, again)
        assert isinstance(claimed, Opened)
        self.assertTrue(claimed.relay_only)
        [refused] = self.world.say(self.welcomed(), again)
        assert isinstance(refused, Error)
        self.assertEqual(refused.code, ErrorCode.RELAY_NEEDED)
        for peer in (guest, other):
            self.world.say(peer, Leave(opened.session))
        [anew] = self.world.say(self.welcomed(), again)
        assert isinstance(anew, Opened)
        self.assertFalse(anew.relay_only)

    def test_who_waits_and_cannot_is_turned_away(self) -> None:
        """One who waits for the host of a kept session does not get into one that has become relayed."""
        host = self.welcomed(RELAY_ONLY)
        [opened] = self.world.say(host, Open(keep=True, capacity=4))
        assert isinstance(opened, Opened)
        self.world.say(host, Leave(opened.session))
        can, cannot = self.welcomed(RELAY_ONLY), self.welcomed()
        for peer in (cannot, can):
            self.world.say(peer, Join(opened.session))
        request = Open(keep=True, capacity=4, relay_only=True, session=opened.session, host_key=opened.host_key)
        self.world.say(host, request)
        self.assertEqual([type(event).__name__ for event in self.world.hears(cannot)], ["NotAdmitted"])
        self.assertEqual([type(event).__name__ for event in self.world.hears(can)], ["Joined"])

    def test_a_program_that_forgets_how(self) -> None:
        """Who comes back with another program, one that cannot, is not a member any more."""
        world = self.world
        guest = Client(world)
        guest.say()
        session = self.open(Open(relay_only=True))
        world.disconnect(guest.peer, Ending.LEFT)
        guest.peer = world.connect()
        guest.say(Hello(1, features=(RELAY_ONLY,), instance=Instance("one")))
        guest.say(Join(session))
        guest.lose()
        events = guest.resume(instance="two")
        self.assertEqual(guest.survived, Survival.MEMBERSHIP)
        self.assertFalse([event for event in events if isinstance(event, Joined)])
        self.assertNotIn(session, world.hub.users[guest.user].sessions)
        self.assertTrue(all(not isinstance(event, Ended) or event.session == session for event in events))
