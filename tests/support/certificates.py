"""Creates certificates that signald itself would never issue."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtensionOID, NameOID

from signald.net.keyfiles import Key, Pair, certificates_pem, key_pem
from signald.tls.authority import Authority, wall_time
from tests.support.machines import DAY, NOW

NAMES = x509.SubjectAlternativeName([x509.DNSName("attic.example.org")])


def self_signed(
    key: Key,
    start: float = NOW,
    end: float = NOW + 90 * DAY,
    names: x509.ExtensionType = NAMES,
) -> Pair:
    """Create a certificate for attic.example.org as an operator might supply it; times count from the epoch."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attic.example.org")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wall_time(start))
        .not_valid_after(wall_time(end))
        .add_extension(names, critical=False)
        .sign(key, None if isinstance(key, Ed25519PrivateKey | Ed448PrivateKey) else hashes.SHA256())
    )
    return Pair((certificate,), key)


def write_pair(directory: Path, now: float, private_key: Key | None = None) -> tuple[Path, Path]:
    """Write a certificate that is valid from `now` on, and its key; return the paths of both files."""
    pair = self_signed(private_key or generate_private_key(SECP256R1()), now - DAY, now + 90 * DAY)
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_bytes(certificates_pem(pair.chain))
    key.touch(mode=0o600)
    key.write_bytes(key_pem(pair.key))
    return certificate, key


def forged(authority: Authority, like: Pair, host: str, address: str) -> Pair:
    """Issue a leaf for any name with a stolen authority key, and copy all other fields from another certificate."""
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address(address))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.leaf.subject)
        .issuer_name(like.leaf.issuer)
        .public_key(like.leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(like.leaf.not_valid_before_utc)
        .not_valid_after(like.leaf.not_valid_after_utc)
    )
    for extension in like.leaf.extensions:
        is_names = extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        builder = builder.add_extension(names if is_names else extension.value, extension.critical)
    signer = authority.pair.key
    assert isinstance(signer, EllipticCurvePrivateKey)
    return Pair((builder.sign(signer, hashes.SHA256()), authority.certificate), like.key)
