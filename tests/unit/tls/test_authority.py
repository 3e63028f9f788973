"""Tests of the local authority: its certificate, its constraints, its leaves and their renewal."""

from __future__ import annotations

import datetime
from ipaddress import ip_address, ip_network

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from signald.net.keyfiles import CertificateError, Pair
from signald.tls.authority import Authority, wall_time
from tests.support.certificates import forged
from tests.support.machines import DAY, HOUR, NOW, machine


def verify(authority: Authority, leaf: x509.Certificate, name: x509.DNSName | x509.IPAddress) -> None:
    """Verify a leaf for a name, as a client that trusts the authority does (RFC 5280 §6)."""
    policy = PolicyBuilder().store(Store([authority.certificate])).time(wall_time(NOW))
    policy.build_server_verifier(name).verify(leaf, [])


def common_name(certificate: x509.Certificate) -> str | bytes:
    """Return the subject's common name."""
    return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


class CreateTests(SynchronousTestCase):
    """`Authority.create` creates the authority's certificate."""

    def setUp(self) -> None:
        """Create an authority."""
        self.names = machine("attic.example.org", ["192.168.1.20", "8.8.4.4", "2001:4860:4860::8844", "fd00::2"])
        self.authority = Authority.create(self.names, NOW)
        self.certificate = self.authority.certificate

    def critical(self, oid: x509.ObjectIdentifier) -> bool:
        """Return whether the certificate has this extension, marked as critical."""
        return self.certificate.extensions.get_extension_for_oid(oid).critical

    def test_usage(self) -> None:
        """The authority can sign leaves and revocation lists, but no further authority."""
        basic = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        self.assertEqual(basic, x509.BasicConstraints(ca=True, path_length=0))
        usage = self.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.key_cert_sign and usage.crl_sign)
        self.assertFalse(usage.digital_signature)
        for oid in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.NAME_CONSTRAINTS):
            self.assertTrue(self.critical(oid))

    def test_self_signed(self) -> None:
        """The authority is self-signed with a new P-256 key."""
        self.certificate.verify_directly_issued_by(self.certificate)
        key = self.certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertIsInstance(key.curve, ec.SECP256R1)

    def test_lifetime(self) -> None:
        """The authority is valid for 3,650 days, from an hour before its creation."""
        start = self.certificate.not_valid_before_utc
        self.assertEqual(start.timestamp(), NOW - HOUR)
        self.assertEqual(self.certificate.not_valid_after_utc - start, datetime.timedelta(days=3650))

    def test_common_name(self) -> None:
        """The common name contains the host name, if there is one, truncated to 64 characters."""
        self.assertEqual(common_name(self.certificate), "signald local CA (attic.example.org)")
        self.assertEqual(common_name(Authority.create(machine(None), NOW).certificate), "signald local CA")
        self.assertEqual(
            common_name(Authority.create(machine("a" * 63), NOW).certificate), f"signald local CA ({'a' * 46}"
        )

    def test_constraints(self) -> None:
        """The constraints permit localhost, .local, the host name, private networks and the machine's public addresses.

        Of an IPv6 address that is the /64 network, since the other half changes every day.
        """
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        self.assertIsNone(constraints.excluded_subtrees)
        self.assertEqual(
            [tree.value for tree in constraints.permitted_subtrees or ()],
            ["local", "localhost", "attic.example.org"]
            + [
                ip_network(text)
                for text in (
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "100.64.0.0/10",
                    "127.0.0.0/8",
                    "169.254.0.0/16",
                    "::1/128",
                    "fc00::/7",
                    "fe80::/10",
                    "8.8.4.4/32",
                    "2001:4860:4860::/64",
                )
            ],
        )


class FromPairTests(SynchronousTestCase):
    """`Authority.from_pair` accepts only authorities that signald created."""

    def setUp(self) -> None:
        """Create an authority."""
        self.authority = Authority.create(machine(), NOW)

    def test_own_authority(self) -> None:
        """An authority that signald created is accepted."""
        self.assertEqual(Authority.from_pair(self.authority.pair), self.authority)

    def test_without_constraints(self) -> None:
        """A certificate without name constraints, a leaf or an unconstrained authority, is rejected."""
        error = self.assertRaises(CertificateError, Authority.from_pair, self.authority.issue(machine(), NOW))
        self.assertEqual(str(error), "The authority's certificate lacks the extension 2.5.29.30.")

    def test_without_key_identifier(self) -> None:
        """An authority without a subject key identifier, to which leaves refer, is rejected."""
        certificate = self.authority.certificate
        builder = (
            x509.CertificateBuilder()
            .subject_name(certificate.subject)
            .issuer_name(certificate.subject)
            .public_key(certificate.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(certificate.not_valid_before_utc)
            .not_valid_after(certificate.not_valid_after_utc)
        )
        for extension in certificate.extensions:
            if extension.oid != ExtensionOID.SUBJECT_KEY_IDENTIFIER:
                builder = builder.add_extension(extension.value, extension.critical)
        key = self.authority.pair.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        pair = Pair((builder.sign(key, hashes.SHA256()),), key)
        error = self.assertRaises(CertificateError, Authority.from_pair, pair)
        self.assertEqual(str(error), "The authority's certificate lacks the extension 2.5.29.14.")

    def test_no_authority(self) -> None:
        """A certificate that is not an authority, or has a key of another type, is rejected."""
        key = ec.generate_private_key(ec.SECP256R1())
        edwards = ed25519.Ed25519PrivateKey.generate()
        constraints = self.authority.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.authority.certificate.subject)
            .issuer_name(self.authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(wall_time(NOW))
            .not_valid_after(wall_time(NOW + DAY))
            .add_extension(constraints, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        leaf = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        other = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        for pair in (Pair((leaf.sign(key, hashes.SHA256()),), key), Pair((other.sign(edwards, None),), edwards)):
            error = self.assertRaises(CertificateError, Authority.from_pair, pair)
            self.assertEqual(str(error), "The authority's certificate was not created by signald.")


class IssueTests(SynchronousTestCase):
    """`issue` creates leaves that clients accept for permitted names only."""

    def setUp(self) -> None:
        """Create an authority and a leaf."""
        self.names = machine("attic", ["192.168.1.20", "8.8.4.4", "fd00::2"])
        self.authority = Authority.create(self.names, NOW)
        self.pair = self.authority.issue(self.names, NOW)

    def test_names(self) -> None:
        """A client that trusts the authority accepts the leaf for each name and address of the machine."""
        for name in ("localhost", "attic", "attic.local"):
            verify(self.authority, self.pair.leaf, x509.DNSName(name))
        for address in ("127.0.0.1", "::1", "192.168.1.20", "8.8.4.4", "fd00::2"):
            verify(self.authority, self.pair.leaf, x509.IPAddress(ip_address(address)))

    def test_other_names(self) -> None:
        """A client accepts the leaf for no other name."""
        for name in (x509.DNSName("cellar.local"), x509.IPAddress(ip_address("192.168.1.21"))):
            self.assertRaises(VerificationError, verify, self.authority, self.pair.leaf, name)

    def test_constraints_in_clients(self) -> None:
        """Clients reject leaves for names outside the constraints, whoever has the authority's key."""
        for host, address in (("example.com", "10.0.0.1"), ("attic", "8.8.8.8"), ("notlocal", "10.0.0.1")):
            leaf = forged(self.authority, self.pair, host, address).leaf
            for name in (x509.DNSName(host), x509.IPAddress(ip_address(address))):
                error = self.assertRaises(VerificationError, verify, self.authority, leaf, name)
                self.assertIn("no permitted name constraints matched SAN", str(error))

    def test_usage(self) -> None:
        """The leaf has a new P-256 key, is valid for TLS servers only, and cannot sign certificates."""
        extensions = self.pair.leaf.extensions
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertFalse(extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertFalse(extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)
        key = self.pair.leaf.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertIsInstance(key.curve, ec.SECP256R1)
        self.assertNotEqual(key, self.authority.certificate.public_key())

    def test_lifetime(self) -> None:
        """The leaf is valid for 397 days, its last second included, from an hour before its issue."""
        leaf = self.pair.leaf
        self.assertEqual(leaf.not_valid_before_utc.timestamp(), NOW - HOUR)
        self.assertEqual(leaf.not_valid_after_utc.timestamp(), NOW - HOUR + 397 * DAY - 1)

    def test_chain(self) -> None:
        """The chain contains the authority's certificate."""
        self.assertEqual(self.pair.chain[1:], (self.authority.certificate,))

    def test_names_not_permitted(self) -> None:
        """A newer name of the machine that the authority does not permit is left out."""
        moved = machine("cellar", ["192.168.1.20", "8.8.8.8", "2001:4860:4860::8844", "10.9.9.9"])
        self.assertEqual(self.authority.names_not_permitted(moved), ("cellar", "8.8.8.8", "2001:4860:4860::8844"))
        leaf = self.authority.issue(moved, NOW).leaf
        verify(self.authority, leaf, x509.DNSName("cellar.local"))
        verify(self.authority, leaf, x509.IPAddress(ip_address("10.9.9.9")))

    def test_whole_labels(self) -> None:
        """Subdomains are compared by whole labels, not by their last letters."""
        self.assertEqual(self.authority.names_not_permitted(machine("notlocalhost")), ("notlocalhost",))
        self.assertEqual(self.authority.names_not_permitted(machine("lamp.attic")), ())

    def test_ipv6_network(self) -> None:
        """Public IPv6 addresses of the machine's /64 are permitted, since temporary addresses change."""
        authority = Authority.create(machine("attic", ["2001:4860:4860::8844"]), NOW)
        self.assertEqual(
            authority.names_not_permitted(machine("attic", ["2001:4860:4860::1", "2001:4860:4860:1::1"])),
            ("2001:4860:4860:1::1",),
        )


class RenewalTests(SynchronousTestCase):
    """`renewal_reason` decides whether a leaf must be issued again."""

    def setUp(self) -> None:
        """Create an authority and a leaf."""
        self.names = machine("attic", ["192.168.1.20", "10.0.0.2"])
        self.authority = Authority.create(self.names, NOW)
        self.leaf = self.authority.issue(self.names, NOW).leaf
        self.end = self.leaf.not_valid_after_utc.timestamp()

    def test_good(self) -> None:
        """A leaf with all names and enough time is not renewed."""
        self.assertIsNone(self.authority.renewal_reason(self.leaf, self.names, NOW))

    def test_thirty_days(self) -> None:
        """A leaf is renewed when less than thirty days are left."""
        self.assertIsNone(self.authority.renewal_reason(self.leaf, self.names, self.end - 30 * DAY))
        reason = self.authority.renewal_reason(self.leaf, self.names, self.end - 30 * DAY + 1)
        self.assertEqual(reason, "it expires on 2027-04-02")

    def test_not_valid_yet(self) -> None:
        """A leaf that is not yet valid, as after a wrong clock, is renewed; one in its first second is not."""
        self.assertIsNone(self.authority.renewal_reason(self.leaf, self.names, NOW - HOUR))
        reason = self.authority.renewal_reason(self.leaf, self.names, NOW - HOUR - 1)
        self.assertEqual(reason, "it is not valid yet")

    def test_new_names(self) -> None:
        """A leaf that lacks present names or addresses is renewed."""
        moved = machine("cellar", ["192.168.1.20", "fd00::2"])
        reason = self.authority.renewal_reason(self.leaf, moved, NOW)
        self.assertEqual(reason, "it does not contain cellar.local, fd00::2")

    def test_fewer_names(self) -> None:
        """A leaf with an address that the machine no longer has is not renewed."""
        self.assertIsNone(self.authority.renewal_reason(self.leaf, machine("attic", []), NOW))

    def test_names_not_permitted(self) -> None:
        """A leaf is not renewed for a name that the authority does not permit."""
        moved = evolve(self.names, addresses=(*self.names.addresses, ip_address("8.8.8.8")))
        self.assertIsNone(self.authority.renewal_reason(self.leaf, moved, NOW))

    def test_no_names(self) -> None:
        """A leaf without names, which no client accepts, is renewed."""
        reason = self.authority.renewal_reason(self.authority.certificate, self.names, NOW)
        self.assertEqual(reason, "it contains no names")

    def test_another_authority(self) -> None:
        """A leaf of another authority with the same name is renewed."""
        other = Authority.create(self.names, NOW)
        self.assertEqual(other.renewal_reason(self.leaf, self.names, NOW), "it was issued by another authority")
