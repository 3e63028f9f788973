"""Keys and certificates in PEM files: read with checks, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from signald.net.regular_files import read_keys

__all__ = [
    "OWNER_ALONE",
    "OWNER_AND_GROUP",
    "CertificateError",
    "Key",
    "KeyMismatchError",
    "Pair",
    "certificates_pem",
    "key_pem",
    "locked",
    "read_pair",
    "read_private_key",
    "write_files",
]

Key = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey | Ed448PrivateKey
"""The kinds of private key that TLS servers sign with (RFC 8446 §4.2.3)."""

OWNER_ALONE = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits that a key of signald's own must not have: nobody else reads it."""

OWNER_AND_GROUP = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
"""The permission bits that an operator's key must not have. A group may read it: that is how distributions (`ssl-cert`)
and systemd's credentials share a key with a service."""


class CertificateError(Exception):
    """A certificate or key that cannot be used; its text is one sentence that names the file and the problem."""


class KeyMismatchError(CertificateError):
    """A certificate and a key that are both sound but do not belong together."""


@frozen
class Pair:
    """A certificate with its private key.

    Attributes:
        chain: the certificate itself, then those that lead to its authority.
        key: the private key of the first.

    """

    chain: tuple[x509.Certificate, ...]
    key: Key = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return self.chain[0]


def read_pair(certificate: Path, key: Path, forbidden: int) -> Pair:
    """Read a certificate with its chain and its private key.

    Arguments:
        certificate: a file of PEM certificates, the key's own first.
        key: a file with one PEM private key, not encrypted.
        forbidden: the permission bits that the key file must not have.

    Raises CertificateError if a file is missing, unreadable, damaged or open to others; KeyMismatchError if the two do
    not belong together.

    """
    pair = Pair(_read_certificates(certificate), read_private_key(key, forbidden))
    if pair.leaf.public_key() != pair.key.public_key():
        raise KeyMismatchError(f"The key in {key} is not the key of the certificate in {certificate}.")
    return pair


def _read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Read every certificate of a PEM file."""
    content, _ = read_keys(path, CertificateError)
    try:
        chain = tuple(x509.load_pem_x509_certificates(content))
        for certificate in chain:
            # Parsed on first use: what is wrong with it shows here, not later.
            certificate.extensions, certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{path} does not hold a readable certificate in PEM form.") from None
    return chain


def read_private_key(path: Path, forbidden: int) -> Key:
    """Read a private key, unless others could have read it too.

    Arguments:
        path: a file with one PEM private key, not encrypted.
        forbidden: the permission bits that the file must not have.

    Raises CertificateError if the file is missing, unreadable, damaged, open to others, or of another kind.

    """
    content, mode = read_keys(path, CertificateError)
    if mode & forbidden:
        raise CertificateError(f"The key {path} is open to others (mode {stat.S_IMODE(mode):04o}); make it 0600.")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise CertificateError(f"The key {path} is encrypted; signald needs one without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{path} does not hold a readable private key in PEM form.") from None
    if not isinstance(key, Key):
        raise CertificateError(f"The key {path} is of a kind that TLS does not sign with.")
    return key


def certificates_pem(chain: tuple[x509.Certificate, ...]) -> bytes:
    """Certificates as the content of a PEM file."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)


def key_pem(key: Key) -> bytes:
    """A private key as the content of a PEM file: PKCS #8 (RFC 7468 §10), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files of one directory, each replaced whole, in the given order, and none before all are on the disk.

    Every file is its owner's alone (mode 0600) from its first byte on. The caller holds the directory's lock, so that
    a leftover of a writer that was killed can be cleared away.

    Raises OSError if one cannot be written; then the old ones are still there.

    """
    new = {path: path.with_name(f"{path.name}.new") for path in contents}
    try:
        for path, content in contents.items():
            _write_new(new[path], content)
        for path, written in new.items():
            written.replace(path)
    except OSError:
        for written in new.values():
            if written.is_file():
                written.unlink()
        raise
    for directory in {path.parent for path in contents}:
        _sync_directory(directory)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that was not there, down to the disk."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    """Bring a directory's entries to the disk, so that a power cut does not take back a rename."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make a private directory where there is none, and be its only writer meanwhile.

    Two processes on one directory happen whenever one takes over from another.

    Raises OSError if the directory cannot be made or written.

    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A file of its own: not every network file system locks a directory.
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
