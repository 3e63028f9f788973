"""The server's certificate: loaded at start, checked periodically, and replaced without a restart.

Two classes have the same interface: `LocalCertificate` is issued by the local certificate authority;
`SuppliedCertificate` is a pair of files that the operator supplies and renews.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from signald.net.addresses import Names
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
from signald.net.regular_files import NotRegularFileError
from signald.tls.authority import Authority, wall_time
from signald.tls.browser_rules import browser_problems
from signald.tls.context import ServerTLS, server_context

__all__ = ["DAY", "Certificate", "CertificateError", "CertificateReport", "LocalCertificate", "SuppliedCertificate"]

DAY = 86400.0
"""A day in seconds."""

WARNING_DAYS = (3, 14)
"""Days before the expiry of a supplied certificate at which to warn, since its renewal must have failed by then."""

_USUAL_DAYS = 90
"""The usual lifetime of certificates of public authorities; that of shorter ones reduces `WARNING_DAYS`."""

MISMATCH_SECONDS = 30.0
"""Time after a change before an invalid pair is reported, since the two files may be written one after the other."""

_KEPT = "The certificate in use was kept."


@frozen
class CertificateReport:
    """The result of a check of the certificate, for the log.

    Attributes:
        replaced: whether new handshakes use another certificate than before.
        changes: sentences about what was done.
        warnings: sentences about problems; each is reported once while the problem lasts.
        expiry_warnings: sentences about a certificate that is not valid now or expires soon; likewise.

    """

    replaced: bool = False
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    expiry_warnings: tuple[str, ...] = ()


class WarningDeduplicator:
    """Remembers which warnings apply, so that each is reported once, and again only when it recurs."""

    def __init__(self) -> None:
        self._current: frozenset[str] = frozenset()

    def new_warnings(self, warnings: Iterable[str]) -> tuple[str, ...]:
        """Take all warnings that apply now; return those that did not apply at the last call."""
        now = tuple(warnings)
        fresh = tuple(warning for warning in now if warning not in self._current)
        self._current = frozenset(now)
        return fresh


class LocalCertificate:
    """A certificate that is issued by a local authority; both are created in the data directory if missing.

    The directory contains the authority, `ca.pem` and `ca-key.pem`, which is permanent, and the leaf, `cert.pem` and
    `key.pem`, which is issued again when the machine has new names or addresses, and before it expires.

    Attributes:
        check_seconds: the interval of calls of `check`; listing the machine's addresses is slow.
        tls: creates the TLS side of connections.
        initial_report: the result of loading it.

    """

    check_seconds = 60.0

    def __init__(self, directory: Path, names: Names, now: float) -> None:
        """Read the files, and create those that are missing.

        Arguments:
            directory: the data directory; created with mode 0700 if missing.
            names: the machine's names and addresses.
            now: wall time, in seconds since the epoch.

        Raises:
            CertificateError: a file is damaged, open to others or cannot be written.

        """
        self._directory = directory
        self._warnings_seen = WarningDeduplicator()
        self._authority, self._pair, changes = self._load(names, now)
        self.tls = ServerTLS(server_context(self._pair))
        self.initial_report = CertificateReport(
            changes=changes, warnings=self._warnings_seen.new_warnings(self._warnings(names, now))
        )

    @property
    def authority_der(self) -> bytes:
        """The authority's certificate in DER format, which browsers import as `application/x-x509-ca-cert`."""
        return self._authority.certificate.public_bytes(serialization.Encoding.DER)

    def covers(self, name: str) -> bool:
        """Whether the certificate is valid for a host, which is an address or a DNS name in lower case."""
        return _covers(self._pair.leaf, name)

    @property
    def expires(self) -> float:
        """When the certificate or its authority expires, whichever is first, in seconds since the epoch."""
        return min(_expires(self._pair.leaf), _expires(self._authority.certificate))

    def is_expiring(self, now: float) -> bool:
        """Whether the certificate expires so soon that its renewal must have failed, or the authority does."""
        both = self._pair.leaf, self._authority.certificate
        return any(_expiry_warning(self._directory, certificate, now) for certificate in both)

    def check(self, now: float, names: Names) -> CertificateReport:
        """Issue the certificate again if necessary.

        If that fails, the certificate in use stays, and the report says why.

        Arguments:
            now: wall time, in seconds since the epoch.
            names: the machine's present names and addresses.

        """
        if self._authority.renewal_reason(self._pair.leaf, names, now) is None:
            return CertificateReport(warnings=self._warnings_seen.new_warnings(self._warnings(names, now)))
        try:
            return self.prepare(now, names)()
        except CertificateError as error:
            return CertificateReport(
                warnings=self._warnings_seen.new_warnings([f"{_KEPT} {error}", *self._warnings(names, now)])
            )

    def prepare(self, now: float, names: Names) -> Callable[[], CertificateReport]:
        """Read the files again, and return the function that uses what they hold from then on.

        An authority that was deleted is created again, and a certificate that has to be renewed is issued.

        Arguments:
            now: wall time, in seconds since the epoch.
            names: the machine's present names and addresses.

        Raises:
            CertificateError: a file is damaged, open to others or cannot be written.

        """
        authority, pair, changes = self._load(names, now)
        context = None if pair.chain == self._pair.chain else server_context(pair)
        if context is not None:
            changes = changes or (f"The certificate was read again: {self._directory / 'cert.pem'}.",)

        def apply() -> CertificateReport:
            if context is not None:
                self.tls.replace(context)
            self._authority, self._pair = authority, pair
            warnings = self._warnings_seen.new_warnings(self._warnings(names, now))
            return CertificateReport(context is not None, changes, warnings)

        return apply

    def _load(self, names: Names, now: float) -> tuple[Authority, Pair, tuple[str, ...]]:
        """Read or create the authority and the leaf; return also sentences about what was created."""
        try:
            with locked(self._directory):
                authority, created = self._load_authority(names, now)
                pair, issued = self._load_leaf(authority, names, now)
        except NotRegularFileError as error:
            raise CertificateError(f"{error.filename} cannot be used: {error.strerror}.") from None
        except OSError as error:
            raise CertificateError(f"{self._directory} cannot be written: {error.strerror}.") from None
        return authority, pair, (*created, *issued)

    def _load_authority(self, names: Names, now: float) -> tuple[Authority, tuple[str, ...]]:
        """Read the authority, or create one if its certificate is missing."""
        certificate, key = self._directory / "ca.pem", self._directory / "ca-key.pem"
        if os.path.lexists(certificate):
            return Authority.from_pair(read_pair(certificate, key, OWNER_ALONE, follow=False)), ()
        authority = Authority.create(names, now)
        # The certificate is written last: without it, the next start creates the authority again, which is what a
        # process that was killed between the two files needs.
        write_files({key: key_pem(authority.pair.key), certificate: certificates_pem(authority.pair.chain)})
        return authority, (f"A local certificate authority was created: {certificate}.",)

    def _load_leaf(self, authority: Authority, names: Names, now: float) -> tuple[Pair, tuple[str, ...]]:
        """Read the leaf, or issue one if it is missing or must be renewed."""
        certificate, key = self._directory / "cert.pem", self._directory / "key.pem"
        reason: str | None = "there was none"
        if os.path.lexists(certificate) and os.path.lexists(key):
            try:
                pair = read_pair(certificate, key, OWNER_ALONE, follow=False)
                reason = authority.renewal_reason(pair.leaf, names, now)
            except KeyMismatchError:
                # A process that was killed between writing the two files leaves them in this state.
                reason = "its key did not match"
            if reason is None:
                return pair, ()
        pair = authority.issue(names, now)
        write_files({key: key_pem(pair.key), certificate: certificates_pem(pair.chain)})
        return pair, (f"The certificate was issued, since {reason}.",)

    def _warnings(self, names: Names, now: float) -> list[str]:
        """Return all warnings about the authority that apply now."""
        path = self._directory / "ca.pem"
        found = _validity_warnings(path, self._authority.certificate, now)
        if missing := self._authority.names_not_permitted(names):
            found.append(f"The certificate leaves out {', '.join(missing)}, which {path} does not permit.")
        renewal = f"To create a new authority, delete {path}, restart, and trust the new one on every device."
        return [f"{warning} {renewal}" for warning in found]


class SuppliedCertificate:
    """A certificate that the operator supplies as two files, which are read again when they change.

    The files are polled rather than watched: their names may be symbolic links that change at any level (certbot,
    Kubernetes), or they may be on a network file system. They are read once two checks in a row find the same state,
    so that a file is not read while it is written.

    Attributes:
        check_seconds: the interval of calls of `check`.
        tls: creates the TLS side of connections.
        initial_report: the result of loading it.

    """

    check_seconds = 2.0

    def __init__(self, certificate: Path, key: Path, now: float) -> None:
        """Read and check the pair.

        Arguments:
            certificate: a PEM file with the certificate and its chain.
            key: a PEM file with its key, not encrypted, and not open to others.
            now: wall time, in seconds since the epoch.

        Raises:
            CertificateError: they cannot be used; an expired certificate can be, with a warning.

        """
        self._certificate = certificate
        self._key = key
        self._warnings_seen = WarningDeduplicator()
        self._expiry_warnings_seen = WarningDeduplicator()
        self._problem: str | None = None
        self._bad_since: float | None = None
        self._read_state = self._seen_state = self._state()
        self._pair, context = self._read()
        self.tls = ServerTLS(context)
        self.initial_report = self._report(now)

    def covers(self, name: str) -> bool:
        """Whether the certificate is valid for a host, which is an address or a DNS name in lower case."""
        return _covers(self._pair.leaf, name)

    @property
    def expires(self) -> float:
        """When the certificate expires, in seconds since the epoch."""
        return _expires(self._pair.leaf)

    def is_expiring(self, now: float) -> bool:
        """Whether the certificate expires so soon that its renewal must have failed."""
        return bool(_expiry_warning(self._certificate, self._pair.leaf, now))

    def check(self, now: float, names: Names) -> CertificateReport:
        """Read the files again if they changed. If the pair is invalid, the one in use stays, and the report says why.

        Arguments:
            now: wall time, in seconds since the epoch.
            names: unused; `LocalCertificate` needs them.

        """
        state = self._state()
        is_stable = state == self._seen_state
        self._seen_state = state
        if state == self._read_state or not is_stable:
            return self._report(now)
        self._read_state = state
        try:
            return self.prepare(now, names)()
        except CertificateError as error:
            self._problem = f"{_KEPT} {error}"
            self._bad_since = now if self._bad_since is None else self._bad_since
            return self._report(now)

    def prepare(self, now: float, names: Names) -> Callable[[], CertificateReport]:
        """Read the files again, and return the function that uses the pair from then on.

        Arguments:
            now: wall time, in seconds since the epoch.
            names: unused; `LocalCertificate` needs them.

        Raises:
            CertificateError: they cannot be used.

        """
        state = self._state()
        pair, context = self._read()

        def apply() -> CertificateReport:
            self._read_state = self._seen_state = state
            self._problem = self._bad_since = None
            replaced = pair.chain != self._pair.chain
            self._pair = pair
            self.tls.replace(context)
            changes = (f"The certificate was read again: {self._certificate}.",) if replaced else ()
            return self._report(now, replaced, changes)

        return apply

    def _state(self) -> tuple[tuple[int, ...] | None, ...]:
        """Return a value that differs after a change of one of the files."""
        return tuple(_file_state(path) for path in (self._certificate, self._key))

    def _read(self) -> tuple[Pair, SSL.Context]:
        """Read the pair and check that OpenSSL accepts it."""
        pair = read_pair(self._certificate, self._key, OWNER_AND_GROUP)
        try:
            return pair, server_context(pair)
        except CertificateError as error:
            raise CertificateError(f"{self._certificate} cannot be used. {error}") from None

    def _report(self, now: float, replaced: bool = False, changes: tuple[str, ...] = ()) -> CertificateReport:
        """Return a report with the warnings that are new."""
        is_reported = self._bad_since is not None and now - self._bad_since >= MISMATCH_SECONDS
        problems = [f"{self._certificate}: {problem}" for problem in browser_problems(self._pair.chain)]
        if is_reported and self._problem is not None:
            problems.append(self._problem)
        leaf = self._pair.leaf
        expiry = _validity_warnings(self._certificate, leaf, now) or _expiry_warning(self._certificate, leaf, now)
        return CertificateReport(
            replaced,
            changes,
            self._warnings_seen.new_warnings(problems),
            self._expiry_warnings_seen.new_warnings(expiry),
        )


def _covers(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is valid for a host, an address or a DNS name in lower case (RFC 9525 §6.3, §6.5)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if name in map(str, names.get_values_for_type(x509.IPAddress)):
        return True
    # A wildcard stands for the whole first label alone.
    accepted = {name, f"*.{name.partition('.')[2]}"}
    return not accepted.isdisjoint(one.lower() for one in names.get_values_for_type(x509.DNSName))


Certificate = LocalCertificate | SuppliedCertificate
"""Either class: `check_seconds`, `tls`, `initial_report`, `expires`, and all methods without `_` are the same."""


def _file_state(path: Path) -> tuple[int, ...] | None:
    """Return a value that differs after a change of a file's content or permissions; None if it is missing."""
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


def _expires(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _expiry_warning(path: Path, certificate: x509.Certificate, now: float) -> list[str]:
    """Return a warning if a certificate expires soon, which for one of fewer than 90 days is proportionally later."""
    life = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / DAY
    for days in WARNING_DAYS:
        if _expires(certificate) - now < days * DAY * min(1.0, life / _USUAL_DAYS):
            day = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            return [f"The certificate in {path} expires on {day}, in fewer than {days} days: check its renewal."]
    return []


def _validity_warnings(path: Path, certificate: x509.Certificate, now: float) -> list[str]:
    """Return a warning if a certificate is not yet valid or has expired."""
    time = wall_time(now)
    if time < certificate.not_valid_before_utc:
        day = certificate.not_valid_before_utc
        return [f"The certificate in {path} is not valid before {day:%Y-%m-%d}: check this machine's clock."]
    if time > certificate.not_valid_after_utc:
        return [f"The certificate in {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}."]
    return []
