"""Judges a certificate with its chain, as clients will: who vouches for it, whom it names, how long it lasts."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from OpenSSL import crypto
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from service_identity.exceptions import CertificateError as NoNamesError

from signald.doctor.findings import Finding, failure, ok, warning
from signald.doctor.targets import is_address

__all__ = ["judge_chain", "read_roots", "trusted_store"]

SOON = timedelta(days=14)
"""Before its end a certificate should have been renewed; those of a few days are given a fifth of their life."""

_SELF_SIGNED = {18, 19}
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN (openssl-verification-options(1))."""

_NO_ISSUER = {2, 20, 21}
"""X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, the same _LOCALLY, and X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE."""


def read_roots(path: Path) -> list[x509.Certificate]:
    """Read the certificates of further authorities that are trusted.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.

    """
    return x509.load_pem_x509_certificates(path.read_bytes())


def trusted_store(roots: Sequence[x509.Certificate]) -> crypto.X509Store:
    """The authorities that the system trusts, and those."""
    # The system's own OpenSSL knows where its authorities are; the one that cryptography brings along does not.
    paths = ssl.get_default_verify_paths()
    store = crypto.X509Store()
    if paths.cafile is not None or paths.capath is not None:
        store.load_locations(paths.cafile, paths.capath)
    for root in roots:
        store.add_cert(crypto.X509.from_cryptography(root))
    return store


def judge_chain(
    topic: str, where: str, chain: Sequence[x509.Certificate], host: str | None, store: crypto.X509Store, now: float
) -> list[Finding]:
    """Judge it.

    Arguments:
        topic: of the findings.
        where: whose certificate it is, as the end of "the certificate of".
        chain: the certificate itself, then what was sent with it.
        host: the name or address that clients use; None where that is not known.
        store: the authorities that are trusted. Its time is set.
        now: wall time, seconds since the epoch.

    """
    time = datetime.fromtimestamp(now, UTC)
    life = _judge_life(topic, where, chain[0], time)
    findings = [life, _judge_trust(topic, where, chain, store, time)]
    if host is not None:
        findings.append(_judge_name(topic, where, chain[0], host))
    return findings


def _judge_life(topic: str, where: str, leaf: x509.Certificate, time: datetime) -> Finding:
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if time < start:
        return failure(
            topic,
            f"The certificate of {where} is not valid before {start:%Y-%m-%d %H:%M} UTC.",
            "Set this machine's clock, or wait until then.",
        )
    if time > end:
        return failure(
            topic,
            f"The certificate of {where} ended on {end:%Y-%m-%d}: browsers refuse it.",
            "Renew it, and see why that did not happen by itself (certbot renew, the log of the ACME client).",
        )
    days = (end - time).days
    text = f"The certificate of {where} lasts until {end:%Y-%m-%d} ({days} days)."
    if end - time < min(SOON, (end - start) / 5):
        return warning(topic, text, "Renew it now, and see why that did not happen by itself.")
    return ok(topic, text)


def _judge_name(topic: str, where: str, leaf: x509.Certificate, host: str) -> Finding:
    try:
        if is_address(host):
            verify_certificate_ip_address(leaf, str(ip_address(host)))
        else:
            verify_certificate_hostname(leaf, host)
    except (VerificationError, NoNamesError):
        named = ", ".join(_names(leaf)) or "nothing"
        return failure(
            topic,
            f"The certificate of {where} is not for {host}; it names {named}.",
            f"Have one issued that names {host}, or use a name that it has.",
        )
    return ok(topic, f"The certificate of {where} is for {host}.")


def _names(leaf: x509.Certificate) -> list[str]:
    """What a certificate names (RFC 5280 §4.2.1.6), a few of it."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    found = [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    return found if len(found) <= 5 else [*found[:5], f"and {len(found) - 5} more"]


def _judge_trust(
    topic: str, where: str, chain: Sequence[x509.Certificate], store: crypto.X509Store, time: datetime
) -> Finding:
    """Whether the chain leads to an authority that is trusted (RFC 5280 §6), within its own life."""
    # Not later or earlier than the leaf's own life, which is judged for itself.
    store.set_time(min(max(time, chain[0].not_valid_before_utc), chain[0].not_valid_after_utc).replace(tzinfo=None))
    first, *others = [crypto.X509.from_cryptography(certificate) for certificate in chain]
    try:
        crypto.X509StoreContext(store, first, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        return _untrusted(topic, where, chain, error)
    return ok(topic, f"The chain of {where} is complete, and its authority is trusted.")


def _untrusted(
    topic: str, where: str, chain: Sequence[x509.Certificate], error: crypto.X509StoreContextError
) -> Finding:
    number = error.errors[0]
    if number in _SELF_SIGNED:
        what = "signs itself" if len(chain) == 1 else f"is of {_common_name(chain[-1].subject)}"
        return failure(
            topic,
            f"The certificate of {where} {what}, which is no authority that this machine trusts.",
            "Have one issued by a public authority (Let's Encrypt). If devices were made to trust this one, name it "
            "with --ca FILE.",
        )
    if number in _NO_ISSUER:
        top = _top(chain)
        return failure(
            topic,
            f"The chain of {where} is not complete: {_common_name(top.issuer)}, which issued "
            f"{_common_name(top.subject)}, is neither sent nor trusted here.",
            "Use the file with the whole chain (fullchain.pem of certbot). If it is an authority of your own, name it "
            "with --ca FILE.",
        )
    return failure(
        topic,
        f"The chain of {where} cannot be verified: {error}.",
        "Have the certificate issued again, with its chain.",
    )


def _top(chain: Sequence[x509.Certificate]) -> x509.Certificate:
    """How far the chain leads from its first certificate; others may have been sent that are of no use."""
    top = chain[0]
    for _ in chain:
        top = next((other for other in chain if _issued(other, top)), top)
    return top


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return f"“{found[0].value!s}”" if found else f"“{name.rfc4514_string()}”"
