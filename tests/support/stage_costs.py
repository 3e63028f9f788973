"""The CPU of what the server does in memory, as a ratio to a fixed loop of orjson.

`python -m tests.support.stage_costs` measures, and writes the ratios into the file that the guard of the unit tests
compares with. Ratios depend on the interpreter, and hardly on the machine and on what else it does: the loop runs
beside each stage, and the least of several runs counts.
"""

from __future__ import annotations

import gc
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from twisted.internet.task import Clock

from signald.core.limits import Limits
from signald.dialects.native import Native
from signald.server.factory import SignalingFactory
from signald.server.web import make_site
from tests.support.connections import make_switchboard
from tests.support.directory_server import DirectoryServer
from tests.support.endpoints import TEXT, Endpoint, frame, upgrade_request
from tests.support.memory_server import make_port

__all__ = ["PEERJS_STAGES", "RECORDED", "STAGES", "measure", "read_recorded"]

RECORDED = Path(__file__).parents[1] / "recorded" / "stage-costs.json"

RUNS = 9
PIECES = 10
"""Runs of a stage, and the pieces that are timed alone in each: short enough to be undisturbed now and then."""

MESSAGES = 16
CONNECTIONS = 2
LOOPS = 1000
"""How often each is done in a piece, which takes one or two milliseconds."""

DOCUMENT = orjson.dumps(
    {"type": "candidates", "negotiation": {"offerer": "A" * 26, "n": 1}, "candidates": [{"candidate": "c" * 60}]}
)

LIMITS = Limits(
    message_rate=1e9, message_burst=10**9, message_byte_rate=1e12, message_byte_burst=10**12, address_connections=10**6,
    address_connection_rate=1e9, address_connection_burst=10**9, address_request_rate=1e9, address_request_burst=10**9,
    address_session_rate=1e9, address_session_burst=10**9,
)  # fmt: skip
"""Limits that one address does not reach: a budget that is full costs as much as one that is not."""


class _Server:
    """A server in memory with a real hub, behind its site."""

    def __init__(self) -> None:
        self.clock = Clock()
        port = make_port(self.clock, make_switchboard(self.clock, LIMITS), limits=LIMITS, dialects=(Native,))
        self.site = make_site({}, SignalingFactory(port), LIMITS, self.clock, None, False)

    def connect(self, hello: bytes) -> tuple[Endpoint, dict[str, Any]]:
        """Connect a client, and return it with its welcome."""
        client = Endpoint(self.site, clock=self.clock)
        client.send(UPGRADE)
        client.answer()
        client.send(hello)
        return client, json.loads(client.frames()[0][1])


UPGRADE = upgrade_request(sec_websocket_protocol="signald.1")


def _text(**body: object) -> bytes:
    return frame(TEXT, orjson.dumps(body))


HELLO = _text(type="hello", version=1, instance="measured")


def _request(client: Endpoint, **body: object) -> dict[str, Any]:
    client.send(_text(**body))
    reply: dict[str, Any] = json.loads(client.frames()[0][1])
    return reply


def forwarding() -> Callable[[], None]:
    """Return the stage that forwards candidates one by one between clients that can resume, with an `ack` for all."""
    server = _Server()
    (host, host_welcome), (guest, guest_welcome) = server.connect(HELLO), server.connect(HELLO)
    session = _request(host, type="open", id="1")["session"]
    _request(guest, type="join", id="1", session=session)
    host.answer()
    negotiation = {"offerer": guest_welcome["user"], "n": 1}
    keys = {"type": "candidates", "session": session, "to": host_welcome["user"], "negotiation": negotiation}
    message = _text(**keys, candidates=[{"candidate": "c" * 49}])
    received = 1  # `member-joined`

    def run() -> None:
        nonlocal received
        for _ in range(MESSAGES):
            guest.send(message)
        arrived = len(host.frames())
        received += arrived
        if arrived < MESSAGES:
            raise AssertionError(f"{arrived} of {MESSAGES} messages were forwarded")
        host.send(_text(type="ack", received=received))
        guest.answer()

    return run


def connecting() -> Callable[[], None]:
    """Return the stage that upgrades connections of clients that can resume and greets them."""
    server = _Server()

    def run() -> None:
        for _ in range(CONNECTIONS):
            client, welcome = server.connect(HELLO)
            if welcome["type"] != "welcome":
                raise AssertionError(welcome)
            client.disconnect()

    return run


PEERJS_IDS = tuple(f"{number}b5d3a0e-8d6f-4b5c-9d53-7a4cfb7a2f6e" for number in range(2))
"""Ids as long as those that clients of PeerJS get."""


def _connect_peerjs(server: DirectoryServer, id: str) -> Endpoint:
    client = Endpoint(server.site, clock=server.clock)
    client.send(upgrade_request(f"/peerjs?key=peerjs&id={id}&token=ty0vd3a1&version=1.5.5"))
    if not client.answer().endswith(b'{"type":"OPEN"}'):
        raise AssertionError("a client of PeerJS was not registered")
    return client


def forwarding_peerjs() -> Callable[[], None]:
    """Return the stage that forwards candidates one by one between clients of PeerJS."""
    server = DirectoryServer(LIMITS)
    host, guest = (_connect_peerjs(server, id) for id in PEERJS_IDS)
    candidate = {"candidate": "c" * 49, "sdpMid": "0", "sdpMLineIndex": 0}
    payload = {"candidate": candidate, "type": "data", "connectionId": "dc_ty0vd3a1"}
    message = _text(type="CANDIDATE", dst=PEERJS_IDS[0], payload=payload)

    def run() -> None:
        for _ in range(MESSAGES):
            guest.send(message)
        if len(host.frames()) < MESSAGES:
            raise AssertionError("not all messages were forwarded")

    return run


def connecting_peerjs() -> Callable[[], None]:
    """Return the stage that upgrades connections of clients of PeerJS and registers them."""
    server = DirectoryServer(LIMITS)

    def run() -> None:
        for id in PEERJS_IDS:
            _connect_peerjs(server, id).disconnect()

    return run


def _reference() -> None:
    for _ in range(LOOPS):
        orjson.dumps(orjson.loads(DOCUMENT))


STAGES: dict[str, tuple[Callable[[], Callable[[], None]], int]] = {
    "forward a candidate": (forwarding, MESSAGES),
    "connect and greet": (connecting, CONNECTIONS),
}
"""The stages, and how many operations a run of each has."""

PEERJS_STAGES: dict[str, tuple[Callable[[], Callable[[], None]], int]] = {
    "forward a candidate": (forwarding_peerjs, MESSAGES),
    "connect and greet": (connecting_peerjs, CONNECTIONS),
}
"""The same for clients of PeerJS."""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Switch off what makes Python's code slower than orjson's in a run of the tests: tracing, and collections."""
    trace, profile = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setprofile(profile)
        sys.settrace(trace)


def _seconds(run: Callable[[], None]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def measure(make: Callable[[], Callable[[], None]], operations: int) -> float:
    """Return the CPU of one operation of a stage, as so many round trips through orjson."""
    with _undisturbed():
        run = make()
        run()
        stage, reference = [], []
        for _ in range(RUNS):
            reference += [_seconds(_reference) for _ in range(PIECES)]
            stage += [_seconds(run) for _ in range(PIECES)]
    return (min(stage) / operations) / (min(reference) / LOOPS)


def read_recorded() -> dict[str, float]:
    """Return the recorded ratios."""
    recorded: dict[str, float] = json.loads(RECORDED.read_text())["ratios"]
    return recorded


def main() -> None:
    """Measure and record the ratios."""
    ratios = {name: round(measure(*stage), 2) for name, stage in STAGES.items()}
    body = {"recorded with": f"CPython {platform.python_version()}, orjson {orjson.__version__}", "ratios": ratios}
    RECORDED.write_text(json.dumps(body, indent=1) + "\n")
    sys.stdout.write(RECORDED.read_text())


if __name__ == "__main__":
    main()
