"""Tests of the server's TLS: negotiation, rejected handshakes, and the replacement of certificates."""

from __future__ import annotations

from typing import cast

import service_identity.pyopenssl as identity
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import VerificationError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from signald.net.keyfiles import CertificateError
from signald.tls.authority import Authority, wall_time
from signald.tls.context import ServerTLS, server_context
from signald.tls.tls_transport import DirectTLSTransport
from tests.support.certificates import forged, self_signed
from tests.support.handshake import Link, client_context
from tests.support.machines import NOW, machine

X509_V_ERR_PERMITTED_VIOLATION = 47
"""OpenSSL's error number for a name outside the permitted subtrees."""


class TLSCase(SynchronousTestCase):
    """A base class with a server certificate of a local authority."""

    def setUp(self) -> None:
        """Create the authority, the certificate, and the contexts of both sides."""
        self.names = machine("attic", ["192.168.1.20", "fd00::2"])
        self.authority = Authority.create(self.names, NOW)
        self.pair = self.authority.issue(self.names, NOW)
        self.tls = ServerTLS(server_context(self.pair))
        self.context = client_context(self.authority.certificate, wall_time(NOW))

    def assert_rejected(self, reason: str) -> None:
        """Assert that the handshake fails, for this reason on the client's side."""
        error = self.assertRaises(SSL.Error, Link, self.tls, self.context)
        self.assertIn(reason, str(error))


class HandshakeTests(TLSCase):
    """Handshakes negotiate only secure parameters."""

    def test_interface(self) -> None:
        """`ServerTLS` provides Twisted's interface."""
        verifyObject(IOpenSSLServerConnectionCreator, self.tls)

    def test_names(self) -> None:
        """A client that trusts the authority connects, and can verify the host names and addresses."""
        client = Link(self.tls, self.context).client
        for name in ("localhost", "attic", "attic.local"):
            identity.verify_hostname(client, name)
        for address in ("127.0.0.1", "::1", "192.168.1.20", "fd00::2"):
            identity.verify_ip_address(client, address)
        self.assertRaises(VerificationError, identity.verify_hostname, client, "cellar.local")
        self.assertRaises(VerificationError, identity.verify_ip_address, client, "192.168.1.21")

    def test_other_authority(self) -> None:
        """A client that trusts another authority does not connect."""
        other = Authority.create(self.names, NOW)
        self.context = client_context(other.certificate, wall_time(NOW))
        self.assert_rejected("certificate verify failed")

    def test_names_outside(self) -> None:
        """OpenSSL refuses a leaf of the authority's key for a name that its constraints do not permit."""
        problems: list[int] = []

        def verified(_connection: SSL.Connection, _certificate: X509, problem: int, _depth: int, ok: int) -> bool:
            problems.append(problem)
            return bool(ok)

        self.context.set_verify(SSL.VERIFY_PEER, verified)
        for host, address in (("example.com", "10.0.0.1"), ("attic", "8.8.8.8")):
            self.tls.replace(server_context(forged(self.authority, self.pair, host, address)))
            self.assert_rejected("certificate verify failed")
            self.assertEqual(problems.pop(), X509_V_ERR_PERMITTED_VIOLATION)

    def test_every_transport(self) -> None:
        """Data flows with Twisted's plain TLS protocol, with the buffering one, and with ours."""
        for protocol in (TLSMemoryBIOProtocol, BufferingTLSTransport, DirectTLSTransport):
            self.assertEqual(Link(self.tls, self.context, protocol=protocol).echo(b"hello"), b"hello")

    def test_tls_1_3_is_preferred(self) -> None:
        """A client that supports both versions gets TLS 1.3."""
        self.assertEqual(Link(self.tls, self.context).client.get_protocol_version_name(), "TLSv1.3")

    def test_tls_1_2(self) -> None:
        """A client that supports at most TLS 1.2 gets it, with the server's preferred suite."""
        self.context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self.context.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")
        client = Link(self.tls, self.context).client
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.2")
        self.assertEqual(client.get_cipher_name(), "ECDHE-ECDSA-AES256-GCM-SHA384")

    def test_tls_1_1(self) -> None:
        """A client that supports at most TLS 1.1 is rejected."""
        self.context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        self.context.set_min_proto_version(SSL.TLS1_VERSION)
        self.context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self.assert_rejected("alert protocol version")

    def test_suites(self) -> None:
        """Every cipher suite uses an ECDHE key exchange and an AEAD cipher."""
        connection = self.tls.serverConnectionForTLS(cast(TLSMemoryBIOProtocol, None))
        suites = connection.get_cipher_list()
        self.assertIn("ECDHE-RSA-AES128-GCM-SHA256", suites)
        for suite in suites:
            self.assertRegex(suite, r"^(TLS_|ECDHE-(ECDSA|RSA)-).*(GCM|POLY1305)")

    def test_cbc(self) -> None:
        """Clients that offer only CBC suites, or no elliptic curves, are rejected."""
        for suites in (b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256", b"DHE-RSA-AES128-GCM-SHA256"):
            self.context = client_context(self.authority.certificate, wall_time(NOW))
            self.context.set_max_proto_version(SSL.TLS1_2_VERSION)
            self.context.set_cipher_list(suites)
            self.assert_rejected("alert handshake failure")

    def test_alpn(self) -> None:
        """HTTP/1.1 is chosen from the client's ALPN offer, and a client may omit the offer."""
        self.assertEqual(Link(self.tls, self.context).client.get_alpn_proto_negotiated(), b"")
        self.context = client_context(self.authority.certificate, wall_time(NOW))
        self.context.set_alpn_protos([b"h2", b"http/1.0", b"http/1.1"])
        self.assertEqual(Link(self.tls, self.context).client.get_alpn_proto_negotiated(), b"http/1.1")

    def test_alpn_of_the_old_version(self) -> None:
        """A client that offers HTTP/1.0 alone, as `curl -0` does, gets it."""
        self.context.set_alpn_protos([b"http/1.0"])
        self.assertEqual(Link(self.tls, self.context).client.get_alpn_proto_negotiated(), b"http/1.0")

    def test_alpn_without_http_1_1(self) -> None:
        """A client that offers only other protocols is rejected with no_application_protocol (RFC 7301 §3.2)."""
        self.context.set_alpn_protos([b"h2"])
        self.assert_rejected("alert no application protocol")

    def test_no_renegotiation(self) -> None:
        """A TLS 1.2 client cannot renegotiate."""
        self.context.set_max_proto_version(SSL.TLS1_2_VERSION)
        link = Link(self.tls, self.context)
        self.assertTrue(link.client.renegotiate())
        error = self.assertRaises(SSL.Error, link.handshake)
        self.assertIn("no renegotiation", str(error))

    def test_no_resumption(self) -> None:
        """A client that offers a TLS session for resumption does a full handshake."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            context = client_context(self.authority.certificate, wall_time(NOW))
            context.set_max_proto_version(version)
            first = Link(self.tls, context)
            session = first.client.get_session()
            again = Link(self.tls, context, session)
            # A signature's size varies by a few bytes; the certificates make more than a thousand.
            self.assertLess(abs(again.received - first.received), 16)


class ReplaceTests(TLSCase):
    """Certificates are replaced while connections are open."""

    def test_connections_live(self) -> None:
        """An open connection continues with its certificate; the next handshake uses the new one."""
        old = Link(self.tls, self.context)
        pair = self.authority.issue(self.names, NOW)
        self.tls.replace(server_context(pair))
        new = Link(self.tls, self.context)
        self.assertEqual(old.echo(b"still here"), b"still here")
        self.assertEqual(old.shown, self.pair.leaf)
        self.assertEqual(new.shown, pair.leaf)

    def test_handshake_in_progress(self) -> None:
        """A handshake in progress ends with the certificate that it started with."""
        link = Link(self.tls, self.context, begin=False)
        self.tls.replace(server_context(self.authority.issue(self.names, NOW)))
        link.handshake()
        self.assertEqual(link.shown, self.pair.leaf)

    def test_chain(self) -> None:
        """The authority's certificate is sent with the leaf."""
        chain = Link(self.tls, self.context).client.get_peer_cert_chain(as_cryptography=True)
        self.assertEqual(chain, list(self.pair.chain))

    def test_key_too_small(self) -> None:
        """A certificate that OpenSSL rejects is an error of one sentence."""
        pair = self_signed(rsa.generate_private_key(65537, 1024))  # noqa: S505 - the key is too small on purpose
        error = self.assertRaises(CertificateError, server_context, pair)
        self.assertEqual(str(error), "OpenSSL does not accept the certificate: ee key too small.")
