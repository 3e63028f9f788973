"""The signaling client: its connection, its sessions and their members."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import client as client_module
from signald_client.signaling.client import (
    CloseSocket,
    Disconnected,
    Misunderstood,
    Negotiate,
    Refused,
    SendFrame,
    SignalingClient,
)
from signald_client.signaling.messages import (
    Answer,
    Candidates,
    Ended,
    ForwardedIceError,
    IceError,
    Joined,
    Left,
    Member,
    MemberJoined,
    MemberLeft,
    Negotiation,
    Offer,
    Opened,
    Value,
    Welcome,
)
from signald_client.signaling.negotiation import CLOSED, CreateAndSetLocal, Failed, Send, SetRemote

S = "7Q2M9RT6ZC"
WELCOME = {
    "type": "welcome",
    "version": 1,
    "server": "signald/0.1.0",
    "user": "ME",
    "features": [],
    "limits": {"message-bytes": 65536, "messages-per-second": 100, "messages-burst": 500, "session-members": 8},
    "ice-servers": [],
}
BOB = {"user": "BOB", "role": "guest", "polite": True, "renegotiates": True}
NUMBER = {"offerer": "BOB", "n": 1}


def sent(effects: list[Value]) -> list[dict[str, Any]]:
    """Return the messages in the frames that are to be sent, which are all the effects there are."""
    messages = []
    for effect in effects:
        assert isinstance(effect, SendFrame), effect
        messages.append(json.loads(effect.text))
    return messages


def receive(client: SignalingClient, type_: str, **keys: Any) -> list[Value]:
    """Have the client receive a message; `from_` stands for `from`."""
    plain = {"type": type_} | {key.rstrip("_"): value for key, value in keys.items()}
    return client.frame_received(json.dumps(plain))


def welcomed(features: list[str] | None = None) -> SignalingClient:
    """Return a client that was welcomed."""
    client = SignalingClient(json, "example", features)
    client.socket_opened()
    client.frame_received(json.dumps(WELCOME))
    return client


def hosting(features: list[str] | None = None) -> SignalingClient:
    """Return a client whose session Bob has joined."""
    client = welcomed(features)
    client.open()
    receive(client, "opened", session=S, capacity=2)
    receive(client, "member-joined", session=S, member=BOB)
    return client


class GreetingTests(SynchronousTestCase):
    """The beginning of a connection."""

    def test_hello(self) -> None:
        """The open socket is greeted with version, agent and features."""
        client = SignalingClient(json, "example", ["no-rollback"])
        self.assertEqual(
            sent(client.socket_opened()),
            [{"type": "hello", "id": "1", "version": 1, "agent": "example", "features": ["no-rollback"]}],
        )
        self.assertEqual(client.state, client_module.GREETING)

    def test_welcome(self) -> None:
        """The welcome makes the client ready, and tells the application of user, limits and ICE servers."""
        client = SignalingClient(json)
        client.socket_opened()
        (welcome,) = client.frame_received(json.dumps(WELCOME))
        assert isinstance(welcome, Welcome)
        self.assertEqual((client.state, client.user, client.welcome), (client_module.READY, "ME", welcome))

    def test_second_welcome(self) -> None:
        """A welcome that nobody waits for changes nothing."""
        client = welcomed()
        self.assertEqual(client.frame_received(json.dumps(WELCOME | {"user": "YOU"})), [])
        self.assertEqual(client.user, "ME")

    def test_refused(self) -> None:
        """A refused hello is told to the application, and the socket is closed."""
        client = SignalingClient(json)
        client.socket_opened()
        self.assertEqual(
            receive(client, "error", id="1", code="unsupported-version", message="This server speaks version 1."),
            [Refused("unsupported-version", "This server speaks version 1.", "hello"), CloseSocket(1000, "")],
        )

    def test_before_the_welcome(self) -> None:
        """What comes before the welcome changes nothing, and nothing can be asked for."""
        client = SignalingClient(json)
        refusal = Refused("not-connected", "There is no connection to the server.", "join", S)
        self.assertEqual(client.join(S), [refusal])
        client.socket_opened()
        self.assertEqual(client.join(S), [refusal])
        self.assertEqual(receive(client, "opened", session=S, capacity=2), [])
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_opened_twice(self) -> None:
        """A socket that is said to be open twice is greeted once."""
        client = SignalingClient(json)
        client.socket_opened()
        self.assertEqual(client.socket_opened(), [])


class SessionTests(SynchronousTestCase):
    """Sessions and their members."""

    def test_open(self) -> None:
        """An opened session is the application's, with this client as its host."""
        client = welcomed()
        self.assertEqual(sent(client.open(3)), [{"type": "open", "id": "2", "capacity": 3}])
        self.assertEqual(receive(client, "opened", id="2", session=S, capacity=3), [Opened(S, 3, "2")])

    def test_join(self) -> None:
        """The members of a joined session can be negotiated with, this client offering first."""
        client = welcomed()
        self.assertEqual(sent(client.join(S)), [{"type": "join", "id": "2", "session": S}])
        self.assertEqual(
            receive(client, "joined", id="2", session=S, capacity=2, members=[BOB]),
            [Joined(S, 2, [Member("BOB", "guest", True, True)], "2")],
        )
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [CreateAndSetLocal("offer")])
        (command,) = pair.local_description_set("v=0")
        assert isinstance(command, Send)
        (frame,) = sent(client.send(command.message))
        self.assertEqual(
            frame,
            {
                "type": "offer",
                "id": "3",
                "session": S,
                "to": "BOB",
                "negotiation": {"offerer": "ME", "n": 1},
                "sdp": "v=0",
            },
        )

    def test_member_joined(self) -> None:
        """A member who comes later offers first."""
        client = welcomed()
        receive(client, "opened", session=S, capacity=2)
        self.assertEqual(
            receive(client, "member-joined", session=S, member=BOB),
            [MemberJoined(S, Member("BOB", "guest", True, True))],
        )
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [])

    def test_forwarded(self) -> None:
        """Offers of a member become commands for the edge; answers that nobody waits for become nothing."""
        client = hosting()
        self.assertEqual(
            receive(client, "offer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"),
            [Negotiate(S, "BOB", [SetRemote("offer", "v=0")])],
        )
        self.assertEqual(receive(client, "answer", session=S, from_="BOB", negotiation=NUMBER, sdp="v=0"), [])

    def test_forwarded_ice_error(self) -> None:
        """A member's word about ICE is for the application."""
        self.assertEqual(
            receive(hosting(), "ice-error", session=S, from_="BOB", text="no route"),
            [ForwardedIceError(S, "BOB", "no route")],
        )

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
        event = MemberLeft(S, "BOB", "gone")
        self.assertEqual(receive(client, "member-left", session=S, user="BOB", reason="gone"), [event])
        self.assertEqual(pair.state, CLOSED)
        self.assertIsNone(client.negotiator(S, "BOB"))
        self.assertEqual(receive(client, "member-left", session=S, user="BOB", reason="gone"), [event])

    def test_leave(self) -> None:
        """The session is left when the server says so."""
        client = hosting()
        self.assertEqual(sent(client.leave(S)), [{"type": "leave", "id": "3", "session": S}])
        self.assertIsNotNone(client.negotiator(S, "BOB"))
        self.assertEqual(receive(client, "left", id="3", session=S), [Left(S, "3")])
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_ended(self) -> None:
        """The end of a session is the end of its pairs."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(receive(client, "ended", session=S, reason="expired"), [Ended(S, "expired")])
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


class RefusalTests(SynchronousTestCase):
    """Errors of the server."""

    def test_of_a_request(self) -> None:
        """A refusal names the request that it is about, by its id."""
        client = welcomed()
        client.join("0000000000")
        self.assertEqual(
            receive(client, "error", id="2", code="unknown-session", message="There is no such session."),
            [Refused("unknown-session", "There is no such session.", "join", "0000000000")],
        )
        self.assertEqual(
            receive(client, "error", id="2", code="unknown-session", message="There is no such session.", about="join"),
            [Refused("unknown-session", "There is no such session.", "join")],
        )

    def test_of_an_offer(self) -> None:
        """A refused offer names the member; only the last offer of each pair is remembered."""
        client = hosting()
        for n in (1, 2):
            client.send(Offer(S, "BOB", Negotiation("ME", n), "v=0"))
        client.send(Offer(S, "CY", Negotiation("ME", 1), "v=0"))
        for request_id, user in (("3", None), ("4", "BOB"), ("5", "CY")):
            (refused,) = receive(client, "error", id=request_id, code="unknown-member", message="No such member.")
            assert isinstance(refused, Refused)
            self.assertEqual(refused.user, user)

    def test_without_an_id(self) -> None:
        """A refusal that names no request says what the server says."""
        self.assertEqual(
            receive(welcomed(), "error", code="too-many-messages", message="Too many.", about="answer", session=S),
            [Refused("too-many-messages", "Too many.", "answer", S)],
        )

    def test_forwarded_messages_have_no_id(self) -> None:
        """Answers, candidates and words about ICE, which have no reply, carry no id."""
        client = hosting()
        number = Negotiation("BOB", 1)
        for message in (Answer(S, "BOB", number, "v=0"), Candidates(S, "BOB", number, []), IceError(S, "BOB", "lost")):
            (frame,) = sent(client.send(message))
            self.assertEqual((frame["type"], "id" in frame), (message.type, False))


class NonsenseTests(SynchronousTestCase):
    """What the server should not say."""

    def test_malformed(self) -> None:
        """A malformed frame is an event for the log and changes nothing."""
        client = hosting()
        self.assertEqual(client.frame_received("{"), [Misunderstood("The frame is not JSON.")])
        self.assertEqual(receive(client, "ended"), [Misunderstood("Ended lacks session.")])
        self.assertIsNotNone(client.negotiator(S, "BOB"))

    def test_unknown_type(self) -> None:
        """A message of a later version is ignored."""
        self.assertEqual(receive(welcomed(), "weather", sky="blue"), [])


class EndTests(SynchronousTestCase):
    """The end of a connection."""

    def test_socket_closed(self) -> None:
        """The end of the socket ends all sessions; its reason is told once."""
        client = hosting()
        pair = client.negotiator(S, "BOB")
        assert pair is not None
        self.assertEqual(client.socket_closed(1012, "going-away"), [Disconnected(1012, "going-away")])
        self.assertEqual((client.state, client.user, client.welcome), (client_module.CLOSED, None, None))
        self.assertEqual(pair.state, CLOSED)
        self.assertEqual(client.socket_closed(1006, ""), [])
        self.assertEqual(client.frame_received(json.dumps(WELCOME)), [])

    def test_again(self) -> None:
        """Another socket begins anew, with its own ids."""
        client = hosting()
        client.socket_closed(1006, "")
        self.assertEqual(sent(client.socket_opened())[0]["type"], "hello")
        self.assertIsNone(client.negotiator(S, "BOB"))

    def test_disconnect(self) -> None:
        """The application's wish closes the socket, once there is one."""
        client = SignalingClient(json)
        self.assertEqual(client.disconnect(), [])
        client.socket_opened()
        self.assertEqual(client.disconnect(), [CloseSocket(1000, "")])


class SilenceTests(SynchronousTestCase):
    """Whether the server is still there."""

    def run_seconds(self, client: SignalingClient, first: int, last: int) -> list[tuple[int, list[Value]]]:
        """Tick once a second and return what came of it, with its second."""
        return [(now, effects) for now in range(first, last + 1) if (effects := client.tick(float(now)))]

    def test_ping(self) -> None:
        """After 15 silent seconds the server is asked, and asked again 15 s after its answer."""
        client = welcomed()
        ping: list[Value] = [SendFrame('{"type": "ping"}')]
        self.assertEqual(self.run_seconds(client, 1, 20), [(16, ping)])
        self.assertEqual(receive(client, "pong"), [])
        self.assertEqual(self.run_seconds(client, 21, 36), [(36, ping)])

    def test_words_are_a_sign_of_life(self) -> None:
        """A server that speaks is not asked."""
        client = welcomed()
        self.run_seconds(client, 1, 14)
        receive(client, "weather")
        self.assertEqual(self.run_seconds(client, 15, 29), [])

    def test_silent(self) -> None:
        """A server that does not answer for 10 s is taken to be gone."""
        client = hosting()
        over: list[Value] = [CloseSocket(3008, "server-silent"), Disconnected(3008, "server-silent")]
        self.assertEqual(self.run_seconds(client, 1, 60)[1:], [(26, over)])
        self.assertEqual(client.state, client_module.CLOSED)

    def test_no_welcome(self) -> None:
        """A server that does not welcome within 10 s is taken to be gone."""
        client = SignalingClient(json)
        client.socket_opened()
        self.assertEqual([now for now, _ in self.run_seconds(client, 1, 60)], [11])

    def test_after_sleep(self) -> None:
        """A clock that jumped says nothing about the server, which is asked anew."""
        client = welcomed()
        self.run_seconds(client, 1, 20)
        self.assertEqual(client.tick(3600.0), [SendFrame('{"type": "ping"}')])
        self.assertEqual(self.run_seconds(client, 3601, 3609), [])
        receive(client, "pong")
        self.assertEqual(self.run_seconds(client, 3610, 3620), [])
