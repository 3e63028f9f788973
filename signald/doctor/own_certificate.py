"""Checks the certificate files of the configuration on disk, without connecting to a server."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives import serialization
from OpenSSL import crypto

from signald.config.settings import Config
from signald.doctor.chain import judge_chain
from signald.doctor.findings import Finding, failure, ok, skipped
from signald.net.keyfiles import CertificateError, read_pair
from signald.tls.browser_rules import browser_problems

__all__ = ["check_certificate_files", "local_authority"]

TOPIC = "certificate"


def local_authority(config: Config) -> bytes | None:
    """Return the local authority's certificate as PEM; None if the configuration uses none or it cannot be read."""
    if not config.tls or config.certificate is not None:
        return None
    try:
        pair = read_pair(config.data_dir / "ca.pem", config.data_dir / "ca-key.pem", 0, follow=False)
    except CertificateError:
        return None
    return pair.leaf.public_bytes(serialization.Encoding.PEM)


def check_certificate_files(config: Config, host: str | None, store: crypto.X509Store, now: float) -> list[Finding]:
    """Check the certificate and the private key that signald uses.

    Arguments:
        config: the configuration, which names the files or the data directory.
        host: the public host name; None if the doctor does not know it, or if a proxy terminates TLS.
        store: the trusted authorities.
        now: the wall time in seconds since the epoch.

    """
    if not config.tls:
        return [skipped(TOPIC, "Certificate files: the configuration leaves TLS to a proxy.")]
    if config.certificate is None or config.key is None:
        return _check_local(config)
    try:
        # No permission bits are forbidden here, because check_secret_files reports those of the key.
        pair = read_pair(config.certificate, config.key, 0)
    except CertificateError as error:
        return [_unusable(error)]
    refused = [
        failure(TOPIC, f"{config.certificate}: {problem.text}", problem.remedy)
        for problem in browser_problems(pair.chain)
    ]
    return [*refused, *judge_chain(TOPIC, str(config.certificate), pair.chain, host, store, now)]


def _check_local(config: Config) -> list[Finding]:
    folder = config.data_dir
    if not os.path.lexists(folder / "cert.pem"):
        return [ok(TOPIC, f"A local authority will be made in {folder} when signald starts.")]
    try:
        read_pair(folder / "ca.pem", folder / "ca-key.pem", 0, follow=False)
        read_pair(folder / "cert.pem", folder / "key.pem", 0, follow=False)
    except CertificateError as error:
        return [_unusable(error)]
    return [ok(TOPIC, f"The local authority in {folder} is sound; devices have to trust its ca.pem once.")]


def _unusable(error: CertificateError) -> Finding:
    return failure(
        TOPIC, str(error), "signald does not start with this pair, or keeps the one before. Correct the files."
    )
