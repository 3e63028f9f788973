"""A certificate authority like public ones: clients trust its root, and an intermediate authority issues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signald.net.keyfiles import Pair

YEAR = timedelta(days=365)


@frozen
class PublicAuthority:
    """A root authority and an intermediate authority.

    Attributes:
        root: the root authority, which clients trust.
        intermediate: the issuing authority, whose chain consists of its own certificate only.
        now: the time to which validity periods are relative.

    """

    root: x509.Certificate
    intermediate: Pair
    now: datetime

    @classmethod
    def create(cls, now: datetime | None = None) -> PublicAuthority:
        """Create the root and the intermediate authority."""
        now = (now or datetime.now(UTC)).replace(microsecond=0)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name, name = _name("Test Root"), _name("Test Intermediate")
        root = _certificate(root_name, root_name, root_key, root_key, now - YEAR, now + 10 * YEAR, authority=True)
        middle = _certificate(name, root_name, key, root_key, now - YEAR, now + 5 * YEAR, authority=True)
        return cls(root, Pair((middle,), key), now)

    def issue(
        self, *names: x509.GeneralName, start: timedelta = timedelta(days=-1), end: timedelta = timedelta(days=89)
    ) -> Pair:
        """Issue a certificate with its whole chain; `start` and `end` are relative to `now`."""
        key, signer = ec.generate_private_key(ec.SECP256R1()), self.intermediate.key
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        leaf = _certificate(
            _name("a server"),
            self.intermediate.leaf.subject,
            key,
            signer,
            self.now + start,
            self.now + end,
            names=names,
        )
        return Pair((leaf, self.intermediate.leaf), key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    start: datetime,
    end: datetime,
    *,
    authority: bool = False,
    names: tuple[x509.GeneralName, ...] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())
