"""Tests the peer as a library: two or three peers in one process, with the real daemon or a fake server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from twisted.internet import reactor as installed

from signald_client.errors import RefusedError, UnreachableError
from signald_client.media import Media
from signald_client.peer import Peer
from signald_client.server import Address, Trust
from signald_client.signaling import messages, rejoining
from signald_client.signaling.events import Refused, Resumed
from signald_client.signaling.messages import MemberJoined, MemberLeft
from signald_client.signaling.wire import Value
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media
from tests.suites.peer.fake_server import ME, WELCOME, FakeServer

reactor: Any = installed

S = "7Q2M9RT6ZC"
BOB = {"user": "BOB", "role": "host", "polite": False, "offers-first": True, "base": 0}
SESSION = {"session": S, "capacity": 2, "locked": False, "lobby": False}
JOINED = SESSION | {"type": "joined", "role": "guest", "members": [BOB]}


class PeerCase(AsyncCase):
    """A test case that creates peers."""

    def make_peer(self, address: Address, trust: Trust | None = None, **options: Any) -> tuple[Peer, list[SmallMedia]]:
        """Return a peer, and the list of the media that it creates."""
        made: list[SmallMedia] = []
        return Peer(address, make_media(made), trust=trust, reactor=reactor, **options), made


class CallTests(PeerCase):
    """Calls through the real daemon."""

    def setUp(self) -> None:
        """Start the daemon."""
        self.daemon = self.start_daemon()

    def real_peer(self, **options: Any) -> tuple[Peer, list[SmallMedia]]:
        """Return a peer of the daemon, and the list of the media that it creates."""
        return self.make_peer(self.address(self.daemon), self.trust(), **options)

    @asynchronous
    async def test_two(self) -> None:
        """Video and audio flow both ways, and both reports state it."""
        host, hosts = self.real_peer(stay_alone=False)
        guest, guests = self.real_peer(stay_alone=False)
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        self.assertEqual(await guest.join_session(session), session)
        await guests[0].flowing
        await hosts[0].flowing
        guest.stop("enough")
        self.assertEqual(await guest.wait_until_ended(), "enough")
        reports = [await guest.close(), await self.close_after_end(host, "left")]
        for report in reports:
            (member,) = report.members
            self.assertEqual((report.session, report.flowed), (session, True))
            self.assertRegex(report.reference or "", r"^[0-9A-HJKMNP-TV-Z]{8}$")
            self.assertEqual((member.connection_state, member.ice_state), ("connected", "completed"))
            self.assertEqual((sorted(member.sends), sorted(member.receives)), (["audio", "video"], ["audio", "video"]))
            assert member.seconds_to_connected is not None
            assert member.seconds_to_first_frame is not None
            self.assertLess(member.seconds_to_connected, member.seconds_to_first_frame)

    async def close_after_end(self, peer: Peer, reason: str) -> Any:
        """Wait for the end of a peer's call with this reason, and return its report."""
        self.assertEqual(await peer.wait_until_ended(), reason)
        return await peer.close()

    @asynchronous
    async def test_installed_reactor(self) -> None:
        """Without the argument `reactor` the peer uses the installed reactor."""
        peer = Peer(self.address(self.daemon), SmallMedia, trust=self.trust())
        await peer.connect()
        self.assertEqual(len(await peer.open_session()), 10)
        await peer.close()

    @asynchronous
    async def test_host_leaves(self) -> None:
        """The end of the session ends the guest's call, with or without media."""
        host, _ = self.real_peer()
        guest, _ = self.real_peer()
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        await guest.join_session(session)
        await host.close()
        await self.close_after_end(guest, "host-left")

    @asynchronous
    async def test_three(self) -> None:
        """Each peer of a mesh connects to every other; a bot stays when its guests leave, and serves the next guest."""
        bot, bots = self.real_peer()
        ann, anns = self.real_peer(stay_alone=False)
        bob, bobs = self.real_peer(stay_alone=False)
        await bot.connect()
        session = await bot.open_session(3)
        for peer in (ann, bob):
            await peer.connect()
            await peer.join_session(session)
        for made in (bots, anns, bobs):
            self.assertEqual(len(made), 2)
            for media in made:
                await media.flowing
        for peer in (ann, bob):
            self.assertTrue((await peer.close()).flowed)
        eve, eves = self.real_peer()
        await eve.connect()
        await eve.join_session(session)
        await eves[0].flowing
        await eve.close()
        report = await bot.close()
        self.assertEqual([member.flowed for member in report.members], [True] * 3)

    @asynchronous
    async def test_one_direction(self) -> None:
        """A peer that sends no media still receives media, and neither report states that media flowed both ways."""
        host, hosts = self.real_peer()
        guest = Peer(self.address(self.daemon), SilentMedia, trust=self.trust(), reactor=reactor)
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        await guest.join_session(session)
        await SilentMedia.latest.received.wait()
        report = await guest.close()
        self.assertFalse(report.flowed)
        self.assertEqual((report.members[0].sends, sorted(report.members[0].receives)), ([], ["audio", "video"]))
        report = await host.close()
        self.assertEqual(report.members[0].receives, [])
        self.assertEqual(len(hosts), 1)

    @asynchronous
    async def test_refused(self) -> None:
        """A refused request raises the error's code and sentence, and the peer can continue."""
        peer, _ = self.real_peer()
        await peer.connect()
        with self.assertRaises(RefusedError) as context:
            await peer.join_session("0000000000")
        self.assertEqual(
            (context.exception.code, context.exception.sentence), ("unknown-session", "This session does not exist.")
        )
        with self.assertRaises(RefusedError):
            await peer.open_session(99)
        self.assertEqual(len(await peer.open_session()), 10)
        report = await peer.close()
        self.assertFalse(report.flowed)

    @asynchronous
    async def test_server_stops(self) -> None:
        """A server that does not return within the grace period ends the call."""
        self.daemon = self.start_daemon("--limit", "grace-seconds=0.2")
        peer, _ = self.real_peer()
        await peer.connect()
        await peer.open_session()
        stopping: Any = self.daemon.stopService()
        await self.close_after_end(peer, "disconnected")
        await stopping.asFuture(asyncio.get_running_loop())

    @asynchronous
    async def test_events(self) -> None:
        """The application receives the events of the session."""
        events: asyncio.Queue[Value] = asyncio.Queue()
        host, _ = self.real_peer(on_event=events.put_nowait)
        guest, _ = self.real_peer()
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        await guest.join_session(session)
        await events.get()
        await events.get()
        self.assertIsInstance(await events.get(), MemberJoined)
        await guest.close()
        self.assertIsInstance(await events.get(), MemberLeft)
        await host.close()

    @asynchronous
    async def test_send_message(self) -> None:
        """Members with names can send a message to one member or to all members."""
        events: asyncio.Queue[Value] = asyncio.Queue()
        host, _ = self.real_peer(on_event=events.put_nowait, name="Ann")
        guest, _ = self.real_peer(on_event=events.put_nowait, name="Bob")
        host.send_message("to nobody")
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        await guest.join_session(session)
        guest.send_message("hi")
        host.send_message("psst", self.only_member(host))
        names: set[str | None] = set()
        texts: set[str] = set()
        while len(texts) < 2:
            event = await events.get()
            if isinstance(event, messages.Joined):
                names |= {member.name for member in event.members}
            elif isinstance(event, MemberJoined):
                names.add(event.member.name)
            elif isinstance(event, messages.ForwardedMessage):
                texts.add(event.content)
        self.assertEqual((names, texts), ({"Ann", "Bob"}, {"hi", "psst"}))
        guest.send_message("hi", "0000000000000000000000000A")
        while not isinstance(event := await events.get(), Refused):
            pass
        self.assertEqual(event.code, "unknown-member")
        await guest.close()
        await host.close()

    def only_member(self, peer: Peer) -> str:
        """Return the only other member."""
        (member,) = peer.report.members
        return member.user

    @asynchronous
    async def test_host_requests(self) -> None:
        """A host admits, refuses, removes, hands over, changes and ends; the same requests of a guest are refused."""
        knocks: asyncio.Queue[str] = asyncio.Queue()

        def collect(event: Value) -> None:
            if isinstance(event, messages.Knock):
                knocks.put_nowait(event.user)

        host, _ = self.real_peer(on_event=collect)
        ann, _ = self.real_peer()
        bob, _ = self.real_peer()
        for peer in (host, ann, bob):
            await peer.connect()
        with self.assertRaises(RefusedError):
            await host.change_session(locked=True)
        session = await host.open_session(3, label="Tea", password="pw", lobby=True)
        with self.assertRaises(RefusedError) as context:
            await ann.join_session(session)
        self.assertEqual(context.exception.code, "password-needed")
        joining = asyncio.ensure_future(ann.join_session(session, "pw"))
        await host.refuse_user(await knocks.get())
        with self.assertRaises(RefusedError):
            await joining
        joining = asyncio.ensure_future(ann.join_session(session, "pw"))
        await host.admit_user(await knocks.get())
        self.assertEqual(await joining, session)
        await host.change_session(lobby=False)
        await bob.join_session(session, "pw")
        users = [member.user for member in host.report.members]
        await host.remove_member(users[1])
        self.assertEqual(await bob.wait_until_ended(), "removed")
        await host.make_host(users[0])
        with self.assertRaises(RefusedError) as context:
            await host.end_session()
        self.assertEqual(context.exception.code, "wrong-role")
        await ann.end_session()
        self.assertEqual(await host.wait_until_ended(), "by-host")
        for peer in (host, ann, bob):
            await peer.close()

    @asynchronous
    async def test_reconnect(self) -> None:
        """A call continues while the WebSockets to the server are lost and resumed."""
        events: asyncio.Queue[Value] = asyncio.Queue()
        host, hosts = self.real_peer(on_event=events.put_nowait)
        guest, guests = self.real_peer()
        await host.connect()
        session = await host.open_session()
        await guest.connect()
        await guest.join_session(session)
        await guests[0].flowing
        await hosts[0].flowing
        lose_connection(host)
        lose_connection(guest)
        host.send_message("meanwhile")
        while not isinstance(event := await events.get(), Resumed):
            self.assertNotIsInstance(event, Refused)
        self.assertEqual(event.survival, "everything")
        before = dict(guests[0].counts)
        while min(guests[0].counts[kind] - before[kind] for kind in before) < 5:
            await asyncio.sleep(0.05)
        reports = [await guest.close(), await host.close()]
        for report in reports:
            self.assertEqual((report.reconnects, len(report.members), report.flowed), (1, 1, True))


def lose_connection(peer: Peer) -> None:
    """Lose a peer's WebSocket to the server."""
    (connection,) = peer._socket._open_connections
    connection.dropConnection(abort=True)


class SilentMedia(Media):
    """Media that sends no frames.

    Attributes:
        latest: the latest instance.
        received: set when a frame was received.

    """

    latest: SilentMedia

    def __init__(self) -> None:
        self.received = asyncio.Event()
        SilentMedia.latest = self

    def frame_received(self, kind: str, frame: object) -> None:
        """Set `received`."""
        self.received.set()


class BrokenMedia(SmallMedia):
    """Media whose methods raise errors."""

    def frame_received(self, kind: str, frame: object) -> None:
        """Raise an error."""
        raise RuntimeError("broken")

    async def stop(self) -> None:
        """Stop the tracks, and raise an error."""
        await super().stop()
        raise RuntimeError("broken")


def without_candidates(sdp: str) -> str:
    """Return a description without its candidates."""
    lines = sdp.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))


class RemotePeer:
    """The member Bob on the fake server, which uses aiortc without the code under test.

    Attributes:
        server: the fake server.
        trickle: whether Bob's candidates are sent in separate messages, as a browser does; otherwise they are lost.
        connection: Bob's peer connection.

    """

    def __init__(self, server: FakeServer, trickle: bool) -> None:
        self.server = server
        self.trickle = trickle
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.media = SmallMedia()
        for track in self.media.tracks():
            self.connection.addTrack(track)
        self.tasks: list[asyncio.Task[None]] = []
        server.script = self.script

    def script(self, message: dict[str, Any]) -> None:
        """Respond to the client's requests as the server of a session that has Bob as its member."""
        self.server.welcome(message)
        if message["type"] == "join":
            self.server.send_message(JOINED | {"id": message["id"], "ticket": "t"})
        elif message["type"] == "offer":
            self.tasks.append(asyncio.ensure_future(self.answer(message)))

    async def answer(self, message: dict[str, Any]) -> None:
        """Reply to the offer with an answer without candidates, and send the candidates after the answer."""
        offer = message["sdp"] if self.trickle else without_candidates(message["sdp"])
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        answer = self.connection.localDescription.sdp
        shared = {"session": S, "from": "BOB", "negotiation": message["negotiation"]}
        self.server.send_message({"type": "answer", "sdp": without_candidates(answer)} | shared)
        candidates: list[dict[str, Any]] = [{"candidate": "candidate:nonsense", "sdpMid": "0"}]
        if self.trickle:
            found = [line[2:] for line in answer.splitlines() if line.startswith("a=candidate")]
            candidates += [{"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0} for line in found]
        self.server.send_message({"type": "candidates", "candidates": candidates, "end": True} | shared)

    async def close(self) -> None:
        """Close the peer connection."""
        await asyncio.gather(*self.tasks)
        await self.media.stop()
        await self.connection.close()


class FakeServerTests(PeerCase):
    """Tests of situations that the real daemon and a correct member do not cause."""

    def setUp(self) -> None:
        """Start the fake server, and silence the log."""
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.server = FakeServer(reactor)
        self.addCleanup(self.server.stop)

    @asynchronous
    async def test_trickled_candidates(self) -> None:
        """Trickled candidates are used, and an invalid candidate is ignored."""
        other = RemotePeer(self.server, trickle=True)
        peer, made = self.make_peer(self.server.address)
        await peer.connect()
        await peer.join_session(S)
        await made[0].flowing
        report = await peer.close()
        self.assertTrue(report.flowed)
        await other.close()
        self.assertEqual(
            [message["type"] for message in self.server.messages], ["hello", "join", "offer", "candidates", "leave"]
        )
        self.assertEqual(self.server.messages[0]["features"], ["no-rollback", "relay-only"])
        self.assertEqual(self.server.messages[3]["candidates"], [])
        self.assertTrue(self.server.messages[3]["end"])

    @asynchronous
    async def test_no_path(self) -> None:
        """When no path to the only member is found, the call ends."""
        other = RemotePeer(self.server, trickle=False)
        peer, _ = self.make_peer(self.server.address, stay_alone=False)
        await peer.connect()
        await peer.join_session(S)
        self.assertEqual(await peer.wait_until_ended(), "connection-failed")
        report = await peer.close()
        self.assertEqual((report.flowed, report.members[0].connection_state), (False, "failed"))
        await other.close()

    @asynchronous
    async def test_unsupported_ice_servers(self) -> None:
        """URLs of ICE servers that aiortc cannot parse are ignored."""
        urls = ["turn:[2001:db8::1]:3478", "nonsense", "turn:", "stuns:a", ""]
        servers = [{"urls": urls, "username": "u", "credential": "c"}, {"urls": []}]
        other = RemotePeer(self.server, trickle=True)
        script = self.server.script

        def send_servers(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.server.send_message({"type": "ice-servers", "ice-servers": servers})
            script(message)

        self.server.script = send_servers
        peer, made = self.make_peer(self.server.address)
        await peer.connect()
        await peer.join_session(S)
        await made[0].flowing
        await peer.close()
        await other.close()

    @asynchronous
    async def test_relay_only_without_turn(self) -> None:
        """Without a TURN server a relay-only call fails, and no local address is sent."""
        other = RemotePeer(self.server, trickle=True)
        script = self.server.script

        def send_relay_only(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.server.send_message(JOINED | {"id": message["id"], "relay-only": True})
            else:
                script(message)

        self.server.script = send_relay_only
        peer, _ = self.make_peer(self.server.address, stay_alone=False)
        await peer.connect()
        await peer.join_session(S)
        self.assertEqual(await peer.wait_until_ended(), "connection-failed")
        await peer.close()
        self.assertNotIn("offer", [message["type"] for message in self.server.messages])
        await other.close()

    async def join_silent_session(self, **options: Any) -> Peer:
        """Return a peer that has joined Bob's session; Bob sends nothing."""

        def script(message: dict[str, Any]) -> None:
            self.server.welcome(message)
            if message["type"] == "join":
                self.server.send_message(JOINED)

        self.server.script = script
        peer, _ = self.make_peer(self.server.address, **options)
        await peer.connect()
        await peer.join_session(S)
        return peer

    async def wait_for_next(self, type_: str) -> None:
        """Wait until the server receives another message of this type."""
        received = asyncio.Event()
        script = self.server.script

        def watch(message: dict[str, Any]) -> None:
            script(message)
            if message["type"] == type_:
                received.set()

        self.server.script = watch
        await received.wait()

    @asynchronous
    async def test_invalid_answer(self) -> None:
        """An answer that cannot be applied ends the call of a peer without another member."""
        peer = await self.join_silent_session(stay_alone=False)
        await self.wait_for_next("offer")
        number = {"offerer": ME, "n": 1}
        self.server.send_message(
            {"type": "answer", "session": S, "from": "BOB", "negotiation": number, "sdp": "nonsense"}
        )
        self.assertEqual(await peer.wait_until_ended(), "connection-failed")
        await peer.close()

    @asynchronous
    async def test_invalid_offer(self) -> None:
        """An offer that cannot be applied fails its peer connection, and keeps the reason of an ended call."""
        peer = await self.join_silent_session(stay_alone=False)
        number = {"offerer": "CY", "n": 1}
        cy = {"user": "CY", "role": "guest", "polite": True, "offers-first": False, "base": 0}
        self.server.send_message({"type": "member-left", "session": S, "user": "BOB", "reason": "left"})
        self.assertEqual(await peer.wait_until_ended(), "left")
        self.server.send_message({"type": "member-joined", "session": S, "member": cy})
        self.server.send_message(
            {"type": "offer", "session": S, "from": "CY", "negotiation": number, "sdp": "nonsense"}
        )
        await self.wait_for_members(peer, 2)
        self.assertEqual(peer.report.reason, "left")
        await peer.close()

    async def wait_for_members(self, peer: Peer, members: int) -> None:
        """Wait until the report has so many members."""
        while len(peer.report.members) < members:
            await asyncio.sleep(0)

    @asynchronous
    async def test_unexpected_messages(self) -> None:
        """Messages that a correct server does not send change nothing."""
        peer = await self.join_silent_session()
        stranger = BOB | {"user": "EVE"}
        self.server.send_message({"type": "opened"})
        self.server.send_message({"type": "error", "code": "bad-message", "message": "What?"})
        self.server.send_message({"type": "member-joined", "session": "0000000000", "member": stranger})
        self.server.send_message(SESSION | {"type": "opened", "session": "0000000000"})
        self.server.send_message({"type": "member-renewed", "session": "0000000000", "member": stranger})
        self.server.send_message({"type": "member-left", "session": "0000000000", "user": "EVE", "reason": "left"})
        self.server.send_message({"type": "ended", "session": "0000000000", "reason": "idle"})
        self.server.send_message({"type": "ended", "session": S, "reason": "expired"})
        self.assertEqual(await peer.wait_until_ended(), "expired")
        self.assertEqual((peer.session, len(peer.report.members)), (S, 1))
        await peer.close()

    @asynchronous
    async def test_hello_refused(self) -> None:
        """If the server refuses `hello`, `connect` raises the server's error."""
        self.server.script = lambda message: self.server.send_message(
            {"type": "error", "id": message["id"], "code": "unsupported-version", "message": "Version 7 only."}
        )
        peer, _ = self.make_peer(self.server.address)
        with self.assertRaises(RefusedError) as context:
            await peer.connect()
        self.assertEqual(context.exception.code, "unsupported-version")
        await peer.close()

    @asynchronous
    async def test_requests_before_the_welcome(self) -> None:
        """If a session is opened while `connect` waits for the welcome, the request is sent after the welcome."""
        peer, _ = self.make_peer(self.server.address)
        self.server.script = lambda message: None
        connecting = asyncio.ensure_future(peer.connect())
        await self.server.wait_for_message("hello")
        opening = asyncio.ensure_future(peer.open_session())
        await asyncio.sleep(0)

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "open":
                self.server.send_message(SESSION | {"type": "opened", "id": message["id"]})

        self.server.script = script
        self.server.welcome(self.server.messages[0])
        await connecting
        self.assertEqual(await opening, S)
        await peer.close()

    @asynchronous
    async def test_refusal_before_the_welcome(self) -> None:
        """If a request is refused because too many requests are queued, `connect` still waits for the welcome."""
        peer, _ = self.make_peer(self.server.address)
        self.server.script = lambda message: None
        connecting = asyncio.ensure_future(peer.connect())
        await self.server.wait_for_message("hello")
        waiting = [asyncio.ensure_future(peer.open_session()) for _ in range(257)]
        with self.assertRaises(RefusedError) as context:
            await waiting.pop()
        self.assertEqual(context.exception.code, "not-connected")
        self.server.welcome(self.server.messages[0])
        await connecting
        await peer.close()
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            self.assertIsInstance(error, UnreachableError)

    @asynchronous
    async def test_lost_before_the_welcome(self) -> None:
        """A WebSocket that is lost before the welcome raises an error."""
        self.server.script = lambda message: self.server.connections[0].dropConnection(abort=True)
        peer, _ = self.make_peer(self.server.address)
        with self.assertRaises(UnreachableError) as context:
            await peer.connect()
        self.assertEqual(str(context.exception), f"The connection to {self.server.address.authority} was lost.")
        await peer.close()

    @asynchronous
    async def test_lost_request(self) -> None:
        """A request raises an error when the identity is lost before the request's reply arrives."""
        peer, _ = self.make_peer(self.server.address)
        await peer.connect()

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "open":
                self.server.connections[0].dropConnection(abort=True)
            elif message["type"] == "resume":
                self.server.send_message(WELCOME | {"resumed": "nothing"})

        self.server.script = script
        with self.assertRaises(UnreachableError):
            await peer.open_session()
        self.assertEqual(peer.report.reconnects, 1)
        await peer.close()

    @asynchronous
    async def test_replaced(self) -> None:
        """When another client resumes the identity, the call and its pending requests end."""
        peer, _ = self.make_peer(self.server.address)
        await peer.connect()
        self.server.script = lambda message: self.server.connections[0].sendClose(4001, "replaced")
        with self.assertRaises(UnreachableError):
            await peer.open_session()
        self.assertEqual(await peer.wait_until_ended(), "disconnected")
        await peer.close()

    @asynchronous
    async def test_lost_twice(self) -> None:
        """A WebSocket that is lost again during the handshake is resumed within the same grace period."""
        peer = await self.join_silent_session()
        script = self.server.script
        self.server.script = lambda message: self.server.connections[-1].dropConnection(abort=True)
        self.server.connections[0].dropConnection(abort=True)
        while len(self.server.connections) < 2:
            await asyncio.sleep(0.01)
        self.server.script = script
        while not peer.report.reconnects:
            await asyncio.sleep(0.01)
        self.assertEqual((peer.report.reconnects, peer.report.reason), (1, ""))
        await peer.close()

    @asynchronous
    async def test_identity_lost(self) -> None:
        """A call ends if the server has lost the call's session, and gave no ticket for it."""
        peer = await self.join_silent_session()
        self.server.script = lambda message: self.server.send_message(WELCOME | {"resumed": "nothing"})
        self.server.connections[0].dropConnection(abort=True)
        self.assertEqual(await peer.wait_until_ended(), "disconnected")
        await peer.close()

    async def return_to(self, session: dict[str, Any], *answers: dict[str, Any]) -> Peer:
        """Return a peer whose server has forgotten the session, and answers its requests to come back like this.

        Arguments:
            session: the event with which the peer entered the session.
            answers: the server's answers, without the ids of the requests.

        """
        peer, _ = self.make_peer(self.server.address)
        await peer.connect()
        replies = list(answers)

        def script(message: dict[str, Any]) -> None:
            if message["type"] in ("open", "join") and "ticket" in message:
                self.server.send_message(replies.pop(0) | {"id": message["id"]})
            elif message["type"] in ("open", "join"):
                self.server.send_message(session | {"id": message["id"]})
            elif message["type"] == "resume":
                self.server.send_message(WELCOME | {"resumed": "nothing"})

        self.server.script = script
        await (peer.open_session(4, password="p") if session["type"] == "opened" else peer.join_session(S, "p"))
        self.server.connections[0].dropConnection(abort=True)
        while replies:
            await asyncio.sleep(0.01)
        return peer

    def requests_to_return(self) -> list[tuple[Any, ...]]:
        """Return type, ticket and password of the requests with which a peer came back."""
        sent = [message for message in self.server.messages if "ticket" in message]
        return [(message["type"], message["ticket"], message["password"]) for message in sent]

    @asynchronous
    async def test_return_as_guest(self) -> None:
        """A guest waits for the host, asks again after a transient refusal, and then goes on in the session."""
        refused = {"type": "error", "code": "decision-unavailable", "message": "x", "about": "join"}
        waiting = {"type": "waiting", "session": S, "reason": "host"}
        peer = await self.return_to(JOINED | {"members": [], "ticket": "t"}, refused, waiting)
        self.assertEqual(self.requests_to_return(), [("join", "t", "p")] * 2)
        self.server.send_message(JOINED)
        await self.server.wait_for_message("offer")
        self.assertEqual((peer.report.reason, len(peer.report.members)), ("", 1))
        await peer.close()

    @asynchronous
    async def test_return_as_host(self) -> None:
        """A host opens the session again, and joins it where another member has become the host meanwhile."""
        refused = {"type": "error", "code": "wrong-host-key", "message": "x", "about": "open"}
        opened = SESSION | {"type": "opened", "ticket": "t"}
        peer = await self.return_to(opened, refused, JOINED | {"members": [], "ticket": "u"})
        self.assertEqual(self.requests_to_return(), [("open", "t", "p"), ("join", "t", "p")])
        await self.server.wait_for_message("ack")
        self.assertEqual((peer.report.reason, peer.report.session), ("", S))
        await peer.close()

    @asynchronous
    async def test_kept_connection(self) -> None:
        """A connection that both sides still have is kept, without an offer, when its members meet again."""
        other = RemotePeer(self.server, trickle=True)
        peer, made = self.make_peer(self.server.address)
        await peer.connect()
        await peer.join_session(S)
        await made[0].flowing

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "resume":
                self.server.send_message(WELCOME | {"resumed": "nothing"})
            elif message["type"] == "join":
                members = [BOB | {"user": "BOB2", "former": "BOB", "connected": True}]
                self.server.send_message(JOINED | {"id": message["id"], "members": members, "ticket": "u"})

        self.server.script = script
        self.server.messages.clear()
        self.server.connections[0].dropConnection(abort=True)
        await self.server.wait_for_message("ack")
        [join] = [message for message in self.server.messages if message["type"] == "join"]
        self.assertEqual((join["ticket"], join["connected"]), ("t", ["BOB"]))
        self.assertNotIn("offer", self.server.types())
        self.assertEqual((len(made), peer.report.reason, len(peer.report.members)), (1, "", 1))
        await peer.close()
        await other.close()

    @asynchronous
    async def test_tried_for_long_enough(self) -> None:
        """A peer whose requests to come back are refused as too many for now ends after the time of a return."""
        self.patch(rejoining, "RETURN_SECONDS", 0.1)
        refused = {"type": "error", "code": "session-full", "message": "x", "about": "join"}
        peer = await self.return_to(JOINED | {"members": [], "ticket": "t"}, refused)
        self.assertEqual(await peer.wait_until_ended(), "disconnected")
        await peer.close()

    @asynchronous
    async def test_no_way_back(self) -> None:
        """A final refusal ends the call of a peer without connections, and so does the end of a wait."""
        for answer in (
            {"type": "error", "code": "unknown-session", "message": "x", "about": "join"},
            {"type": "not-admitted", "session": S, "reason": "full"},
        ):
            peer = await self.return_to(JOINED | {"members": [], "ticket": "t"}, answer)
            self.assertEqual(await peer.wait_until_ended(), "disconnected")
            await peer.close()
            self.server.connections.clear()
            self.server.script = self.server.welcome

    @asynchronous
    async def test_membership(self) -> None:
        """A resume that preserves only the membership, and a renewed member, result in new peer connections."""
        peer = await self.join_silent_session()
        await self.server.wait_for_message("offer")

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "resume":
                self.server.send_message(WELCOME | {"resumed": "membership"})
                self.server.send_message(JOINED | {"members": [BOB | {"base": 1}]})

        self.server.script = script
        self.server.connections[0].dropConnection(abort=True)
        await self.wait_for_offer(2)
        self.server.send_message({"type": "member-renewed", "session": S, "member": BOB | {"base": 2}})
        await self.wait_for_offer(3)
        self.assertEqual(len(peer.report.members), 3)
        await peer.close()

    async def wait_for_offer(self, n: int) -> None:
        """Wait until the server has the n-th offer, and assert that it has this number."""
        while len(offers := [message for message in self.server.messages if message["type"] == "offer"]) < n:
            await asyncio.sleep(0.01)
        self.assertEqual(offers[-1]["negotiation"], {"offerer": ME, "n": n})

    @asynchronous
    async def test_not_admitted(self) -> None:
        """A peer in the lobby becomes a member when admitted, and gets an error when refused."""
        answers: list[dict[str, Any]] = [
            {"type": "not-admitted", "session": S, "reason": "refused"},
            JOINED | {"members": []},
        ]

        def script(message: dict[str, Any]) -> None:
            if message["type"] == "join":
                self.server.send_message({"type": "waiting", "id": message["id"], "session": S, "reason": "lobby"})
                self.server.send_message(answers.pop(0))

        peer, _ = self.make_peer(self.server.address)
        await peer.connect()
        self.server.script = script
        with self.assertRaises(RefusedError) as context:
            await peer.join_session(S)
        self.assertEqual(context.exception.code, "not-admitted")
        await peer.join_session(S)
        self.assertEqual(peer.session, S)
        await peer.close()

    @asynchronous
    async def test_media_factory_raises(self) -> None:
        """An error of the media factory ends the call of a peer without another member."""

        def raise_error() -> Media:
            raise RuntimeError("no camera")

        other = RemotePeer(self.server, trickle=True)
        peer = Peer(self.server.address, raise_error, stay_alone=False, reactor=reactor)
        await peer.connect()
        await peer.join_session(S)
        self.assertEqual(await peer.wait_until_ended(), "connection-failed")
        await peer.close()
        await other.close()

    @asynchronous
    async def test_media_raises(self) -> None:
        """An error in media fails the peer connection, and does not end the call of the peer."""
        other = RemotePeer(self.server, trickle=True)
        peer = Peer(self.server.address, BrokenMedia, stay_alone=False, reactor=reactor)
        await peer.connect()
        await peer.join_session(S)
        self.assertEqual(await peer.wait_until_ended(), "connection-failed")
        await peer.close()
        await other.close()
