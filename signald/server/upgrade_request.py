"""Decides whether a WebSocket's opening handshake is accepted, in which dialect, and how it is refused: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl

from attrs import frozen

from signald.core.errors import ErrorCode, SignalError
from signald.dialects.dialect import DecodeError, WireProtocol
from signald.net.origins import OriginRule, read_host

__all__ = ["ANY_NAME", "SOCKET", "UpgradeRule", "any_name_beside", "read_query", "refusal", "refusal_headers"]

MOST_PARAMETERS = 16
"""The maximum number of parameters of a query that is read; clients of PeerJS send four."""

SOCKET = "ws"
"""The name of the signaling socket below the path of the page."""

ANY_NAME = "*"
"""In the path of a WebSocket, the last segment that stands for every name."""

_CODES: dict[str | None, ErrorCode] = {code.value: code for code in ErrorCode}

_BY_STATUS = {
    405: ErrorCode.METHOD_NOT_ALLOWED,
    426: ErrorCode.UPGRADE_REQUIRED,
    500: ErrorCode.INTERNAL_ERROR,
    503: ErrorCode.SERVER_FULL,
}
"""The errors of Autobahn's own refusals by their status; every other status is a bad request."""

_HEADERS = {
    ErrorCode.METHOD_NOT_ALLOWED: [("Allow", "GET")],  # RFC 9110 §15.5.6
    ErrorCode.UPGRADE_REQUIRED: [("Upgrade", "websocket")],  # RFC 9110 §15.5.22
}


@frozen
class UpgradeRule:
    """Which opening handshakes a port accepts, and in which dialect.

    Attributes:
        dialects: the dialects by subprotocol.
        origins: which pages may connect.
        path: the path of the signaling socket, which may end with `ANY_NAME`; None for any path.
        hosts: the host names that are answered (`Host.is_among`).

    """

    dialects: Mapping[str | None, type[WireProtocol]]
    origins: OriginRule
    path: str | None
    hosts: frozenset[str] | None = None

    @classmethod
    def of(cls, dialects: Iterable[type[WireProtocol]], origins: OriginRule, path: str | None) -> UpgradeRule:
        """Make the rule for these dialects."""
        return cls({dialect.subprotocol: dialect for dialect in dialects}, origins, path)

    @classmethod
    def of_port(
        cls, dialects: Iterable[type[WireProtocol]], origins: OriginRule, *, bare: bool, base: str = "/"
    ) -> UpgradeRule:
        """Make the rule of a port: under `ws` below the path of the page on its port, or on any path of the bare one.

        The bare port speaks no subprotocol.
        """
        spoken = (dialect for dialect in dialects if dialect.subprotocol is None or not bare)
        return cls.of(spoken, origins, None if bare else base + SOCKET)

    def choose(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> type[WireProtocol]:
        """Choose the dialect of the first offered subprotocol that is known; without an offer, the one that has none.

        Arguments:
            path: the path of the request.
            headers: the headers by lower-case name, joined with commas where there are several of a name.
            offered: the subprotocols in the client's order (RFC 6455 §4.1).

        Raises:
            SignalError: the handshake is refused.

        """
        if self.path is not None and self.path not in (path, any_name_beside(path)):
            raise SignalError(ErrorCode.NOT_FOUND)
        host = read_host([headers.get("host", "")])
        if host is None or not host.is_among(self.hosts):
            raise SignalError(ErrorCode.BAD_HOST)
        if not self.origins.allows(headers.get("origin"), host):
            raise SignalError(ErrorCode.BAD_ORIGIN)
        for subprotocol in offered or (None,):
            if subprotocol in self.dialects:
                return self.dialects[subprotocol]
        raise SignalError(ErrorCode.UNSUPPORTED_SUBPROTOCOL)


def any_name_beside(path: str) -> str:
    """Return a path with `ANY_NAME` as its last segment; one that ends with a slash has none, and is not changed."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (ANY_NAME if name else "")


def read_query(query: str) -> dict[str, str]:
    """Read the parameters of a query (WHATWG URL §5.1), the last one of each name.

    Raises:
        DecodeError: `bad-request`: there are too many.

    """
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError:
        raise DecodeError(ErrorCode.BAD_REQUEST) from None


def refusal(reason: str | None, status: int) -> ErrorCode:
    """The error of a refusal that Autobahn is about to answer.

    Arguments:
        reason: an error's code from us, or a sentence with pieces of the request from Autobahn.
        status: the HTTP status.

    """
    code = _CODES.get(reason)
    if code is not None:
        return code
    return _BY_STATUS.get(status, ErrorCode.BAD_REQUEST)


def refusal_headers(code: ErrorCode) -> list[tuple[str, str]]:
    """The headers that go with an error's status."""
    return _HEADERS.get(code, [])
