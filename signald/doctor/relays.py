"""Sends requests to STUN and TURN servers over UDP, TCP and TLS."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from OpenSSL import crypto
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from signald.doctor.allocation import Dialogue, Outcome, Result
from signald.doctor.chain import judge_chain
from signald.doctor.findings import Finding
from signald.doctor.http_exchange import UnreachableError, client_endpoint, shown_chain, unreachable
from signald.doctor.ice_targets import ANSWER_SECONDS, TOPIC, IceTarget, judge_ice, unreachable_server
from signald.doctor.stun import decode, whole_bytes
from signald.doctor.targets import NO_ADDRESS, is_address

__all__ = ["Datagrams", "Stream", "check_ice"]

RESEND_SECONDS = 0.5
"""The retransmission interval of a request over UDP (RFC 8489 §6.2.1 requires an RTO of at least 500 ms)."""


class _DialogueRunner:
    """Runs a STUN or TURN dialogue over a transport.

    Attributes:
        ended: a Deferred that fires with the outcome of the dialogue.

    """

    def __init__(self, dialogue: Dialogue, send: Callable[[bytes], None]) -> None:
        self._dialogue = dialogue
        self._send = send
        self.ended: Deferred[Outcome] = Deferred()

    def send_request(self) -> None:
        """Send the current request, unless the dialogue has ended."""
        if not self.ended.called:
            self._send(self._dialogue.request)

    def received(self, data: bytes) -> None:
        """Process a response, and send the next request if there is one."""
        if self.ended.called:
            return
        before = self._dialogue.request
        try:
            outcome: Outcome | None = self._dialogue.received(decode(data))
        except ValueError:
            outcome = Outcome(Result.NONSENSE)
        if outcome is not None:
            self.ended.callback(outcome)
        elif self._dialogue.request != before:
            self.send_request()

    def lost(self) -> None:
        """End the dialogue, because the transport is closed."""
        if not self.ended.called:
            self.ended.callback(Outcome(Result.CLOSED))


class Datagrams(DatagramProtocol):
    """Runs a dialogue over UDP and retransmits each request until its response arrives."""

    transport: Any

    def __init__(self, dialogue: Dialogue, address: tuple[str, int], clock: Any) -> None:
        self._address = address
        self.runner = _DialogueRunner(dialogue, self._write)
        self._again = LoopingCall(self.runner.send_request)
        self._again.clock = clock

    def startProtocol(self) -> None:
        """Send the first request and start the retransmission timer."""
        # On a connected UDP socket, the kernel reports a closed port.
        self.transport.connect(*self._address)
        self._again.start(RESEND_SECONDS)

    def stopProtocol(self) -> None:
        """Stop the retransmissions and end the dialogue.

        After an ICMP error, the reactor may close the socket and call only this method.
        """
        if self._again.running:
            self._again.stop()
        self.runner.lost()

    def datagramReceived(self, data: bytes, addr: Any) -> None:
        """Handle a STUN or TURN response."""
        self.runner.received(data)

    def connectionRefused(self) -> None:
        """End the dialogue after an ICMP "port unreachable" message: no server listens on the port."""
        self.runner.lost()

    def _write(self, data: bytes) -> None:
        self.transport.write(data)


@implementer(IHandshakeListener)
class Stream(Protocol):
    """Runs a dialogue over TCP or TLS, where messages follow each other in one byte stream (RFC 8489 §6.2.2).

    Attributes:
        chain: the certificates that the server sent; empty without TLS.

    """

    transport: Any

    def __init__(self, dialogue: Dialogue) -> None:
        self.runner = _DialogueRunner(dialogue, lambda data: self.transport.write(data))
        self.chain: tuple[x509.Certificate, ...] = ()
        self._data = b""

    def connectionMade(self) -> None:
        """Send the first request."""
        self.runner.send_request()

    def handshakeCompleted(self) -> None:
        """Store the certificates of the server when the TLS handshake is complete."""
        self.chain = shown_chain(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Add received bytes to the buffer, and process the messages that are complete."""
        self._data += data
        while True:
            try:
                length = whole_bytes(self._data)
            except ValueError:
                self.runner.received(b"")
                return
            if length is None or len(self._data) < length:
                return
            message, self._data = self._data[:length], self._data[length:]
            self.runner.received(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the dialogue."""
        self.runner.lost()


async def check_ice(
    reactor: Any,
    server: IceTarget,
    store: crypto.X509Store,
    now: float,
    in_thread: Callable[..., Deferred[Any]],
    *,
    minted: bool,
) -> list[Finding]:
    """Send requests to a STUN or TURN server, and return findings about its responses and its certificate.

    Arguments:
        reactor: the reactor, which opens the socket.
        server: the server.
        store: the trusted authorities.
        now: the wall time in seconds since the epoch.
        in_thread: a function that calls a blocking function in a thread.
        minted: whether the credentials were derived from a shared secret for this check.

    """
    dialogue = Dialogue(server.credentials, lambda: os.urandom(12))
    chain: Sequence[x509.Certificate] = ()
    try:
        if server.stream:
            outcome, chain = await _run_over_stream(reactor, server, dialogue)
        else:
            outcome = await _run_over_datagrams(reactor, server, dialogue, in_thread)
    except UnreachableError as error:
        return [unreachable_server(server, str(error))]
    findings = [judge_ice(server, outcome, minted=minted)]
    if chain:
        findings += judge_chain(TOPIC, server.url, chain, server.target.host, store, now)
    return findings


async def _run_over_stream(
    reactor: Any, server: IceTarget, dialogue: Dialogue
) -> tuple[Outcome, Sequence[x509.Certificate]]:
    protocol = Stream(dialogue)
    try:
        await client_endpoint(reactor, server.target).connect(Factory.forProtocol(lambda: protocol))
    except (OSError, ConnectError) as error:
        raise UnreachableError(unreachable(error)) from None
    try:
        return await protocol.runner.ended.addTimeout(ANSWER_SECONDS, reactor, _silence), protocol.chain
    finally:
        protocol.transport.abortConnection()


async def _run_over_datagrams(
    reactor: Any, server: IceTarget, dialogue: Dialogue, in_thread: Callable[..., Deferred[Any]]
) -> Outcome:
    host = server.target.host
    if not is_address(host):
        try:
            found = await in_thread(socket.getaddrinfo, host, None, 0, socket.SOCK_DGRAM)
        except OSError:
            raise UnreachableError(NO_ADDRESS) from None
        host = found[0][4][0]
    protocol = Datagrams(dialogue, (host, server.target.port), reactor)
    try:
        port = reactor.listenUDP(0, protocol, interface="::" if ":" in host else "")
    except OSError:
        raise UnreachableError("there is no way to it") from None
    try:
        return await protocol.runner.ended.addTimeout(ANSWER_SECONDS, reactor, _silence)
    finally:
        port.stopListening()


def _silence(_value: object, _seconds: float) -> Outcome:
    return Outcome(Result.NO_ANSWER)
