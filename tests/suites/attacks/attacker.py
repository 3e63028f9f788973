"""An attacker in a separate process: `python -m tests.suites.attacks.attacker`.

The attacker reads one order per line on standard input, as JSON, carries it out, and prints a line of JSON: how many
TCP connections it opened, how many bytes it sent, and how the connections ended.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import ssl
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from tests.suites.attacks.links import Link, Load
from tests.suites.attacks.loads import LOADS
from tests.suites.attacks.target import any_certificate

#: The seconds that a TCP connection and its TLS handshake may take.
PATIENCE = 5.0

#: The seconds after the end of an attack within which the server must have refused in every expected way.
REFUSED_WITHIN = 30.0

#: The seconds within which every connection of an attack has to be open; after them the attack counts as under way.
OPEN_WITHIN = 20.0

#: The seconds until an ended connection is replaced by a new one.
AGAIN = 0.02

#: The outcomes of a connection for which the server gave no reason.
CUT_OFF, LEFT = "cut off", "left open"

#: The number of bytes of the server's output that are kept.
KEPT = 4096


class Line:
    """One TCP connection of an attack."""

    def __init__(self, load: Load, link: Link, place: tuple[str, int], source: str, tls: bool) -> None:
        """Connect to the server.

        Raises:
            OSError: the connection could not be opened.

        """
        self.socket = socket.create_connection(place, timeout=PATIENCE, source_address=(source, 0))
        try:
            if tls:
                self.socket = any_certificate().wrap_socket(self.socket)
            self.socket.setblocking(False)
        except OSError:
            self.socket.close()
            raise
        self.link = link
        self.head = b""
        self.sent = 0
        self._attack: Iterator[bytes] = load.attack(self.link)
        self._rest = memoryview(b"")

    def step(self) -> bool:
        """Send and receive without blocking; return whether any bytes were transferred.

        Raises:
            OSError: the connection has ended.

        """
        went = self.link.reads and self._receive()
        if went and self.link.number % 2 and ending(self.head, bytes(self.link.received)) != CUT_OFF:
            # Odd-numbered connections reconnect once the server has refused them; the others continue to send.
            raise ConnectionResetError
        if not self._rest:
            self._rest = memoryview(next(self._attack, b""))
        if self._rest:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                count = self.socket.send(self._rest[:65536])
                self.sent += count
                self._rest = self._rest[count:]
                went = True
        return went

    def _receive(self) -> bool:
        try:
            piece = self.socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        if not piece:
            raise ConnectionResetError
        self.head = (self.head + piece)[:KEPT] if len(self.head) < KEPT else self.head
        self.link.received += piece
        del self.link.received[:-KEPT]
        return True

    def end(self) -> str:
        """Close the connection; return how the server had ended it."""
        if self.link.reads:
            with contextlib.suppress(OSError):
                while self._receive():
                    pass
        self.socket.close()
        return ending(self.head, bytes(self.link.received))


def ending(head: bytes, tail: bytes) -> str:
    """Return how the server ended a TCP connection, from the first and the last bytes of its output."""
    for length in range(2, 126):
        at = len(tail) - length - 2
        if at >= 0 and tail[at] == 0x88 and tail[at + 1] == length:
            reason = tail[at + 4 :].decode("utf-8", "replace")
            number = int.from_bytes(tail[at + 2 : at + 4], "big")
            # Other reasons are Autobahn's sentences, which repeat the meaning of the close code.
            return f"{number} {reason}" if reason.replace("-", "").isalpha() and reason.islower() else str(number)
    if head.startswith(b"HTTP/1.1 ") and not head.startswith(b"HTTP/1.1 101"):
        code = head.partition(b'"code":"')[2].partition(b'"')[0]
        return f"{head[9:12].decode()} {code.decode()}".rstrip()
    return CUT_OFF


def carry_out(
    name: str,
    port: int,
    tls: bool,
    seconds: float,
    count: int,
    sources: Sequence[str],
    asset: str,
    refused: Sequence[str],
    under_way: Callable[[], None],
) -> dict[str, object]:
    """Attack for a number of seconds, and then until the server has refused connections in every expected way.

    The seconds begin when the attack is under way: every connection was opened, and the server has answered it once or
    ended it, unless the attack reads no answers.

    On a busy machine the attacker gets little processor time, and reaches a limit of the server later.

    Arguments:
        name: the name of the attack in `LOADS`.
        port: the port of the server.
        tls: whether the server speaks TLS.
        seconds: the least duration of the attack.
        count: the number of connections at a time.
        sources: the addresses from which to connect, in turn.
        asset: the path of the largest file that is served.
        refused: the endings of connections that have to occur; the attack waits `REFUSED_WITHIN` seconds for them.
        under_way: called when the attack is under way.

    """
    load, shared, kept = LOADS[name], deque[str](), dict[int, str]()
    lines: list[Line | None] = [None] * count
    again = [0.0] * count
    ends = Counter[str]()
    opened = sent = 0
    silent = set(range(count))
    begun = time.monotonic()
    until = math.inf
    while (now := time.monotonic()) < until or (
        now < until + REFUSED_WITHIN and any(expected not in ends for expected in refused)
    ):
        if until == math.inf and (not silent or now > begun + OPEN_WITHIN):
            until = now + seconds
            under_way()
        went = False
        for number, line in enumerate(lines):
            if line is None:
                if now < again[number]:
                    continue
                try:
                    link = Link(number, shared, asset, kept=kept)
                    # Connections of one session come from one address.
                    source = sources[number * len(sources) // count]
                    line = lines[number] = Line(load, link, ("127.0.0.1", port), source, tls)
                    opened += 1
                except OSError:
                    ends["not let in"] += 1
                    again[number] = now + AGAIN
                    silent.discard(number)
                    continue
            try:
                went |= line.step()
                if line.head or not line.link.reads or line.link.over:
                    silent.discard(number)
            except OSError:
                silent.discard(number)
                ends[line.end()] += 1
                sent += line.sent
                lines[number], again[number] = None, now + AGAIN
            else:
                if line.link.over:
                    line.socket.close()
                    lines[number] = None
        if not went:
            time.sleep(0.001)
    for line in lines:
        if line is not None:
            sent += line.sent
            # The server has not ended the connections that are still open, so that `cut off` is counted as `left open`.
            ends[line.end().replace(CUT_OFF, LEFT)] += 1
    return {"opened": opened, "sent": sent, "ends": dict(ends)}


def main() -> None:
    """Carry out orders until standard input ends: print a line when each is under way, and its report at the end."""
    # A real attacker runs on another machine, and would not take processor time from the server and the bystander.
    os.nice(10)

    def tell(what: object) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    for order in sys.stdin:
        tell(carry_out(**json.loads(order), under_way=lambda: tell("under way")))


if __name__ == "__main__":
    main()
