"""The signaling client: its greeting, its sessions, its requests, and what survives a lost connection."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import client as client_module
from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import (
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    Interrupted,
    Keep,
    Misunderstood,
    Negotiate,
    Refused,
    Resumed,
    SendFrame,
)
from signald_client.signaling.messages import (
    Answer,
    Candidates,
    IceError,
    Join,
    MemberJoined,
    Negotiation,
    Offer,
)
from signald_client.signaling.negotiation import CLOSED, CreateAndSetLocal, Failed, Send, SetRemote
from signald_client.signaling.wire import Message, Value
from signald_client.signaling.wishes import Wishes

S = "7Q2M9RT6ZC"
WELCOME = {
    "type": "welcome",
    "version": 1,
    "server": "signald/0.1.0",
    "user": "ME",
    "features": [],
    "limits": {"message-bytes": 65536, "messages-per-second": 100, "messages-burst": 500, "session-members": 8},
    "ice-servers": [],
    "secret": "first",
    "grace": 30,
}
BOB = {"user": "BOB", "role": "guest", "polite": True, "offers-first": False, "base": 0}
NUMBER = {"offerer": "BOB", "n": 1}
SETTINGS = {"capacity": 2, "locked": False, "lobby": False}
KEPT = '{"user": "ME", "secret": "first"}'


def sent(effects: list[Value]) -> list[dict[str, Any]]:
    """Return the messages in the frames that are to be sent, which are all the effects there are."""
    frames = []
    for effect in effects:
        assert isinstance(effect, SendFrame), effect
        frames.append(json.loads(effect.text))
    return frames


def receive(client: SignalingClient, type_: str, **keys: Any) -> list[Value]:
    """Have the client receive a message; `from_` stands for `from`."""
    plain = {"type": type_} | {key.rstrip("_").replace("_", "-"): value for key, value in keys.items()}
    return client.frame_received(json.dumps(plain), 1.0)


def make_client(features: list[str] | None = None, kept: str | None = None) -> SignalingClient:
    """Return a client that wants to be connected."""
    client = SignalingClient(json, lambda: 0.5, "INSTANCE", "example", features, kept)
    client.connect()
    return client


def welcomed(features: list[str] | None = None, **changes: Any) -> SignalingClient:
    """Return a client that was welcomed."""
    client = make_client(features)
    client.socket_opened(0.0)
    client.frame_received(json.dumps(WELCOME | changes), 0.0)
    return client


def hosting(features: list[str] | None = None) -> SignalingClient:
    """Return a client whose session Bob has joined."""
    client = welcomed(features)
    client.open()
    receive(client, "opened", id="1", session=S, **SETTINGS)
    receive(client, "member-joined", session=S, member=BOB)
    return client


def come_back(client: SignalingClient, resumed: str, **keys: Any) -> list[Value]:
    """Let the connection be lost and come back, and return what the welcome brings."""
    client.socket_closed(1006, "", 5.0)
    client.socket_opened(6.0)
    return client.frame_received(json.dumps(WELCOME | {"secret": "second", "resumed": resumed} | keys), 7.0)


class SessionCase(SynchronousTestCase):
    """A test case that looks at frames."""

    def assert_sends(self, effects: list[Value], *expected: dict[str, Any]) -> None:
        """The effects are frames with at least these keys."""
        frames = sent(effects)
        self.assertEqual([frame | wanted for frame, wanted in zip(frames, expected, strict=True)], frames)


class GreetingTests(SessionCase):
    """The beginning of a connection."""

    def test_a_token(self) -> None:
        """It is in each greeting, that of a resume too."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE", token="TOKEN")
        client.connect()
        [hello] = sent(client.socket_opened(0.0))
        self.assertEqual((hello["type"], hello["token"]), ("hello", "TOKEN"))
        client.frame_received(json.dumps(WELCOME), 0.0)
        client.socket_closed(1006, "", 0.0)
        [resume] = sent(client.socket_opened(1.0))
        self.assertEqual((resume["type"], resume["token"]), ("resume", "TOKEN"))

    def test_connect(self) -> None:
        """A socket is wanted at once, and once."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE")
        self.assertEqual(client.state, client_module.CLOSED)
        self.assertEqual(client.connect(), [ConnectAfter(0.0)])
        self.assertEqual(client.connect(), [])
        self.assertEqual(client.state, client_module.CONNECTING)

    def test_hello(self) -> None:
        """The open socket is greeted with version, agent, features and instance."""
        client = make_client(["no-rollback"])
        (hello,) = sent(client.socket_opened(0.0))
        self.assertEqual(
            hello,
            {
                "type": "hello",
                "id": "greeting",
                "version": 1,
                "agent": "example",
                "features": ["no-rollback"],
                "instance": "INSTANCE",
            },
        )
        self.assertEqual(client.state, client_module.GREETING)

    def test_welcome(self) -> None:
        """The welcome makes the client ready, and tells the application of user, limits and ICE servers."""
        client = make_client()
        client.socket_opened(0.0)
        keep, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual((client.state, client.user, client.welcome), (client_module.READY, "ME", welcome))
        self.assertEqual(keep, Keep(KEPT))

    def test_ice_servers(self) -> None:
        """Those of the newest welcome or event are in use; the event is told, and is not counted."""
        stun, turn = {"urls": ["stun:s"]}, {"urls": ["turn:t"], "username": "u", "credential": "c", "expires": 600}
        known: dict[str, Any] = {"ice-servers": [stun]}
        client = welcomed(**known)
        self.assertEqual([server.urls for server in client.ice_servers], [["stun:s"]])
        [told] = receive(client, "ice-servers", ice_servers=[stun, turn])
        assert isinstance(told, messages.IceServers)
        self.assertEqual(client.ice_servers, told.ice_servers)
        self.assertEqual((told.ice_servers[1].credential, told.ice_servers[1].expires), ("c", 600))
        client.socket_closed(1006, "", 5.0)
        [resume] = sent(client.socket_opened(6.0))
        self.assertEqual(resume["received"], 0)
        self.assertEqual(len(client.ice_servers), 2)
        again = WELCOME | {"secret": "second", "resumed": "everything", "received": 0, "ice-servers": [turn]}
        client.frame_received(json.dumps(again), 7.0)
        self.assertEqual([server.urls for server in client.ice_servers], [["turn:t"]])
        [misunderstood] = receive(client, "ice-servers", ice_servers=[{"urls": "turn:t"}])
        self.assertIsInstance(misunderstood, Misunderstood)
        self.assertEqual([server.urls for server in client.ice_servers], [["turn:t"]])

    def test_second_welcome(self) -> None:
        """A welcome that nobody waits for changes nothing."""
        client = welcomed()
        self.assertEqual(client.frame_received(json.dumps(WELCOME | {"user": "YOU"}), 0.0), [])
        self.assertEqual(client.user, "ME")

    def test_refused(self) -> None:
        """A refused hello is told to the application, and the client does not try again."""
        client = make_client()
        client.socket_opened(0.0)
        close, refused, over = receive(
            client, "error", id="greeting", code="unsupported-version", message="This server speaks version 1."
        )
        assert isinstance(refused, Refused)
        self.assertEqual((refused.code, refused.about), ("unsupported-version", "hello"))
        self.assertEqual([close, over], [CloseSocket(1000, ""), Disconnected(1000, "unsupported-version")])
        self.assertEqual(client.state, client_module.CLOSED)

    def test_refused_by_chance(self) -> None:
        """A server that is stopping, or has a fault, is tried again."""
        client = make_client()
        client.socket_opened(0.0)
        (refused,) = receive(client, "error", code="going-away", message="The server is stopping.")
        self.assertIsInstance(refused, Refused)
        self.assertEqual(client.socket_closed(1012, "going-away", 1.0)[0], ConnectAfter(0.25))

    def test_messages_before_the_welcome_are_ignored(self) -> None:
        """Messages of the server that come before its welcome change nothing."""
        client = make_client()
        client.socket_opened(0.0)
        self.assertEqual(receive(client, "opened", session=S, **SETTINGS), [])
        self.assertEqual(client.frame_received("{", 0.0), [Misunderstood("The frame is not JSON.")])
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_opened_twice(self) -> None:
        """A socket that is said to be open twice is greeted once, and one that nobody wants is not."""
        client = make_client()
        client.socket_opened(0.0)
        self.assertEqual(client.socket_opened(0.0), [])
        self.assertEqual(SignalingClient(json, lambda: 0.5, "INSTANCE").socket_opened(0.0), [])


class EarlyRequestTests(SessionCase):
    """Requests made before the first welcome wait for it."""

    def test_every_request_waits_for_the_welcome(self) -> None:
        """Requests made before and after the socket opens are sent after the welcome, once and in their order."""
        client = make_client()
        early = (
            client.open,
            lambda: client.join(S),
            lambda: client.leave(S),
            lambda: client.change(S, locked=True),
            lambda: client.admit(S, "BOB"),
            lambda: client.refuse(S, "BOB"),
            lambda: client.remove(S, "BOB"),
            lambda: client.hand_over(S, "BOB"),
            lambda: client.end(S),
            lambda: client.say(S, "hi"),
        )
        for index, request in enumerate(early):
            if index == 3:
                client.socket_opened(0.0)
            self.assertEqual(request(), [])
        *frames, keep, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        types = ["open", "join", "leave", "change", "admit", "refuse", "remove", "hand-over", "end", "message"]
        self.assertEqual(
            [(frame["type"], frame["id"]) for frame in sent(frames)],
            [(type_, str(number)) for number, type_ in enumerate(types, 1)],
        )
        self.assertEqual((type(keep), type(welcome)), (Keep, messages.Welcome))
        self.assertEqual(len(receive(client, "opened", id="1", session=S, **SETTINGS)), 1)

    def test_waits_over_failed_attempts(self) -> None:
        """Attempts that fail, and a hello that is refused by chance, leave the request waiting."""
        client = make_client()
        self.assertEqual(client.join(S), [])
        client.socket_closed(1006, "", 0.0)
        client.socket_opened(1.0)
        receive(client, "error", code="going-away", message="The server is stopping.")
        client.socket_closed(1012, "going-away", 1.0)
        client.socket_opened(100.0)
        effects = client.frame_received(json.dumps(WELCOME), 100.0)
        self.assert_sends(effects[:1], {"type": "join", "id": "1", "session": S})
        self.assertEqual([type(effect) for effect in effects[1:]], [Keep, messages.Welcome])

    def test_waits_for_the_resume_of_an_earlier_instance(self) -> None:
        """Requests of a reloaded page are sent after the resume, whatever survived, and none is reported as lost."""
        for survival in ("membership", "nothing"):
            client = make_client(kept=KEPT)
            request = Join(S)
            self.assertEqual(client.send(request), [])
            client.socket_opened(0.0)
            effects = client.frame_received(json.dumps(WELCOME | {"resumed": survival}), 0.0)
            self.assert_sends(effects[:2], {"type": "ack", "received": 0}, {"type": "join", "id": "1"})
            self.assertEqual(effects[-1], Resumed(survival))
            (refused,) = receive(client, "error", id="1", code="unknown-session", message="No such session.")
            assert isinstance(refused, Refused)
            self.assertIs(refused.request, request)

    def test_sent_again_after_a_resume(self) -> None:
        """A request that was sent with the welcome and lost with the socket is sent again by the resume."""
        client = make_client()
        client.join(S)
        client.socket_opened(0.0)
        client.frame_received(json.dumps(WELCOME), 0.0)
        effects = come_back(client, "everything", received=0)
        self.assert_sends(effects[:2], {"type": "ack"}, {"type": "join", "id": "1"})

    def test_bounded_by_messages_and_bytes(self) -> None:
        """The bounds of the outbox hold: 256 messages and 256 KiB; what is beyond them is refused at once."""
        client = make_client()
        refused = [effect for _ in range(300) for effect in client.say(S, "x")]
        self.assertEqual(len(refused), 300 - 256)
        assert isinstance(refused[0], Refused)
        self.assertEqual((refused[0].code, refused[0].about, refused[0].session), ("not-connected", "message", S))
        client = make_client()
        self.assertEqual(len([effect for _ in range(20) for effect in client.say(S, "x" * 16384)]), 5)

    def test_too_large_for_the_server(self) -> None:
        """A request that exceeds the limit which the welcome announces is refused then, after the welcome."""
        client = make_client()
        self.assertEqual(client.say(S, "x" * 70000), [])
        client.socket_opened(0.0)
        keep, welcome, refused = client.frame_received(json.dumps(WELCOME), 0.0)
        self.assertEqual((type(keep), type(welcome)), (Keep, messages.Welcome))
        assert isinstance(refused, Refused)
        self.assertEqual(refused.code, "message-too-large")

    def test_without_a_connection_attempt(self) -> None:
        """Before `connect` and after `disconnect` there is no welcome to wait for: a request is refused."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE")
        for _ in range(2):
            (refused,) = client.join(S)
            assert isinstance(refused, Refused)
            self.assertEqual((refused.code, refused.about, refused.session), ("not-connected", "join", S))
            client.connect()
            self.assertEqual(client.join(S), [])
            client.disconnect()
        client.connect()
        client.socket_opened(0.0)
        keep, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        self.assertEqual((type(keep), type(welcome)), (Keep, messages.Welcome))


class SessionTests(SessionCase):
    """Sessions and their members."""

    def test_open(self) -> None:
        """An opened session is the application's, with this client as its host."""
        client = welcomed()
        self.assert_sends(
            client.open(3, name="Ann", label="Tea", password="pw", lobby=True, succession=True, keep=True),
            {"type": "open", "id": "1", "capacity": 3, "name": "Ann", "label": "Tea", "password": "pw"}
            | {"lobby": True, "succession": True, "keep": True},
        )
        (opened,) = receive(client, "opened", id="1", session=S, **SETTINGS)
        self.assertIsInstance(opened, messages.Opened)
        self.assert_sends(
            client.open(session=S, host_key="key"), {"type": "open", "id": "2", "session": S, "host-key": "key"}
        )

    def test_join(self) -> None:
        """The members of a joined session can be negotiated with, this client offering first where it is told to."""
        client = welcomed()
        self.assert_sends(
            client.join(S, "Ann", "pw"), {"type": "join", "id": "1", "session": S, "name": "Ann", "password": "pw"}
        )
        bob = BOB | {"offers-first": True, "base": 4}
        (joined,) = receive(client, "joined", id="1", session=S, role="guest", members=[bob], **SETTINGS)
        assert isinstance(joined, messages.Joined)
        self.assertEqual(joined.members[0].user, "BOB")
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [CreateAndSetLocal("offer")])
        (command,) = pair.local_description_set("v=0")
        assert isinstance(command, Send)
        self.assert_sends(
            client.send(command.message),
            {"type": "offer", "id": "2", "session": S, "to": "BOB", "negotiation": {"offerer": "ME", "n": 5}}
            | {"sdp": "v=0"},
        )

    def test_member_joined(self) -> None:
        """A member who comes later offers first."""
        client = welcomed()
        receive(client, "opened", session=S, **SETTINGS)
        (joined,) = receive(client, "member-joined", session=S, member=BOB)
        self.assertIsInstance(joined, MemberJoined)
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [])

    def test_member_renewed(self) -> None:
        """A member that lost what it knew is negotiated with anew, above the base."""
        client = hosting()
        before = client.negotiator(S, "BOB")
        assert before is not None
        (renewed,) = receive(client, "member-renewed", session=S, member=BOB | {"base": 1})
        self.assertIsInstance(renewed, messages.MemberRenewed)
        self.assertEqual(before.state, CLOSED)
        self.assertIsNot(client.negotiator(S, "BOB"), before)
        self.assertEqual(receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"), [])
        later = {"offerer": "BOB", "n": 2}
        self.assertEqual(
            receive(client, "offer", session=S, from_="BOB", negotiation=later, sdp="v=0"),
            [Negotiate(S, "BOB", [SetRemote("offer", "v=0")])],
        )

    def test_told_to_the_application(self) -> None:
        """What the server tells of a session and its members is handed on."""
        cases: dict[str, dict[str, Any]] = {
            "member-away": {"user": "BOB"},
            "member-back": {"user": "BOB"},
            "host-changed": {"user": "BOB"},
            "changed": {"locked": True, "lobby": False},
            "knock": {"user": "EVE", "name": "Eve"},
            "knock-over": {"user": "EVE"},
            "message": {"from_": "BOB", "content": "hi"},
            "ice-error": {"from_": "BOB", "text": "no route"},
        }
        for type_, keys in cases.items():
            (event,) = receive(hosting(), type_, session=S, **keys)
            assert isinstance(event, Message)
            self.assertEqual(event.type, type_)

    def test_waiting(self) -> None:
        """One who waits is told so, and that it is over, without being a member."""
        client = welcomed()
        client.join(S)
        (waiting,) = receive(client, "waiting", id="1", session=S, reason="lobby")
        self.assertIsInstance(waiting, messages.Waiting)
        (over,) = receive(client, "not-admitted", session=S, reason="refused")
        self.assertIsInstance(over, messages.NotAdmitted)
        client.leave(S)
        (left,) = receive(client, "left", id="2", session=S)
        self.assertIsInstance(left, messages.Left)

    def test_host_operations(self) -> None:
        """What a host asks for is sent, and that it is done is told."""
        client = hosting()
        self.assert_sends(
            [
                *client.change(S, label="Tea", locked=True, lobby=False),
                *client.admit(S, "EVE"),
                *client.refuse(S, "EVE"),
                *client.remove(S, "BOB"),
                *client.hand_over(S, "BOB"),
                *client.end(S),
            ],
            {"type": "change", "session": S, "label": "Tea", "locked": True, "lobby": False},
            {"type": "admit", "session": S, "user": "EVE"},
            {"type": "refuse", "session": S, "user": "EVE"},
            {"type": "remove", "session": S, "user": "BOB"},
            {"type": "hand-over", "session": S, "user": "BOB"},
            {"type": "end", "session": S},
        )
        (done,) = receive(client, "done", id="2")
        self.assertIsInstance(done, messages.Done)
        (refused,) = receive(client, "error", id="4", code="unknown-member", message="No such member.")
        assert isinstance(refused, Refused)
        self.assertEqual((refused.about, refused.session, refused.user), ("refuse", S, "EVE"))

    def test_wishes_alone(self) -> None:
        """Without a client they go nowhere."""
        self.assertRaises(NotImplementedError, Wishes().leave, S)

    def test_say(self) -> None:
        """A message goes to one or to all."""
        client = hosting()
        self.assert_sends(
            [*client.say(S, "hi"), *client.say(S, "psst", "BOB")],
            {"type": "message", "session": S, "content": "hi"},
            {"type": "message", "session": S, "content": "psst", "to": "BOB"},
        )

    def test_forwarded(self) -> None:
        """Offers of a member become commands for the edge; answers that nobody waits for become nothing."""
        client = hosting()
        self.assertEqual(
            receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"),
            [Negotiate(S, "BOB", [SetRemote("offer", "v=0")])],
        )
        self.assertEqual(receive(client, "answer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"), [])

    def test_strangers(self) -> None:
        """What is about a session or from a member that the client does not know changes nothing."""
        client = hosting()
        self.assertEqual(receive(client, "offer", session=S, from_="EVE", negotiation=NUMBER, sdp="v=0"), [])
        self.assertEqual(receive(client, "member-joined", session="0000000000", member=BOB), [])
        self.assertEqual(receive(client, "ended", session="0000000000", reason="idle"), [])
        self.assertIsNone(client.negotiator("0000000000", "BOB"))

    def test_member_left(self) -> None:
        """A member who left can no longer be negotiated with; that he left twice changes nothing."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(len(receive(client, "member-left", session=S, user="BOB", reason="gone")), 1)
        self.assertEqual(pair.state, CLOSED)
        self.assertIsNone(client.negotiator(S, "BOB"))
        self.assertEqual(len(receive(client, "member-left", session=S, user="BOB", reason="gone")), 1)

    def test_leave(self) -> None:
        """The session is left when the server says so."""
        client = hosting()
        self.assert_sends(client.leave(S), {"type": "leave", "id": "2", "session": S})
        self.assertIsNotNone(client.negotiator(S, "BOB"))
        self.assertEqual(len(receive(client, "left", id="2", session=S)), 1)
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_ended(self) -> None:
        """The end of a session is the end of its pairs."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(len(receive(client, "ended", session=S, reason="expired")), 1)
        self.assertEqual(pair.state, CLOSED)

    def test_without_rollback(self) -> None:
        """A client that named `no-rollback` negotiates without it."""
        client = hosting(["no-rollback"])
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0")
        pair.remote_description_set()
        pair.local_description_set("v=0")
        pair.negotiation_needed()
        pair.local_description_set("v=0")
        (effect,) = receive(client, "offer", session=S, from_="BOB", negotiation={"offerer": "BOB", "n": 2}, sdp="v=0")
        assert isinstance(effect, Negotiate)
        self.assertIsInstance(effect.commands[0], Failed)


class RefusalTests(SessionCase):
    """Errors of the server."""

    def test_of_a_request(self) -> None:
        """A refusal names the request that it is about, by its id, once."""
        client = welcomed()
        request = Join("0000000000", password="pw")
        client.send(request)
        for known in (True, False):
            (refused,) = receive(
                client, "error", id="1", code="unknown-session", message="There is no such session.", about="join"
            )
            assert isinstance(refused, Refused)
            self.assertEqual((refused.code, refused.sentence), ("unknown-session", "There is no such session."))
            self.assertEqual((refused.about, refused.session), ("join", "0000000000" if known else None))
            self.assertIs(refused.request, request if known else None)

    def test_of_what_has_no_reply(self) -> None:
        """A refused offer or message names the member, until some time after the server has acknowledged it."""
        client = hosting()
        client.send(Offer(S, "BOB", Negotiation("ME", 1), "v=0"))
        client.say(S, "psst", "CY")
        for request_id, user in (("2", "BOB"), ("3", "CY")):
            (refused,) = receive(client, "error", id=request_id, code="outbox-full", message="No more.")
            assert isinstance(refused, Refused)
            self.assertEqual(refused.user, user)
        client.say(S, "psst", "BOB")
        self.assertEqual(receive(client, "ack", received=4), [])
        (refused,) = receive(client, "error", id="4", code="outbox-full", message="No more.")
        assert isinstance(refused, Refused)
        self.assertEqual(refused.user, "BOB")
        client.say(S, "psst", "BOB")
        receive(client, "ack", received=5)
        client.say(S, "psst", "BOB")
        receive(client, "ack", received=6)
        (refused,) = receive(client, "error", id="5", code="outbox-full", message="No more.", about="message")
        assert isinstance(refused, Refused)
        self.assertEqual((refused.about, refused.user), ("message", None))

    def test_without_an_id(self) -> None:
        """A refusal that names no request says what the server says."""
        self.assertEqual(
            receive(welcomed(), "error", code="too-many-messages", message="Too many.", about="answer", session=S),
            [Refused("too-many-messages", "Too many.", "answer", S)],
        )

    def test_negotiations_have_no_id(self) -> None:
        """Answers, candidates and words about ICE, whose refusal is of no use, carry no id."""
        client = hosting()
        number = Negotiation("BOB", 1)
        for message in (Answer(S, "BOB", number, "v=0"), Candidates(S, "BOB", number, []), IceError(S, "BOB", "lost")):
            (frame,) = sent(client.send(message))
            self.assertEqual((frame["type"], "id" in frame), (message.type, False))

    def test_too_large(self) -> None:
        """A message that would close the connection is not sent."""
        client = hosting()
        (refused,) = client.say(S, "ü" * 33000)
        assert isinstance(refused, Refused)
        self.assertEqual((refused.code, refused.about, refused.session), ("message-too-large", "message", S))
        (frame,) = sent(client.say(S, "ü"))
        self.assertEqual(frame["content"], "ü")


class NonsenseTests(SessionCase):
    """What the server should not say."""

    def test_malformed(self) -> None:
        """A malformed frame is an event for the log and changes nothing."""
        client = hosting()
        self.assertEqual(client.frame_received("{", 1.0), [Misunderstood("The frame is not JSON.")])
        self.assertEqual(receive(client, "ended"), [Misunderstood("Ended lacks session.")])
        self.assertIsNotNone(client.negotiator(S, "BOB"))

    def test_unknown_type(self) -> None:
        """A message of a later version is ignored."""
        self.assertEqual(receive(welcomed(), "weather", sky="blue"), [])

    def test_ack_of_what_was_never_sent(self) -> None:
        """Such an acknowledgement changes nothing."""
        client = hosting()
        (misunderstood,) = receive(client, "ack", received=2)
        self.assertIsInstance(misunderstood, Misunderstood)
        self.assertEqual(receive(client, "ack", received=1), [])


class EndTests(SessionCase):
    """The end for good."""

    def test_disconnect(self) -> None:
        """The application's wish ends the connection, the sessions and the identity, at once and once."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(client.disconnect(), [CloseSocket(1000, ""), Keep(None), Disconnected(1000, "")])
        self.assertEqual((client.state, client.user, client.welcome), (client_module.CLOSED, None, None))
        self.assertEqual(pair.state, CLOSED)
        self.assertEqual(client.disconnect(), [])
        self.assertEqual(client.socket_closed(1006, "", 2.0), [])
        self.assertEqual(client.frame_received(json.dumps(WELCOME), 2.0), [])

    def test_disconnect_before_the_welcome(self) -> None:
        """A socket that is planned or being opened is given up."""
        self.assertEqual(make_client().disconnect(), [CloseSocket(1000, ""), Disconnected(1000, "")])

    def test_again(self) -> None:
        """After the end the client can begin anew, as somebody else."""
        client = hosting()
        client.disconnect()
        self.assertEqual(client.connect(), [ConnectAfter(0.0)])
        (hello,) = sent(client.socket_opened(3.0))
        self.assertEqual(hello["type"], "hello")
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_replaced(self) -> None:
        """A client whose identity another connection took, or that is over, does not come back."""
        for code, reason in ((4001, ""), (4001, "replaced"), (1008, "secret-reused")):
            client = hosting()
            self.assertEqual(client.socket_closed(code, reason, 1.0), [Keep(None), Disconnected(code, reason)])
            self.assertEqual(client.state, client_module.CLOSED)
            self.assertEqual(client.socket_closed(code, reason, 2.0), [])


class InterruptionTests(SessionCase):
    """While there is no connection."""

    def test_lost(self) -> None:
        """The loss is told, with the time of the next attempt; nothing else is over."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(client.socket_closed(1006, "", 20.0), [ConnectAfter(0.25), Interrupted(0.25)])
        self.assertEqual((client.state, client.user), (client_module.CONNECTING, "ME"))
        self.assertNotEqual(pair.state, CLOSED)
        self.assertEqual(client.frame_received(json.dumps(WELCOME), 20.0), [])

    def test_going_away(self) -> None:
        """After a word of its end the server is asked again when it said."""
        client = hosting()
        (event,) = receive(client, "going-away", after=7.5)
        self.assertIsInstance(event, messages.GoingAway)
        self.assertEqual(client.socket_closed(1012, "going-away", 20.0), [ConnectAfter(7.5), Interrupted(7.5)])
        self.assertEqual(client.socket_closed(1006, "", 30.0), [ConnectAfter(0.5), Interrupted(0.5)])

    def test_hurry(self) -> None:
        """A hint makes the next attempt at once."""
        client = hosting()
        client.socket_closed(1006, "", 20.0)
        client.socket_closed(1006, "", 20.5)
        self.assertEqual(client.hurry(20.6), [ConnectAfter(0.0), Interrupted(0.0)])

    def test_requests_wait(self) -> None:
        """What is asked for meanwhile is sent after the resume, after what the server has not got."""
        client = hosting()
        client.say(S, "one")
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(client.say(S, "two"), [])
        client.socket_opened(6.0)
        self.assertEqual(client.say(S, "three"), [])
        effects = client.frame_received(json.dumps(WELCOME | {"resumed": "everything", "received": 1}), 6.1)
        frames = sent(effects[:4])
        self.assertEqual([frame.get("content") for frame in frames], [None, "one", "two", "three"])
        self.assertEqual(frames[0], {"type": "ack", "received": 2})

    def test_bounded(self) -> None:
        """So many messages and so many bytes wait; more are refused."""
        client = hosting()
        client.socket_closed(1006, "", 5.0)
        effects = [effect for _ in range(300) for effect in client.say(S, "x")]
        self.assertEqual(len(effects), 300 - 256 + 1)
        assert isinstance(effects[0], Refused)
        self.assertEqual(effects[0].code, "not-connected")
        client = hosting()
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(len([effect for _ in range(20) for effect in client.say(S, "x" * 16384)]), 5)

    def test_after_the_grace(self) -> None:
        """When the server has forgotten the client, nothing waits."""
        client = hosting()
        client.socket_closed(1006, "", 5.0)
        client.tick(34.9)
        self.assertEqual(client.say(S, "x"), [])
        client.tick(35.0)
        self.assertEqual(len(client.say(S, "x")), 1)

    def test_without_resume(self) -> None:
        """A server that gave no secret is greeted anew, and nothing waits for it."""
        client = welcomed(secret=None)
        self.assert_sends(client.join(S), {"type": "join"})
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(len(client.say(S, "x")), 1)
        (hello,) = sent(client.socket_opened(6.0))
        self.assertEqual(hello["type"], "hello")
        effects = client.frame_received(json.dumps(WELCOME | {"secret": None}), 7.0)
        self.assertIn(Resumed("nothing"), effects)
        (dropped,) = [effect for effect in effects if isinstance(effect, Dropped)]
        self.assertEqual([message.type for message in dropped.messages], ["join"])

    def test_resume(self) -> None:
        """The client says who it is, with the newest secret, and what it has received."""
        client = hosting()
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(
            sent(client.socket_opened(6.0)),
            [
                {
                    "type": "resume",
                    "id": "greeting",
                    "version": 1,
                    "user": "ME",
                    "secret": "first",
                    "instance": "INSTANCE",
                    "received": 2,
                    "agent": "example",
                }
            ],
        )
        client.frame_received(json.dumps(WELCOME | {"secret": "second", "resumed": "everything", "received": 1}), 6.1)
        client.socket_closed(1006, "", 7.0)
        (resume,) = sent(client.socket_opened(8.0))
        self.assertEqual(resume["secret"], "second")


class OutcomeTests(SessionCase):
    """What survived."""

    def test_everything(self) -> None:
        """Nothing is lost: what the server has not got is sent again, and the negotiations go on."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        client.say(S, "one")
        client.say(S, "two")
        effects = come_back(client, "everything", received=2)
        self.assert_sends(effects[:2], {"type": "ack", "received": 2}, {"type": "message", "content": "two"})
        self.assertEqual(effects[2], Keep('{"user": "ME", "secret": "second"}'))
        self.assertIsInstance(effects[3], messages.Welcome)
        self.assertEqual(effects[4:], [Resumed("everything")])
        self.assertIs(client.negotiator(S, "BOB"), pair)

    def test_no_reply(self) -> None:
        """A request that the server had, and that is not answered within 10 s, was refused without a word."""
        client = hosting()
        request = Join("0000000000")
        client.send(request)
        client.admit(S, "EVE")
        client.change(S, locked=True)
        come_back(client, "everything", received=3)
        self.assertEqual([type(effect) for effect in receive(client, "done", id="3")], [messages.Done])
        for now in range(8, 17):
            self.assertEqual([effect for effect in client.tick(now) if isinstance(effect, Refused)], [])
        (refused,) = [effect for effect in client.tick(17.0) if isinstance(effect, Refused)]
        self.assertEqual((refused.code, refused.about), ("no-reply", "join"))
        self.assertIs(refused.request, request)
        self.assertEqual([effect for effect in client.tick(40.0) if isinstance(effect, Refused)], [])

    def test_membership(self) -> None:
        """Both count from 0 again, what waited is lost, and every negotiation begins anew."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        request = Join("0000000000")
        client.send(request)
        receive(client, "ack", received=2)
        client.say(S, "one")
        effects = come_back(client, "membership")
        self.assert_sends(effects[:1], {"type": "ack", "received": 0})
        _, keep, welcome, resumed, dropped = effects
        assert isinstance(keep, Keep)
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual(resumed, Resumed("membership"))
        assert isinstance(dropped, Dropped)
        self.assertIs(dropped.messages[0], request)
        self.assertEqual([message.type for message in dropped.messages], ["join", "message"])
        self.assertEqual(pair.state, CLOSED)
        (joined,) = receive(client, "joined", session=S, role="host", members=[BOB], **SETTINGS)
        self.assertIsInstance(joined, messages.Joined)
        self.assertIsNotNone(client.negotiator(S, "BOB"))
        client.socket_closed(1006, "", 8.0)
        (resume,) = sent(client.socket_opened(9.0))
        self.assertEqual(resume["received"], 1)

    def test_nothing(self) -> None:
        """The client is somebody else, in no session."""
        client = hosting()
        effects = come_back(client, "nothing", user="YOU")
        self.assertEqual(effects[-1], Resumed("nothing"))
        self.assertEqual(client.user, "YOU")
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_no_more_secrets(self) -> None:
        """A server that cannot resume any more is not asked to."""
        client = hosting()
        effects = come_back(client, "nothing", secret=None)
        self.assertIn(Keep(None), effects)
        client.socket_closed(1006, "", 8.0)
        (hello,) = sent(client.socket_opened(9.0))
        self.assertEqual(hello["type"], "hello")

    def test_kept(self) -> None:
        """A page that was loaded anew succeeds itself with the text that it kept."""
        client = make_client(kept=KEPT)
        self.assertIsNone(client.user)
        self.assert_sends(client.socket_opened(0.0), {"type": "resume", "user": "ME", "secret": "first", "received": 0})
        effects = client.frame_received(json.dumps(WELCOME | {"resumed": "membership"}), 0.0)
        self.assertEqual(effects[-1], Resumed("membership"))

    def test_kept_nonsense(self) -> None:
        """A text that was not kept by a client is of no use and does no harm."""
        for kept in ("", "{", "5", "{}", '{"user": "ME"}'):
            (hello,) = sent(make_client(kept=kept).socket_opened(0.0))
            self.assertEqual(hello["type"], "hello")

    def test_secrets_are_not_shown(self) -> None:
        """What could end in a log does not show secrets."""
        self.assertNotIn("first", repr(Keep(KEPT)) + repr(Keep(None)) + repr(SendFrame(KEPT)))


class CountingTests(SessionCase):
    """Acknowledging."""

    def acks(self, effects: list[Value]) -> list[int]:
        """The counts that are acknowledged."""
        frames = [json.loads(effect.text) for effect in effects if isinstance(effect, SendFrame)]
        return [frame["received"] for frame in frames if frame["type"] == "ack"]

    def test_after_16_messages(self) -> None:
        """The sixteenth message is acknowledged at once, of a type that the client knows or not."""
        client = hosting()
        for index in range(3, 40):
            effects = receive(client, "member-away" if index % 2 else "weather", session=S, user="BOB")
            self.assertEqual(self.acks(effects), [index] if index in (16, 32) else [], index)

    def test_after_32_kib(self) -> None:
        """So are 32 KiB."""
        client = hosting()
        for index in range(3, 6):
            effects = receive(client, "message", session=S, from_="BOB", content="x" * 16000)
            self.assertEqual(self.acks(effects), [index] if index == 5 else [])

    def test_after_5_seconds(self) -> None:
        """A message is acknowledged before it is 5 s old, in whatever moment of the clock it came."""
        client = hosting()
        self.assertEqual([now for now in range(1, 20) if self.acks(client.tick(float(now)))], [5])

    def test_what_does_not_count(self) -> None:
        """Errors, acknowledgements, pongs and words of the server's end are not counted."""
        client = hosting()
        receive(client, "error", code="bad-message", message="What?")
        receive(client, "ack", received=0)
        receive(client, "pong")
        receive(client, "going-away", after=1)
        self.assertEqual(self.acks(client.tick(9.0)), [2])


class SilenceTests(SessionCase):
    """Whether the server is still there."""

    def test_ping(self) -> None:
        """After 15 silent seconds the server is asked; when it stays silent the socket is given up."""
        client = welcomed()
        effects = {now: effects for now in range(1, 26) if (effects := client.tick(float(now)))}
        self.assertEqual(list(effects), [15, 25])
        self.assert_sends(effects[15], {"type": "ping"})
        self.assertEqual(effects[25], [CloseSocket(3008, "server-silent"), ConnectAfter(0.25), Interrupted(0.25)])

    def test_hurry(self) -> None:
        """After a hint the server is asked at once, and has 3 s."""
        client = welcomed()
        client.tick(1.0)
        self.assert_sends(client.hurry(2.0), {"type": "ping"})
        self.assertEqual([now for now in range(3, 9) if CloseSocket(3008, "server-silent") in client.tick(now)], [5])
