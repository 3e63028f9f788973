"""The signaling server's address, the trust in its certificate, and the reasons why it cannot be reached."""

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

from signald_client.errors import UnreachableError
from signald_client.signaling.client import SUBPROTOCOL

__all__ = ["Address", "Trust", "make_unreachable_error"]


@frozen
class Address:
    """The address of a signaling server.

    Attributes:
        secure: whether TLS is used.
        host: name or IP address, without brackets.
        port: TCP port.
        path: path of the WebSocket.

    """

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address in a URL: the socket's, `wss://HOST:PORT/ws`, or the page's, `https://HOST:PORT/`.

        Raises:
            ValueError: the text is not an address; the argument is a sentence for people.

        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if not host or parts.scheme not in ("wss", "ws", "https", "http"):
            raise ValueError(f"{text!r} is not the address of a server, like wss://localhost:9000/ws.")
        secure = parts.scheme in ("wss", "https")
        is_page = parts.scheme in ("https", "http") or parts.path in ("", "/")
        path = _path_beside(parts.path) if is_page else parts.path
        return cls(secure, host, port or (443 if secure else 80), path)

    @property
    def authority(self) -> str:
        """Host and port in the form of a URL (RFC 3986 §3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """URL of the WebSocket."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}"

    def link(self, session: str) -> str:
        """Return the link with which a person joins a session in a browser."""
        page = self.path[: self.path.rfind("/") + 1]
        return f"{'https' if self.secure else 'http'}://{self.authority}{page}#{session}"


@frozen
class Trust:
    """The trust in server certificates.

    Attributes:
        authorities: PEM certificates of the authorities to trust instead of the system's; None for the system's.
        verify: False to accept every certificate, which lets anybody on the path impersonate the server.

    """

    authorities: bytes | None = field(default=None, repr=False)
    verify: bool = True

    def tls_options(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return the TLS settings for a connection to a host.

        Raises:
            ValueError: `authorities` holds no certificate; the argument is a sentence for people.

        """
        if not self.verify:
            return _UnverifiedTls(host)
        if self.authorities is None:
            return _as_connection_creator(optionsForClientTLS(host))
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.authorities, re.DOTALL)
        try:
            certificates = [Certificate.loadPEM(block) for block in blocks]
        except crypto.Error:
            certificates = []
        if not certificates:
            raise ValueError("The CA file holds no certificate in PEM form.")
        return _as_connection_creator(optionsForClientTLS(host, trustRoot=trustRootFromCertificates(certificates)))


def _as_connection_creator(options: Any) -> IOpenSSLClientConnectionCreator:
    return IOpenSSLClientConnectionCreator(options)


@implementer(IOpenSSLClientConnectionCreator)
class _UnverifiedTls:
    """TLS settings without any verification."""

    def __init__(self, host: str) -> None:
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:  # noqa: N802, N803, Twisted chose them
        """Return a connection that accepts any certificate."""
        connection = SSL.Connection(CertificateOptions(verify=False).getContext(), None)
        if not re.fullmatch(r"[0-9.]+|.*:.*", self._host):
            # SNI must not hold an IP address (RFC 6066 §3).
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


def _path_beside(page: str) -> str:
    """Return the path of the WebSocket beside a page.

    A page under a path is a folder, to which signald redirects browsers that omit the slash at its end.
    """
    folder, _, name = page.rpartition("/")
    return f"{folder}/ws" if not name or "." in name else f"{page}/ws"


def make_unreachable_error(address: Address, error: Exception, failure: Failure | None) -> UnreachableError:
    """Return the error that explains why a connection could not be made.

    Arguments:
        address: the server's address.
        error: the error that the attempt ended with.
        failure: the reason why the TCP connection was lost; None if there was no TCP connection.

    """
    return UnreachableError(_explanation(address, error, failure))


def _explanation(address: Address, error: Exception, failure: Failure | None) -> str:
    cause = error if failure is None else failure.value
    if isinstance(cause, (SSL.Error, VerificationError)):
        return f"The certificate of {address.authority} is not trusted; name its authority with --ca FILE."
    if isinstance(cause, DNSLookupError):
        return f"There is no host named {address.host}."
    if failure is not None:
        return f"{address.url} is not a signaling server that speaks {SUBPROTOCOL}."
    return f"No server answers at {address.authority}."
