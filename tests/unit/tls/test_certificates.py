"""Tests of the certificate while the server runs: made, kept, issued again, read again."""

from __future__ import annotations

import os
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
from signald.tls.certificates import PATIENCE_SECONDS, CertificateError, LocalCertificate, Report, SuppliedCertificate
from tests.support.certificates import self_signed
from tests.support.handshake import Link, client_context
from tests.support.machines import DAY, HOUR, NOW, machine

UNCHANGED = Report()
"""What a look brings when all is well."""


def shown(certificate: LocalCertificate | SuppliedCertificate) -> x509.Certificate:
    """The certificate that a new client is shown."""
    context = SSL.Context(SSL.TLS_METHOD)
    return Link(certificate.tls, context).shown


class LocalCase(SynchronousTestCase):
    """A data directory and a machine."""

    def setUp(self) -> None:
        """Name the directory; nothing is there yet."""
        self.directory = Path(self.mktemp()) / "signald"
        self.names = machine("attic", ["192.168.1.20"])

    def open(self, names: Names | None = None, now: float = NOW) -> LocalCertificate:
        """Open the certificate, as a start of the server does."""
        return LocalCertificate(self.directory, names or self.names, now)

    def contents(self) -> dict[str, bytes]:
        """All files with their contents."""
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def refused(self) -> str:
        """The sentence with which opening is refused."""
        return str(self.assertRaises(CertificateError, self.open))


class LocalOpeningTests(LocalCase):
    """Opening the local certificate."""

    def test_first_start(self) -> None:
        """The first start makes everything, for its owner alone, and says so."""
        certificate = self.open()
        self.assertEqual(sorted(self.contents()), [".lock", "ca-key.pem", "ca.pem", "cert.pem", "key.pem"])
        for path in self.directory.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path.name)
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)
        notes = (
            f"A local certificate authority was made: {self.directory}/ca.pem.",
            "The certificate was issued, since there was none.",
        )
        self.assertEqual(certificate.opening, Report(notes=notes))

    def test_second_start(self) -> None:
        """The next start finds everything and changes nothing."""
        first = shown(self.open())
        contents = self.contents()
        certificate = self.open()
        self.assertEqual(certificate.opening, UNCHANGED)
        self.assertEqual(self.contents(), contents)
        self.assertEqual(shown(certificate), first)

    def test_trusted_through_the_authority(self) -> None:
        """A device that took the authority's certificate, in either form, trusts the server."""
        certificate = self.open()
        authority = x509.load_der_x509_certificate(certificate.authority_der)
        self.assertEqual(authority, x509.load_pem_x509_certificate(self.contents()["ca.pem"]))
        Link(certificate.tls, client_context(authority, wall_time(NOW)))

    def test_files_hold_the_chain(self) -> None:
        """cert.pem holds the leaf, then the authority's certificate."""
        certificate = self.open()
        chain = x509.load_pem_x509_certificates(self.contents()["cert.pem"])
        self.assertEqual(chain, [shown(certificate), x509.load_der_x509_certificate(certificate.authority_der)])

    def test_missing_leaf(self) -> None:
        """A missing half of the leaf is no failure: the leaf is issued, by the same authority."""
        for missing in ("cert.pem", "key.pem"):
            authority = self.open().authority_der
            (self.directory / missing).unlink()
            certificate = self.open()
            self.assertEqual(certificate.opening.notes, ("The certificate was issued, since there was none.",))
            self.assertEqual(certificate.authority_der, authority)

    def test_killed_between_the_files(self) -> None:
        """A leaf whose key is another, as a writer leaves it that is killed at the wrong moment, is issued again."""
        self.open()
        write_files({self.directory / "key.pem": key_pem(ec.generate_private_key(ec.SECP256R1()))})
        certificate = self.open()
        self.assertEqual(certificate.opening.notes, ("The certificate was issued, since its key was another.",))
        Link(certificate.tls, SSL.Context(SSL.TLS_METHOD))

    def test_leaf_of_another_authority(self) -> None:
        """A leaf of another authority is issued again."""
        self.open()
        pair = Authority.create(self.names, NOW).issue(self.names, NOW)
        files = {"key.pem": key_pem(pair.key), "cert.pem": certificates_pem(pair.chain)}
        write_files({self.directory / name: content for name, content in files.items()})
        notes = ("The certificate was issued, since it is not of this authority.",)
        self.assertEqual(self.open().opening.notes, notes)

    def test_deleted_authority(self) -> None:
        """With the authority's certificate deleted, the next start makes a new authority and a leaf of it."""
        old = self.open().authority_der
        (self.directory / "ca.pem").unlink()
        certificate = self.open()
        self.assertNotEqual(certificate.authority_der, old)
        authority = x509.load_der_x509_certificate(certificate.authority_der)
        Link(certificate.tls, client_context(authority, wall_time(NOW)))

    def test_authority_without_its_key(self) -> None:
        """An authority whose key is gone is not replaced without a word: devices trust it."""
        self.open()
        (self.directory / "ca-key.pem").unlink()
        self.assertEqual(self.refused(), f"{self.directory}/ca-key.pem cannot be read: No such file or directory.")

    def test_damaged(self) -> None:
        """A damaged file is named, whichever it is."""
        self.open()
        for name, what in (
            ("ca.pem", "certificate"),
            ("cert.pem", "certificate"),
            ("ca-key.pem", "private key"),
            ("key.pem", "private key"),
        ):
            path = self.directory / name
            whole = path.read_bytes()
            path.write_bytes(b"damaged")
            self.assertEqual(self.refused(), f"{path} does not hold a readable {what} in PEM form.")
            path.write_bytes(whole)
        self.open()

    def test_keys_open_to_others(self) -> None:
        """A key that others could read is refused, whichever it is."""
        self.open()
        for name in ("ca-key.pem", "key.pem"):
            path = self.directory / name
            path.chmod(0o640)
            self.assertEqual(self.refused(), f"The key {path} is open to others (mode 0640); make it 0600.")
            path.chmod(0o600)

    def test_no_directory(self) -> None:
        """A data directory that cannot be made is named."""
        self.directory.parent.write_bytes(b"a file")
        self.assertEqual(self.refused(), f"{self.directory} cannot be written: Not a directory.")

    def test_failure_to_write(self) -> None:
        """If the new files cannot be written, the old ones stay."""
        self.open()
        (self.directory / "cert.pem.new").mkdir()
        contents = {path.name: path.read_bytes() for path in self.directory.glob("*.pem")}
        error = self.assertRaises(CertificateError, self.open, machine("attic", ["10.0.0.5"]))
        self.assertRegex(str(error), "cannot be written: ")
        self.assertEqual({path.name: path.read_bytes() for path in self.directory.glob("*.pem")}, contents)


class LocalRefreshTests(LocalCase):
    """Looking at the local certificate while the server runs."""

    def setUp(self) -> None:
        """Open a certificate."""
        super().setUp()
        self.certificate = self.open()
        self.leaf = shown(self.certificate)
        self.end = self.leaf.not_valid_after_utc.timestamp()

    def test_nothing_to_do(self) -> None:
        """While all is well nothing happens, not even when files are gone."""
        for path in self.directory.iterdir():
            path.unlink()
        self.assertEqual(self.certificate.refresh(NOW + 60, self.names), UNCHANGED)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_new_address(self) -> None:
        """With a new address the certificate is issued again, once, and kept in the files."""
        moved = machine("attic", ["192.168.1.20", "10.0.0.5"])
        report = self.certificate.refresh(NOW + 60, moved)
        self.assertEqual(report, Report(True, ("The certificate was issued, since it lacks 10.0.0.5.",)))
        leaf = shown(self.certificate)
        self.assertNotEqual(leaf, self.leaf)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertIn(ip_address("10.0.0.5"), names.get_values_for_type(x509.IPAddress))
        self.assertEqual(self.certificate.refresh(NOW + 120, moved), UNCHANGED)
        self.assertEqual(shown(self.open(moved)), leaf)

    def test_address_gone(self) -> None:
        """With an address gone nothing happens."""
        self.assertEqual(self.certificate.refresh(NOW + 60, machine("attic", [])), UNCHANGED)
        self.assertEqual(shown(self.certificate), self.leaf)

    def test_time_runs_out(self) -> None:
        """With less than thirty days left the certificate is issued again."""
        self.assertEqual(self.certificate.refresh(self.end - 30 * DAY, self.names), UNCHANGED)
        report = self.certificate.refresh(self.end - 30 * DAY + 1, self.names)
        self.assertEqual(report, Report(True, ("The certificate was issued, since it ends on 2027-04-02.",)))
        self.assertEqual(shown(self.certificate).not_valid_before_utc.timestamp(), self.end - 30 * DAY + 1 - HOUR)

    def test_connections_live(self) -> None:
        """A connection from before lives on."""
        link = Link(self.certificate.tls, SSL.Context(SSL.TLS_METHOD))
        self.certificate.refresh(self.end, self.names)
        self.assertEqual(link.echo(b"still here"), b"still here")

    def test_issued_by_another_process(self) -> None:
        """A certificate that another process on the directory has issued meanwhile is taken, not issued again."""
        moved = machine("attic", ["10.0.0.5"])
        leaf = shown(self.open(moved))
        report = self.certificate.refresh(NOW + 60, moved)
        self.assertEqual(report, Report(True, (f"The certificate was read again: {self.directory}/cert.pem.",)))
        self.assertEqual(shown(self.certificate), leaf)

    def test_failure_keeps_the_old(self) -> None:
        """If it cannot be issued, the certificate in use stays, the reason is told once, and later it succeeds."""
        obstacle = self.directory / "cert.pem.new"
        obstacle.mkdir()
        moved = machine("attic", ["10.0.0.5"])
        report = self.certificate.refresh(NOW, moved)
        self.assertFalse(report.replaced)
        self.assertEqual(report.notes, ())
        [warning] = report.warnings
        self.assertRegex(warning, f"^The certificate in use was kept. {self.directory} cannot be written: ")
        self.assertEqual(shown(self.certificate), self.leaf)
        self.assertEqual(self.certificate.refresh(NOW + 60, moved), UNCHANGED)
        obstacle.rmdir()
        self.assertTrue(self.certificate.refresh(NOW + 120, moved).replaced)

    def test_reread(self) -> None:
        """Asked to read the files, it takes up what is there: nothing new, or a new authority after a deletion."""
        self.assertEqual(self.certificate.refresh(NOW, self.names, reread=True), UNCHANGED)
        (self.directory / "ca.pem").unlink()
        report = self.certificate.refresh(NOW, self.names, reread=True)
        self.assertTrue(report.replaced)
        notes = (
            f"A local certificate authority was made: {self.directory}/ca.pem.",
            "The certificate was issued, since it is not of this authority.",
        )
        self.assertEqual(report.notes, notes)
        authority = x509.load_der_x509_certificate(self.certificate.authority_der)
        Link(self.certificate.tls, client_context(authority, wall_time(NOW)))

    def test_names_outside(self) -> None:
        """A name that the authority does not permit is left out; the warning says how to help it, once each time."""
        moved = evolve(self.names, addresses=(*self.names.addresses, ip_address("8.8.8.8")))
        path = self.directory / "ca.pem"
        warning = (
            f"The certificate leaves out 8.8.8.8, which {path} does not permit. "
            f"For a new authority, delete {path} and restart, and trust the new one on every device."
        )
        self.assertEqual(self.certificate.refresh(NOW, moved), Report(warnings=(warning,)))
        self.assertEqual(self.certificate.refresh(NOW, moved), UNCHANGED)
        self.assertEqual(self.certificate.refresh(NOW, self.names), UNCHANGED)
        self.assertEqual(self.certificate.refresh(NOW, moved), Report(warnings=(warning,)))
        self.assertEqual(self.open(moved).opening, Report(warnings=(warning,)))

    def test_authority_out_of_its_time(self) -> None:
        """An authority that has ended, or not begun, stays, and a warning says so."""
        end = NOW - HOUR + 3650 * DAY
        self.assertEqual(self.certificate.refresh(end, self.names).warnings, ())
        [ended] = self.certificate.refresh(end + 1, self.names).warnings
        self.assertIn(f"The certificate in {self.directory}/ca.pem ended on 2036-02-27.", ended)
        [early] = self.certificate.refresh(NOW - DAY, self.names).warnings
        self.assertIn(f"{self.directory}/ca.pem is not valid before 2026-03-01: is this machine's clock right?", early)

    def test_days_left(self) -> None:
        """The days left are those of the certificate, or of its authority where that ends first."""
        self.assertEqual(self.certificate.days_left(self.end - DAY / 2), 0.5)
        late = NOW + 3640 * DAY
        self.certificate.refresh(late, self.names)
        self.assertEqual(self.certificate.days_left(late), 10 - HOUR / DAY)


class SuppliedCase(SynchronousTestCase):
    """A pair of files as an operator has them."""

    def setUp(self) -> None:
        """Write a pair."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.files = directory / "fullchain.pem", directory / "privkey.pem"
        self.names = machine()
        self.pair = self_signed(ec.generate_private_key(ec.SECP256R1()))
        self.write(self.pair)

    def write(self, pair: Pair) -> None:
        """Put a pair in the place of the files, as a renewal does."""
        write_files({self.files[1]: key_pem(pair.key), self.files[0]: certificates_pem(pair.chain)})

    def open(self) -> SuppliedCertificate:
        """Open the pair."""
        return SuppliedCertificate(*self.files, NOW)


class SuppliedOpeningTests(SuppliedCase):
    """Opening a supplied pair."""

    def test_used(self) -> None:
        """The pair is used as it is, whatever kind of key it has."""
        for key in (self.pair.key, rsa.generate_private_key(65537, 2048)):
            pair = self_signed(key)  # type: ignore[arg-type]  # of a kind that can sign certificates, as above
            self.write(pair)
            certificate = self.open()
            self.assertEqual(certificate.opening, UNCHANGED)
            self.assertEqual(shown(certificate), pair.leaf)

    def test_mismatch(self) -> None:
        """A key that is not the certificate's is refused."""
        self.write(Pair(self.pair.chain, ec.generate_private_key(ec.SECP256R1())))
        error = self.assertRaises(CertificateError, self.open)
        self.assertIn("is not the key of the certificate in", str(error))

    def test_refused_by_openssl(self) -> None:
        """A certificate that OpenSSL does not accept is refused, and its file named."""
        self.write(self_signed(rsa.generate_private_key(65537, 1024)))  # noqa: S505 - that is the point
        error = self.assertRaises(CertificateError, self.open)
        self.assertRegex(str(error), f"^{self.files[0]} cannot be used. OpenSSL does not accept the certificate: ")

    def test_open_to_others(self) -> None:
        """A key that everybody can read is refused; one that a group can read is not."""
        self.files[1].chmod(0o640)
        self.open()
        self.files[1].chmod(0o644)
        error = self.assertRaises(CertificateError, self.open)
        self.assertIn("is open to others (mode 0644)", str(error))

    def test_ended(self) -> None:
        """A certificate that has ended, or not begun, is used, with a warning."""
        key = ec.generate_private_key(ec.SECP256R1())
        self.write(self_signed(key, NOW - 90 * DAY, NOW - 1))
        self.assertEqual(
            self.open().opening, Report(expiring=(f"The certificate in {self.files[0]} ended on 2026-03-01.",))
        )
        self.write(self_signed(key, NOW + 1))
        [warning] = self.open().opening.expiring
        self.assertIn("is not valid before 2026-03-01", warning)

    def test_days_left(self) -> None:
        """The days left are the certificate's."""
        self.assertEqual(self.open().days_left(NOW), 90)
        self.assertEqual(self.open().days_left(NOW + 91 * DAY), -1)


class SuppliedRefreshTests(SuppliedCase):
    """Looking at a supplied pair while the server runs."""

    def setUp(self) -> None:
        """Open the pair, and make the one that follows it."""
        super().setUp()
        self.certificate = self.open()
        self.next = self_signed(ec.generate_private_key(ec.SECP256R1()), end=NOW + 180 * DAY)

    def look(self, now: float = NOW, *, reread: bool = False) -> Report:
        """Look at the files once."""
        return self.certificate.refresh(now, self.names, reread=reread)

    def refresh(self) -> Report:
        """Look at files that changed, and once more when they rest."""
        self.assertEqual(self.look(), UNCHANGED)
        return self.look()

    def test_unchanged(self) -> None:
        """While the files do not change nothing happens."""
        self.assertEqual(self.refresh(), UNCHANGED)

    def test_renewed(self) -> None:
        """A renewed pair is used from the next handshake on, and connections live."""
        link = Link(self.certificate.tls, SSL.Context(SSL.TLS_METHOD))
        self.write(self.next)
        self.assertEqual(self.refresh(), Report(True, (f"The certificate was read again: {self.files[0]}.",)))
        self.assertEqual(shown(self.certificate), self.next.leaf)
        self.assertEqual(link.echo(b"still here"), b"still here")
        self.assertEqual(self.certificate.days_left(NOW), 180)
        self.assertEqual(self.refresh(), UNCHANGED)

    def test_while_it_is_written(self) -> None:
        """Files that change from look to look are not read until they rest."""
        whole = certificates_pem(self.next.chain)
        self.files[1].write_bytes(key_pem(self.next.key))
        for size in range(100, len(whole), 100):
            self.files[0].write_bytes(whole[:size])
            self.assertEqual(self.look(), UNCHANGED)
        self.files[0].write_bytes(whole)
        self.assertTrue(self.refresh().replaced)

    def test_one_after_the_other(self) -> None:
        """A certificate whose key comes within the patience is no problem; the old pair is used meanwhile."""
        write_files({self.files[0]: certificates_pem(self.next.chain)})
        for second in range(0, int(PATIENCE_SECONDS), 2):
            self.assertEqual(self.look(NOW + second), UNCHANGED)
        self.assertEqual(shown(self.certificate), self.pair.leaf)
        write_files({self.files[1]: key_pem(self.next.key)})
        self.assertTrue(self.refresh().replaced)
        self.assertEqual(self.look(NOW + 2 * PATIENCE_SECONDS), UNCHANGED)

    def test_every_mark_counts(self) -> None:
        """A change shows in the time, the size or the inode alone."""
        path = self.files[0]
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        self.assertEqual(self.refresh().notes, (f"The certificate was read again: {path}.",))
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        self.assertNotEqual(self.refresh().notes, ())
        copy = path.with_suffix(".copy")
        copy.write_bytes(content + b"\n")
        os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        copy.replace(path)
        self.assertNotEqual(self.refresh().notes, ())

    def test_same_certificate(self) -> None:
        """A pair that was only written anew is read, but shows no other certificate."""
        self.write(self.pair)
        self.assertEqual(self.refresh(), Report(False, (f"The certificate was read again: {self.files[0]}.",)))

    def test_links(self) -> None:
        """Symbolic links that point elsewhere now, as certbot and Kubernetes leave them, count as a change."""
        for path in self.files:
            path.rename(path.with_suffix(".old"))
            path.symlink_to(path.with_suffix(".old").name)
        certificate = self.open()
        for path in self.files:
            path.unlink()
        self.write(self.next)
        for path in self.files:
            path.rename(path.with_suffix(".new"))
            path.symlink_to(path.with_suffix(".new").name)
        certificate.refresh(NOW, self.names)
        self.assertTrue(certificate.refresh(NOW, self.names).replaced)

    def test_bad_pair_keeps_the_old(self) -> None:
        """A bad pair leaves the old one in use, its reason is told late and once, and a good one is taken at last."""
        write_files({self.files[0]: certificates_pem(self.next.chain)})
        problem = (
            "The certificate in use was kept. "
            f"The key in {self.files[1]} is not the key of the certificate in {self.files[0]}."
        )
        self.assertEqual(self.refresh(), UNCHANGED)
        late = NOW + PATIENCE_SECONDS
        self.assertEqual(self.look(late), Report(warnings=(problem,)))
        self.assertEqual(shown(self.certificate), self.pair.leaf)
        self.assertEqual(self.look(late), UNCHANGED)
        write_files({self.files[1]: key_pem(self.next.key)})
        self.assertTrue(self.refresh().replaced)
        self.assertEqual(shown(self.certificate), self.next.leaf)
        write_files({self.files[0]: certificates_pem(self.pair.chain)})
        self.assertEqual(self.refresh(), UNCHANGED)
        self.assertEqual(self.look(late), Report(warnings=(problem,)))

    def test_missing(self) -> None:
        """Files that are gone leave the old pair in use, and their return is noticed."""
        self.files[1].unlink()
        self.assertEqual(self.refresh(), UNCHANGED)
        [warning] = self.look(NOW + PATIENCE_SECONDS).warnings
        self.assertIn(f"{self.files[1]} cannot be read: No such file or directory.", warning)
        self.assertEqual(shown(self.certificate), self.pair.leaf)
        self.write(self.next)
        self.assertTrue(self.refresh().replaced)

    def test_reread(self) -> None:
        """Asked to, it reads the files even though they look unchanged, or have not rested; a bad pair is told now."""
        self.assertEqual(self.look(reread=True).notes, (f"The certificate was read again: {self.files[0]}.",))
        self.write(self.next)
        self.assertTrue(self.look(reread=True).replaced)
        self.files[1].unlink()
        self.assertEqual(len(self.look(reread=True).warnings), 1)
        self.assertEqual(self.look(), UNCHANGED)

    def test_who_may_read(self) -> None:
        """A key that was open to others, and is no more, is taken up though nothing in it changed."""
        self.write(self.next)
        self.files[1].chmod(0o644)
        self.assertEqual(self.refresh(), UNCHANGED)
        self.files[1].chmod(0o640)
        self.assertTrue(self.refresh().replaced)

    def test_end(self) -> None:
        """A warning comes two weeks before the end, three days before it, and when it is there; each once."""
        name = f"The certificate in {self.files[0]}"
        for day, sentence in (
            (75.9, None),
            (76.1, f"{name} ends on 2026-05-30, in fewer than 14 days: has its renewal failed?"),
            (86.9, None),
            (87.1, f"{name} ends on 2026-05-30, in fewer than 3 days: has its renewal failed?"),
            (91, f"{name} ended on 2026-05-30."),
        ):
            expected = UNCHANGED if sentence is None else Report(expiring=(sentence,))
            self.assertEqual(self.look(NOW + day * DAY), expected)
            self.assertEqual(self.look(NOW + day * DAY + 60), UNCHANGED)

    def test_end_of_a_short_life(self) -> None:
        """A certificate of nine days is not soon at its end from its beginning on."""
        self.write(self_signed(ec.generate_private_key(ec.SECP256R1()), end=NOW + 9 * DAY))
        self.assertTrue(self.refresh().replaced)
        self.assertEqual(self.look(NOW + 7.5 * DAY), UNCHANGED)
        self.assertEqual(len(self.look(NOW + 7.7 * DAY).expiring), 1)
        self.assertEqual(len(self.look(NOW + 8.8 * DAY).expiring), 1)
