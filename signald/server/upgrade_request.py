"""Whether a WebSocket's opening handshake is accepted, in which dialect, and how a refusal is told: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from signald.core.errors import ErrorCode, SignalError
from signald.dialects.dialect import Dialect
from signald.net.origins import OriginRule, read_host

__all__ = ["PATH", "UpgradeRule", "refusal", "refusal_headers"]

PATH = "/ws"
"""The path of the signaling socket on the page's port."""

_CODES: dict[str | None, ErrorCode] = {code.value: code for code in ErrorCode}

_BY_STATUS = {
    405: ErrorCode.METHOD_NOT_ALLOWED,
    426: ErrorCode.UPGRADE_REQUIRED,
    500: ErrorCode.INTERNAL_ERROR,
    503: ErrorCode.SERVER_FULL,
}
"""What Autobahn's own refusals are called; all others are a bad request."""

_HEADERS = {
    ErrorCode.METHOD_NOT_ALLOWED: [("Allow", "GET")],  # RFC 9110 §15.5.6
    ErrorCode.UPGRADE_REQUIRED: [("Upgrade", "websocket")],  # RFC 9110 §15.5.22
}


@frozen
class UpgradeRule:
    """Who is let in, where, and what is spoken then.

    Attributes:
        dialects: by subprotocol.
        origins: which pages may connect.
        path: where it is; None for anywhere.

    """

    dialects: Mapping[str | None, type[Dialect]]
    origins: OriginRule
    path: str | None

    @classmethod
    def of(cls, dialects: Iterable[type[Dialect]], origins: OriginRule, path: str | None) -> UpgradeRule:
        """Make the rule for those dialects."""
        return cls({dialect.subprotocol: dialect for dialect in dialects}, origins, path)

    @classmethod
    def of_port(cls, dialects: Iterable[type[Dialect]], origins: OriginRule, *, bare: bool) -> UpgradeRule:
        """Make the rule of a port: under `/ws` of the page's port, or on any path of the bare one.

        The bare port speaks no subprotocol.
        """
        spoken = (dialect for dialect in dialects if dialect.subprotocol is None or not bare)
        return cls.of(spoken, origins, None if bare else PATH)

    def choose(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> type[Dialect]:
        """The dialect of the first offered subprotocol that one has; of the one without subprotocol for no offer.

        Arguments:
            path: of the request.
            headers: of the request, by lower-case name, joined with commas where there are several of a name.
            offered: the subprotocols in the client's order (RFC 6455 §4.1).

        Raises:
            SignalError: the handshake is refused.

        """
        if self.path is not None and path != self.path:
            raise SignalError(ErrorCode.NOT_FOUND)
        host = read_host([headers.get("host", "")])
        if host is None:
            raise SignalError(ErrorCode.BAD_HOST)
        if not self.origins.allows(headers.get("origin"), host):
            raise SignalError(ErrorCode.BAD_ORIGIN)
        for subprotocol in offered or (None,):
            if subprotocol in self.dialects:
                return self.dialects[subprotocol]
        raise SignalError(ErrorCode.UNSUPPORTED_SUBPROTOCOL)


def refusal(reason: str | None, status: int, origin: str) -> ErrorCode:
    """Which error it is that Autobahn is about to tell.

    Arguments:
        reason: an error's code, from us; or a sentence with pieces of the request, from Autobahn.
        status: of HTTP.
        origin: the Origin header; empty where there is none.

    """
    code = _CODES.get(reason)
    if code is not None:
        return code
    # Autobahn checks one origin by itself, and calls it a bad request; it takes a local file's for the same.
    if origin.lower() == "null" or origin.lower().startswith("file:"):
        return ErrorCode.BAD_ORIGIN
    return _BY_STATUS.get(status, ErrorCode.BAD_REQUEST)


def refusal_headers(code: ErrorCode) -> list[tuple[str, str]]:
    """The headers that go with an error's status."""
    return _HEADERS.get(code, [])
