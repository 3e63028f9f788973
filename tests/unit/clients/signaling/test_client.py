"""The signaling client: handshake, sessions, requests, and what survives a lost connection."""

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
    InvalidMessage,
    Negotiate,
    Refused,
    Resumed,
    SendFrame,
    StoreIdentity,
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
from signald_client.signaling.negotiation import CLOSED
from signald_client.signaling.negotiation_commands import (
    CreateAndSetLocal,
    NegotiationFailed,
    SendRequest,
    SetRemote,
)
from signald_client.signaling.request_api import RequestApi
from signald_client.signaling.wire import Message, Value

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
STORED_IDENTITY = '{"user": "ME", "secret": "first"}'


def sent(effects: list[Value]) -> list[dict[str, Any]]:
    """Return the messages of the frames to send; there must be no other effect."""
    frames = []
    for effect in effects:
        assert isinstance(effect, SendFrame), effect
        frames.append(json.loads(effect.text))
    return frames


def receive(client: SignalingClient, type_: str, **keys: Any) -> list[Value]:
    """Let the client receive a message; `from_` stands for `from`."""
    plain = {"type": type_} | {key.rstrip("_").replace("_", "-"): value for key, value in keys.items()}
    return client.frame_received(json.dumps(plain), 1.0)


def make_client(features: list[str] | None = None, stored_identity: str | None = None) -> SignalingClient:
    """Return a client that connects."""
    client = SignalingClient(json, lambda: 0.5, "INSTANCE", "example", features, stored_identity)
    client.connect()
    return client


def make_welcomed_client(features: list[str] | None = None, **changes: Any) -> SignalingClient:
    """Return a client after its first welcome."""
    client = make_client(features)
    client.socket_opened(0.0)
    client.frame_received(json.dumps(WELCOME | changes), 0.0)
    return client


def make_host_client(features: list[str] | None = None) -> SignalingClient:
    """Return the host of a session that Bob has joined."""
    client = make_welcomed_client(features)
    client.open_session()
    receive(client, "opened", id="1", session=S, **SETTINGS)
    receive(client, "member-joined", session=S, member=BOB)
    return client


def resume_client(client: SignalingClient, resumed: str, **keys: Any) -> list[Value]:
    """Lose the connection, reconnect, and return what the welcome results in."""
    client.socket_closed(1006, "", 5.0)
    client.socket_opened(6.0)
    return client.frame_received(json.dumps(WELCOME | {"secret": "second", "resumed": resumed} | keys), 7.0)


class SessionCase(SynchronousTestCase):
    """A test case with an assertion about frames."""

    def assert_sends(self, effects: list[Value], *expected: dict[str, Any]) -> None:
        """Assert that the effects are frames with at least these keys."""
        frames = sent(effects)
        self.assertEqual([frame | wanted for frame, wanted in zip(frames, expected, strict=True)], frames)


class HandshakeTests(SessionCase):
    """The handshake of a connection."""

    def test_token(self) -> None:
        """The token is a part of `hello` and of `resume`."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE", token="TOKEN")
        client.connect()
        [hello] = sent(client.socket_opened(0.0))
        self.assertEqual((hello["type"], hello["token"]), ("hello", "TOKEN"))
        client.frame_received(json.dumps(WELCOME), 0.0)
        client.socket_closed(1006, "", 0.0)
        [resume] = sent(client.socket_opened(1.0))
        self.assertEqual((resume["type"], resume["token"]), ("resume", "TOKEN"))

    def test_connect(self) -> None:
        """`connect` opens one socket, at once."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE")
        self.assertEqual(client.state, client_module.CLOSED)
        self.assertEqual(client.connect(), [ConnectAfter(0.0)])
        self.assertEqual(client.connect(), [])
        self.assertEqual(client.state, client_module.CONNECTING)

    def test_hello(self) -> None:
        """`hello` has version, agent, features and instance."""
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
        """The welcome makes the client ready, and tells the application user, limits and ICE servers."""
        client = make_client()
        client.socket_opened(0.0)
        store, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual((client.state, client.user, client.welcome), (client_module.READY, "ME", welcome))
        self.assertEqual(store, StoreIdentity(STORED_IDENTITY))

    def test_ice_servers(self) -> None:
        """The ICE servers of the latest welcome or event are used; the event is reported, and is not counted."""
        stun, turn = {"urls": ["stun:s"]}, {"urls": ["turn:t"], "username": "u", "credential": "c", "expires": 600}
        known: dict[str, Any] = {"ice-servers": [stun]}
        client = make_welcomed_client(**known)
        self.assertEqual([server.urls for server in client.ice_servers], [["stun:s"]])
        [event] = receive(client, "ice-servers", ice_servers=[stun, turn])
        assert isinstance(event, messages.IceServers)
        self.assertEqual(client.ice_servers, event.ice_servers)
        self.assertEqual((event.ice_servers[1].credential, event.ice_servers[1].expires), ("c", 600))
        client.socket_closed(1006, "", 5.0)
        [resume] = sent(client.socket_opened(6.0))
        self.assertEqual(resume["received"], 0)
        self.assertEqual(len(client.ice_servers), 2)
        again = WELCOME | {"secret": "second", "resumed": "everything", "received": 0, "ice-servers": [turn]}
        client.frame_received(json.dumps(again), 7.0)
        self.assertEqual([server.urls for server in client.ice_servers], [["turn:t"]])
        [invalid] = receive(client, "ice-servers", ice_servers=[{"urls": "turn:t"}])
        self.assertIsInstance(invalid, InvalidMessage)
        self.assertEqual([server.urls for server in client.ice_servers], [["turn:t"]])

    def test_second_welcome(self) -> None:
        """A second welcome on a connection changes nothing."""
        client = make_welcomed_client()
        self.assertEqual(client.frame_received(json.dumps(WELCOME | {"user": "YOU"}), 0.0), [])
        self.assertEqual(client.user, "ME")

    def test_refused(self) -> None:
        """A refused hello is reported to the application, and the client does not try again."""
        client = make_client()
        client.socket_opened(0.0)
        close, refused, over = receive(
            client,
            "error",
            id="greeting",
            code="unsupported-version",
            message="This server supports version 1 of the protocol only.",
        )
        assert isinstance(refused, Refused)
        self.assertEqual((refused.code, refused.about), ("unsupported-version", "hello"))
        self.assertEqual([close, over], [CloseSocket(1000, ""), Disconnected(1000, "unsupported-version")])
        self.assertEqual(client.state, client_module.CLOSED)

    def test_transient_refusal(self) -> None:
        """A hello that is refused because the server stops, or has a fault, is tried again."""
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
        self.assertEqual(client.frame_received("{", 0.0), [InvalidMessage("The frame is not JSON.")])
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_opened_twice(self) -> None:
        """A second report of an open socket starts no handshake, and neither does one without `connect`."""
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
            client.open_session,
            lambda: client.join_session(S),
            lambda: client.leave_session(S),
            lambda: client.change_session(S, locked=True),
            lambda: client.admit_user(S, "BOB"),
            lambda: client.refuse_user(S, "BOB"),
            lambda: client.remove_member(S, "BOB"),
            lambda: client.make_host(S, "BOB"),
            lambda: client.end_session(S),
            lambda: client.send_message(S, "hi"),
        )
        for index, request in enumerate(early):
            if index == 3:
                client.socket_opened(0.0)
            self.assertEqual(request(), [])
        *frames, store, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        types = ["open", "join", "leave", "change", "admit", "refuse", "remove", "hand-over", "end", "message"]
        self.assertEqual(
            [(frame["type"], frame["id"]) for frame in sent(frames)],
            [(type_, str(number)) for number, type_ in enumerate(types, 1)],
        )
        self.assertEqual((type(store), type(welcome)), (StoreIdentity, messages.Welcome))
        self.assertEqual(len(receive(client, "opened", id="1", session=S, **SETTINGS)), 1)

    def test_waits_over_failed_attempts(self) -> None:
        """The request still waits after failed attempts and after a transient refusal of the handshake."""
        client = make_client()
        self.assertEqual(client.join_session(S), [])
        client.socket_closed(1006, "", 0.0)
        client.socket_opened(1.0)
        receive(client, "error", code="going-away", message="The server is stopping.")
        client.socket_closed(1012, "going-away", 1.0)
        client.socket_opened(100.0)
        effects = client.frame_received(json.dumps(WELCOME), 100.0)
        self.assert_sends(effects[:1], {"type": "join", "id": "1", "session": S})
        self.assertEqual([type(effect) for effect in effects[1:]], [StoreIdentity, messages.Welcome])

    def test_waits_for_the_resume_of_an_earlier_instance(self) -> None:
        """Requests of a reloaded page are sent after the resume, whatever survived, and none is reported as lost."""
        for survival in ("membership", "nothing"):
            client = make_client(stored_identity=STORED_IDENTITY)
            request = Join(S)
            self.assertEqual(client.send_request(request), [])
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
        client.join_session(S)
        client.socket_opened(0.0)
        client.frame_received(json.dumps(WELCOME), 0.0)
        effects = resume_client(client, "everything", received=0)
        self.assert_sends(effects[:2], {"type": "ack"}, {"type": "join", "id": "1"})

    def test_bounded_by_messages_and_bytes(self) -> None:
        """The bounds of the outbox hold: 256 messages and 256 KiB; what is beyond them is refused at once."""
        client = make_client()
        refused = [effect for _ in range(300) for effect in client.send_message(S, "x")]
        self.assertEqual(len(refused), 300 - 256)
        assert isinstance(refused[0], Refused)
        self.assertEqual((refused[0].code, refused[0].about, refused[0].session), ("not-connected", "message", S))
        client = make_client()
        self.assertEqual(len([effect for _ in range(20) for effect in client.send_message(S, "x" * 16384)]), 5)

    def test_too_large_for_the_server(self) -> None:
        """A request that exceeds the limit which the welcome announces is refused then, after the welcome."""
        client = make_client()
        self.assertEqual(client.send_message(S, "x" * 70000), [])
        client.socket_opened(0.0)
        store, welcome, refused = client.frame_received(json.dumps(WELCOME), 0.0)
        self.assertEqual((type(store), type(welcome)), (StoreIdentity, messages.Welcome))
        assert isinstance(refused, Refused)
        self.assertEqual(refused.code, "message-too-large")

    def test_without_a_connection_attempt(self) -> None:
        """Before `connect` and after `disconnect` there is no welcome to wait for: a request is refused."""
        client = SignalingClient(json, lambda: 0.5, "INSTANCE")
        for _ in range(2):
            (refused,) = client.join_session(S)
            assert isinstance(refused, Refused)
            self.assertEqual((refused.code, refused.about, refused.session), ("not-connected", "join", S))
            client.connect()
            self.assertEqual(client.join_session(S), [])
            client.disconnect()
        client.connect()
        client.socket_opened(0.0)
        store, welcome = client.frame_received(json.dumps(WELCOME), 0.0)
        self.assertEqual((type(store), type(welcome)), (StoreIdentity, messages.Welcome))


class SessionTests(SessionCase):
    """Sessions and their members."""

    def test_open(self) -> None:
        """The request has all arguments, and the reply is reported."""
        client = make_welcomed_client()
        self.assert_sends(
            client.open_session(3, name="Ann", label="Tea", password="pw", lobby=True, succession=True, keep=True),
            {"type": "open", "id": "1", "capacity": 3, "name": "Ann", "label": "Tea", "password": "pw"}
            | {"lobby": True, "succession": True, "keep": True},
        )
        (opened,) = receive(client, "opened", id="1", session=S, **SETTINGS)
        self.assertIsInstance(opened, messages.Opened)
        self.assert_sends(
            client.open_session(session=S, host_key="key"), {"type": "open", "id": "2", "session": S, "host-key": "key"}
        )

    def test_join(self) -> None:
        """Each member of a joined session has a negotiator, which offers first where `offers-first` says so."""
        client = make_welcomed_client()
        self.assert_sends(
            client.join_session(S, "Ann", "pw"),
            {"type": "join", "id": "1", "session": S, "name": "Ann", "password": "pw"},
        )
        bob = BOB | {"offers-first": True, "base": 4}
        (joined,) = receive(client, "joined", id="1", session=S, role="guest", members=[bob], **SETTINGS)
        assert isinstance(joined, messages.Joined)
        self.assertEqual(joined.members[0].user, "BOB")
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [CreateAndSetLocal("offer")])
        (command,) = pair.local_description_set("v=0")
        assert isinstance(command, SendRequest)
        self.assert_sends(
            client.send_request(command.message),
            {"type": "offer", "id": "2", "session": S, "to": "BOB", "negotiation": {"offerer": "ME", "n": 5}}
            | {"sdp": "v=0"},
        )

    def test_member_joined(self) -> None:
        """A member who joins later offers first."""
        client = make_welcomed_client()
        receive(client, "opened", session=S, **SETTINGS)
        (joined,) = receive(client, "member-joined", session=S, member=BOB)
        self.assertIsInstance(joined, MemberJoined)
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [])

    def test_member_renewed(self) -> None:
        """A renewed member gets a new negotiator, which drops negotiations up to the base."""
        client = make_host_client()
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

    def test_session_events_are_reported(self) -> None:
        """Events about a session and its members are reported to the application."""
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
            (event,) = receive(make_host_client(), type_, session=S, **keys)
            assert isinstance(event, Message)
            self.assertEqual(event.type, type_)

    def test_waiting(self) -> None:
        """A client that waits in the lobby is told so, and that its wait is over."""
        client = make_welcomed_client()
        client.join_session(S)
        (waiting,) = receive(client, "waiting", id="1", session=S, reason="lobby")
        self.assertIsInstance(waiting, messages.Waiting)
        (over,) = receive(client, "not-admitted", session=S, reason="refused")
        self.assertIsInstance(over, messages.NotAdmitted)
        client.leave_session(S)
        (left,) = receive(client, "left", id="2", session=S)
        self.assertIsInstance(left, messages.Left)

    def test_host_operations(self) -> None:
        """Each request of a host is sent, and its reply is reported."""
        client = make_host_client()
        self.assert_sends(
            [
                *client.change_session(S, label="Tea", locked=True, lobby=False),
                *client.admit_user(S, "EVE"),
                *client.refuse_user(S, "EVE"),
                *client.remove_member(S, "BOB"),
                *client.make_host(S, "BOB"),
                *client.end_session(S),
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

    def test_request_api_is_abstract(self) -> None:
        """The base class cannot send."""
        self.assertRaises(NotImplementedError, RequestApi().leave_session, S)

    def test_send_message(self) -> None:
        """A message is sent to one member or to all."""
        client = make_host_client()
        self.assert_sends(
            [*client.send_message(S, "hi"), *client.send_message(S, "psst", "BOB")],
            {"type": "message", "session": S, "content": "hi"},
            {"type": "message", "session": S, "content": "psst", "to": "BOB"},
        )

    def test_forwarded(self) -> None:
        """A member's offer results in commands for the edge; an unexpected answer results in nothing."""
        client = make_host_client()
        self.assertEqual(
            receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"),
            [Negotiate(S, "BOB", [SetRemote("offer", "v=0")])],
        )
        self.assertEqual(receive(client, "answer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"), [])

    def test_unknown_sessions_and_senders(self) -> None:
        """Events of an unknown session and messages of an unknown member change nothing."""
        client = make_host_client()
        self.assertEqual(receive(client, "offer", session=S, from_="EVE", negotiation=NUMBER, sdp="v=0"), [])
        self.assertEqual(receive(client, "message", session=S, from_="EVE", content="hi"), [])
        self.assertEqual(receive(client, "member-joined", session="0000000000", member=BOB), [])
        self.assertEqual(receive(client, "ended", session="0000000000", reason="idle"), [])
        self.assertIsNone(client.negotiator("0000000000", "BOB"))

    def test_member_left(self) -> None:
        """A member who left has no negotiator any more; leaving twice changes nothing."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(len(receive(client, "member-left", session=S, user="BOB", reason="gone")), 1)
        self.assertEqual(pair.state, CLOSED)
        self.assertIsNone(client.negotiator(S, "BOB"))
        self.assertEqual(len(receive(client, "member-left", session=S, user="BOB", reason="gone")), 1)

    def test_leave(self) -> None:
        """The membership lasts until the server's reply."""
        client = make_host_client()
        self.assert_sends(client.leave_session(S), {"type": "leave", "id": "2", "session": S})
        self.assertIsNotNone(client.negotiator(S, "BOB"))
        self.assertEqual(len(receive(client, "left", id="2", session=S)), 1)
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_ended(self) -> None:
        """The end of a session closes its negotiators."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(len(receive(client, "ended", session=S, reason="expired")), 1)
        self.assertEqual(pair.state, CLOSED)

    def test_without_rollback(self) -> None:
        """The negotiators of a client with the feature `no-rollback` do not roll back."""
        client = make_host_client(["no-rollback"])
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0")
        pair.remote_description_set()
        pair.local_description_set("v=0")
        pair.negotiation_needed()
        pair.local_description_set("v=0")
        (effect,) = receive(client, "offer", session=S, from_="BOB", negotiation={"offerer": "BOB", "n": 2}, sdp="v=0")
        assert isinstance(effect, Negotiate)
        self.assertIsInstance(effect.commands[0], NegotiationFailed)


class RefusalTests(SessionCase):
    """Refused requests."""

    def test_request_with_reply(self) -> None:
        """A refusal names its request by the id; a second refusal with that id names none."""
        client = make_welcomed_client()
        request = Join("0000000000", password="pw")
        client.send_request(request)
        for known in (True, False):
            (refused,) = receive(
                client, "error", id="1", code="unknown-session", message="This session does not exist.", about="join"
            )
            assert isinstance(refused, Refused)
            self.assertEqual((refused.code, refused.sentence), ("unknown-session", "This session does not exist."))
            self.assertEqual((refused.about, refused.session), ("join", "0000000000" if known else None))
            self.assertIs(refused.request, request if known else None)

    def test_request_without_reply(self) -> None:
        """A refused offer or message names its member, until the `ack` after the one that covers it."""
        client = make_host_client()
        client.send_request(Offer(S, "BOB", Negotiation("ME", 1), "v=0"))
        client.send_message(S, "psst", "CY")
        for request_id, user in (("2", "BOB"), ("3", "CY")):
            (refused,) = receive(client, "error", id=request_id, code="outbox-full", message="No more.")
            assert isinstance(refused, Refused)
            self.assertEqual(refused.user, user)
        client.send_message(S, "psst", "BOB")
        self.assertEqual(receive(client, "ack", received=4), [])
        (refused,) = receive(client, "error", id="4", code="outbox-full", message="No more.")
        assert isinstance(refused, Refused)
        self.assertEqual(refused.user, "BOB")
        client.send_message(S, "psst", "BOB")
        receive(client, "ack", received=5)
        client.send_message(S, "psst", "BOB")
        receive(client, "ack", received=6)
        (refused,) = receive(client, "error", id="5", code="outbox-full", message="No more.", about="message")
        assert isinstance(refused, Refused)
        self.assertEqual((refused.about, refused.user), ("message", None))

    def test_error_without_id(self) -> None:
        """A refusal without an id has the type and the session of the error."""
        self.assertEqual(
            receive(
                make_welcomed_client(),
                "error",
                code="too-many-messages",
                message="Too many.",
                about="answer",
                session=S,
            ),
            [Refused("too-many-messages", "Too many.", "answer", S)],
        )

    def test_messages_without_id(self) -> None:
        """Answers, candidates and ICE errors have no id, since nobody needs to know of their refusal."""
        client = make_host_client()
        number = Negotiation("BOB", 1)
        for message in (Answer(S, "BOB", number, "v=0"), Candidates(S, "BOB", number, []), IceError(S, "BOB", "lost")):
            (frame,) = sent(client.send_request(message))
            self.assertEqual((frame["type"], "id" in frame), (message.type, False))

    def test_too_large(self) -> None:
        """A message that is larger than the server accepts is refused and not sent."""
        client = make_host_client()
        (refused,) = client.send_message(S, "ü" * 33000)
        assert isinstance(refused, Refused)
        self.assertEqual((refused.code, refused.about, refused.session), ("message-too-large", "message", S))
        (frame,) = sent(client.send_message(S, "ü"))
        self.assertEqual(frame["content"], "ü")


class InvalidMessageTests(SessionCase):
    """Messages that a correct server does not send."""

    def test_malformed(self) -> None:
        """A malformed frame is reported for the log, and changes nothing."""
        client = make_host_client()
        self.assertEqual(client.frame_received("{", 1.0), [InvalidMessage("The frame is not JSON.")])
        self.assertEqual(receive(client, "ended"), [InvalidMessage("Ended lacks session.")])
        self.assertIsNotNone(client.negotiator(S, "BOB"))

    def test_unknown_type(self) -> None:
        """A message of an unknown type is ignored and counted, since the server counts it as well."""
        client = make_welcomed_client()
        self.assertEqual(receive(client, "weather", sky="blue"), [])
        client.socket_closed(1006, "", 5.0)
        [resume] = sent(client.socket_opened(6.0))
        self.assertEqual(resume["received"], 1)

    def test_unknown_keys_and_words(self) -> None:
        """Unknown keys are ignored, and an unknown reason or code is passed on to the application."""
        client = make_host_client()
        bob = BOB | {"user": "CAT", "x": {"y": 1}}
        self.assertEqual(
            receive(client, "member-joined", session=S, member=bob, x=[1]),
            receive(make_host_client(), "member-joined", session=S, member=BOB | {"user": "CAT"}),
        )
        [left] = receive(client, "member-left", session=S, user="CAT", reason="unheard-of")
        self.assertEqual(left, messages.MemberLeft(S, "CAT", "unheard-of"))
        [refused] = receive(client, "error", code="unheard-of", message="A sentence.")
        self.assertEqual(refused, Refused("unheard-of", "A sentence."))

    def test_ack_of_more_than_was_sent(self) -> None:
        """An `ack` that counts more than was sent is reported, and changes nothing."""
        client = make_host_client()
        (invalid,) = receive(client, "ack", received=2)
        self.assertIsInstance(invalid, InvalidMessage)
        self.assertEqual(receive(client, "ack", received=1), [])


class EndTests(SessionCase):
    """The end of the connection for good."""

    def test_disconnect(self) -> None:
        """`disconnect` ends the connection, the sessions and the identity; a second call does nothing."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(client.disconnect(), [CloseSocket(1000, ""), StoreIdentity(None), Disconnected(1000, "")])
        self.assertEqual((client.state, client.user, client.welcome), (client_module.CLOSED, None, None))
        self.assertEqual(pair.state, CLOSED)
        self.assertEqual(client.disconnect(), [])
        self.assertEqual(client.socket_closed(1006, "", 2.0), [])
        self.assertEqual(client.frame_received(json.dumps(WELCOME), 2.0), [])

    def test_disconnect_before_the_welcome(self) -> None:
        """`disconnect` cancels a socket that is planned or being opened."""
        self.assertEqual(make_client().disconnect(), [CloseSocket(1000, ""), Disconnected(1000, "")])

    def test_connect_after_disconnect(self) -> None:
        """After `disconnect` the client can connect again, as a new user."""
        client = make_host_client()
        client.disconnect()
        self.assertEqual(client.connect(), [ConnectAfter(0.0)])
        (hello,) = sent(client.socket_opened(3.0))
        self.assertEqual(hello["type"], "hello")
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_replaced(self) -> None:
        """A client does not reconnect when another connection has its identity, or when its secret was used twice."""
        for code, reason in ((4001, ""), (4001, "replaced"), (1008, "secret-reused")):
            client = make_host_client()
            self.assertEqual(client.socket_closed(code, reason, 1.0), [StoreIdentity(None), Disconnected(code, reason)])
            self.assertEqual(client.state, client_module.CLOSED)
            self.assertEqual(client.socket_closed(code, reason, 2.0), [])


class InterruptionTests(SessionCase):
    """A lost connection, until the resume."""

    def test_lost(self) -> None:
        """The loss is reported with the back-off; sessions and negotiators stay."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(client.socket_closed(1006, "", 20.0), [ConnectAfter(0.25), Interrupted(0.25)])
        self.assertEqual((client.state, client.user), (client_module.CONNECTING, "ME"))
        self.assertNotEqual(pair.state, CLOSED)
        self.assertEqual(client.frame_received(json.dumps(WELCOME), 20.0), [])

    def test_going_away(self) -> None:
        """After `going-away` the next attempt is made when the server said."""
        client = make_host_client()
        (event,) = receive(client, "going-away", after=7.5)
        self.assertIsInstance(event, messages.GoingAway)
        self.assertEqual(client.socket_closed(1012, "going-away", 20.0), [ConnectAfter(7.5), Interrupted(7.5)])
        self.assertEqual(client.socket_closed(1006, "", 30.0), [ConnectAfter(0.5), Interrupted(0.5)])

    def test_probe_reconnects(self) -> None:
        """A probe makes the next attempt at once."""
        client = make_host_client()
        client.socket_closed(1006, "", 20.0)
        client.socket_closed(1006, "", 20.5)
        self.assertEqual(client.probe_connection(20.6), [ConnectAfter(0.0), Interrupted(0.0)])

    def test_requests_wait(self) -> None:
        """Requests made meanwhile are sent after the resume, following the replayed messages."""
        client = make_host_client()
        client.send_message(S, "one")
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(client.send_message(S, "two"), [])
        client.socket_opened(6.0)
        self.assertEqual(client.send_message(S, "three"), [])
        effects = client.frame_received(json.dumps(WELCOME | {"resumed": "everything", "received": 1}), 6.1)
        frames = sent(effects[:4])
        self.assertEqual([frame.get("content") for frame in frames], [None, "one", "two", "three"])
        self.assertEqual(frames[0], {"type": "ack", "received": 2})

    def test_bounded(self) -> None:
        """256 messages or 256 KiB wait; further requests are refused."""
        client = make_host_client()
        client.socket_closed(1006, "", 5.0)
        effects = [effect for _ in range(300) for effect in client.send_message(S, "x")]
        self.assertEqual(len(effects), 300 - 256 + 1)
        assert isinstance(effects[0], Refused)
        self.assertEqual(effects[0].code, "not-connected")
        client = make_host_client()
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(len([effect for _ in range(20) for effect in client.send_message(S, "x" * 16384)]), 5)

    def test_after_the_grace(self) -> None:
        """After the grace, when the server has forgotten the identity, requests are refused."""
        client = make_host_client()
        client.socket_closed(1006, "", 5.0)
        client.tick(34.9)
        self.assertEqual(client.send_message(S, "x"), [])
        client.tick(35.0)
        self.assertEqual(len(client.send_message(S, "x")), 1)

    def test_without_resume(self) -> None:
        """After a loss a client without a secret sends `hello`, and its requests are refused until the welcome."""
        client = make_welcomed_client(secret=None)
        self.assert_sends(client.join_session(S), {"type": "join"})
        client.socket_closed(1006, "", 5.0)
        self.assertEqual(len(client.send_message(S, "x")), 1)
        (hello,) = sent(client.socket_opened(6.0))
        self.assertEqual(hello["type"], "hello")
        effects = client.frame_received(json.dumps(WELCOME | {"secret": None}), 7.0)
        self.assertIn(Resumed("nothing"), effects)
        (dropped,) = [effect for effect in effects if isinstance(effect, Dropped)]
        self.assertEqual([message.type for message in dropped.messages], ["join"])

    def test_resume(self) -> None:
        """`resume` has the user, the latest secret and the count of received messages."""
        client = make_host_client()
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


class SurvivalTests(SessionCase):
    """What survives a lost connection."""

    def test_everything(self) -> None:
        """With `everything`, unacknowledged messages are replayed and negotiators stay."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        client.send_message(S, "one")
        client.send_message(S, "two")
        effects = resume_client(client, "everything", received=2)
        self.assert_sends(effects[:2], {"type": "ack", "received": 2}, {"type": "message", "content": "two"})
        self.assertEqual(effects[2], StoreIdentity('{"user": "ME", "secret": "second"}'))
        self.assertIsInstance(effects[3], messages.Welcome)
        self.assertEqual(effects[4:], [Resumed("everything")])
        self.assertIs(client.negotiator(S, "BOB"), pair)

    def test_no_reply(self) -> None:
        """A request that the server had received is refused when its reply does not come within 10 s."""
        client = make_host_client()
        request = Join("0000000000")
        client.send_request(request)
        client.admit_user(S, "EVE")
        client.change_session(S, locked=True)
        resume_client(client, "everything", received=3)
        self.assertEqual([type(effect) for effect in receive(client, "done", id="3")], [messages.Done])
        for now in range(8, 17):
            self.assertEqual([effect for effect in client.tick(now) if isinstance(effect, Refused)], [])
        (refused,) = [effect for effect in client.tick(17.0) if isinstance(effect, Refused)]
        self.assertEqual((refused.code, refused.about), ("no-reply", "join"))
        self.assertIs(refused.request, request)
        self.assertEqual([effect for effect in client.tick(40.0) if isinstance(effect, Refused)], [])

    def test_membership(self) -> None:
        """With `membership`, both sides count from 0, waiting requests are lost, and negotiators are replaced."""
        client = make_host_client()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        request = Join("0000000000")
        client.send_request(request)
        receive(client, "ack", received=2)
        client.send_message(S, "one")
        effects = resume_client(client, "membership")
        self.assert_sends(effects[:1], {"type": "ack", "received": 0})
        _, store, welcome, resumed, dropped = effects
        assert isinstance(store, StoreIdentity)
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

    def test_survival_of_nothing(self) -> None:
        """With `nothing`, the client is a new user in no session."""
        client = make_host_client()
        effects = resume_client(client, "nothing", user="YOU")
        self.assertEqual(effects[-1], Resumed("nothing"))
        self.assertEqual(client.user, "YOU")
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_no_more_secrets(self) -> None:
        """After a welcome without a secret the client does not try to resume."""
        client = make_host_client()
        effects = resume_client(client, "nothing", secret=None)
        self.assertIn(StoreIdentity(None), effects)
        client.socket_closed(1006, "", 8.0)
        (hello,) = sent(client.socket_opened(9.0))
        self.assertEqual(hello["type"], "hello")

    def test_stored_identity(self) -> None:
        """A reloaded page resumes with the stored identity."""
        client = make_client(stored_identity=STORED_IDENTITY)
        self.assertIsNone(client.user)
        self.assert_sends(client.socket_opened(0.0), {"type": "resume", "user": "ME", "secret": "first", "received": 0})
        effects = client.frame_received(json.dumps(WELCOME | {"resumed": "membership"}), 0.0)
        self.assertEqual(effects[-1], Resumed("membership"))

    def test_invalid_stored_identity(self) -> None:
        """An invalid stored identity is ignored."""
        for text in ("", "{", "5", "{}", '{"user": "ME"}'):
            (hello,) = sent(make_client(stored_identity=text).socket_opened(0.0))
            self.assertEqual(hello["type"], "hello")

    def test_secrets_are_not_shown(self) -> None:
        """`repr` of effects shows no secret."""
        self.assertNotIn(
            "first", repr(StoreIdentity(STORED_IDENTITY)) + repr(StoreIdentity(None)) + repr(SendFrame(STORED_IDENTITY))
        )


class AcknowledgementTests(SessionCase):
    """Acknowledgements of the client."""

    def acks(self, effects: list[Value]) -> list[int]:
        """Return the counts of the acknowledgements."""
        frames = [json.loads(effect.text) for effect in effects if isinstance(effect, SendFrame)]
        return [frame["received"] for frame in frames if frame["type"] == "ack"]

    def test_after_16_messages(self) -> None:
        """Every sixteenth message is acknowledged at once, also one of an unknown type."""
        client = make_host_client()
        for index in range(3, 40):
            effects = receive(client, "member-away" if index % 2 else "weather", session=S, user="BOB")
            self.assertEqual(self.acks(effects), [index] if index in (16, 32) else [], index)

    def test_after_32_kib(self) -> None:
        """Received messages of 32 KiB are acknowledged at once."""
        client = make_host_client()
        for index in range(3, 6):
            effects = receive(client, "message", session=S, from_="BOB", content="x" * 16000)
            self.assertEqual(self.acks(effects), [index] if index == 5 else [])

    def test_after_5_seconds(self) -> None:
        """A message is acknowledged before it is 5 s old."""
        client = make_host_client()
        self.assertEqual([now for now in range(1, 20) if self.acks(client.tick(float(now)))], [5])

    def test_uncounted_messages(self) -> None:
        """Errors, acknowledgements, pongs and `going-away` are not counted."""
        client = make_host_client()
        receive(client, "error", code="bad-message", message="What?")
        receive(client, "ack", received=0)
        receive(client, "pong")
        receive(client, "going-away", after=1)
        self.assertEqual(self.acks(client.tick(9.0)), [2])


class SilenceTests(SessionCase):
    """The watchdog for a silent server."""

    def test_ping(self) -> None:
        """After 15 s of silence the client sends a ping; after 10 s more it gives the socket up."""
        client = make_welcomed_client()
        effects = {now: effects for now in range(1, 26) if (effects := client.tick(float(now)))}
        self.assertEqual(list(effects), [15, 25])
        self.assert_sends(effects[15], {"type": "ping"})
        self.assertEqual(effects[25], [CloseSocket(3008, "server-silent"), ConnectAfter(0.25), Interrupted(0.25)])

    def test_probe_pings(self) -> None:
        """A probe sends a ping at once, which has to be answered within 3 s."""
        client = make_welcomed_client()
        client.tick(1.0)
        self.assert_sends(client.probe_connection(2.0), {"type": "ping"})
        self.assertEqual([now for now in range(3, 9) if CloseSocket(3008, "server-silent") in client.tick(now)], [5])
