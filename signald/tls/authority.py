"""The local certificate authority, one per data directory, constrained to its machine and private networks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signald.net.addresses import LOCAL_NETWORKS, Address, Names, Network
from signald.net.keyfiles import CertificateError, Pair

__all__ = ["RENEW_BEFORE", "Authority", "wall_time"]

AUTHORITY_LIFE = timedelta(days=3650)
"""The lifetime of the authority: that of a device which trusts it, since trusting a new one is manual work."""

LEAF_LIFE = timedelta(days=397)
"""The lifetime of a leaf, both ends included (RFC 5280 §4.1.2.5); browsers limit public authorities to 398 days."""

RENEW_BEFORE = timedelta(days=30)
"""A leaf is issued again this long before it expires."""

CLOCK_SKEW = timedelta(hours=1)
"""Tolerance for clients whose clock is slow: certificates are valid from this long before they are issued."""

COMMON_NAME_LENGTH = 64
"""The maximum length of a common name, in characters (RFC 5280 appendix A.1, ub-common-name)."""


def wall_time(now: float) -> datetime:
    """Convert seconds since the epoch to a time in UTC, in whole seconds as in certificates."""
    return datetime.fromtimestamp(now, UTC).replace(microsecond=0)


@frozen
class Authority:
    """A certificate authority that issues leaf certificates for this machine.

    Attributes:
        pair: its self-signed certificate and its key.

    """

    pair: Pair

    @classmethod
    def create(cls, names: Names, now: float) -> Authority:
        """Create an authority whose name constraints permit localhost, `.local`, private networks and this machine.

        Arguments:
            names: the machine's present names and addresses.
            now: wall time, in seconds since the epoch.

        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name("signald local CA", names)
        start = wall_time(now) - CLOCK_SKEW
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(_constraints(names), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(Pair((certificate,), key))

    @classmethod
    def from_pair(cls, pair: Pair) -> Authority:
        """Create the object of an existing authority.

        Raises:
            CertificateError: the certificate is not like those of `create`.

        """
        try:
            basic = pair.leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
            pair.leaf.extensions.get_extension_for_class(x509.NameConstraints)
            pair.leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound as missing:
            raise CertificateError(
                f"The authority's certificate lacks the extension {missing.oid.dotted_string}."
            ) from None
        if not basic.ca or not isinstance(pair.key, ec.EllipticCurvePrivateKey):
            raise CertificateError("The authority's certificate was not created by signald.")
        return cls(pair)

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's certificate, which devices have to trust."""
        return self.pair.leaf

    def names_not_permitted(self, names: Names) -> tuple[str, ...]:
        """Return those names and addresses that the authority's constraints do not permit."""
        return tuple(str(name.value) for name in _general_names(names) if not self._permits(name))

    def issue(self, names: Names, now: float) -> Pair:
        """Issue a leaf with a new key for all names and addresses that the constraints permit.

        Arguments:
            names: the machine's names and addresses.
            now: wall time, in seconds since the epoch.

        """
        key = ec.generate_private_key(ec.SECP256R1())
        start = wall_time(now) - CLOCK_SKEW
        own_key = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_common_name("signald", names))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + LEAF_LIFE - timedelta(seconds=1))
            .add_extension(x509.SubjectAlternativeName(self._permitted_names(names)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_key), critical=False)
            .sign(self.pair.key, hashes.SHA256())
        )
        return Pair((certificate, self.certificate), key)

    def renewal_reason(self, leaf: x509.Certificate, names: Names, now: float) -> str | None:
        """Return why a leaf must be issued again, as the end of a sentence; None if it is good.

        An address that the machine no longer has is no reason, since it often returns.

        Arguments:
            leaf: the leaf in use.
            names: the machine's present names and addresses.
            now: wall time, in seconds since the epoch.

        """
        try:
            leaf.verify_directly_issued_by(self.certificate)
            covered = set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except (ValueError, TypeError, InvalidSignature):
            return "it was issued by another authority"
        except x509.ExtensionNotFound:
            return "it contains no names"
        time = wall_time(now)
        if time < leaf.not_valid_before_utc:
            return "it is not valid yet"
        if leaf.not_valid_after_utc - time < RENEW_BEFORE:
            return f"it expires on {leaf.not_valid_after_utc:%Y-%m-%d}"
        new = [str(name.value) for name in self._permitted_names(names) if name not in covered]
        return f"it does not contain {', '.join(new)}" if new else None

    def _permitted_names(self, names: Names) -> list[x509.GeneralName]:
        """Return the names and addresses that the constraints permit, as certificates contain them."""
        return [name for name in _general_names(names) if self._permits(name)]

    def _permits(self, name: x509.DNSName | x509.IPAddress) -> bool:
        """Tell whether the authority's name constraints permit a name (RFC 5280 §4.2.1.10)."""
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        permitted = [tree.value for tree in constraints.permitted_subtrees or ()]
        if isinstance(name, x509.DNSName):
            return any(f".{name.value}".endswith(f".{domain}") for domain in permitted if isinstance(domain, str))
        return any(name.value in network for network in permitted if isinstance(network, Network))


def _general_names(names: Names) -> list[x509.DNSName | x509.IPAddress]:
    """Convert names and addresses to the form in certificates (RFC 5280 §4.2.1.6)."""
    return [*map(x509.DNSName, names.dns_names), *map(x509.IPAddress, names.addresses)]


def _constraints(names: Names) -> x509.NameConstraints:
    """Return the name constraints of an authority (RFC 5280 §4.2.1.10); a DNS name permits its subdomains too."""
    domains = ("local", *(name for name in names.dns_names if not name.endswith(".local")))
    public = [one for one in names.addresses if not any(one in network for network in LOCAL_NETWORKS)]
    networks = dict.fromkeys((*LOCAL_NETWORKS, *map(_own_network, public)))
    return x509.NameConstraints(
        permitted_subtrees=[*map(x509.DNSName, domains), *map(x509.IPAddress, networks)], excluded_subtrees=None
    )


def _own_network(address: Address) -> Network:
    """Return the network to permit for a public address: an IPv4 address alone, the /64 of an IPv6 address.

    A machine changes the interface identifier of its temporary IPv6 addresses every day (RFC 8981 §3.8).
    """
    if isinstance(address, IPv4Address):
        return ip_network(address)
    return ip_network((address, 64), strict=False)


def _common_name(what: str, names: Names) -> x509.Name:
    """Return a subject for people; it contains a space, so that no verifier takes it for a DNS name."""
    text = what if names.host is None else f"{what} ({names.host})"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:COMMON_NAME_LENGTH])])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return the key usage (RFC 5280 §4.2.1.3): signing certificates and revocation lists, or signing handshakes."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
