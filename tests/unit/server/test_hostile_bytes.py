"""Hostile input: no bytes raise an exception, cause a log line or leave state behind."""

from __future__ import annotations

import random

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.core.limits import Limits
from signald.page.assets import FOREVER, Asset, Representation
from tests.support.endpoints import UPGRADE, Endpoint, frame, frame_header, request
from tests.support.memory_server import MemoryServer

CASES = 1000

LINES = request("/ws", {**UPGRADE, "Origin": "http://signald.example", "X-Forwarded-For": "192.0.2.9"}).split(b"\r\n")[
    :-2
]

OTHER_LINES = (
    b"Content-Length: 0", b"Content-Length: 5", b"Transfer-Encoding: chunked", b" folded", b"Expect: 100-continue",
    b"Sec-WebSocket-Protocol: a, a", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"9",
    b"Cookie: a=b; \xff", b"Accept-Encoding: \xff;q=", b"If-None-Match: \xff",
)  # fmt: skip

OTHER_TARGETS = (
    b"GET / HTTP/1.1", b"HEAD /assets/big HTTP/1.1", b"GET /assets/big HTTP/1.0", b"POST / HTTP/1.1", b"GET * HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"GET /%2e%2e/%00 HTTP/1.1", b"GET //x?&=%zz HTTP/1.1", b"GET http://[::1/ws HTTP/1.1", b"",
)  # fmt: skip

PIECES = (b"\x00", b"\xff", b"\r\n", b"\n", b" ", b":", b",", b";", b"=", b'"', b"[", b"]", b"%", b"#", b"?", b"\x85")


class BytesTests(SynchronousTestCase):
    """Mutated handshakes and random frames are sent whole or in pieces, to the bare port and to the site."""

    def setUp(self) -> None:
        """Start both listeners, and record the log."""
        self.random = random.Random(6455)
        limits = Limits(address_connections=10**6, address_connection_rate=1e6, address_connection_burst=10**6)
        big = Asset("/assets/big", "application/wasm", FOREVER, {"identity": Representation(bytes(200_000), '"big"')})
        self.server = MemoryServer(limits, assets={big.path: big}, ca_der=b"certificate")
        self.clock, self.record, self.budget = self.server.clock, self.server.record, self.server.budget
        self.complaints: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            # All clients are one address that sends X-Forwarded-For, which deserves its warning.
            if event["log_level"] >= LogLevel.warn and event.get("event") != "unnamed-proxy":
                self.complaints.append(str(formatEvent(event)))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def mutated(self, line: bytes) -> bytes:
        """Return the line with one or two bytes inserted, removed or changed."""
        for _ in range(self.random.randint(1, 2)):
            position, kind = self.random.randrange(len(line) + 1), self.random.randrange(3)
            inserted = (self.random.choice(PIECES), b"", self.random.randbytes(1))[kind]
            line = line[:position] + inserted + line[position + min(kind, 1) :]
        return line

    def handshake(self) -> bytes:
        """Return an opening handshake, which is malformed in half of the cases."""
        lines = list(LINES)
        for _ in range(self.random.choice((0, 1, 2))):
            position = self.random.randrange(len(lines))
            match self.random.randrange(5):
                case 0:
                    del lines[position]
                case 1:
                    lines.insert(position, lines[position])
                case 2:
                    lines[position] = self.mutated(lines[position])
                case 3:
                    lines.insert(position, self.random.choice(OTHER_LINES))
                case _:
                    lines[0] = self.random.choice(OTHER_TARGETS)
        return b"\r\n".join([*lines, b"", b""])

    def frame(self) -> bytes:
        """Return a frame, mostly a valid one (RFC 6455 §5.2)."""
        chance = self.random
        opcode = chance.choice((0, 1, 1, 1, 2, 8, 9, 10, chance.randrange(16)))
        if chance.random() < 0.05:
            return frame_header(opcode, chance.choice((126, 1 << 16, 1 << 40, (1 << 64) - 1))) + b"mask"
        length = chance.choice((0, 1, 2, 125, 126, 300, 70_000)) if chance.random() < 0.2 else chance.randrange(20)
        payload = chance.randbytes(length) if chance.random() < 0.2 else b"a" * length
        mask = None if chance.random() < 0.05 else b"mask"
        rsv = chance.randrange(8) if chance.random() < 0.05 else 0
        return frame(opcode, payload, fin=chance.random() < 0.8, mask=mask, rsv=rsv)

    def talk(self, listener: IProtocolFactory) -> None:
        """Open a connection, send hostile bytes, and close it."""
        line = Endpoint(listener, clock=self.clock)
        data = self.handshake()
        pieces = (
            [data[start : start + 50] for start in range(0, len(data), 50)] if self.random.random() < 0.5 else [data]
        )
        line.send(*pieces)
        line.answer()
        for _ in range(self.random.randrange(8)):
            line.send(self.frame())
            if self.random.random() < 0.5:
                line.answer()
        self.clock.pump([self.random.random() * 4.0] * self.random.randrange(15))
        line.disconnect()

    def test_anything(self) -> None:
        """A thousand connections to each port raise nothing, log nothing and leave nothing open."""
        for _ in range(CASES):
            self.talk(self.server.site)
            self.talk(self.server.bare)
        self.assertEqual(self.complaints, [])
        self.assertEqual(self.budget.total, 0)
        self.assertEqual(self.record.connections, {})
        ports = self.server.page.signaling_port, self.server.bare.signaling_port
        self.assertEqual([len(port.connections) for port in ports], [0, 0])
        self.assertEqual(len(self.server.site.http_connections), 0)
        self.assertEqual(sum(self.server.admission._budget.addresses.values()), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertGreater(len(self.record.addresses), CASES // 2)
        self.assertGreater(len(self.record.heard), CASES // 10)
