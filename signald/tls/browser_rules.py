"""Judges whether browsers accept a certificate at all, whoever has signed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

__all__ = ["BrowserProblem", "browser_problems"]

LEAST_RSA_BITS = 2048
"""The smallest RSA key that browsers accept (CA/Browser Forum Baseline Requirements §6.1.5)."""

_CURVES = frozenset({"secp256r1", "secp384r1"})
"""The curves that all browsers accept: Chromium has no P-521, and no browser has curves such as secp256k1."""

_HASHES = frozenset({"sha256", "sha384", "sha512"})
"""The hashes of signatures that browsers accept; they have refused SHA-1 since 2017."""

_PSS_KEY = "1.2.840.113549.1.1.10"
"""The object identifier of RSA keys that sign with PSS alone (RFC 4055 §1.2)."""

_REMEDY = "Use a certificate with an ECDSA P-256 key, or an RSA key of 2048 bits or more, signed with SHA-256."


@frozen
class BrowserProblem:
    """A reason for which browsers refuse a certificate.

    Attributes:
        text: a sentence with the reason.
        remedy: a sentence that says what to do.

    """

    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}"


def browser_problems(chain: Sequence[x509.Certificate]) -> list[BrowserProblem]:
    """Return each reason for which browsers refuse a certificate.

    Arguments:
        chain: the certificate, then those of intermediate authorities.

    """
    leaf = chain[0]
    found = list(_key_problems(leaf))
    for number, certificate in enumerate(chain):
        # Nobody checks the signature of a root on itself (RFC 5280 §6.1).
        if (number == 0 or certificate.issuer != certificate.subject) and (hash_name := _weak_hash(certificate)):
            found.append(f"{'it' if number == 0 else 'an intermediate certificate'} is signed with {hash_name}")
    problems = [BrowserProblem(f"Browsers refuse it, since {reason}.", _REMEDY) for reason in found]
    return [*problems, *_name_problems(leaf)]


def _key_problems(leaf: x509.Certificate) -> Iterator[str]:
    if leaf.public_key_algorithm_oid.dotted_string == _PSS_KEY:
        yield "Chromium has no RSA keys that are for PSS alone (RSASSA-PSS)"
    match leaf.public_key():
        case RSAPublicKey(key_size=bits) if bits < LEAST_RSA_BITS:
            yield f"its RSA key has {bits} bits"
        case EllipticCurvePublicKey(curve=curve) if curve.name not in _CURVES:
            yield f"Chromium or all of them have no keys of the curve {curve.name}"
        case Ed25519PublicKey() | Ed448PublicKey():
            yield "they have no EdDSA keys (Ed25519, Ed448)"


def _weak_hash(certificate: x509.Certificate) -> str | None:
    """Return the name of the hash of the signature, if browsers refuse it; EdDSA has none of its own."""
    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return certificate.signature_algorithm_oid.dotted_string
    return None if found is None or found.name in _HASHES else found.name.upper()


def _name_problems(leaf: x509.Certificate) -> Iterator[BrowserProblem]:
    extensions = leaf.extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        has_hosts = any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)
    except x509.ExtensionNotFound:
        has_hosts = False
    if not has_hosts:
        yield BrowserProblem(
            "Browsers refuse it, since it has no host name or address as subjectAltName; they do not read the common "
            "name (RFC 9525 §2).",
            "Have it issued with its host names as subjectAltName.",
        )
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & {*purposes}:
        yield BrowserProblem(
            "Browsers refuse it, since its extended key usage has no serverAuth (RFC 5280 §4.2.1.12).",
            "Have it issued for a server.",
        )
