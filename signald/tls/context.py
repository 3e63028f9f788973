"""TLS contexts of the server, with a certificate that can be replaced while connections are open."""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from signald.net.keyfiles import CertificateError, Pair
from signald.tls.tls_transport import DirectTLSTransport

__all__ = ["ServerTLS", "TLSFactory", "server_context"]

_TLS_1_2_SUITES = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""The suites of RFC 9325 §4.2, and ChaCha20-Poly1305 for devices without AES in hardware.

All have ephemeral elliptic-curve keys and authenticated encryption, as all suites of TLS 1.3 (RFC 8446 §B.4).
"""

_PROTOCOLS = (b"http/1.1", b"http/1.0")
"""The application protocols that ALPN negotiates (RFC 7301), the preferred one first; health checks offer the other."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """Creates the TLS side of each accepted connection from the current context, for `TLSFactory`.

    A connection keeps the certificate that it started with. Twisted's `CertificateOptions` is not used: `Site` makes it
    offer HTTP/2 wherever the `h2` package is installed.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def replace(self, context: SSL.Context) -> None:
        """Use another context of `server_context` from the next handshake on."""
        self._context = context

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Create the OpenSSL connection of an accepted connection."""
        return SSL.Connection(self._context)


class TLSFactory(TLSMemoryBIOFactory):
    """Wraps the protocols of another factory in TLS; that factory may refuse a connection by building None."""

    protocol: type[TLSMemoryBIOProtocol] = DirectTLSTransport

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override] # as Factory
        """Build the protocols of a connection, or None, which closes it, if the wrapped factory builds none."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


def server_context(pair: Pair) -> SSL.Context:
    """Create a context: TLS 1.2 and 1.3 (RFC 9325 §3.1.1), no compression, no renegotiation, HTTP/1.1 only.

    Raises:
        CertificateError: OpenSSL does not accept the certificate.

    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_cipher_list(_TLS_1_2_SUITES)
    # An idle connection releases its buffers, about 34 KiB.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Resumption is off. With TLS 1.3 it saves no CPU (270 µs against 265 µs for a handshake without tickets, and
    # 305 µs for one that issues them), and ticket keys would have to be rotated (RFC 9325 §3.4).
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_select_callback(_choose_protocol)
    try:
        context.use_certificate(pair.leaf)
        for certificate in pair.chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(pair.key)
    except SSL.Error as error:
        reasons = ", ".join(reason for _library, _function, reason in error.args[0])
        raise CertificateError(f"OpenSSL does not accept the certificate: {reasons}.") from None
    return context


def _choose_protocol(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    """Choose HTTP/1.1 or HTTP/1.0; otherwise end the handshake with no_application_protocol (RFC 7301 §3.2).

    RFC 9325 §3.8 asks servers to check the offer.
    """
    for protocol in _PROTOCOLS:
        if protocol in offered:
            return protocol
    # pyOpenSSL documents an empty result for this, but with it OpenSSL 4 sends the alert internal_error.
    raise SSL.Error([("SSL routines", "", "no application protocol")])
