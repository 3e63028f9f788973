"""Where the signaling server is, which certificates are believed, and why there is no connection."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from signald_client.signaling.client import SUBPROTOCOL

__all__ = ["Address", "Trust", "UnreachableError", "unreachable"]


class UnreachableError(Exception):
    """There is no server at the address, or none that can be trusted; the argument is a sentence for people."""


@frozen
class Address:
    """Where the signaling server is.

    Attributes:
        secure: whether TLS is used.
        host: its name or IP address, without brackets.
        port: TCP port.
        path: of the WebSocket.

    """

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address in a URL: the socket's, `wss://HOST:PORT/ws`, or the page's, `https://HOST:PORT/`.

        Raises:
            ValueError: it is none; the argument is a sentence for people.

        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if not host or parts.scheme not in ("wss", "ws", "https", "http"):
            raise ValueError(f"{text!r} is not the address of a server, like wss://localhost:9000/ws.")
        secure = parts.scheme in ("wss", "https")
        path = parts.path
        if path in ("", "/") or parts.scheme in ("https", "http"):
            path = (path[: path.rfind("/") + 1] or "/") + "ws"
        return cls(secure, host, port or (443 if secure else 80), path)

    @property
    def authority(self) -> str:
        """Host and port as in a URL (RFC 3986 §3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The WebSocket's URL."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}"

    def link(self, session: str) -> str:
        """Return the link that brings a person into a session."""
        page = self.path[: self.path.rfind("/") + 1]
        return f"{'https' if self.secure else 'http'}://{self.authority}{page}#{session}"


@frozen
class Trust:
    """Which server certificates are believed.

    Attributes:
        authorities: PEM certificates of the authorities to trust in the place of the system's; None for the system's.
        verify: False to believe every certificate, and so to be anybody's victim.

    """

    authorities: bytes | None = field(default=None, repr=False)
    verify: bool = True

    def options(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return the TLS settings for a connection to a host.

        Raises:
            ValueError: `authorities` holds no certificate; the argument is a sentence for people.

        """
        if not self.verify:
            return _Believing(host)
        if self.authorities is None:
            return _creator(optionsForClientTLS(host))
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.authorities, re.DOTALL)
        try:
            certificates = [Certificate.loadPEM(block) for block in blocks]
        except crypto.Error:
            certificates = []
        if not certificates:
            raise ValueError("The CA file holds no certificate in PEM form.")
        return _creator(optionsForClientTLS(host, trustRoot=trustRootFromCertificates(certificates)))


def _creator(options: Any) -> IOpenSSLClientConnectionCreator:
    return IOpenSSLClientConnectionCreator(options)


@implementer(IOpenSSLClientConnectionCreator)
class _Believing:
    """TLS without any verification."""

    def __init__(self, host: str) -> None:
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802, N803, Twisted chose them
        """Return a connection that believes whatever certificate comes."""
        connection = SSL.Connection(CertificateOptions(verify=False).getContext(), None)
        if not re.fullmatch(r"[0-9.]+|.*:.*", self._host):
            # No IP addresses in SNI (RFC 6066 §3).
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


def unreachable(address: Address, error: Exception, failure: Failure | None) -> UnreachableError:
    """Return the error that says why there is no connection.

    Args:
        address: where the server should be.
        error: what the attempt ended with.
        failure: what the TCP connection ended with, if there was one.

    """
    return UnreachableError(_sentence(address, error, failure))


def _sentence(address: Address, error: Exception, failure: Failure | None) -> str:
    cause = error if failure is None else failure.value
    if isinstance(cause, (SSL.Error, VerificationError)):
        return f"The certificate of {address.authority} is not trusted; name its authority with --ca FILE."
    if isinstance(cause, DNSLookupError):
        return f"There is no host {address.host}."
    if failure is not None:
        return f"{address.url} is not a signaling server that speaks {SUBPROTOCOL}."
    return f"Nothing answers at {address.authority}."
