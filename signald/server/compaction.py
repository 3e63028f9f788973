"""Keeps an open WebSocket small: what all connections have in common is held by their class, and the rest is dropped.

Autobahn sets some 110 attributes on each connection, of which most never change and many serve the opening handshake
alone. Their dictionary would be a quarter of what an idle client costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, repeat
from operator import is_not
from typing import TypeVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats

__all__ = ["HANDSHAKE_NAMES", "INITIAL_VALUES", "drop_shared_attributes", "with_shared_attributes"]

INITIAL_VALUES: Mapping[str, object] = {
    **dict.fromkeys(("triggered", "_isMessageCompressed"), False),
    **dict.fromkeys(("wasMaxFramePayloadSizeExceeded", "wasMaxMessagePayloadSizeExceeded"), False),
    **dict.fromkeys(("closedByMe", "failedByMe", "droppedByMe", "wasClean", "wasServerConnectionDropTimeout"), False),
    **dict.fromkeys(("wasOpenHandshakeTimeout", "wasCloseHandshakeTimeout"), False),
    **dict.fromkeys(("wasServingFlashSocketPolicyFile", "inside_message"), False),
    **dict.fromkeys(("wasNotCleanReason", "_perMessageCompress", "trackedTimings", "current_frame"), None),
    **dict.fromkeys(("localCloseCode", "localCloseReason", "remoteCloseCode", "remoteCloseReason"), None),
    **dict.fromkeys(("openHandshakeTimeoutCall", "closeHandshakeTimeoutCall", "autoPingTimeoutCall"), None),
    **dict.fromkeys(("autoPingPending", "autoPingPendingCall", "autoPingPendingSent"), None),
    "autoPingPendingSeq": 0,
    "websocket_version": 13,  # RFC 6455 §4.2.1; the factory accepts no other
    "data": b"",
    "send_state": WebSocketServerProtocol.SEND_STATE_GROUND,
    "send_queue": (),  # for chopped output, which `frames` does not do
    "trafficStats": TrafficStats(),  # nobody reads it, so that one suffices for all connections
}
"""Values that an idle connection has for Autobahn's attributes."""

HANDSHAKE_NAMES = frozenset(
    {
        "_results", "_transport_details", "_valid_events", "_wskey", "http_headers", "http_request_data",
        "http_request_host", "http_request_params", "http_request_path", "http_request_uri", "http_response_data",
        "http_status_line", "peer", "send_queue", "trafficStats", "websocket_extensions",
        "websocket_extensions_in_use", "websocket_origin", "websocket_protocol_in_use", "websocket_protocols",
    }
)  # fmt: skip
"""Autobahn's attributes that nothing reads after the opening handshake, or that its class has too."""

_MISSING = object()

ProtocolT = TypeVar("ProtocolT", bound=WebSocketServerProtocol)


def with_shared_attributes(class_: type[ProtocolT], options: Mapping[str, object]) -> type[ProtocolT]:
    """Return a class whose connections have the initial values and these options of Autobahn from their class."""
    # An option that is a function must not become a method.
    shared = {name: staticmethod(value) if callable(value) else value for name, value in options.items()}
    made = type(class_.__name__, (class_,), {"__module__": class_.__module__, **INITIAL_VALUES, **shared})
    # zope.interface gives its own names to instances alone.
    values = {name: getattr(made, name) for name in dir(made) if not name.startswith("__")}
    made.shared_values = values  # type: ignore[attr-defined] # by the name that `drop_shared_attributes` reads
    return made


def drop_shared_attributes(protocol: WebSocketServerProtocol) -> None:
    """Drop what the class of an open connection has too, and what the opening handshake alone needed.

    The dictionary is made anew, since one that only loses entries does not shrink. The iterators do in C what took a
    twelfth of the bytecodes of a connection.
    """
    own = vars(protocol)
    names = tuple(own.keys() - HANDSHAKE_NAMES)
    values = tuple(map(own.__getitem__, names))
    shared = map(vars(type(protocol))["shared_values"].get, names, repeat(_MISSING))
    protocol.__dict__ = dict(compress(zip(names, values, strict=True), map(is_not, values, shared)))
