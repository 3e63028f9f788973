"""Tests of the server's certificate: created, stored, issued again and read again."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from signald.net.addresses import Names
from signald.net.keyfiles import Pair, certificates_pem, key_pem, write_files
from signald.tls.authority import Authority, wall_time
from signald.tls.certificates import (
    MISMATCH_SECONDS,
    CertificateError,
    CertificateReport,
    LocalCertificate,
    SuppliedCertificate,
)
from tests.support.certificates import self_signed
from tests.support.handshake import Link, client_context
from tests.support.machines import DAY, HOUR, NOW, machine

UNCHANGED = CertificateReport()
"""The report of a check that finds nothing to do."""


def served_certificate(certificate: LocalCertificate | SuppliedCertificate) -> x509.Certificate:
    """Return the certificate that the server sends to a new client in the handshake."""
    context = SSL.Context(SSL.TLS_METHOD)
    return Link(certificate.tls, context).shown


class LocalCase(SynchronousTestCase):
    """A base class with a data directory and a machine."""

    def setUp(self) -> None:
        """Choose a directory that does not exist yet."""
        self.directory = Path(self.mktemp()) / "signald"
        self.names = machine("attic", ["192.168.1.20"])

    def load(self, names: Names | None = None, now: float = NOW) -> LocalCertificate:
        """Load the certificate, as the server does at start."""
        return LocalCertificate(self.directory, names or self.names, now)

    def contents(self) -> dict[str, bytes]:
        """Return the contents of all files by name."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def load_error(self) -> str:
        """Return the error that loading raises."""
        return str(self.assertRaises(CertificateError, self.load))


class LocalLoadTests(LocalCase):
    """Loading the local certificate at start."""

    def test_first_start(self) -> None:
        """The first start creates all files for their owner alone, and reports it."""
        certificate = self.load()
        self.assertEqual(sorted(self.contents()), [".lock", "ca-key.pem", "ca.pem", "cert.pem", "key.pem"])
        for path in self.directory.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path.name)
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)
        notes = (
            f"A local certificate authority was created: {self.directory}/ca.pem.",
            "The certificate was issued, since there was none.",
        )
        self.assertEqual(certificate.initial_report, CertificateReport(changes=notes))

    def test_second_start(self) -> None:
        """The second start finds the files and changes nothing."""
        first = served_certificate(self.load())
        contents = self.contents()
        certificate = self.load()
        self.assertEqual(certificate.initial_report, UNCHANGED)
        self.assertEqual(self.contents(), contents)
        self.assertEqual(served_certificate(certificate), first)

    def test_trusted_through_the_authority(self) -> None:
        """A client that trusts the authority's certificate, in PEM or DER format, trusts the server."""
        certificate = self.load()
        authority = x509.load_der_x509_certificate(certificate.authority_der)
        self.assertEqual(authority, x509.load_pem_x509_certificate(self.contents()["ca.pem"]))
        Link(certificate.tls, client_context(authority, wall_time(NOW)))

    def test_chain(self) -> None:
        """cert.pem contains the leaf, then the authority's certificate."""
        certificate = self.load()
        chain = x509.load_pem_x509_certificates(self.contents()["cert.pem"])
        self.assertEqual(
            chain, [served_certificate(certificate), x509.load_der_x509_certificate(certificate.authority_der)]
        )

    def test_missing_leaf(self) -> None:
        """If the leaf or its key is missing, a leaf is issued by the same authority."""
        for missing in ("cert.pem", "key.pem"):
            authority = self.load().authority_der
            (self.directory / missing).unlink()
            certificate = self.load()
            self.assertEqual(certificate.initial_report.changes, ("The certificate was issued, since there was none.",))
            self.assertEqual(certificate.authority_der, authority)

    def test_killed_between_the_files(self) -> None:
        """A leaf whose key does not match, as after a kill between writing the files, is issued again."""
        self.load()
        write_files({self.directory / "key.pem": key_pem(ec.generate_private_key(ec.SECP256R1()))})
        certificate = self.load()
        self.assertEqual(
            certificate.initial_report.changes, ("The certificate was issued, since its key did not match.",)
        )
        Link(certificate.tls, SSL.Context(SSL.TLS_METHOD))

    def test_leaf_of_another_authority(self) -> None:
        """A leaf of another authority is issued again."""
        self.load()
        pair = Authority.create(self.names, NOW).issue(self.names, NOW)
        files = {"key.pem": key_pem(pair.key), "cert.pem": certificates_pem(pair.chain)}
        write_files({self.directory / name: content for name, content in files.items()})
        notes = ("The certificate was issued, since it was issued by another authority.",)
        self.assertEqual(self.load().initial_report.changes, notes)

    def test_deleted_authority(self) -> None:
        """After its certificate was deleted, the next start creates a new authority and a leaf."""
        old = self.load().authority_der
        (self.directory / "ca.pem").unlink()
        certificate = self.load()
        self.assertNotEqual(certificate.authority_der, old)
        authority = x509.load_der_x509_certificate(certificate.authority_der)
        Link(certificate.tls, client_context(authority, wall_time(NOW)))

    def test_authority_without_its_key(self) -> None:
        """An authority without its key is an error and not replaced, since devices trust it."""
        self.load()
        (self.directory / "ca-key.pem").unlink()
        self.assertEqual(self.load_error(), f"{self.directory}/ca-key.pem cannot be read: No such file or directory.")

    def test_damaged(self) -> None:
        """Any damaged file is an error that names it."""
        self.load()
        for name, what in (
            ("ca.pem", "certificate"),
            ("cert.pem", "certificate"),
            ("ca-key.pem", "private key"),
            ("key.pem", "private key"),
        ):
            path = self.directory / name
            whole = path.read_bytes()
            path.write_bytes(b"damaged")
            begin = f"-----BEGIN {what.upper()}-----"
            self.assertEqual(self.load_error(), f"{path}: expected a {what} in PEM format ({begin}), found none.")
            path.write_bytes(whole)
        self.load()

    def test_keys_open_to_others(self) -> None:
        """Either key is rejected if it is open to others."""
        self.load()
        for name in ("ca-key.pem", "key.pem"):
            path = self.directory / name
            path.chmod(0o640)
            self.assertEqual(self.load_error(), f"The key {path} is open to others (mode 0640); set its mode to 0600.")
            path.chmod(0o600)

    def test_no_directory(self) -> None:
        """A data directory that cannot be created is an error that names it."""
        self.directory.parent.write_bytes(b"a file")
        self.assertEqual(self.load_error(), f"{self.directory} cannot be written: Not a directory.")

    def test_lock_of_another_kind(self) -> None:
        """A lock that is no regular file is an error that names it."""
        self.load()
        lock = self.directory / ".lock"
        lock.unlink()
        os.mkfifo(lock)
        self.assertEqual(self.load_error(), f"{lock} cannot be used: expected a regular file, found a FIFO.")

    def test_failure_to_write(self) -> None:
        """If the new files cannot be written, the old ones are unchanged."""
        self.load()
        (self.directory / "cert.pem.new").mkdir()
        contents = {path.name: path.read_bytes() for path in self.directory.glob("*.pem")}
        error = self.assertRaises(CertificateError, self.load, machine("attic", ["10.0.0.5"]))
        self.assertRegex(str(error), "cannot be written: ")
        self.assertEqual({path.name: path.read_bytes() for path in self.directory.glob("*.pem")}, contents)


class LocalCheckTests(LocalCase):
    """Checking the local certificate while the server runs."""

    def setUp(self) -> None:
        """Load a certificate."""
        super().setUp()
        self.certificate = self.load()
        self.leaf = served_certificate(self.certificate)
        self.end = self.leaf.not_valid_after_utc.timestamp()

    def test_nothing_to_do(self) -> None:
        """A good certificate is not touched, even if its files were deleted."""
        for path in self.directory.iterdir():
            path.unlink()
        self.assertEqual(self.certificate.check(NOW + 60, self.names), UNCHANGED)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_covers(self) -> None:
        """The certificate covers localhost, the names and the addresses of the machine, and nothing else."""
        certificate = self.load()
        for name in ("localhost", "attic", "attic.local", "192.168.1.20", "127.0.0.1", "::1"):
            self.assertTrue(certificate.covers(name), name)
        for name in ("evil.example", "192.168.1.21", "attic.evil.example", ""):
            self.assertFalse(certificate.covers(name), name)

    def test_new_address(self) -> None:
        """After a new address the certificate is issued again once, and written to the files."""
        moved = machine("attic", ["192.168.1.20", "10.0.0.5"])
        report = self.certificate.check(NOW + 60, moved)
        self.assertEqual(
            report, CertificateReport(True, ("The certificate was issued, since it does not contain 10.0.0.5.",))
        )
        leaf = served_certificate(self.certificate)
        self.assertNotEqual(leaf, self.leaf)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertIn(ip_address("10.0.0.5"), names.get_values_for_type(x509.IPAddress))
        self.assertEqual(self.certificate.check(NOW + 120, moved), UNCHANGED)
        self.assertEqual(served_certificate(self.load(moved)), leaf)

    def test_address_gone(self) -> None:
        """An address that the machine no longer has changes nothing."""
        self.assertEqual(self.certificate.check(NOW + 60, machine("attic", [])), UNCHANGED)
        self.assertEqual(served_certificate(self.certificate), self.leaf)

    def test_renewal(self) -> None:
        """The certificate is issued again less than thirty days before it expires."""
        self.assertEqual(self.certificate.check(self.end - 30 * DAY, self.names), UNCHANGED)
        report = self.certificate.check(self.end - 30 * DAY + 1, self.names)
        self.assertEqual(
            report, CertificateReport(True, ("The certificate was issued, since it expires on 2027-04-02.",))
        )
        self.assertEqual(
            served_certificate(self.certificate).not_valid_before_utc.timestamp(), self.end - 30 * DAY + 1 - HOUR
        )

    def test_connections_live(self) -> None:
        """An open connection continues to work."""
        link = Link(self.certificate.tls, SSL.Context(SSL.TLS_METHOD))
        self.certificate.check(self.end, self.names)
        self.assertEqual(link.echo(b"still here"), b"still here")

    def test_issued_by_another_process(self) -> None:
        """A certificate that another process has written meanwhile is used, not issued again."""
        moved = machine("attic", ["10.0.0.5"])
        leaf = served_certificate(self.load(moved))
        report = self.certificate.check(NOW + 60, moved)
        self.assertEqual(
            report, CertificateReport(True, (f"The certificate was read again: {self.directory}/cert.pem.",))
        )
        self.assertEqual(served_certificate(self.certificate), leaf)

    def test_failure(self) -> None:
        """If issuing fails, the certificate in use stays, the reason is reported once, and a later check succeeds."""
        obstacle = self.directory / "cert.pem.new"
        obstacle.mkdir()
        moved = machine("attic", ["10.0.0.5"])
        report = self.certificate.check(NOW, moved)
        self.assertFalse(report.replaced)
        self.assertEqual(report.changes, ())
        [warning] = report.warnings
        self.assertRegex(warning, f"^The certificate in use was kept. {self.directory} cannot be written: ")
        self.assertEqual(served_certificate(self.certificate), self.leaf)
        self.assertEqual(self.certificate.check(NOW + 60, moved), UNCHANGED)
        obstacle.rmdir()
        self.assertTrue(self.certificate.check(NOW + 120, moved).replaced)

    def test_prepare(self) -> None:
        """`prepare` reads the files, and a deleted authority is created again; both count once they are applied."""
        self.assertEqual(self.certificate.prepare(NOW, self.names)(), UNCHANGED)
        (self.directory / "ca.pem").unlink()
        apply = self.certificate.prepare(NOW, self.names)
        self.assertEqual(served_certificate(self.certificate), self.leaf)
        report = apply()
        self.assertTrue(report.replaced)
        notes = (
            f"A local certificate authority was created: {self.directory}/ca.pem.",
            "The certificate was issued, since it was issued by another authority.",
        )
        self.assertEqual(report.changes, notes)
        authority = x509.load_der_x509_certificate(self.certificate.authority_der)
        Link(self.certificate.tls, client_context(authority, wall_time(NOW)))

    def test_prepare_refuses(self) -> None:
        """`prepare` raises the reason why the files cannot be used, and the certificate in use stays."""
        (self.directory / "cert.pem").write_bytes(b"damaged")
        with self.assertRaisesRegex(CertificateError, "expected a certificate in PEM format"):
            self.certificate.prepare(NOW, self.names)
        self.assertEqual(served_certificate(self.certificate), self.leaf)

    def test_names_outside(self) -> None:
        """A name that the authority does not permit is left out, with one warning that says what to do."""
        moved = evolve(self.names, addresses=(*self.names.addresses, ip_address("8.8.8.8")))
        path = self.directory / "ca.pem"
        warning = (
            f"The certificate leaves out 8.8.8.8, which {path} does not permit. "
            f"To create a new authority, delete {path}, restart, and trust the new one on every device."
        )
        self.assertEqual(self.certificate.check(NOW, moved), CertificateReport(warnings=(warning,)))
        self.assertEqual(self.certificate.check(NOW, moved), UNCHANGED)
        self.assertEqual(self.certificate.check(NOW, self.names), UNCHANGED)
        self.assertEqual(self.certificate.check(NOW, moved), CertificateReport(warnings=(warning,)))
        self.assertEqual(self.load(moved).initial_report, CertificateReport(warnings=(warning,)))

    def test_validity_of_the_authority(self) -> None:
        """An authority that has expired or is not yet valid stays in use, with a warning."""
        end = NOW - HOUR + 3650 * DAY
        self.assertEqual(self.certificate.check(end, self.names).warnings, ())
        [ended] = self.certificate.check(end + 1, self.names).warnings
        self.assertIn(f"The certificate in {self.directory}/ca.pem expired on 2036-02-27.", ended)
        [early] = self.certificate.check(NOW - DAY, self.names).warnings
        self.assertIn(f"{self.directory}/ca.pem is not valid before 2026-03-01: check this machine's clock.", early)

    def test_expires(self) -> None:
        """The certificate expires as its authority does, if that is earlier, and its renewal has failed by 14 days."""
        self.assertEqual(self.certificate.expires, self.end)
        self.assertFalse(self.certificate.is_expiring(self.end - 14 * DAY))
        self.assertTrue(self.certificate.is_expiring(self.end - 14 * DAY + 1))
        late = NOW + 3640 * DAY
        self.certificate.check(late, self.names)
        self.assertEqual(self.certificate.expires - late, 10 * DAY - HOUR)
        self.assertTrue(self.certificate.is_expiring(late))


class SuppliedCase(SynchronousTestCase):
    """A base class with a pair of files."""

    def setUp(self) -> None:
        """Write a pair."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.files = directory / "fullchain.pem", directory / "privkey.pem"
        self.names = machine()
        self.pair = self_signed(ec.generate_private_key(ec.SECP256R1()))
        self.write(self.pair)

    def write(self, pair: Pair) -> None:
        """Replace the files, as a renewal does."""
        write_files({self.files[1]: key_pem(pair.key), self.files[0]: certificates_pem(pair.chain)})

    def load(self) -> SuppliedCertificate:
        """Load the pair."""
        return SuppliedCertificate(*self.files, NOW)


class SuppliedLoadTests(SuppliedCase):
    """Loading a supplied pair at start."""

    def test_types_of_keys(self) -> None:
        """The pair is used unchanged, whatever the type of its key."""
        for key in (self.pair.key, rsa.generate_private_key(65537, 2048)):
            pair = self_signed(key)
            self.write(pair)
            certificate = self.load()
            self.assertEqual(certificate.initial_report, UNCHANGED)
            self.assertEqual(served_certificate(certificate), pair.leaf)

    def test_mismatch(self) -> None:
        """A key that does not match the certificate is an error."""
        self.write(Pair(self.pair.chain, ec.generate_private_key(ec.SECP256R1())))
        error = self.assertRaises(CertificateError, self.load)
        self.assertIn("is not the key of the certificate in", str(error))

    def test_rejected_by_openssl(self) -> None:
        """A certificate that OpenSSL rejects is an error that names its file."""
        self.write(self_signed(rsa.generate_private_key(65537, 1024)))  # noqa: S505 - the key is too small on purpose
        error = self.assertRaises(CertificateError, self.load)
        self.assertRegex(str(error), f"^{self.files[0]} cannot be used. OpenSSL does not accept the certificate: ")

    def test_covers(self) -> None:
        """A wildcard covers one label, and a certificate without names covers nothing."""
        names = x509.SubjectAlternativeName([x509.DNSName("*.Example.org"), x509.IPAddress(ip_address("2001:db8::1"))])
        self.write(self_signed(ec.generate_private_key(ec.SECP256R1()), names=names))
        certificate = self.load()
        for name in ("a.example.org", "2001:db8::1"):
            self.assertTrue(certificate.covers(name), name)
        for name in ("example.org", "a.b.example.org", "org", ""):
            self.assertFalse(certificate.covers(name), name)
        no_names = x509.BasicConstraints(ca=False, path_length=None)
        self.write(self_signed(ec.generate_private_key(ec.SECP256R1()), names=no_names))
        self.assertFalse(self.load().covers("attic.example.org"))

    def test_open_to_others(self) -> None:
        """A key that everybody may read is rejected; a key that only its group may read is accepted."""
        self.files[1].chmod(0o640)
        self.load()
        self.files[1].chmod(0o644)
        error = self.assertRaises(CertificateError, self.load)
        self.assertIn("is open to others (mode 0644)", str(error))

    def test_expired(self) -> None:
        """A certificate that has expired or is not yet valid is used with a warning."""
        key = ec.generate_private_key(ec.SECP256R1())
        self.write(self_signed(key, NOW - 90 * DAY, NOW - 1))
        self.assertEqual(
            self.load().initial_report,
            CertificateReport(expiry_warnings=(f"The certificate in {self.files[0]} expired on 2026-03-01.",)),
        )
        self.write(self_signed(key, NOW + 1))
        [warning] = self.load().initial_report.expiry_warnings
        self.assertIn("is not valid before 2026-03-01", warning)

    def test_expires(self) -> None:
        """The certificate has an end, and its renewal has failed when it has fewer than 14 days left."""
        certificate = self.load()
        self.assertEqual(certificate.expires, NOW + 90 * DAY)
        self.assertFalse(certificate.is_expiring(NOW + 76 * DAY))
        self.assertTrue(certificate.is_expiring(NOW + 76 * DAY + 1))


class SuppliedCheckTests(SuppliedCase):
    """Checking a supplied pair while the server runs."""

    def setUp(self) -> None:
        """Load the pair, and create its successor."""
        super().setUp()
        self.certificate = self.load()
        self.next = self_signed(ec.generate_private_key(ec.SECP256R1()), end=NOW + 180 * DAY)

    def check(self, now: float = NOW) -> CertificateReport:
        """Check the files once."""
        return self.certificate.check(now, self.names)

    def check_twice(self) -> CertificateReport:
        """Check files that changed, and once more when they are stable."""
        self.assertEqual(self.check(), UNCHANGED)
        return self.check()

    def test_unchanged(self) -> None:
        """Unchanged files are not read."""
        self.assertEqual(self.check_twice(), UNCHANGED)

    def test_renewed(self) -> None:
        """A renewed pair is used from the next handshake on, and open connections continue."""
        link = Link(self.certificate.tls, SSL.Context(SSL.TLS_METHOD))
        self.write(self.next)
        self.assertEqual(
            self.check_twice(), CertificateReport(True, (f"The certificate was read again: {self.files[0]}.",))
        )
        self.assertEqual(served_certificate(self.certificate), self.next.leaf)
        self.assertEqual(link.echo(b"still here"), b"still here")
        self.assertEqual(self.certificate.expires, NOW + 180 * DAY)
        self.assertEqual(self.check_twice(), UNCHANGED)

    def test_while_it_is_written(self) -> None:
        """Files that change from check to check are not read until they are stable."""
        whole = certificates_pem(self.next.chain)
        self.files[1].write_bytes(key_pem(self.next.key))
        for size in range(100, len(whole), 100):
            self.files[0].write_bytes(whole[:size])
            self.assertEqual(self.check(), UNCHANGED)
        self.files[0].write_bytes(whole)
        self.assertTrue(self.check_twice().replaced)

    def test_one_after_the_other(self) -> None:
        """A key that follows its certificate within `MISMATCH_SECONDS` causes no warning."""
        write_files({self.files[0]: certificates_pem(self.next.chain)})
        for second in range(0, int(MISMATCH_SECONDS), 2):
            self.assertEqual(self.check(NOW + second), UNCHANGED)
        self.assertEqual(served_certificate(self.certificate), self.pair.leaf)
        write_files({self.files[1]: key_pem(self.next.key)})
        self.assertTrue(self.check_twice().replaced)
        self.assertEqual(self.check(NOW + 2 * MISMATCH_SECONDS), UNCHANGED)

    def test_detection(self) -> None:
        """A change of only the time, only the size or only the inode is detected, and the files are read again."""
        reads: list[float] = []

        class Recorded(SuppliedCertificate):
            """Records when the files are read again."""

            def prepare(self, now: float, names: Names) -> Callable[[], CertificateReport]:
                """Record the time."""
                reads.append(now)
                return super().prepare(now, names)

        path = self.files[0]
        self.certificate = Recorded(*self.files, NOW)
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        self.check_twice()
        self.assertEqual(len(reads), 1)
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        self.check_twice()
        self.assertEqual(len(reads), 2)
        copy = path.with_suffix(".copy")
        copy.write_bytes(content + b"\n")
        os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        copy.replace(path)
        self.check_twice()
        self.assertEqual(len(reads), 3)

    def test_same_certificate(self) -> None:
        """A pair that was written again unchanged replaces no certificate, so that no change is reported."""
        self.write(self.pair)
        self.assertEqual(self.check_twice(), UNCHANGED)

    def test_symbolic_links(self) -> None:
        """A change of a symbolic link's target, as by certbot and Kubernetes, is detected."""
        for path in self.files:
            path.rename(path.with_suffix(".old"))
            path.symlink_to(path.with_suffix(".old").name)
        certificate = self.load()
        for path in self.files:
            path.unlink()
        self.write(self.next)
        for path in self.files:
            path.rename(path.with_suffix(".new"))
            path.symlink_to(path.with_suffix(".new").name)
        certificate.check(NOW, self.names)
        self.assertTrue(certificate.check(NOW, self.names).replaced)

    def test_invalid_pair(self) -> None:
        """An invalid pair leaves the old one in use and is reported once, with a delay; a valid one replaces it."""
        write_files({self.files[0]: certificates_pem(self.next.chain)})
        problem = (
            "The certificate in use was kept. "
            f"The key in {self.files[1]} is not the key of the certificate in {self.files[0]}."
        )
        self.assertEqual(self.check_twice(), UNCHANGED)
        late = NOW + MISMATCH_SECONDS
        self.assertEqual(self.check(late), CertificateReport(warnings=(problem,)))
        self.assertEqual(served_certificate(self.certificate), self.pair.leaf)
        self.assertEqual(self.check(late), UNCHANGED)
        write_files({self.files[1]: key_pem(self.next.key)})
        self.assertTrue(self.check_twice().replaced)
        self.assertEqual(served_certificate(self.certificate), self.next.leaf)
        write_files({self.files[0]: certificates_pem(self.pair.chain)})
        self.assertEqual(self.check_twice(), UNCHANGED)
        self.assertEqual(self.check(late), CertificateReport(warnings=(problem,)))

    def test_missing(self) -> None:
        """Deleted files leave the old pair in use, and their return is detected."""
        self.files[1].unlink()
        self.assertEqual(self.check_twice(), UNCHANGED)
        [warning] = self.check(NOW + MISMATCH_SECONDS).warnings
        self.assertIn(f"{self.files[1]} cannot be read: No such file or directory.", warning)
        self.assertEqual(served_certificate(self.certificate), self.pair.leaf)
        self.write(self.next)
        self.assertTrue(self.check_twice().replaced)

    def test_prepare(self) -> None:
        """`prepare` reads the files although they are unchanged or unstable, and changes nothing until it is applied.

        An invalid pair is refused at once, and the pair in use stays.
        """
        self.assertEqual(self.certificate.prepare(NOW, self.names)(), UNCHANGED)
        self.write(self.next)
        apply = self.certificate.prepare(NOW, self.names)
        self.assertEqual(served_certificate(self.certificate), self.pair.leaf)
        self.assertTrue(apply().replaced)
        self.assertEqual(served_certificate(self.certificate), self.next.leaf)
        self.assertEqual(self.check(), UNCHANGED)
        self.files[1].unlink()
        with self.assertRaisesRegex(CertificateError, "cannot be read: No such file"):
            self.certificate.prepare(NOW, self.names)
        self.assertEqual(served_certificate(self.certificate), self.next.leaf)

    def test_change_of_permissions(self) -> None:
        """A key that is no longer open to others is read although its content is unchanged."""
        self.write(self.next)
        self.files[1].chmod(0o644)
        self.assertEqual(self.check_twice(), UNCHANGED)
        self.files[1].chmod(0o640)
        self.assertTrue(self.check_twice().replaced)

    def test_expiry(self) -> None:
        """Warnings are reported two weeks and three days before the expiry, and after it, each once."""
        name = f"The certificate in {self.files[0]}"
        for day, sentence in (
            (75.9, None),
            (76.1, f"{name} expires on 2026-05-30, in fewer than 14 days: check its renewal."),
            (86.9, None),
            (87.1, f"{name} expires on 2026-05-30, in fewer than 3 days: check its renewal."),
            (91, f"{name} expired on 2026-05-30."),
        ):
            expected = UNCHANGED if sentence is None else CertificateReport(expiry_warnings=(sentence,))
            self.assertEqual(self.check(NOW + day * DAY), expected)
            self.assertEqual(self.check(NOW + day * DAY + 60), UNCHANGED)

    def test_expiry_of_a_short_lived_certificate(self) -> None:
        """A certificate of nine days is not reported as expiring from its first day on."""
        self.write(self_signed(ec.generate_private_key(ec.SECP256R1()), end=NOW + 9 * DAY))
        self.assertTrue(self.check_twice().replaced)
        self.assertEqual(self.check(NOW + 7.5 * DAY), UNCHANGED)
        self.assertEqual(len(self.check(NOW + 7.7 * DAY).expiry_warnings), 1)
        self.assertEqual(len(self.check(NOW + 8.8 * DAY).expiry_warnings), 1)
