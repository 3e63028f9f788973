"""Judges a certificate chain as clients will: its issuer's trust, the names it covers and its validity period."""

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

from signald.config.secret_files import read_file
from signald.doctor.findings import Finding, failure, ok, warning
from signald.doctor.targets import is_address

__all__ = ["judge_chain", "read_roots", "trusted_store"]

SOON = timedelta(days=14)
"""A certificate should be renewed at least this long before it expires.

For a certificate with a lifetime of a few days, a fifth of the lifetime counts instead.
"""

_SELF_SIGNED = {18, 19}
"""The OpenSSL errors X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT and X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN.

openssl-verification-options(1) documents them.
"""

_NO_ISSUER = {2, 20, 21}
"""The OpenSSL errors that report a missing issuer certificate.

They are X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, the same with the suffix _LOCALLY, and
X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE.
"""


def read_roots(path: Path) -> list[x509.Certificate]:
    """Read the certificates of additional trusted authorities from a PEM file.

    Raises:
        ConfigError: the file cannot be read, or is too large.
        ValueError: the file holds no certificate.

    """
    return x509.load_pem_x509_certificates(read_file(path))


def trusted_store(roots: Sequence[x509.Certificate]) -> crypto.X509Store:
    """Return a store of the authorities that the system trusts and of the given root certificates."""
    # Python's ssl module knows the paths of the system's authorities; the OpenSSL bundled with cryptography does not.
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
    """Check the validity period, the trust and the name of a certificate, and return a finding about each.

    Arguments:
        topic: the topic of the findings.
        where: the owner of the certificate, as the end of "the certificate of".
        chain: the server's certificate, followed by the other certificates that the server sent.
        host: the name or address that clients use; None if the doctor does not know it.
        store: the trusted authorities. The function sets the store's verification time.
        now: the wall time in seconds since the epoch.

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
    """Return up to five DNS names and IP addresses of a certificate (RFC 5280 §4.2.1.6), and the number of the rest."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    found = [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    return found if len(found) <= 5 else [*found[:5], f"and {len(found) - 5} more"]


def _judge_trust(
    topic: str, where: str, chain: Sequence[x509.Certificate], store: crypto.X509Store, time: datetime
) -> Finding:
    """Verify that the chain leads to a trusted authority (RFC 5280 §6), regardless of the leaf's validity period."""
    # The verification time is moved into the leaf's validity period, because _judge_life already judges that period.
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
    """Return the last certificate that the chain reaches from its first one; a server may also send unrelated ones."""
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
