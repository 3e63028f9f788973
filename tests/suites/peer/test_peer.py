"""The peer as a library: two or three in one process, with the real daemon or a double."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from twisted.internet import reactor as installed

from signald_client.asking import RefusedError
from signald_client.media import Media
from signald_client.peer import Peer
from signald_client.server import Address, Trust, UnreachableError
from signald_client.signaling import messages
from signald_client.signaling.events import Refused, Resumed
from signald_client.signaling.messages import MemberJoined, MemberLeft
from signald_client.signaling.wire import Value
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media
from tests.suites.peer.double import ME, WELCOME, Double

reactor: Any = installed

S = "7Q2M9RT6ZC"
BOB = {"user": "BOB", "role": "host", "polite": False, "offers-first": True, "base": 0}
SESSION = {"session": S, "capacity": 2, "locked": False, "lobby": False}
JOINED = SESSION | {"type": "joined", "role": "guest", "members": [BOB]}


class PeerCase(AsyncCase):
    """A test case that makes peers."""

    def make_peer(self, address: Address, trust: Trust | None = None, **options: Any) -> tuple[Peer, list[SmallMedia]]:
        """Return a peer, and the list of the media that it makes."""
        made: list[SmallMedia] = []
        return Peer(address, make_media(made), trust=trust, reactor=reactor, **options), made


class CallTests(PeerCase):
    """Calls through the real daemon."""

    def setUp(self) -> None:
        """Start the daemon."""
        self.daemon = self.start_daemon()

    def real_peer(self, **options: Any) -> tuple[Peer, list[SmallMedia]]:
        """Return a peer for the daemon."""
        return self.make_peer(self.address(self.daemon), self.trust(), **options)

    @asynchronous
    async def test_two(self) -> None:
        """Video and audio go both ways, and both reports tell so."""
        host, hosts = self.real_peer(stay=False)
        guest, guests = self.real_peer(stay=False)
        await host.connect()
        session = await host.open()
        await guest.connect()
        self.assertEqual(await guest.join(session), session)
        await guests[0].flowing
        await hosts[0].flowing
        guest.end("enough")
        self.assertEqual(await guest.ended(), "enough")
        reports = [await guest.close(), await self.closed(host, "left")]
        for report in reports:
            (member,) = report.members
            self.assertEqual((report.session, report.flowed), (session, True))
            self.assertEqual((member.connection_state, member.ice_state), ("connected", "completed"))
            self.assertEqual((sorted(member.sends), sorted(member.receives)), (["audio", "video"], ["audio", "video"]))
            assert member.seconds_to_connected is not None
            assert member.seconds_to_first_frame is not None
            self.assertLess(member.seconds_to_connected, member.seconds_to_first_frame)

    async def closed(self, peer: Peer, reason: str) -> Any:
        """Wait for the end of a peer, with this reason, and return its report."""
        self.assertEqual(await peer.ended(), reason)
        return await peer.close()

    @asynchronous
    async def test_host_leaves(self) -> None:
        """The end of the session ends the guest, media or not."""
        host, _ = self.real_peer()
        guest, _ = self.real_peer()
        await host.connect()
        session = await host.open()
        await guest.connect()
        await guest.join(session)
        await host.close()
        await self.closed(guest, "host-left")

    @asynchronous
    async def test_three(self) -> None:
        """In a mesh each has a connection with each; a bot stays when the others leave, and takes the next."""
        bot, bots = self.real_peer()
        ann, anns = self.real_peer(stay=False)
        bob, bobs = self.real_peer(stay=False)
        await bot.connect()
        session = await bot.open(3)
        for peer in (ann, bob):
            await peer.connect()
            await peer.join(session)
        for made in (bots, anns, bobs):
            self.assertEqual(len(made), 2)
            for media in made:
                await media.flowing
        for peer in (ann, bob):
            self.assertTrue((await peer.close()).flowed)
        eve, eves = self.real_peer()
        await eve.connect()
        await eve.join(session)
        await eves[0].flowing
        await eve.close()
        report = await bot.close()
        self.assertEqual([member.flowed for member in report.members], [True] * 3)

    @asynchronous
    async def test_one_direction(self) -> None:
        """A peer that sends nothing receives all the same, and neither report says that media went both ways."""
        host, hosts = self.real_peer()
        guest = Peer(self.address(self.daemon), SilentMedia, trust=self.trust(), reactor=reactor)
        await host.connect()
        session = await host.open()
        await guest.connect()
        await guest.join(session)
        await SilentMedia.made.received.wait()
        report = await guest.close()
        self.assertFalse(report.flowed)
        self.assertEqual((report.members[0].sends, sorted(report.members[0].receives)), ([], ["audio", "video"]))
        report = await host.close()
        self.assertEqual(report.members[0].receives, [])
        self.assertEqual(len(hosts), 1)

    @asynchronous
    async def test_refused(self) -> None:
        """A refused request raises the error's code and sentence, and the peer can go on."""
        peer, _ = self.real_peer()
        await peer.connect()
        with self.assertRaises(RefusedError) as context:
            await peer.join("0000000000")
        self.assertEqual(
            (context.exception.code, context.exception.sentence), ("unknown-session", "There is no such session.")
        )
        with self.assertRaises(RefusedError):
            await peer.open(99)
        self.assertEqual(len(await peer.open()), 10)
        report = await peer.close()
        self.assertFalse(report.flowed)

    @asynchronous
    async def test_server_stops(self) -> None:
        """A server that does not come back within the grace ends the peer."""
        self.daemon = self.start_daemon("--limit", "grace-seconds=0.2")
        peer, _ = self.real_peer()
        await peer.connect()
        await peer.open()
        stopping: Any = self.daemon.stopService()
        await self.closed(peer, "disconnected")
        await stopping.asFuture(asyncio.get_running_loop())

    @asynchronous
    async def test_events(self) -> None:
        """An application hears what happens in the session."""
        heard: asyncio.Queue[Value] = asyncio.Queue()
        host, _ = self.real_peer(event=heard.put_nowait)
        guest, _ = self.real_peer()
        await host.connect()
        session = await host.open()
        await guest.connect()
        await guest.join(session)
        await heard.get()
        await heard.get()
        self.assertIsInstance(await heard.get(), MemberJoined)
        await guest.close()
        self.assertIsInstance(await heard.get(), MemberLeft)
        await host.close()

    @asynchronous
    async def test_say(self) -> None:
        """Members with names talk to each other, to one or to all."""
        heard: asyncio.Queue[Value] = asyncio.Queue()
        host, _ = self.real_peer(event=heard.put_nowait, name="Ann")
        guest, _ = self.real_peer(event=heard.put_nowait, name="Bob")
        host.say("to nobody")
        await host.connect()
        session = await host.open()
        await guest.connect()
        await guest.join(session)
        guest.say("hi")
        host.say("psst", self.only_member(host))
        names: set[str | None] = set()
        said: set[str] = set()
        while len(said) < 2:
            event = await heard.get()
            if isinstance(event, messages.Joined):
                names |= {member.name for member in event.members}
            elif isinstance(event, MemberJoined):
                names.add(event.member.name)
            elif isinstance(event, messages.ForwardedMessage):
                said.add(event.content)
        self.assertEqual((names, said), ({"Ann", "Bob"}, {"hi", "psst"}))
        guest.say("hi", "0000000000000000000000000A")
        while not isinstance(event := await heard.get(), Refused):
            pass
        self.assertEqual(event.code, "unknown-member")
        await guest.close()
        await host.close()

    def only_member(self, peer: Peer) -> str:
        """Return the one other member."""
        (member,) = peer.report.members
        return member.user

    @asynchronous
    async def test_host(self) -> None:
        """A host admits, refuses, removes, hands over, changes and ends; only a host can."""
        knocks: asyncio.Queue[str] = asyncio.Queue()

        def hear(event: Value) -> None:
            if isinstance(event, messages.Knock):
                knocks.put_nowait(event.user)

        host, _ = self.real_peer(event=hear)
        ann, _ = self.real_peer()
        bob, _ = self.real_peer()
        for peer in (host, ann, bob):
            await peer.connect()
        with self.assertRaises(RefusedError):
            await host.change(locked=True)
        session = await host.open(3, label="Tea", password="pw", lobby=True)
        with self.assertRaises(RefusedError) as context:
            await ann.join(session)
        self.assertEqual(context.exception.code, "password-needed")
        joining = asyncio.ensure_future(ann.join(session, "pw"))
        await host.refuse(await knocks.get())
        with self.assertRaises(RefusedError):
            await joining
        joining = asyncio.ensure_future(ann.join(session, "pw"))
        await host.admit(await knocks.get())
        self.assertEqual(await joining, session)
        await host.change(lobby=False)
        await bob.join(session, "pw")
        users = [member.user for member in host.report.members]
        await host.remove(users[1])
        self.assertEqual(await bob.ended(), "removed")
        await host.hand_over(users[0])
        with self.assertRaises(RefusedError) as context:
            await host.end_session()
        self.assertEqual(context.exception.code, "wrong-role")
        await ann.end_session()
        self.assertEqual(await host.ended(), "by-host")
        for peer in (host, ann, bob):
            await peer.close()

    @asynchronous
    async def test_reconnects(self) -> None:
        """A call goes on while the connections to the server are lost and come back."""
        heard: asyncio.Queue[Value] = asyncio.Queue()
        host, hosts = self.real_peer(event=heard.put_nowait)
        guest, guests = self.real_peer()
        await host.connect()
        session = await host.open()
        await guest.connect()
        await guest.join(session)
        await guests[0].flowing
        await hosts[0].flowing
        lose_connection(host)
        lose_connection(guest)
        host.say("meanwhile")
        while not isinstance(event := await heard.get(), Resumed):
            self.assertNotIsInstance(event, Refused)
        self.assertEqual(event.survival, "everything")
        before = dict(guests[0].counts)
        while min(guests[0].counts[kind] - before[kind] for kind in before) < 5:
            await asyncio.sleep(0.05)
        reports = [await guest.close(), await host.close()]
        for report in reports:
            self.assertEqual((report.reconnects, len(report.members), report.flowed), (1, 1, True))


def lose_connection(peer: Peer) -> None:
    """Lose a peer's connection to the server."""
    (line,) = peer._socket._lines
    line.dropConnection(abort=True)


class SilentMedia(Media):
    """Sends nothing.

    Attributes:
        made: the last that was made.
        received: set when a frame came.

    """

    made: SilentMedia

    def __init__(self) -> None:
        self.received = asyncio.Event()
        SilentMedia.made = self

    def frame(self, kind: str, frame: object) -> None:
        """Say that it came."""
        self.received.set()


class BrokenMedia(SmallMedia):
    """Fails whenever it can."""

    def frame(self, kind: str, frame: object) -> None:
        """Fail."""
        raise RuntimeError("broken")

    async def stop(self) -> None:
        """Fail, after all."""
        await super().stop()
        raise RuntimeError("broken")


def without_candidates(sdp: str) -> str:
    """Return a description without its candidates."""
    lines = sdp.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))


class OtherSide:
    """A member behind the double, in which aiortc is used without the code under test.

    Attributes:
        double: the server.
        trickle: whether its candidates travel by themselves, as a browser's do; otherwise they are lost.
        connection: its peer connection.

    """

    def __init__(self, double: Double, trickle: bool) -> None:
        self.double = double
        self.trickle = trickle
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.media = SmallMedia()
        for track in self.media.tracks():
            self.connection.addTrack(track)
        self.tasks: list[asyncio.Task[None]] = []
        double.script = self.script

    def script(self, message: dict[str, Any]) -> None:
        """Be a session with Bob in it."""
        self.double.welcome(message)
        if message["type"] == "join":
            self.double.say(JOINED | {"id": message["id"]})
        elif message["type"] == "offer":
            self.tasks.append(asyncio.ensure_future(self.answer(message)))

    async def answer(self, message: dict[str, Any]) -> None:
        """Answer the offer without candidates, and send these after it."""
        offer = message["sdp"] if self.trickle else without_candidates(message["sdp"])
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        answer = self.connection.localDescription.sdp
        shared = {"session": S, "from": "BOB", "negotiation": message["negotiation"]}
        self.double.say({"type": "answer", "sdp": without_candidates(answer)} | shared)
        candidates: list[dict[str, Any]] = [{"candidate": "candidate:nonsense", "sdpMid": "0"}]
        if self.trickle:
            found = [line[2:] for line in answer.splitlines() if line.startswith("a=candidate")]
            candidates += [{"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0} for line in found]
        self.double.say({"type": "candidates", "candidates": candidates, "end": True} | shared)

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.gather(*self.tasks)
        await self.media.stop()
        await self.connection.close()


class DoubleTests(PeerCase):
    """What the real daemon and a well-behaved member do not do."""

    def setUp(self) -> None:
        """Start the double."""
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.double = Double(reactor)
        self.addCleanup(self.double.stop)

    @asynchronous
    async def test_trickled_candidates(self) -> None:
        """Candidates that travel by themselves are used, and one that makes no sense does no harm."""
        other = OtherSide(self.double, trickle=True)
        peer, made = self.make_peer(self.double.address)
        await peer.connect()
        await peer.join(S)
        await made[0].flowing
        report = await peer.close()
        self.assertTrue(report.flowed)
        await other.close()
        self.assertEqual(
            [message["type"] for message in self.double.messages], ["hello", "join", "offer", "candidates", "leave"]
        )
        self.assertEqual(self.double.messages[0]["features"], ["no-rollback", "relay-only"])
        self.assertEqual(self.double.messages[3]["candidates"], [])
        self.assertTrue(self.double.messages[3]["end"])

    @asynchronous
    async def test_no_path(self) -> None:
        """When no path to the only member is found, the peer ends."""
        other = OtherSide(self.double, trickle=False)
        peer, _ = self.make_peer(self.double.address, stay=False)
        await peer.connect()
        await peer.join(S)
        self.assertEqual(await peer.ended(), "connection-failed")
        report = await peer.close()
        self.assertEqual((report.flowed, report.members[0].connection_state), (False, "failed"))
        await other.close()

    @asynchronous
    async def test_unreadable_servers(self) -> None:
        """URLs that aiortc cannot read do no harm."""
        urls = ["turn:[2001:db8::1]:3478", "nonsense", "turn:", "stuns:a", ""]
        servers = [{"urls": urls, "username": "u", "credential": "c"}, {"urls": []}]
        other = OtherSide(self.double, trickle=True)
        script = self.double.script

        def supplied(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.double.say({"type": "ice-servers", "ice-servers": servers})
            script(message)

        self.double.script = supplied
        peer, made = self.make_peer(self.double.address)
        await peer.connect()
        await peer.join(S)
        await made[0].flowing
        await peer.close()
        await other.close()

    @asynchronous
    async def test_a_relayed_session(self) -> None:
        """Without a TURN server there is no path, of the own addresses nothing is told, and the peer ends."""
        other = OtherSide(self.double, trickle=True)
        script = self.double.script

        def relayed(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.double.say(JOINED | {"id": message["id"], "relay-only": True})
            else:
                script(message)

        self.double.script = relayed
        peer, _ = self.make_peer(self.double.address, stay=False)
        await peer.connect()
        await peer.join(S)
        self.assertEqual(await peer.ended(), "connection-failed")
        await peer.close()
        self.assertNotIn("offer", [message["type"] for message in self.double.messages])
        await other.close()

    async def joined(self, **options: Any) -> Peer:
        """Return a peer that has joined Bob's session; Bob says nothing."""

        def script(message: dict[str, Any]) -> None:
            self.double.welcome(message)
            if message["type"] == "join":
                self.double.say(JOINED)

        self.double.script = script
        peer, _ = self.make_peer(self.double.address, **options)
        await peer.connect()
        await peer.join(S)
        return peer

    async def until_said(self, type_: str) -> None:
        """Wait until the double was sent a message of a type."""
        said = asyncio.Event()
        script = self.double.script

        def listen(message: dict[str, Any]) -> None:
            script(message)
            if message["type"] == type_:
                said.set()

        self.double.script = listen
        await said.wait()

    @asynchronous
    async def test_bad_answer(self) -> None:
        """An answer that cannot be applied ends the peer, when it has nobody else."""
        peer = await self.joined(stay=False)
        await self.until_said("offer")
        number = {"offerer": ME, "n": 1}
        self.double.say({"type": "answer", "session": S, "from": "BOB", "negotiation": number, "sdp": "nonsense"})
        self.assertEqual(await peer.ended(), "connection-failed")
        await peer.close()

    @asynchronous
    async def test_bad_offer(self) -> None:
        """So does an offer of which nothing can be made."""
        peer = await self.joined(stay=False)
        number = {"offerer": "CY", "n": 1}
        cy = {"user": "CY", "role": "guest", "polite": True, "offers-first": False, "base": 0}
        self.double.say({"type": "member-left", "session": S, "user": "BOB", "reason": "left"})
        self.assertEqual(await peer.ended(), "left")
        self.double.say({"type": "member-joined", "session": S, "member": cy})
        self.double.say({"type": "offer", "session": S, "from": "CY", "negotiation": number, "sdp": "nonsense"})
        await self.until_report(peer, 2)
        self.assertEqual(peer.report.reason, "left")
        await peer.close()

    async def until_report(self, peer: Peer, members: int) -> None:
        """Wait until the report has so many members."""
        while len(peer.report.members) < members:
            await asyncio.sleep(0)

    @asynchronous
    async def test_nonsense(self) -> None:
        """What the server should not say changes nothing."""
        peer = await self.joined()
        stranger = BOB | {"user": "EVE"}
        self.double.say({"type": "opened"})
        self.double.say({"type": "error", "code": "bad-message", "message": "What?"})
        self.double.say({"type": "member-joined", "session": "0000000000", "member": stranger})
        self.double.say(SESSION | {"type": "opened", "session": "0000000000"})
        self.double.say({"type": "ended", "session": "0000000000", "reason": "idle"})
        self.double.say({"type": "ended", "session": S, "reason": "expired"})
        self.assertEqual(await peer.ended(), "expired")
        self.assertEqual((peer.session, len(peer.report.members)), (S, 1))
        await peer.close()

    @asynchronous
    async def test_hello_refused(self) -> None:
        """A server that does not welcome is told by its error."""
        self.double.script = lambda message: self.double.say(
            {"type": "error", "id": message["id"], "code": "unsupported-version", "message": "Version 7 only."}
        )
        peer, _ = self.make_peer(self.double.address)
        with self.assertRaises(RefusedError) as context:
            await peer.connect()
        self.assertEqual(context.exception.code, "unsupported-version")
        await peer.close()

    @asynchronous
    async def test_lost_before_the_welcome(self) -> None:
        """A server that does not welcome is not tried again."""
        self.double.script = lambda message: self.double.connections[0].dropConnection(abort=True)
        peer, _ = self.make_peer(self.double.address)
        with self.assertRaises(UnreachableError) as context:
            await peer.connect()
        self.assertEqual(str(context.exception), f"The connection to {self.double.address.authority} was lost.")
        await peer.close()

    @asynchronous
    async def test_lost_while_waiting(self) -> None:
        """A request whose answer is lost with the identity is not waited for."""
        peer, _ = self.make_peer(self.double.address)
        await peer.connect()

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "open":
                self.double.connections[0].dropConnection(abort=True)
            elif message["type"] == "resume":
                self.double.say(WELCOME | {"resumed": "nothing"})

        self.double.script = script
        with self.assertRaises(UnreachableError):
            await peer.open()
        self.assertEqual(peer.report.reconnects, 1)
        await peer.close()

    @asynchronous
    async def test_replaced(self) -> None:
        """An identity that another connection has taken ends the peer, and what it waits for."""
        peer, _ = self.make_peer(self.double.address)
        await peer.connect()
        self.double.script = lambda message: self.double.connections[0].sendClose(4001, "replaced")
        with self.assertRaises(UnreachableError):
            await peer.open()
        self.assertEqual(await peer.ended(), "disconnected")
        await peer.close()

    @asynchronous
    async def test_lost_twice(self) -> None:
        """The grace counts from the first loss to the return."""
        peer = await self.joined()
        script = self.double.script
        self.double.script = lambda message: self.double.connections[-1].dropConnection(abort=True)
        self.double.connections[0].dropConnection(abort=True)
        while len(self.double.connections) < 2:
            await asyncio.sleep(0.01)
        self.double.script = script
        while not peer.report.reconnects:
            await asyncio.sleep(0.01)
        self.assertEqual((peer.report.reconnects, peer.report.reason), (1, ""))
        await peer.close()

    @asynchronous
    async def test_identity_lost(self) -> None:
        """A peer whose session did not survive ends."""
        peer = await self.joined()
        self.double.script = lambda message: self.double.say(WELCOME | {"resumed": "nothing"})
        self.double.connections[0].dropConnection(abort=True)
        self.assertEqual(await peer.ended(), "disconnected")
        await peer.close()

    @asynchronous
    async def test_membership(self) -> None:
        """With the membership alone, and for a member that is renewed, there is a new connection."""
        peer = await self.joined()
        await self.double.heard("offer")

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "resume":
                self.double.say(WELCOME | {"resumed": "membership"})
                self.double.say(JOINED | {"members": [BOB | {"base": 1}]})

        self.double.script = script
        self.double.connections[0].dropConnection(abort=True)
        await self.offers(2)
        self.double.say({"type": "member-renewed", "session": S, "member": BOB | {"base": 2}})
        await self.offers(3)
        self.assertEqual(len(peer.report.members), 3)
        await peer.close()

    async def offers(self, n: int) -> None:
        """Wait until the double has the n-th offer, which is numbered so."""
        while len(offers := [message for message in self.double.messages if message["type"] == "offer"]) < n:
            await asyncio.sleep(0.01)
        self.assertEqual(offers[-1]["negotiation"], {"offerer": ME, "n": n})

    @asynchronous
    async def test_not_admitted(self) -> None:
        """One who waits is a member when the host says so, or is told that it is not."""
        answers: list[dict[str, Any]] = [
            {"type": "not-admitted", "session": S, "reason": "refused"},
            JOINED | {"members": []},
        ]

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.double.say({"type": "waiting", "id": message["id"], "session": S, "reason": "lobby"})
                self.double.say(answers.pop(0))

        peer, _ = self.make_peer(self.double.address)
        await peer.connect()
        self.double.script = script
        with self.assertRaises(RefusedError) as context:
            await peer.join(S)
        self.assertEqual(context.exception.code, "not-admitted")
        await peer.join(S)
        self.assertEqual(peer.session, S)
        await peer.close()

    @asynchronous
    async def test_media_that_cannot_be_made(self) -> None:
        """Media that cannot be made ends the peer, when it has nobody else."""

        def make() -> Media:
            raise RuntimeError("no camera")

        other = OtherSide(self.double, trickle=True)
        peer = Peer(self.double.address, make, stay=False, reactor=reactor)
        await peer.connect()
        await peer.join(S)
        self.assertEqual(await peer.ended(), "connection-failed")
        await peer.close()
        await other.close()

    @asynchronous
    async def test_broken_media(self) -> None:
        """Media that raises costs its connection, not the peer."""
        other = OtherSide(self.double, trickle=True)
        peer = Peer(self.double.address, BrokenMedia, stay=False, reactor=reactor)
        await peer.connect()
        await peer.join(S)
        self.assertEqual(await peer.ended(), "connection-failed")
        await peer.close()
        await other.close()
