"""Reads keys and certificates from PEM files with checks, and writes files atomically."""

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

from signald.net.regular_files import create_new, open_regular, read_keys

__all__ = [
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


class CertificateError(Exception):
    """A certificate or key cannot be used; the text is one sentence that names the file and the problem."""


class KeyMismatchError(CertificateError):
    """A certificate and a key are both valid but do not belong together."""


@frozen
class Pair:
    """A certificate with its private key.

    Attributes:
        chain: the leaf certificate, then the intermediate ones.
        key: the private key of the leaf.

    """

    chain: tuple[x509.Certificate, ...]
    key: Key = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The leaf certificate."""
        return self.chain[0]


def read_pair(certificate: Path, key: Path, forbidden: int, *, follow: bool = True) -> Pair:
    """Read a certificate with its chain and its private key.

    Arguments:
        certificate: a file of PEM certificates, the leaf first.
        key: a file with one PEM private key, not encrypted.
        forbidden: the permission bits that the key file must not have.
        follow: whether symbolic links are followed, as for `open_regular`.

    Raises:
        CertificateError: a file is missing, unreadable, no regular file, damaged or open to others.
        KeyMismatchError: certificate and key do not belong together.

    """
    pair = Pair(_read_certificates(certificate, follow=follow), read_private_key(key, forbidden, follow=follow))
    if pair.leaf.public_key() != pair.key.public_key():
        raise KeyMismatchError(f"The key in {key} is not the key of the certificate in {certificate}.")
    return pair


def _read_certificates(path: Path, *, follow: bool) -> tuple[x509.Certificate, ...]:
    """Read every certificate of a PEM file."""
    content, _ = read_keys(path, CertificateError, follow=follow)
    try:
        chain = tuple(x509.load_pem_x509_certificates(content))
        for certificate in chain:
            # They are parsed on first use; doing so here reports damage now and not in a handshake.
            certificate.extensions, certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(_unreadable(path, "certificate", content)) from None
    return chain


def read_private_key(path: Path, forbidden: int, *, follow: bool = True) -> Key:
    """Read a private key, and reject a file that others may read.

    Arguments:
        path: a file with one PEM private key, not encrypted.
        forbidden: the permission bits that the file must not have.
        follow: whether a symbolic link is followed, as for `open_regular`.

    Raises:
        CertificateError: the file is missing, unreadable, damaged or open to others, or the key is of an unknown type.

    """
    content, mode = read_keys(path, CertificateError, follow=follow)
    if mode & forbidden:
        raise CertificateError(
            f"The key {path} is open to others (mode {stat.S_IMODE(mode):04o}); set its mode to 0600."
        )
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise CertificateError(
            f"{path}: expected a private key without a passphrase, found an encrypted one."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(_unreadable(path, "private key", content)) from None
    if not isinstance(key, Key):
        raise CertificateError(f"{path}: expected an ECDSA, RSA or EdDSA key, found a key of another type.")
    return key


def _unreadable(path: Path, what: str, content: bytes) -> str:
    """Return a sentence about a file from which no certificate or key can be read.

    Arguments:
        path: the file.
        what: what was expected in it, in the words of its first line in PEM.
        content: its content, of which nothing is repeated.

    """
    if f"{what.upper()}-----".encode() in content:
        return f"{path}: expected a {what} in PEM format, found one that cannot be read."
    return f"{path}: expected a {what} in PEM format (-----BEGIN {what.upper()}-----), found none."


def certificates_pem(chain: tuple[x509.Certificate, ...]) -> bytes:
    """Encode certificates as the content of a PEM file."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)


def key_pem(key: Key) -> bytes:
    """Encode a private key as the content of a PEM file: PKCS #8 (RFC 7468 §10), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Replace files of one directory atomically, in the given order, once all of them are on the disk.

    Every file has mode 0600 from its first byte on. The caller holds the directory's lock, so that temporary files of
    a writer that was killed can be removed.

    Raises:
        OSError: a file cannot be written; the old files are unchanged.

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
    """Create a file, and flush it to the disk."""
    with open(create_new(path), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Flush a directory to the disk, so that a rename survives a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory, which is created if it is missing.

    Two processes share a directory whenever one takes over from the other.

    Raises:
        NotRegularFileError: the lock is not a regular file.
        OSError: the directory cannot be created or written.

    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The lock is a file, since not every network file system can lock a directory.
    descriptor = open_regular(directory / ".lock", os.O_RDWR | os.O_CREAT, follow=False)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
