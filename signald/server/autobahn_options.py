"""Options of Autobahn: every bound that it has is set, its timers use the server's clock, and it logs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from signald.core.limits import Limits

__all__ = ["CLOSE_SECONDS", "ClockTimer", "Silence", "options"]

CLOSE_SECONDS = 5.0
"""Seconds that a peer has to answer a close frame before its connection is aborted."""


def options(limits: Limits) -> Mapping[str, object]:
    """The arguments of `WebSocketServerFactory.setProtocolOptions`, whose defaults are unsafe."""
    return {
        "versions": [13],  # older drafts have their Origin in another header
        "webStatus": False,  # its page redirects to wherever the query says
        "utf8validateIncoming": True,
        "requireMaskedClientFrames": True,
        "maskServerFrames": False,
        "applyMask": True,
        "maxFramePayloadSize": limits.message_bytes,
        "maxMessagePayloadSize": limits.message_bytes,
        "failByDrop": False,  # a peer receives the reason
        "openHandshakeTimeout": limits.header_seconds,
        "closeHandshakeTimeout": CLOSE_SECONDS,
        "tcpNoDelay": True,
        "perMessageCompressionAccept": _no_compression,
        "autoPingInterval": 0,  # signald's own pings need one timer for all connections (`pings`)
        "serveFlashSocketPolicy": False,
        "allowedOrigins": ["*"],  # the rule is signald's own (`origins`)
        "allowNullOrigin": True,  # likewise: Autobahn takes `null` and files for one origin
        "trustXForwardedFor": 0,  # the rule is signald's own (`proxies`)
    }


def _no_compression(_offers: object) -> None:
    """Accept no offer of permessage-deflate (RFC 7692): it costs 100 KiB a connection and unpacks bombs."""


class Silence:
    """Replaces Autobahn's logger, whose lines contain peers' addresses and pieces of their requests."""

    def debug(self, *args: object, **kwargs: object) -> None:
        """Log nothing."""

    trace = info = warn = warning = error = critical = failure = debug


class ClockTimer:
    """Replaces Autobahn's timer, which rounds down to whole seconds and runs on the global reactor."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def call_later(self, delay: float, function: Callable[[], object]) -> IDelayedCall:
        """Call a function after a number of seconds."""
        return self._clock.callLater(delay, function)
