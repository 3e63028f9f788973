"""Options that the WebSocket clients of the commands have in common."""

from __future__ import annotations

from autobahn.twisted.websocket import WebSocketClientFactory

__all__ = ["set_client_options"]


def set_client_options(factory: WebSocketClientFactory, message_bytes: int) -> None:
    """Switch off Autobahn's timers, which would run on the global reactor, and bound the size of a message.

    Arguments:
        factory: the factory of a client, which has timeouts of its own.
        message_bytes: the bytes of the largest message that the client accepts.

    """
    factory.setProtocolOptions(
        maxMessagePayloadSize=message_bytes,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        autoPingInterval=0,
    )
