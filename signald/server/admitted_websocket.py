"""A WebSocket from its opening handshake to its end: admits it, counts it, drains it; a subclass speaks a dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.budgets import SLOW_START_BYTES
from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import AddressKey
from signald.core.users import PeerId
from signald.dialects.dialect import WireProtocol
from signald.net.proxies import client_address, is_trusted, peer_host
from signald.server.admission import AdmissionTicket, recent_key
from signald.server.call_log import UNKNOWN, Ending
from signald.server.compaction import drop_shared_attributes
from signald.server.frames import BoundedProtocol, close_code
from signald.server.plain_upgrade import PlainUpgrade, switching_protocols
from signald.server.port import SignalingPort
from signald.server.problems import last_response
from signald.server.upgrade_request import refusal, refusal_headers

__all__ = ["AdmittedProtocol"]

OFFENCE_CODES = {1002, 1003, 1007, 1008, 1009}
"""Close codes (RFC 6455 §7.4.1) that blame the peer: its address is charged, and it itself where it resumes."""

_REASONS: Mapping[object, str] = {code.value.encode(): code.value for code in ErrorCode}
"""The reasons in our own close frames, by their bytes there."""

_log = Logger()


class AdmittedProtocol(BoundedProtocol):
    """One peer's WebSocket, admitted and counted.

    Attributes:
        ticket: what the connection holds of the budgets.
        request_began: when the client began its request, in monotonic seconds.
        address: the key that the client is counted by, once it is admitted.
        dialect_class: its dialect, once it is admitted.
        slow_start: whether it starts with a part of its budgets, for offences of its address.

    """

    _peer: PeerId | None = None
    address: AddressKey
    dialect_class: type[WireProtocol]
    slow_start = False
    _is_counted = False

    def __init__(self, port: SignalingPort, ticket: AdmissionTicket, request_began: float) -> None:
        super().__init__(port)
        self.ticket = ticket
        self.request_began = request_began

    def note_target(self, path: str, query: str) -> None:
        """Take note of the target of the opening handshake, of which most dialects need nothing."""

    def start_dialect(self) -> None:
        """Create the dialect of the open WebSocket, and add the connection to its switchboard.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    def leave_switchboard(self) -> None:
        """Tell the switchboard, once, that the connection ended.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    # The opening handshake

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, dict[str, str]]:
        """Accept or refuse the client; returns the subprotocol, if any, and headers of the response.

        Raises:
            ConnectionDeny: the client is refused; an error's code stands in the place of the reason.

        """
        # Autobahn's own path lacks what follows a semicolon in it.
        path, _, query = self.http_request_uri.partition("?")
        self.note_target(path, query)
        try:
            return self._choose_answer(request.path, request.headers, request.protocols)
        except SignalError as error:
            raise ConnectionDeny(error.code.http_status, error.code.value) from None

    def accept_upgrade(self, request: PlainUpgrade) -> None:
        """Accept or refuse a request that arrived as a plain upgrade, in place of Autobahn's own parser."""
        self.port.metrics.bytes_in += request.size
        # Autobahn's attribute, since what answers the request reads it there wherever the request was parsed.
        self.http_headers = request.headers
        self.note_target(request.path, request.query)
        try:
            subprotocol, headers = self._choose_answer(request.path, request.headers, request.subprotocols)
            self.sendData(switching_protocols(request.key, subprotocol, headers))
            self.start_open_state()
            self.onOpen()
        except SignalError as error:
            self.failHandshake(error.code.value)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a WebSocket could not be accepted", event="handshake-failed")
            self.dropConnection(abort=True)
        if self._share is not None:
            self.finish_turn(self._share)

    def _choose_answer(
        self, path: str, headers: Mapping[str, str], offered: Sequence[str]
    ) -> tuple[str | None, dict[str, str]]:
        """Admit a valid handshake; returns the subprotocol, if any, and headers of the response.

        Raises:
            SignalError: the handshake is refused.

        """
        try:
            self.dialect_class = self._admit(path, headers, offered)
        except SignalError:
            raise
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a WebSocket could not be accepted", event="handshake-failed")
            raise SignalError(ErrorCode.INTERNAL_ERROR) from None
        return self.dialect_class.subprotocol, self._reflection_headers()

    def failHandshake(
        self, reason: str | None, code: int = 400, responseHeaders: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Answer a refused handshake with problem details that repeat nothing of the request."""
        error = refusal(reason, code)
        self.port.metrics.count_error(error)
        calls = self.port.switchboard.calls
        if calls.is_detailed:
            # The headers are missing where the request could not be parsed.
            forwarded_for = getattr(self, "http_headers", {}).get("x-forwarded-for")
            calls.log_handshake_refused(self._client_key(forwarded_for), error)
        headers = [*(responseHeaders or ()), *refusal_headers(error), *self._reflection_headers().items()]
        self.sendData(last_response(error, headers))
        self.dropConnection(abort=False)

    def onOpen(self) -> None:
        """Count the open WebSocket, and have the subclass start its dialect."""
        port = self.port
        self.join_share(port.rounds, self.address)
        self.start_pings()
        self.ticket.release_transport()
        drop_shared_attributes(self)
        port.metrics.count_opened(self._dialect_name, port.scheme)
        port.metrics.websocket_handshake.observe(port.clock.seconds() - self.request_began)
        self._is_counted = True
        try:
            self.start_dialect()
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self.fail_after_exception()

    @property
    def _dialect_name(self) -> str:
        return self.dialect_class.__name__.lower()

    def _admit(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> type[WireProtocol]:
        """Check a valid handshake by the port's rule and count the connection; returns its dialect.

        Raises:
            SignalError: the handshake is refused.

        """
        port = self.port
        if port.connections.is_draining:
            raise SignalError(ErrorCode.GOING_AWAY)
        dialect = port.rule.choose(path, headers, offered)
        forwarded_for, proxies = headers.get("x-forwarded-for"), port.admission.trusted_proxies
        self.address = self._client_key(forwarded_for)
        now = port.clock.seconds()
        refused = self.ticket.admit_websocket(self.address, now)
        if refused is not None:
            raise SignalError(refused)
        self.slow_start = port.budget.has_offended(self.address, now)
        if self.slow_start:
            self._message_bytes.start_slowly(max(SLOW_START_BYTES, self.limits.message_bytes))
        if forwarded_for is not None and not is_trusted(peer_host(self.transport.getPeer()), proxies):
            port.rounds.traffic.note_forwarding(self.address)
        return dialect

    def _client_key(self, forwarded_for: str | None) -> AddressKey:
        """The key that the client is counted by: its address behind trusted proxies, or the transport's peer."""
        peer, proxies = peer_host(self.transport.getPeer()), self.port.admission.trusted_proxies
        return recent_key(client_address(peer, forwarded_for, proxies))

    def _reflection_headers(self) -> dict[str, str]:
        """The headers of a response that tell the operator's own check what came through the proxies."""
        return self.port.reflection_headers(getattr(self, "http_headers", {}), self.transport)

    # Start and end of the transport

    def connectionMade(self) -> None:
        """Add the connection to those of the port."""
        super().connectionMade()
        self.port.connections.add(self)

    def close_for_drain(self) -> None:
        """Refuse the handshake, or start the closing handshake with 1012 (service restart)."""
        code = ErrorCode.GOING_AWAY
        if self.state == self.STATE_CONNECTING:
            self.failHandshake(code.value)
        else:
            self.close(close_code(code), code.value)

    def dropConnection(self, abort: bool = False) -> None:
        """Close the transport, and tell the switchboard without waiting for the transport's end."""
        super().dropConnection(abort)
        self.leave_switchboard()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the switchboard, and release what the connection holds of the budgets: the transport is closed."""
        super().connectionLost(reason)
        port = self.port
        if self.offended:
            self.ticket.charge_offence(port.clock.seconds())
        self.leave_switchboard()
        if self._is_counted:
            port.metrics.count_closed(self._dialect_name, port.scheme)
        self.ticket.release_all()
        port.connections.discard(self)

    def log_opened(self, connection: PeerId) -> None:
        """Log that the WebSocket is open, under its number."""
        calls = self.port.switchboard.calls
        if calls.is_detailed:
            calls.log_opened(connection, self.address, self._dialect_name, self.port.scheme)

    def log_closed(self, connection: PeerId) -> None:
        """Log how the WebSocket ended; to be called before the switchboard is told."""
        calls = self.port.switchboard.calls
        if calls.is_detailed:
            calls.log_closed(connection, self.address, self._ending())

    def _ending(self) -> Ending:
        seconds = self.port.clock.seconds() - self.request_began
        if self.closedByMe:
            # Autobahn's own reasons may quote what the client sent.
            return Ending(seconds, "server", self.localCloseCode, _REASONS.get(self.localCloseReason, ""))
        if self.remoteCloseCode is not None:
            return Ending(seconds, "client", self.remoteCloseCode)
        return Ending(seconds, "server" if self.aborted_for else "nobody", None, self.aborted_for)

    @property
    def offended(self) -> bool:
        """Whether the connection was closed for its peer's misbehaviour."""
        return self.localCloseCode in OFFENCE_CODES

    def fail_after_exception(self) -> None:
        """Log the exception that is handled, and end this connection alone."""
        _log.failure(
            "connection {connection}: closed after an error in the server",
            event="connection-failed",
            connection=UNKNOWN if self._peer is None else self._peer,
        )
        self.fail_connection(ErrorCode.INTERNAL_ERROR)
