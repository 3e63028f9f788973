"""Tests of reading PEM files and of writing files atomically."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.x509.oid import ExtensionOID
from twisted.trial.unittest import SynchronousTestCase

from signald.net.file_modes import OWNER_ALONE, OWNER_AND_GROUP
from signald.net.keyfiles import (
    CertificateError,
    KeyMismatchError,
    Pair,
    certificates_pem,
    key_pem,
    locked,
    read_pair,
    write_files,
)
from signald.tls.authority import Authority
from tests.support.certificates import self_signed
from tests.support.machines import NOW, machine


class ReadTests(SynchronousTestCase):
    """`read_pair` reads and checks a certificate and its key."""

    def setUp(self) -> None:
        """Write a valid pair."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.certificate, self.key = directory / "cert.pem", directory / "key.pem"
        self.pair = Authority.create(machine(), NOW).issue(machine(), NOW)
        write_files({self.certificate: certificates_pem(self.pair.chain), self.key: key_pem(self.pair.key)})

    def read(self, forbidden: int = OWNER_ALONE) -> Pair:
        """Read the pair."""
        return read_pair(self.certificate, self.key, forbidden)

    def error(self, forbidden: int = OWNER_ALONE) -> str:
        """Return the error that reading the pair raises."""
        return str(self.assertRaises(CertificateError, self.read, forbidden))

    def test_round_trip(self) -> None:
        """The chain and the key that were written are read."""
        read = self.read()
        self.assertEqual(read.chain, self.pair.chain)
        self.assertEqual(key_pem(read.key), key_pem(self.pair.key))

    def test_repr_hides_the_key(self) -> None:
        """The repr of a pair, which might reach a log, does not contain the key."""
        self.assertNotIn("key", repr(self.pair))

    def test_missing(self) -> None:
        """A missing file is an error that names it."""
        self.key.unlink()
        self.assertEqual(self.error(), f"{self.key} cannot be read: No such file or directory.")

    def test_fifo(self) -> None:
        """A FIFO is rejected at once; waiting for its writer would block the server."""
        self.key.unlink()
        os.mkfifo(self.key, 0o600)
        self.assertEqual(self.error(), f"{self.key} cannot be read: expected a regular file, found a FIFO.")

    def test_damaged_certificate(self) -> None:
        """A file without a certificate or with a truncated one is an error that names it."""
        whole = self.certificate.read_bytes()
        for content in (b"", b"certificate\n", whole[:200], whole.replace(b"MII", b"MIJ", 1)):
            self.certificate.write_bytes(content)
            mark = "-----BEGIN CERTIFICATE-----"
            begin, found = ("", "one that cannot be read") if b"-----" in content else (f" ({mark})", "none")
            self.assertEqual(
                self.error(), f"{self.certificate}: expected a certificate in PEM format{begin}, found {found}."
            )

    def test_damaged_extension(self) -> None:
        """A certificate with a damaged extension is rejected at once, not when the extension is first used."""
        key = ec.generate_private_key(ec.SECP256R1())
        damage = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"damage")
        self.certificate.write_bytes(certificates_pem(self_signed(key, names=damage).chain))
        self.key.write_bytes(key_pem(key))
        self.assertEqual(
            self.error(), f"{self.certificate}: expected a certificate in PEM format, found one that cannot be read."
        )

    def test_damaged_key(self) -> None:
        """A file without a readable key is an error that names it."""
        for content, words in (
            (b"", " (-----BEGIN PRIVATE KEY-----), found none."),
            (self.key.read_bytes()[:100], ", found one that cannot be read."),
        ):
            self.key.write_bytes(content)
            self.assertEqual(self.error(), f"{self.key}: expected a private key in PEM format{words}")

    def test_encrypted_key(self) -> None:
        """An encrypted key is rejected, since nobody could enter the passphrase."""
        self.key.write_bytes(
            self.pair.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertEqual(
            self.error(), f"{self.key}: expected a private key without a passphrase, found an encrypted one."
        )

    def test_key_that_cannot_sign(self) -> None:
        """A key that can only exchange keys is rejected."""
        self.key.write_bytes(
            x25519.X25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.assertEqual(self.error(), f"{self.key}: expected an ECDSA, RSA or EdDSA key, found a key of another type.")

    def test_key_of_another_certificate(self) -> None:
        """A key of another certificate raises KeyMismatchError, unlike a damaged one."""
        self.key.write_bytes(key_pem(ec.generate_private_key(ec.SECP256R1())))
        error = self.assertRaises(KeyMismatchError, self.read)
        self.assertEqual(str(error), f"The key in {self.key} is not the key of the certificate in {self.certificate}.")

    def test_own_key_open_to_others(self) -> None:
        """A key that signald generated is rejected if anybody else has any permission."""
        for mode in (0o640, 0o604, 0o610, 0o666):
            self.key.chmod(mode)
            self.assertEqual(
                self.error(), f"The key {self.key} is open to others (mode {mode:04o}); set its mode to 0600."
            )
        self.key.chmod(0o400)
        self.read()

    def test_operators_key(self) -> None:
        """An operator's key may be readable by its group, but not writable by it, and not accessible to others."""
        for mode in (0o600, 0o440, 0o640):
            self.key.chmod(mode)
            self.read(OWNER_AND_GROUP)
        for mode in (0o660, 0o644, 0o642):
            self.key.chmod(mode)
            self.assertIn("open to others", self.error(OWNER_AND_GROUP))


class WriteTests(SynchronousTestCase):
    """`write_files` replaces files atomically."""

    def setUp(self) -> None:
        """Create a directory with one file."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.first, self.second = self.directory / "a", self.directory / "b"
        self.first.write_bytes(b"old")

    def test_owner_alone(self) -> None:
        """Files are written with mode 0600, whatever the mode of the old ones."""
        self.first.chmod(0o644)
        write_files({self.first: b"new", self.second: b"new"})
        self.assertEqual(self.first.read_bytes(), b"new")
        for path in (self.first, self.second):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_leftovers(self) -> None:
        """A temporary file of a writer that was killed is replaced, and none is left behind."""
        (self.directory / "a.new").write_bytes(b"half")
        write_files({self.first: b"new"})
        self.assertEqual(list(self.directory.iterdir()), [self.first])

    def test_symbolic_link(self) -> None:
        """A symbolic link with the name of the temporary file is removed, and not followed."""
        (self.directory / "a.new").symlink_to(self.second)
        write_files({self.first: b"new"})
        self.assertFalse(self.second.exists())

    def test_failure(self) -> None:
        """If one file cannot be written, no file is replaced and nothing is left behind."""
        obstacle = self.directory / "b.new"
        obstacle.mkdir()
        self.assertRaises(OSError, write_files, {self.first: b"new", self.second: b"new"})
        self.assertEqual(self.first.read_bytes(), b"old")
        self.assertEqual(sorted(self.directory.iterdir()), [self.first, obstacle])


class LockTests(SynchronousTestCase):
    """`locked` holds the lock of a directory."""

    def test_directory_is_private(self) -> None:
        """A missing directory is created with its parents, for its owner alone."""
        directory = Path(self.mktemp()) / "signald"
        with locked(directory):
            self.assertEqual(directory.stat().st_mode & 0o777, 0o700)

    def test_one_at_a_time(self) -> None:
        """The lock is held within the block and free after it, also after a failure."""
        directory = Path(self.mktemp())
        with self.assertRaises(ZeroDivisionError), locked(directory):
            lock = (directory / ".lock").open("rb")
            self.addCleanup(lock.close)
            self.assertRaises(BlockingIOError, fcntl.flock, lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise ZeroDivisionError
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
