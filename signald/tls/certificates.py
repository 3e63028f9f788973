"""The server's certificate while it runs: opened at start, looked at every now and then, replaced when it must be.

Two kinds with one face: `LocalCertificate` issues its own from a local authority; `SuppliedCertificate` is an
operator's pair of files, renewed by others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from signald.net.addresses import Names
from signald.net.keyfiles import (
    OWNER_ALONE,
    OWNER_AND_GROUP,
    CertificateError,
    KeyMismatchError,
    Pair,
    certificates_pem,
    key_pem,
    locked,
    read_pair,
    write_files,
)
from signald.tls.authority import Authority, wall_time
from signald.tls.context import ServerTLS, server_context

__all__ = ["Certificate", "CertificateError", "LocalCertificate", "Report", "SuppliedCertificate"]

DAY = 86400.0
"""Seconds."""

WARNING_DAYS = (3, 14)
"""Before the end of a supplied certificate; by then whoever renews it has failed for a while."""

_USUAL_DAYS = 90
"""For which public authorities issue."""

PATIENCE_SECONDS = 30.0
"""For the files of a pair to fit each other, from the first change on: they may be written one after the other."""

_KEPT = "The certificate in use was kept."


@frozen
class Report:
    """What a look at the certificate brought, for the log.

    Attributes:
        replaced: whether the next handshakes show another certificate than before.
        notes: sentences on what was done.
        warnings: sentences on what somebody should look at; each comes once, as long as it stays true.
        expiring: sentences on a certificate that is out of its time, or soon will be; likewise.

    """

    replaced: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    expiring: tuple[str, ...] = ()


class WarningDeduplicator:
    """Remembers which warnings hold, so that each is told once and again only when it comes back."""

    def __init__(self) -> None:
        self._holding: frozenset[str] = frozenset()

    def news(self, warnings: Iterable[str]) -> tuple[str, ...]:
        """Take all warnings that hold now; return those that did not hold at the last call."""
        now = tuple(warnings)
        fresh = tuple(warning for warning in now if warning not in self._holding)
        self._holding = frozenset(now)
        return fresh


class LocalCertificate:
    """A certificate issued by the local authority in a data directory, with all that is made there when missing.

    The directory holds `ca.pem` and `ca-key.pem`, which stay for good, and `cert.pem` and `key.pem`, which are issued
    again whenever the machine has new names or their time runs out.

    Attributes:
        look_seconds: between two calls of `refresh`; a look at the machine's addresses takes a while.
        tls: what makes the TLS side of connections.
        opening: what was done at the start.

    """

    look_seconds = 60.0

    def __init__(self, directory: Path, names: Names, now: float) -> None:
        """Read the files, or make what is missing.

        Arguments:
            directory: the data directory; made with mode 0700 where there is none.
            names: the machine's names and addresses.
            now: wall time, seconds since the epoch.

        Raises CertificateError if a file is damaged, open to others or cannot be written.

        """
        self._directory = directory
        self._told = WarningDeduplicator()
        self._authority, self._pair, notes = self._load(names, now)
        self.tls = ServerTLS(server_context(self._pair))
        self.opening = Report(notes=notes, warnings=self._told.news(self._warnings(names, now)))

    @property
    def authority_der(self) -> bytes:
        """The authority's certificate in DER form, `application/x-x509-ca-cert` to browsers."""
        return self._authority.certificate.public_bytes(serialization.Encoding.DER)

    def days_left(self, now: float) -> float:
        """Days until the certificate or its authority ends, whichever is first; negative after that."""
        return min(_days_left(self._pair.leaf, now), _days_left(self._authority.certificate, now))

    def refresh(self, now: float, names: Names, *, reread: bool = False) -> Report:
        """Issue the certificate again if it must be.

        Arguments:
            now: wall time, seconds since the epoch.
            names: the machine's names and addresses of now.
            reread: read the files even though the certificate in use is good; a deleted authority is made anew.

        Whatever fails, the certificate in use stays, and the report says why.

        """
        if not reread and self._authority.renewal_reason(self._pair.leaf, names, now) is None:
            return Report(warnings=self._told.news(self._warnings(names, now)))
        try:
            authority, pair, notes = self._load(names, now)
        except CertificateError as error:
            return Report(warnings=self._told.news([f"{_KEPT} {error}", *self._warnings(names, now)]))
        replaced = pair.chain != self._pair.chain
        if replaced:
            self.tls.replace(server_context(pair))
            notes = notes or (f"The certificate was read again: {self._directory / 'cert.pem'}.",)
        self._authority, self._pair = authority, pair
        return Report(replaced, notes, self._told.news(self._warnings(names, now)))

    def _load(self, names: Names, now: float) -> tuple[Authority, Pair, tuple[str, ...]]:
        """Read or make the authority and the leaf, with sentences on what was made."""
        try:
            with locked(self._directory):
                authority, made = self._load_authority(names, now)
                pair, issued = self._load_leaf(authority, names, now)
        except OSError as error:
            raise CertificateError(f"{self._directory} cannot be written: {error.strerror}.") from None
        return authority, pair, (*made, *issued)

    def _load_authority(self, names: Names, now: float) -> tuple[Authority, tuple[str, ...]]:
        """Read the authority, or make one where its certificate is missing."""
        certificate, key = self._directory / "ca.pem", self._directory / "ca-key.pem"
        if certificate.exists():
            return Authority.of(read_pair(certificate, key, OWNER_ALONE)), ()
        authority = Authority.create(names, now)
        # The certificate last: with it missing, a writer that was killed in between is as one that never began.
        write_files({key: key_pem(authority.pair.key), certificate: certificates_pem(authority.pair.chain)})
        return authority, (f"A local certificate authority was made: {certificate}.",)

    def _load_leaf(self, authority: Authority, names: Names, now: float) -> tuple[Pair, tuple[str, ...]]:
        """Read the leaf, or issue one where it is missing or must be renewed."""
        certificate, key = self._directory / "cert.pem", self._directory / "key.pem"
        reason: str | None = "there was none"
        if certificate.exists() and key.exists():
            try:
                pair = read_pair(certificate, key, OWNER_ALONE)
                reason = authority.renewal_reason(pair.leaf, names, now)
            except KeyMismatchError:
                # What a writer leaves that was killed between the two files.
                reason = "its key was another"
            if reason is None:
                return pair, ()
        pair = authority.issue(names, now)
        write_files({key: key_pem(pair.key), certificate: certificates_pem(pair.chain)})
        return pair, (f"The certificate was issued, since {reason}.",)

    def _warnings(self, names: Names, now: float) -> list[str]:
        """What somebody should look at about the authority."""
        path = self._directory / "ca.pem"
        found = _untimely(path, self._authority.certificate, now)
        if refused := self._authority.refused(names):
            found.append(f"The certificate leaves out {', '.join(refused)}, which {path} does not permit.")
        renewal = f"For a new authority, delete {path} and restart, and trust the new one on every device."
        return [f"{warning} {renewal}" for warning in found]


class SuppliedCertificate:
    """A certificate that the operator supplies as two files, read again whenever these change.

    They are looked at every now and then, not watched: the names may be symbolic links that change anywhere on their
    way (certbot, Kubernetes), or lie on another machine. A change is taken up once it has rested from one look to the
    next, so that a file is not read while it is written.

    Attributes:
        look_seconds: between two calls of `refresh`.
        tls: what makes the TLS side of connections.
        opening: what was found at the start.

    """

    look_seconds = 2.0

    def __init__(self, certificate: Path, key: Path, now: float) -> None:
        """Read and check the pair.

        Arguments:
            certificate: a PEM file: the certificate, then its chain.
            key: a PEM file with its key, not encrypted, and not readable by everyone.
            now: wall time, seconds since the epoch.

        Raises CertificateError if they cannot be used. A certificate that has ended can be: it is warned about.

        """
        self._certificate = certificate
        self._key = key
        self._told = WarningDeduplicator()
        self._soon = WarningDeduplicator()
        self._problem: str | None = None
        self._bad_since: float | None = None
        self._read_stamp = self._seen_stamp = self._look()
        self._pair, context = self._read()
        self.tls = ServerTLS(context)
        self.opening = self._report(now)

    def days_left(self, now: float) -> float:
        """Days until the certificate ends; negative after that."""
        return _days_left(self._pair.leaf, now)

    def refresh(self, now: float, names: Names, *, reread: bool = False) -> Report:
        """Read the files again if they changed. A bad pair leaves the one in use, and the report says why.

        Arguments:
            now: wall time, seconds since the epoch.
            names: of no matter here; the other kind of certificate needs them.
            reread: read the files now, whether or not they look changed, and tell at once what is wrong with them.

        """
        stamp = self._look()
        rests = stamp == self._seen_stamp
        self._seen_stamp = stamp
        if not reread and (stamp == self._read_stamp or not rests):
            return self._report(now)
        self._read_stamp = stamp
        try:
            pair, context = self._read()
        except CertificateError as error:
            self._problem = f"{_KEPT} {error}"
            self._bad_since = now if self._bad_since is None else self._bad_since
            if reread:
                self._bad_since = -math.inf
            return self._report(now)
        self._problem = self._bad_since = None
        replaced = pair.chain != self._pair.chain
        self._pair = pair
        self.tls.replace(context)
        return self._report(now, replaced, (f"The certificate was read again: {self._certificate}.",))

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        """What shows that one of the two files changed."""
        return tuple(_stamp(path) for path in (self._certificate, self._key))

    def _read(self) -> tuple[Pair, SSL.Context]:
        """Read the pair and see whether OpenSSL takes it."""
        pair = read_pair(self._certificate, self._key, OWNER_AND_GROUP)
        try:
            return pair, server_context(pair)
        except CertificateError as error:
            raise CertificateError(f"{self._certificate} cannot be used. {error}") from None

    def _report(self, now: float, replaced: bool = False, notes: tuple[str, ...] = ()) -> Report:
        """What somebody should know of the pair by now."""
        is_told = self._bad_since is not None and now - self._bad_since >= PATIENCE_SECONDS
        problems = [self._problem] if is_told and self._problem is not None else []
        leaf = self._pair.leaf
        soon = _untimely(self._certificate, leaf, now) or _ending(self._certificate, leaf, now)
        return Report(replaced, notes, self._told.news(problems), self._soon.news(soon))


Certificate = LocalCertificate | SuppliedCertificate
"""Either kind: `look_seconds`, `tls`, `opening`, `refresh` and `days_left` are the same in both."""


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What shows that a file changed, or who may read it; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_mode,
        found.st_uid,
        found.st_gid,
    )


def _days_left(certificate: x509.Certificate, now: float) -> float:
    """Days until a certificate ends; negative after that."""
    return (certificate.not_valid_after_utc.timestamp() - now) / DAY


def _ending(path: Path, certificate: x509.Certificate, now: float) -> list[str]:
    """A sentence on a certificate that ends soon, if it does; for one of fewer than 90 days, soon is sooner."""
    life = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / DAY
    for days in WARNING_DAYS:
        if _days_left(certificate, now) < days * min(1.0, life / _USUAL_DAYS):
            day = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            return [f"The certificate in {path} ends on {day}, in fewer than {days} days: has its renewal failed?"]
    return []


def _untimely(path: Path, certificate: x509.Certificate, now: float) -> list[str]:
    """A sentence on a certificate that is out of its time, if it is."""
    time = wall_time(now)
    if time < certificate.not_valid_before_utc:
        day = certificate.not_valid_before_utc
        return [f"The certificate in {path} is not valid before {day:%Y-%m-%d}: is this machine's clock right?"]
    if time > certificate.not_valid_after_utc:
        return [f"The certificate in {path} ended on {certificate.not_valid_after_utc:%Y-%m-%d}."]
    return []
