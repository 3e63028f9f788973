"""A real switchboard with an empty hub, and in-memory connections that replace WebSockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from signald.core.errors import ErrorCode
from signald.core.hub import Hub
from signald.core.limits import AddressKey, Limits
from signald.core.messages import Event
from signald.core.registry import MemoryRegistry
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.dialects.native import Native
from signald.server.switchboard import Switchboard
from tests.support.access import open_access
from tests.support.endpoints import parse_frames
from tests.support.world import HOME, HOST_SECRET, TICKETS, counting_bytes


class MemoryConnection:
    """Decodes and encodes messages as a WebSocket does, and records what the switchboard sends to the peer.

    Attributes:
        switchboard: the switchboard with which the connection is registered.
        dialect: the dialect that decodes and encodes the frames.
        peer: the peer id of the connection at the switchboard.
        frames: the sent frames that `take_messages` has not removed yet.
        closed: the code and reason of each close.
        aborted: whether the connection was aborted.
        on_send: called with each frame after it was recorded.

    """

    def __init__(self, switchboard: Switchboard, dialect: Dialect | None = None, address: AddressKey = HOME) -> None:
        self.switchboard = switchboard
        self.dialect = Native() if dialect is None else dialect
        self.frames: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.aborted = False
        self.on_send: Callable[[bytes], None] = lambda _: None
        self.peer: PeerId = switchboard.add_connection(self, address, self.dialect.traits)
        switchboard.receive_requests(self.peer, self.dialect.initial_requests())

    def receive(self, frame: bytes) -> None:
        """Deliver a frame from the peer to the switchboard."""
        try:
            requests = self.dialect.decode(frame)
        except DecodeError as error:
            self.switchboard.receive_malformed(self.peer, error)
        else:
            self.switchboard.receive_requests(self.peer, requests)

    def say(self, **message: object) -> None:
        """Deliver a message from the peer, encoded as JSON, to the switchboard."""
        self.receive(json.dumps(message).encode())

    def disconnect(self, code: int | None = None) -> None:
        """End the connection, with the code of the peer's close frame if the peer sent a close frame."""
        self.switchboard.remove_connection(self.peer, code)

    def send_event(self, event: Event) -> None:
        """Encode an event and record its frames."""
        for frame in self.dialect.encode(event):
            if isinstance(frame, CloseFrame):
                self.close(frame.code, frame.reason)
                return
            self.send(frame)

    def send_frames(self, frames: bytes) -> None:
        """Record WebSocket frames that were forwarded directly."""
        for _, payload in parse_frames(frames):
            self.send(payload)

    def send(self, frame: bytes) -> None:
        """Record a frame."""
        self.frames.append(frame)
        self.on_send(frame)

    def close_for_error(self, code: ErrorCode) -> None:
        """Record a close because of an error."""
        assert code.close_code is not None
        self.close(code.close_code, code.value)

    def close(self, code: int, reason: str) -> None:
        """Record a close."""
        self.closed.append((code, reason))

    def abort(self) -> None:
        """Record that the connection was aborted."""
        self.aborted = True

    def take_messages(self) -> list[Any]:
        """Remove the sent frames, and return them decoded from JSON."""
        frames, self.frames = self.frames, []
        return [json.loads(frame) for frame in frames]

    def last(self) -> Any:
        """Return the last sent frame, decoded from JSON."""
        return json.loads(self.frames[-1])


def run_at_once(call: Callable[[], str]) -> Deferred[str]:
    """Call the function synchronously instead of in a thread."""
    return maybeDeferred(call)


def make_switchboard(clock: Clock, limits: Limits | None = None) -> Switchboard:
    """Create a switchboard with an empty hub that requires no token and checks passwords synchronously."""
    limits = limits or Limits()
    hub = Hub(limits, "signald/test", TICKETS)
    registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
    return Switchboard(hub, registry, open_access(registry, hub.guesses, run_at_once, clock), clock)
