"""TLS for the server's connections, with a certificate that can be replaced while they live."""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from signald.net.keyfiles import CertificateError, Pair

__all__ = ["ServerTLS", "TLSFactory", "server_context"]

# RFC 9325 §4.2, and ChaCha20-Poly1305 for devices without AES in hardware: authenticated encryption with an ephemeral
# elliptic-curve key only. TLS 1.3 has nothing else (RFC 8446 §B.4) and is preferred wherever the client speaks it.
_TLS_1_2_SUITES = b"ECDHE+AESGCM:ECDHE+CHACHA20"

_PROTOCOL = b"http/1.1"
"""The only one that ALPN may choose (RFC 7301)."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """Makes the TLS side of each accepted connection, from the context that is current at that moment.

    To be given to `TLSFactory`, with whatever protocol class that builds. A connection keeps the certificate
    that it began with. `CertificateOptions` is not used: it would add HTTP/2 to what is negotiated wherever the `h2`
    package is installed, because `Site` asks for it.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def replace(self, context: SSL.Context) -> None:
        """Use another context, as `server_context` makes it, from the next handshake on."""
        self._context = context

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make the OpenSSL connection of an accepted one."""
        return SSL.Connection(self._context)


class TLSFactory(TLSMemoryBIOFactory):
    """Puts TLS under the protocols of another factory, which may refuse a connection by building None."""

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override] # as Factory
        """Make the protocols of a connection; None, which closes it, where the other factory makes none."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


def server_context(pair: Pair) -> SSL.Context:
    """Prepare a context: TLS 1.2 and 1.3 (RFC 9325 §3.1.1), no compression, no renegotiation, HTTP/1.1 only.

    Raises CertificateError if OpenSSL does not accept the certificate.

    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_cipher_list(_TLS_1_2_SUITES)
    # An idle connection gives its buffers back: about 34 KiB each.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # No resumption. With TLS 1.3 it takes the server as long as a handshake without tickets (270 against 265 µs of
    # CPU; issuing them makes it 305), and its keys would have to be changed regularly (RFC 9325 §3.4).
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
    """Choose HTTP/1.1, or end the handshake with the alert for it (RFC 7301 §3.2, RFC 9325 §3.8)."""
    if _PROTOCOL in offered:
        return _PROTOCOL
    # pyOpenSSL documents an empty answer for this, with which OpenSSL 4 blames itself: alert internal_error.
    raise SSL.Error([("SSL routines", "", "no application protocol")])
