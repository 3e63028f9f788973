"""The certificate files of the configuration, before anybody is shown them."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from OpenSSL import crypto

from signald.config.settings import Config
from signald.doctor.chain import judge_chain
from signald.doctor.findings import Finding, failure, ok, skipped
from signald.net.keyfiles import CertificateError, read_pair

__all__ = ["check_certificate_files", "local_authority"]

TOPIC = "certificate"


def local_authority(config: Config) -> bytes | None:
    """The certificate of the local authority as PEM, where the configuration uses one and it is there."""
    if not config.tls or config.certificate is not None:
        return None
    try:
        pair = read_pair(config.data_dir / "ca.pem", config.data_dir / "ca-key.pem", 0)
    except CertificateError:
        return None
    return pair.leaf.public_bytes(serialization.Encoding.PEM)


def check_certificate_files(config: Config, host: str | None, store: crypto.X509Store, now: float) -> list[Finding]:
    """Look at the pair that signald uses.

    Arguments:
        config: names the files, or the data directory.
        host: the public name; None where it is not known, or TLS ends at a proxy.
        store: the authorities that are trusted.
        now: wall time, seconds since the epoch.

    """
    if not config.tls:
        return [skipped(TOPIC, "Certificate files: the configuration leaves TLS to a proxy.")]
    if config.certificate is None or config.key is None:
        return _check_local(config)
    try:
        # Who may read the key is told with the other files.
        pair = read_pair(config.certificate, config.key, 0)
    except CertificateError as error:
        return [_unusable(error)]
    return judge_chain(TOPIC, str(config.certificate), pair.chain, host, store, now)


def _check_local(config: Config) -> list[Finding]:
    folder = config.data_dir
    if not (folder / "cert.pem").exists():
        return [ok(TOPIC, f"A local authority will be made in {folder} when signald starts.")]
    try:
        read_pair(folder / "ca.pem", folder / "ca-key.pem", 0)
        read_pair(folder / "cert.pem", folder / "key.pem", 0)
    except CertificateError as error:
        return [_unusable(error)]
    return [ok(TOPIC, f"The local authority in {folder} is sound; devices have to trust its ca.pem once.")]


def _unusable(error: CertificateError) -> Finding:
    return failure(
        TOPIC, str(error), "signald does not start with this pair, or keeps the one before. Correct the files."
    )
