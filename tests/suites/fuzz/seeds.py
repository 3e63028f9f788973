"""The seeds of fuzzing: valid inputs of each target, and the words of the fuzzer's dictionary."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from signald.core.journal_records import Record, Recorder
from signald.core.messages import AppMessage, Hello, Instance, Join, Open, Opened, UserId
from signald.core.snapshot import FORMATS, Snapshot, dump, take_snapshot
from signald.lifecycle.handover_channel import (
    PROTOCOL,
    Accepting,
    Loaded,
    Message,
    Refused,
    Start,
    State,
    Supervised,
    encode,
)
from signald.lifecycle.journal_lines import encode_line
from tests.support.endpoints import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    close_payload,
    frame,
    request,
    upgrade_request,
)
from tests.support.proxy_headers import SIGNATURE, binary, line
from tests.support.world import World

_ROOT = Path(__file__).resolve().parents[3]

_SERDE = [
    "SessionNew",
    "Debug",
    {"SessionJoin": "ZZZZZZZZZZ"},
    {"VideoOffer": ["sdp", "ZZZZZZZZZZ"]},
    {"VideoAnswer": ["sdp", "ZZZZZZZZZZ"]},
    {"IceCandidate": ['{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}', "ZZZZZZZZZZ"]},
    {"ICEError": ["text", "ZZZZZZZZZZ"]},
]


_PEERJS = [
    b'{"type":"HEARTBEAT"}',
    b'{"type":"LEAVE"}',
    *(
        json.dumps({"type": type_, "dst": dst, "payload": {"sdp": {"type": "offer"}}}).encode()
        for type_ in ("OFFER", "ANSWER", "CANDIDATE", "LEAVE", "EXPIRE")
        for dst in ("ben", "cat")
    ),
]


_MATCHBOX = [
    b'"KeepAlive"',
    *(
        json.dumps({"Signal": {"receiver": f"00000000-0000-4000-8000-00000000000{last}", "data": data}}).encode()
        for last in (1, 2, 3)
        for data in ({"Offer": "v=0"}, {"Answer": "v=0"}, {"IceCandidate": "{}"}, [1, None])
    ),
]


_CONTROL: list[dict[str, Any]] = [
    {"type": "control-pointer", "x": 0.5, "y": 2},
    {"type": "control-button", "x": 0, "y": 1, "button": 0, "down": True},
    {"type": "control-wheel", "x": 0, "y": 1, "right": -1, "down": 30},
    {"type": "control-key", "code": "KeyA", "down": True},
    {"type": "control-hold"},
    {"type": "control-clipboard", "text": "a"},
    {"type": "control-clipboard-read"},
    {"type": "control-request", "version": 1, "embedded": False, "code": "a"},
    {"type": "control-give-up"},
]


def examples() -> list[bytes]:
    """Return the messages of clients in the protocol's document."""
    text = (_ROOT / "docs/protocol.md").read_text()
    return [line.encode() for line in re.findall(r"^\w+ → (\{.*\})$", text, re.MULTILINE)]


def _world() -> World:
    """Return a server with a session of two members and an undelivered message."""
    world = World()
    host, guest = world.connect(), world.connect()
    for peer in (host, guest):
        world.send(peer, Hello(version=1, instance=Instance("one")))
    [opened] = world.send(host, Open(capacity=3, keep=True, label="label"))
    assert isinstance(opened, Opened)
    world.send(guest, Join(opened.session))
    world.send(guest, AppMessage(opened.session, "unread"))
    return world


def _state() -> bytes:
    """Return the state of this server, as an orderly stop writes it."""
    world = _world()
    return dump(take_snapshot(world.hub, world.registry, world.now))


def _records() -> list[Record]:
    """Return the records of this server in a journal."""
    world = _world()
    recorder = Recorder(world.hub, world.registry)
    now, wall = world.now, 1_800_000_000.0
    records = [recorder.of_key(key, now, wall) for key in recorder.subjects()]
    return [*records, recorder.user(UserId("0" * 26), now, wall), recorder.clock(now + 10.0, wall + 10.0)]


def seeds(target: str) -> list[bytes]:
    """Return valid inputs of a target; inputs for connections begin with a byte that sets the size of the pieces."""
    serde = [json.dumps(body).encode() for body in _SERDE]
    host = {"Host": "signald.example"}
    match target:
        case "native":
            return examples()
        case "serde":
            return serde
        case "strings":
            texts = ("", "null", "candidate:1 1 udp 1 192.0.2.7 5 typ host", '{ "candidate": "c", "x": 1 }')
            return [text.encode() for text in texts]
        case "http":
            asked = [
                request("/", host),
                request("/ws", host),
                upgrade_request(),
                request("/", host, version="HTTP/1.0"),
            ]
            asked.append(request("/", {**host, "Content-Length": "3"}, method="POST") + b"abc")
            asked.append(request("/", {**host, "Transfer-Encoding": "chunked"}, method="POST") + b"1\r\na\r\n0\r\n\r\n")
            return [bytes([piece]) + text for text in asked for piece in (0, 255)]
        case "peerjs":
            return [b"id=ann&token=t&key=peerjs\n" + text for text in _PEERJS]
        case "peerjs_websocket":
            return [
                b"\xff" + b"".join(frame(TEXT, text) for text in _PEERJS),
                *(b"\x00" + frame(TEXT, text) for text in _PEERJS),
            ]
        case "matchbox":
            return [b"room?next=2&token=t\n" + text for text in _MATCHBOX]
        case "matchbox_websocket":
            return [
                b"\xff" + b"".join(frame(TEXT, text) for text in _MATCHBOX),
                *(b"\x00" + frame(TEXT, text) for text in _MATCHBOX),
            ]
        case "websocket":
            said = [frame(TEXT, text) for text in examples()[:12]]
            said += [frame(PING, b"x"), frame(CLOSE, close_payload(1000)), frame(BINARY, b"x")]
            said.append(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b"))
            return [
                b"\x01" + b"".join(said),
                *(b"\x7f" + one for one in said),
                *(b"\xff" + frame(TEXT, one) for one in serde),
            ]
        case "proxied":
            here, there = ip_address("192.0.2.1"), ip_address("2001:db8::1")
            heads = [
                line(here, here, 4711, 443),
                line(there, there, 4711, 443),
                binary(here, here, 4711, 443),
                binary(there, there, 4711, 443, b"\x03\x00\x04abcd"),
                b"PROXY UNKNOWN\r\n",
                SIGNATURE + b"\x20\x00\x00\x00",
            ]
            return [pieces + head + request("/", host) for head in heads for pieces in (b"\x00", b"\xff")]
        case "forwarded":
            return [
                b"192.0.2.1, 127.0.0.1",
                b"[2001:db8::1]:443",
                b"192.0.2.1:80",
                b"::ffff:192.0.2.1",
                b"fe80::1%eth0",
            ]
        case "state":
            return [dump(Snapshot(FORMATS[-1], [], [], [])), _state()]
        case "handover":
            messages: list[Message] = [
                Start(PROTOCOL, "0.1.0", list(FORMATS), ["page"], queues=True, has_lock=True),
                Loaded("0.1.0", FORMATS[-1]),
                Refused("port: expected a number."),
                Accepting(),
                Supervised(),
            ]
            frames = [*map(encode, messages), encode(State(1.0, 0.001), _state())]
            return [b"".join(frames), *frames]
        case "journal":
            lines = [encode_line(record.key, record.body, 0) for record in _records()]
            return [b"".join(lines), b"".join(lines)[:-20], *lines]
        case "journal_records":
            return [b"\n".join(record.body for record in _records()), *(record.body for record in _records())]
        case "toml":
            return [b'port = 9000\ntls = false\n[limits]\nfragments = 9\n[ice]\nservers = ["stun:stun.example.org"]\n']
        case "environment":
            return [b"PORT=9000\nTLS=no\nLIMITS_MESSAGE_BYTES=70000\nICE_SERVERS=stun:stun.example.org"]
        case "control":
            return [b"\n".join(json.dumps(message).encode() for message in _CONTROL)]
        case _:
            return [b""]


def words(target: str) -> set[str]:
    """Return the words that the fuzzer inserts into inputs of a target."""
    common = {'"', "{", "[", "\\ud800", "NaN", "1e999", "null", "true"}
    match target:
        case "state" | "journal_records" | "handover":
            return common | {word.decode() for word in re.findall(rb'"[a-z_-]+"', _state())}
        case "native" | "websocket":
            return common | {word.decode() for word in re.findall(rb'"[a-zA-Z-]+"', b"".join(examples()))}
        case "peerjs" | "peerjs_websocket":
            return common | {word.decode() for word in re.findall(rb'"[a-zA-Z]+"', b"".join(_PEERJS))}
        case "matchbox" | "matchbox_websocket":
            return common | {word.decode() for word in re.findall(rb'"[a-zA-Z0-9-]+"', b"".join(_MATCHBOX))}
        case "control":
            return common | {f'"{word}"' for message in _CONTROL for word in (*message, message["type"], "KeyA", "F5")}
        case "strings":
            return common | {'"candidate"', '"sdpMid"', '"sdpMLineIndex"', '"usernameFragment"'}
        case "serde":
            return common | {f'"{next(iter(body))}"' if isinstance(body, dict) else f'"{body}"' for body in _SERDE}
        case "http":
            return {
                "\r\n",
                "Host: ",
                "Content-Length: ",
                "Transfer-Encoding: chunked",
                "HTTP/1.1",
                "Connection: ",
                "Upgrade: websocket",
                "Sec-WebSocket-Key: ",
                "Sec-WebSocket-Protocol: signald.1",
                "Origin: ",
                "%00",
                "//",
                "/ws",
                "\x00",
            }
        case _:
            return common
