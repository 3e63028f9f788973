"""The fuzz targets: functions that take any bytes, and raise when signald misbehaves."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, get_args

import orjson
from attrs import asdict, fields
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from signald.config.sources import from_environment, from_file
from signald.config.values import ConfigError
from signald.core.budgets import ConnectionBudget
from signald.core.directory_messages import Envelope
from signald.core.forwarding import forwarded_event, is_readable
from signald.core.ids import is_user_id, parse_session_id
from signald.core.journal_records import rebuild
from signald.core.limits import Limits
from signald.core.message_sizes import message_size
from signald.core.messages import Candidates, Forwardable, Traits, UserId
from signald.core.snapshot import dump, load
from signald.dialects import DIALECTS
from signald.dialects.dialect import DecodeError, Dialect
from signald.dialects.matchbox import Matchbox
from signald.dialects.native import REQUESTS, Native, decode_event
from signald.dialects.peerjs import PeerJs
from signald.dialects.serde import Serde
from signald.lifecycle.handover_channel import FrameReader, HandoverError, State, decode, encode
from signald.lifecycle.journal_lines import OtherVersionError, encode_line, read_lines
from signald.net.origins import OriginRule
from signald.net.proxies import client_address
from signald.page.assets import Asset, Representation
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.fairness import FairRounds
from signald.server.port import SignalingPort
from signald.server.proxy_protocol import ProxyProtocolFactory
from signald.server.upgrade_request import UpgradeRule, read_query
from signald.server.web import make_site
from signald_client.control import control_messages
from signald_client.control.consent import MAX_HELD, Consent
from signald_client.control.control_effects import ControlEnded, ControlStarted, Inject
from signald_client.control.control_rules import Rules
from tests.support.connections import make_switchboard
from tests.support.directory_server import DirectoryServer, MatchboxClient, PeerJsClient
from tests.support.endpoints import CLIENT, TEXT, Endpoint, frame, upgrade_request

__all__ = ["TARGETS"]

#: Seconds after which every deadline of a connection is over: headers, hello, ping, pong, and output.
LONG = 120.0

#: Bytes of each read from the socket of an upgrade.
PIECE = 1000

#: Bytes that an answer to a small input may have.
MOST_ANSWER = 1 << 20

Target = Callable[[bytes], None]

_TYPES = sorted(REQUESTS)

_WORDS = [
    *sorted(
        {name for request in REQUESTS.values() for name in (field.name.replace("_", "-") for field in fields(request))}
    ),
    *("offerer", "n", "sdpMid", "sdpMLineIndex", "usernameFragment", "candidate", "version", "unknown"),
]

_IDS = ["0123456789", "ZZZZ-ZZZ-ZZZ", "0K3PB4X7WQ2M9RT6ZC8HNJVDYA", "x" * 43, "x" * 64, "x" * 65]

_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 8, 2**31, 2**53, 2**63, 10**20, 0.5, 1e308, "", "a", "\0", "\ud800", "\u202e"),
    *_IDS,
    *([], {}, [[]], [{}], [""], ["no-rollback"] * 33),
    *({"offerer": id, "n": n} for id in _IDS for n in (0, 1, 2**31, "1")),
    *(
        [{"candidate": text, "sdpMLineIndex": index}]
        for text in ("", "c", "x" * 9000)
        for index in (None, 0, -1, 70000)
    ),
    "x" * 70000,
]

_MATCHBOX_ID = "00000000-0000-4000-8000-000000000002"
"""The id of a client of matchbox, as the server in memory makes it."""

_PAGE = {"/": Asset("/", "text/html", "no-cache", {"identity": Representation(b"page", '"etag"')})}


def _decode(dialect: Dialect, data: bytes) -> None:
    """A frame gives requests, or the one error that says that it does not."""
    try:
        requests = list(dialect.decode(data))
    except DecodeError as error:
        assert error.code.value, error
        return
    for request in requests:
        # What is decoded can be forwarded: no text of it that UTF-8 cannot say.
        repr(asdict(request)).encode()


def _read_directly(data: bytes) -> None:
    """What is read by hand is what the general way reads, unless nobody can have the ids in it."""
    message = Native().read_direct(data)
    if message is None or parse_session_id(message.session) != message.session:
        return
    if message.to is not None and not is_user_id(message.to):
        return
    [request] = Native().decode(data)
    assert message.kind is type(request), request
    assert isinstance(request, get_args(Forwardable)), request
    event = forwarded_event(request, UserId("A" * 26), Traits())
    assert message.size == message_size(request) == message_size(event), request
    assert decode_event(message.frame_from(UserId("A" * 26))) == event, request


def native(data: bytes) -> None:
    """A frame of the native dialect."""
    _decode(Native(), data)
    _read_directly(data)


def shaped(data: bytes) -> None:
    """A JSON object made of what the native dialect knows, right or wrong: each byte is a choice."""
    choices = iter(data)
    keys = {_chosen(_WORDS, choices): _chosen(_VALUES, choices) for _ in range(next(choices, 0) % 8)}
    data = json.dumps({"type": _chosen(_TYPES, choices), **keys}).encode()
    _decode(Native(), data)
    _read_directly(data)


def _chosen(of: Sequence[Any], choices: Iterator[int]) -> Any:
    return of[(next(choices, 0) << 8 | next(choices, 0)) % len(of)]


def serde(data: bytes) -> None:
    """A frame of the original's dialect."""
    _decode(Serde(), data)


def strings(data: bytes) -> None:
    """A candidate's string between two clients of the original's dialect, which has to arrive as it was sent."""
    text = data.decode("utf-8", "replace")
    sent = {"IceCandidate": [text, _IDS[0]]}
    [request] = Serde().decode(json.dumps(sent).encode())
    assert isinstance(request, Candidates)
    event = forwarded_event(request, UserId(""), Serde.traits)
    [frame] = Serde().encode(event)
    assert isinstance(frame, bytes)
    assert json.loads(frame) == sent, frame
    if is_readable(request, Native.traits):
        assert len(request.candidates) == 1
        Native().encode(forwarded_event(request, UserId(""), Native.traits))


@implementer(ILogObserver)
class _Errors:
    """Remembers what was logged as an error: exceptions that ended at a connection."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """Look at an event."""
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.events.append(event)


@contextmanager
def _no_error_is_logged() -> Iterator[None]:
    errors = _Errors()
    globalLogPublisher.addObserver(errors)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(errors)
    for event in errors.events:
        failure = event.get("log_failure")
        if failure is not None:
            raise failure.value
        raise AssertionError(event)


class _Server:
    """A whole server in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        limits = Limits()
        self.switchboard = make_switchboard(self.clock, limits)
        budget, self.admission = ConnectionBudget(limits), Admission(limits)
        rule = OriginRule.of(tls=False)
        signaling = SignalingFactory(
            SignalingPort(
                switchboard=self.switchboard,
                limits=limits,
                budget=budget,
                admission=self.admission,
                clock=self.clock,
                rounds=FairRounds.of(self.clock, limits),
                rule=UpgradeRule.of_port(DIALECTS, rule, bare=False),
            )
        )
        self.site = make_site(_PAGE, signaling, limits, self.clock, None, False)

    def deliver(self, line: Endpoint, data: bytes) -> None:
        """Send bytes in pieces whose size the first byte decides, then advance the clock past all timeouts."""
        size = 1 + (data[0] if data else 0) * 16
        with _no_error_is_logged():
            for begin in range(1, len(data), size):
                line.send(data[begin : begin + size])
                assert len(line.answer()) < MOST_ANSWER
            for _ in range(12):
                self.clock.advance(LONG / 12)
                line.answer()
            assert line.closed, "it is kept for ever"
            line.disconnect()
            self.clock.advance(LONG)
            self.switchboard.tick()
        hub = self.switchboard.hub
        assert not hub.peers, "a peer is left behind"
        assert not hub.users, "a user is left behind"


def http(data: bytes) -> None:
    """The first bytes of a client on the page's port."""
    server = _Server()
    server.deliver(Endpoint(server.site, clock=server.clock), data)


def websocket(data: bytes) -> None:
    """The bytes of a client after the opening handshake; the first byte selects the dialect."""
    server = _Server()
    line = Endpoint(server.site, clock=server.clock)
    if data[:1] < b"\x80":
        line.send(upgrade_request(sec_websocket_protocol="signald.1"))
        line.send(frame(TEXT, b'{"type":"hello","version":1}'))
    else:
        line.send(upgrade_request())
    line.answer()
    server.deliver(line, data)


def peerjs(data: bytes) -> None:
    """A query and a frame of a client of PeerJS, which the first line break divides."""
    query, _, text = data.partition(b"\n")
    dialect = PeerJs()
    with suppress(DecodeError):
        dialect.read_id(dialect.read_claim("peerjs", read_query(query.decode("latin-1"))).id or "")
    try:
        message = dialect.decode(text)
    except DecodeError as error:
        assert error.code.value, error
        return
    if isinstance(message, Envelope):
        body = json.loads(message.frame)
        assert body.keys() <= {"type", "src", "dst", "payload"}, body
        assert (body["src"], body["dst"]) == (dialect.id, message.receiver), body


def peerjs_websocket(data: bytes) -> None:
    """The bytes of a client of PeerJS after its opening handshake, beside another client."""
    server = DirectoryServer()
    other = PeerJsClient(server, "ben")
    line = Endpoint(server.site, clock=server.clock)
    line.send(upgrade_request("/peerjs?key=peerjs&id=ann&token=t"))
    line.answer()
    _deliver_beside(server, line, other, data)
    directory = server.directory.directory
    assert not directory.clients, "a client is left behind"
    assert not directory.waiting.size, "a message is left behind"


def matchbox(data: bytes) -> None:
    """A room, a query and a frame of a client of matchbox, which the first question mark and line break divide."""
    target, _, text = data.partition(b"\n")
    name, _, query = target.decode("latin-1").partition("?")
    dialect = Matchbox()
    with suppress(DecodeError):
        claim = dialect.read_claim(name, read_query(query))
        assert claim.id is None, claim
        assert claim.room is not None, claim
        assert re.fullmatch(r"[\w.~-]{1,64}", claim.room.name, re.ASCII), claim
    dialect.read_id(_MATCHBOX_ID)
    try:
        message = dialect.decode(text)
    except DecodeError as error:
        assert error.code.value, error
        return
    if isinstance(message, Envelope):
        body = json.loads(message.frame)
        assert body.keys() == {"Signal"}, body
        assert body["Signal"].keys() == {"sender", "data"}, body
        assert body["Signal"]["sender"] == dialect.id, body


def matchbox_websocket(data: bytes) -> None:
    """The bytes of a client of matchbox after its opening handshake, beside another client in its room."""
    server = DirectoryServer()
    other = MatchboxClient(server, "room")
    line = Endpoint(server.site, clock=server.clock)
    line.send(upgrade_request("/matchbox/room"))
    line.answer()
    assert [*other.take()[0]] == ["NewPeer"], "the other client was not told"
    _deliver_beside(server, line, other, data)
    directory = server.rooms.directory
    assert not directory.clients, "a client is left behind"
    assert not directory.rooms.groups, "a room is left behind"


def _deliver_beside(server: DirectoryServer, line: Endpoint, other: PeerJsClient | MatchboxClient, data: bytes) -> None:
    """Deliver bytes beside another client, and let both end, one by its silence."""
    size = 1 + (data[0] if data else 0) * 16
    with _no_error_is_logged():
        for begin in range(1, len(data), size):
            line.send(data[begin : begin + size])
            assert len(line.answer()) < MOST_ANSWER
            other.take()
        for _ in range(12):
            server.tick(LONG / 12)
            line.answer()
            other.take()
        assert line.closed, "it is kept for ever"
        line.disconnect()
        other.close()
        server.clock.advance(LONG)
        server.switchboard.tick()
    assert server.budget.total == 0, "a connection is counted for ever"


def proxied(data: bytes) -> None:
    """The first bytes of a trusted proxy on a port with the PROXY protocol."""
    server = _Server()
    server.admission.trusted_proxies = [ip_network(CLIENT)]
    server.deliver(
        Endpoint(ProxyProtocolFactory(server.site, server.admission, server.clock), clock=server.clock), data
    )
    assert server.admission._budget.addresses == {}, "a connection is counted for ever"


def forwarded(data: bytes) -> None:
    """The header X-Forwarded-For of a trusted proxy."""
    trusted = [ip_network("127.0.0.0/8"), ip_network("2001:db8::/32")]
    ip_address(client_address("127.0.0.1", data.decode("latin-1"), trusted).partition("%")[0])


def state(data: bytes) -> None:
    """The records in a state file."""
    try:
        snapshot = load(data)
    except ValueError:
        return
    assert load(dump(snapshot)) == snapshot


def journal(data: bytes) -> None:
    """The content of a journal; lines whose checksums are wrong are never looked into."""
    try:
        contents = read_lines(data)
    except OtherVersionError:
        return
    assert contents.unused <= len(data)
    assert not contents.dropped & contents.bodies.keys()
    _rebuild(contents.bodies)


def journal_records(data: bytes) -> None:
    """The records in a journal whose checksums are right: one a line, for the key that it names."""
    keys = [(re.match(rb'\{"key":"([a-z]{1,8}:[0-9A-Z]{0,26})"', body), body) for body in data.split(b"\n")]
    lines = [encode_line(key[1].decode(), body, 0) for key, body in keys if key is not None]
    contents = read_lines(b"".join(lines))
    assert (contents.damaged, contents.unused) == (0, 0)
    _rebuild(contents.bodies)


def _rebuild(bodies: Mapping[str, bytes]) -> None:
    snapshot = rebuild(bodies).snapshot
    assert load(dump(snapshot)) == snapshot


def handover(data: bytes) -> None:
    """What the other process of an upgrade sends, in pieces; a state in it is read as the successor does."""
    reader = FrameReader()
    try:
        for start in range(0, len(data), PIECE):
            for payload in reader.receive(data[start : start + PIECE]):
                message, body = decode(payload)
                assert [decode(again) for again in FrameReader().receive(encode(message, body))] == [(message, body)]
                if isinstance(message, State):
                    state(body)
    except HandoverError as error:
        assert str(error)


def toml(data: bytes) -> None:
    """A configuration file."""
    path = Path(tempfile.gettempdir(), f"signald-fuzz-{id(TARGETS)}.toml")
    path.write_bytes(data)
    try:
        from_file(path)
    except ConfigError as error:
        assert str(error)
    finally:
        path.unlink()


def environment(data: bytes) -> None:
    """Variables: lines of NAME=VALUE."""
    text = data.decode("utf-8", "replace")
    pairs = (line.partition("=") for line in text.splitlines())
    try:
        from_environment({f"SIGNALD_{name}": value for name, _, value in pairs})
    except ConfigError as error:
        assert str(error)


def control(data: bytes) -> None:
    """Messages of remote control, one a line; those with a space before them are of a viewer without control."""
    consent = Consent(Rules("ask", allow_unverified=True))
    for connection in (1, 2):
        consent.connection_opened(connection, str(connection), "", 0.0)
    consent.received(1, {"type": "control-request", "version": 1, "embedded": False}, 0.0)
    consent.answered(1, True, 2.0)
    held = set[object]()
    for number, line in enumerate(data.split(b"\n")):
        try:
            message = orjson.loads(line)
        except ValueError:
            continue
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            continue
        sender = 2 if line.startswith(b" ") else 1
        for effect in consent.received(sender, message, 2.0 + number / 1000):
            match effect:
                case Inject(event=event):
                    assert sender == consent.controller == 1
                    _follow(event, held)
                case ControlStarted():
                    raise AssertionError("control was given to somebody without an answer")
                case ControlEnded():
                    held.clear()
    assert len(held) <= MAX_HELD


def _follow(event: Any, held: set[object]) -> None:
    """Check an injected event, and keep account of what it holds."""
    if isinstance(event, (control_messages.Key, control_messages.Button)):
        name = event.code if isinstance(event, control_messages.Key) else event.button
        assert (name in held) != event.down
        (held.add if event.down else held.remove)(name)
    if isinstance(event, (control_messages.Pointer, control_messages.Button, control_messages.Wheel)):
        assert 0.0 <= event.x <= 1.0
        assert 0.0 <= event.y <= 1.0
    if isinstance(event, control_messages.Wheel):
        assert max(abs(event.right), abs(event.down)) <= control_messages.MAX_WHEEL_STEPS


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        native,
        shaped,
        serde,
        strings,
        http,
        websocket,
        peerjs,
        peerjs_websocket,
        matchbox,
        matchbox_websocket,
        proxied,
        forwarded,
        state,
        journal,
        journal_records,
        handover,
        toml,
        environment,
        control,
    )
}
"""All of them, by name."""
