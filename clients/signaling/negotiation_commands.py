"""Commands of a `negotiation.Negotiator`, which the edge carries out on its peer connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Value

if TYPE_CHECKING:
    from typing import Any

    from .wire import Message

__all__ = [
    "AddCandidate",
    "CreateAndSetLocal",
    "FlushLater",
    "NegotiationFailed",
    "RestartIce",
    "SendRequest",
    "SetRemote",
]


class CreateAndSetLocal(Value):
    """Create and set a local description of this kind, `offer` or `answer`; report `local_description_set(sdp)`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class SetRemote(Value):
    """Set the remote description; report `remote_description_set()`.

    Attributes:
        type: `offer` or `answer`.
        sdp: the description.
        rollback: whether a local offer has to be rolled back first; browsers do that themselves (RFC 9429 §4.1.10.2).

    """

    def __init__(self, type: str, sdp: str, rollback: bool = False) -> None:
        self.type = type
        self.sdp = sdp
        self.rollback = rollback


class AddCandidate(Value):
    """Add a remote candidate, a dict as of W3C `RTCIceCandidateInit`; None: the remote side has no more of them."""

    def __init__(self, candidate: dict[str, Any] | None) -> None:
        self.candidate = candidate


class RestartIce(Value):
    """Restart ICE with the next offer, and report `negotiation_needed()`, as a browser does by itself."""


class SendRequest(Value):
    """Send a message to the other side with `SignalingClient.send_request`."""

    def __init__(self, message: Message) -> None:
        self.message = message


class FlushLater(Value):
    """Call `flush_candidates()` after this many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class NegotiationFailed(Value):
    """Tell the application that a negotiation failed; the pair can negotiate again.

    Attributes:
        operation: `local-offer`, `local-answer`, `remote-offer`, `remote-answer` or `rollback`.
        name: the error's name, as the edge reported it.
        message: the edge's description of the error, for a log.

    """

    def __init__(self, operation: str, name: str, message: str) -> None:
        self.operation = operation
        self.name = name
        self.message = message
