"""The attacks: one generator each, which runs on every connection of its attack.

A generator yields bytes to send; nothing, for a while, where it yields none. What the server says is in its `Link`,
unless the attack is not to read. When the server ends a connection, the attacker makes another one and begins again.
"""

from __future__ import annotations

import functools
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence

from tests.suites.attacks.floods import FLOODS
from tests.suites.attacks.links import Link, Load, body, greet, session_of, upgrade, wait_for
from tests.support.endpoints import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    frame_header,
    request,
    upgrade_request,
)

HOST = {"Host": "localhost"}
RUBBISH = b"x" * 65536

#: Symbols of session ids.
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def endless_frame(link: Link) -> Iterator[bytes]:
    """A frame of a terabyte."""
    yield from upgrade(link)
    yield frame_header(TEXT, 1 << 40) + b"mask"
    while True:
        yield RUBBISH


def endless_message(link: Link) -> Iterator[bytes]:
    """Pieces of a message that never ends."""
    yield from upgrade(link)
    yield frame(TEXT, b"x" * 4000, fin=False)
    piece = frame(CONTINUATION, b"x" * 4000, fin=False) * 16
    while True:
        yield piece


def empty_pieces(link: Link) -> Iterator[bytes]:
    """Pieces without a byte, which no bound of bytes stops."""
    yield from upgrade(link)
    yield frame(TEXT, fin=False)
    pieces = frame(CONTINUATION, fin=False) * 5000
    while True:
        yield pieces


def endless_ping(link: Link) -> Iterator[bytes]:
    """A control frame of a terabyte."""
    yield from upgrade(link)
    yield frame_header(PING, 1 << 40) + b"mask"
    while True:
        yield RUBBISH


def _controls(opcode: int) -> Iterator[bytes]:
    """Control frames of the largest size, without end."""
    many = frame(opcode, b"x" * 125) * 400
    while True:
        yield many


def pings(link: Link) -> Iterator[bytes]:
    """Pings of the largest size."""
    yield from upgrade(link)
    yield from _controls(PING)


def unread_pings(link: Link) -> Iterator[bytes]:
    """The same, and their pongs are not read."""
    yield from upgrade(link)
    link.reads = False
    yield from _controls(PING)


def pongs(link: Link) -> Iterator[bytes]:
    """Pongs that nobody asked for."""
    yield from upgrade(link)
    yield from _controls(PONG)


def binary(link: Link) -> Iterator[bytes]:
    """Binary messages."""
    yield from upgrade(link)
    while True:
        yield frame(BINARY, RUBBISH[:60000])


def bomb(link: Link) -> Iterator[bytes]:
    """Offer compression, and send compressed frames even when the server declined it."""
    yield from upgrade(link, sec_websocket_extensions="permessage-deflate; server_max_window_bits=15")
    # Zeros by the thousand in each byte (RFC 1951 §3.2.4), marked as compressed (RFC 7692 §6).
    packed = b"\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08\x0a" + bytes(50000)
    many = frame(TEXT, packed, rsv=4)
    while True:
        yield many


def small_requests(link: Link) -> Iterator[bytes]:
    """Requests whose replies are larger, and are not read."""
    yield from greet(link)
    yield body("open", capacity=8, label="x" * 64, name="x" * 64)
    yield from wait_for(link, "opened")
    link.reads = False
    many = b"".join(body("join", id="x" * 64, session=session_of(link)) for _ in range(200))
    while True:
        yield many


def unread_messages(link: Link) -> Iterator[bytes]:
    """Pairs: one sends large messages to the other, which does not read."""
    yield from greet(link, **({} if link.number % 2 else {"instance": os.urandom(8).hex()}))
    if link.number % 2 == 0:
        yield body("open")
        yield from wait_for(link, "opened")
        link.shared.append(session_of(link))
        link.reads = False
        while True:
            yield b""
    while not link.shared:
        yield b""
    session = link.shared.popleft()
    yield body("join", session=session)
    yield from wait_for(link, "joined", "error")
    large = body("message", session=session, content="x" * 32000)
    while True:
        yield large


def requests_ahead(link: Link) -> Iterator[bytes]:
    """Requests for a large file, one after the other without a look at the responses."""
    link.reads = False
    many = request(link.asset, HOST) * 500
    while True:
        yield many


def unread_response(link: Link) -> Iterator[bytes]:
    """Send one request for a large asset, and never read the response."""
    link.reads = False
    yield request(link.asset, HOST)
    while True:
        yield b""


def endless_body(link: Link) -> Iterator[bytes]:
    """A body of gigabytes."""
    yield request("/", {**HOST, "Content-Length": "9999999999"}, method="POST")
    while True:
        yield RUBBISH


def endless_chunks(link: Link) -> Iterator[bytes]:
    """A body in chunks that never ends."""
    yield request("/ws", {**HOST, "Transfer-Encoding": "chunked"}, method="POST")
    while True:
        yield b"8000\r\n" + RUBBISH[:0x8000] + b"\r\n"


def endless_header(link: Link) -> Iterator[bytes]:
    """A header that does not end."""
    yield request("/", HOST)[:-2] + b"X: "
    while True:
        yield RUBBISH


def endless_headers(link: Link) -> Iterator[bytes]:
    """Headers that do not end."""
    yield request("/", HOST)[:-2]
    many = b"X: x\r\n" * 1000
    while True:
        yield many


def messages(link: Link) -> Iterator[bytes]:
    """Valid messages, as fast as they go."""
    yield from greet(link)
    many = body("ping") * 100
    while True:
        yield many


@functools.cache
def hostile_texts() -> Sequence[bytes]:
    """Frames with inputs that have broken JSON parsers, made once: to mask them takes the attacker long."""
    texts = [
        b"[" * 60000,
        b'{"type":' * 7000,
        b'{"type":"ping","id":' + b"9" * 60000 + b"}",
        b'{"type":"ping","id":1e400}',
        b'{"type":NaN}',
        b'{"type":"ping","id":"\\ud800"}',
        b'{"type":"ping","id":"\\u0000"}',
        b'{"type":"ping","type":"open"}',
        b'{"type":"' + b"a" * 60000 + b'"}',
        b"\xef\xbb\xbf{}",
        b'{"__proto__":{},"type":"ping"}',
        b"{" + b",".join(b'"k%d":0' % number for number in range(6000)) + b"}",
        b"",
        b"null",
        b'"SessionNew"',
    ]
    return [frame(TEXT, text) for text in texts]


def hostile_json(link: Link) -> Iterator[bytes]:
    """Inputs that have broken JSON parsers, one after the other."""
    yield from greet(link)
    while True:
        yield from hostile_texts()


def sessions(link: Link) -> Iterator[bytes]:
    """Identities that can come back, each with all the sessions that it may have, left behind again and again."""
    yield from greet(link, instance=os.urandom(8).hex(), agent="x" * 64)
    yield b"".join(body("open", capacity=8, label="x" * 64, name="x" * 64, keep=True) for _ in range(30))
    yield from wait_for(link, "error")
    # To be away, not gone.
    yield frame(8, struct.pack("!H", 1006 + 2994))
    while True:
        yield b""


def passwords(link: Link) -> Iterator[bytes]:
    """Passwords to hash, which costs the most of all that can be asked for."""
    yield from greet(link)
    many = body("open", password="x" * 128) * 10
    while True:
        yield many


def guesses(link: Link) -> Iterator[bytes]:
    """Ids of sessions, at random."""
    yield from greet(link)
    while True:
        yield b"".join(body("join", session="".join(SYMBOLS[byte % 32] for byte in os.urandom(10))) for _ in range(20))


def connections(link: Link) -> Iterator[bytes]:
    """Nothing: the connection is the attack."""
    link.over = True
    yield b"G"


def _register(link: Link, id: str) -> Iterator[bytes]:
    """Claim an id as a client of PeerJS."""
    yield upgrade_request(f"/peerjs?key=peerjs&id={id}&token=token")
    while b'"OPEN"' not in link.received:
        yield b""


def to_nobody(link: Link) -> Iterator[bytes]:
    """Offers to ids that nobody has, from clients of PeerJS."""
    yield from _register(link, os.urandom(8).hex())
    while True:
        offers = [{"type": "OFFER", "dst": os.urandom(8).hex(), "payload": "x" * 200} for _ in range(20)]
        yield b"".join(frame(TEXT, json.dumps(offer).encode()) for offer in offers)


def ghosts(link: Link) -> Iterator[bytes]:
    """One id of PeerJS, which every connection takes over from the one before."""
    yield from _register(link, "ghost")
    while True:
        yield frame(TEXT, b'{"type":"OFFER","dst":"ghost"}')
        yield b""


def crowded_room(link: Link) -> Iterator[bytes]:
    """One room of matchbox that is full, whose clients talk to each other, and which some leave and enter again."""
    yield upgrade_request("/matchbox/crowd")
    while b'"IdAssigned"' not in link.received:
        yield b""
    other = bytes(link.received).partition(b'"IdAssigned":"')[2][:36].decode()
    signal = frame(TEXT, json.dumps({"Signal": {"receiver": other, "data": {"Offer": "x" * 200}}}).encode())
    for _ in range(20):
        yield signal
    link.over = link.number % 4 == 1
    while True:
        yield signal
        yield b""


LOADS: Mapping[str, Load] = {
    "endless-frame": Load("frame without limit", "a frame of 1 TiB", ("1009 message-too-large",), endless_frame),
    "endless-message": Load(
        "message without limit", "fragments of 4,000 bytes without end", ("1009 message-too-large",), endless_message
    ),
    "empty-pieces": Load(
        "zero-length continuations", "fragments of no bytes without end", ("1008 too-many-fragments",), empty_pieces
    ),
    "endless-ping": Load("control frame without limit", "a ping of 1 TiB", ("1002",), endless_ping),
    "pings": Load("ping flood", "pings of 125 bytes, pongs read", ("1008 too-many-control-frames",), pings),
    "unread-pings": Load("ping flood, pongs unread", "the same, pongs not read", (), unread_pings),
    "pongs": Load("pong flood", "pongs of 125 bytes", ("1008 too-many-control-frames",), pongs),
    "binary": Load("binary messages", "binary messages of 60 kB", ("1003 unsupported-data",), binary),
    "bomb": Load("deflate bomb", "permessage-deflate offered, compressed frames sent", ("1002",), bomb),
    "unread-messages": Load("slow reader", "messages of 32 kB to members that do not read", (), unread_messages),
    "small-requests": Load("many small requests, replies unread", "200 requests at a time", (), small_requests),
    "requests-ahead": Load(
        "HTTP requests ahead, unread", "500 requests for the page's code at a time", (), requests_ahead
    ),
    "unread-response": Load("HTTP response unread", "one request for the page's code", (), unread_response),
    "endless-body": Load("HTTP request body", "a body of 10 GB", ("413 body-refused",), endless_body),
    "endless-chunks": Load("HTTP request body in chunks", "chunks without end", ("413 body-refused",), endless_chunks),
    "endless-header": Load(
        "HTTP header without end", "one header without end", ("431 headers-too-large",), endless_header
    ),
    "endless-headers": Load("HTTP header flood", "headers without end", ("431 headers-too-large",), endless_headers),
    "messages": Load("message flood", "valid requests as fast as they go", ("1008 too-many-messages",), messages, True),
    "hostile-json": Load("hostile JSON", "depth, numbers, surrogates, keys, sizes", (), hostile_json),
    "sessions": Load("identities and sessions left behind", "30 sessions each, then away", (), sessions),
    "passwords": Load("passwords to hash", "sessions with passwords", ("1008 too-many-messages",), passwords, True),
    "guesses": Load("guessing session ids", "random ids", (), guesses),
    "to-nobody": Load(
        "messages to PeerJS ids that nobody has", "offers to random ids", ("1008 too-many-messages",), to_nobody, True
    ),
    "ghosts": Load("one PeerJS id for many connections", "the same id and token", ("4001 replaced",), ghosts),
    "connections": Load("connection flood", "connections as fast as they go", (), connections),
    **FLOODS,
    "crowded-room": Load(
        "one matchbox room for many connections", "entries, signals and ends", ("4004 room-full",), crowded_room
    ),
}
"""All attacks, by name."""
