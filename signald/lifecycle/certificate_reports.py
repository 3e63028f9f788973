"""Logs what a check or a reload of the certificate has found."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.logger import Logger

from signald.config.values import ConfigError
from signald.net.addresses import machine_names
from signald.tls.certificates import Certificate, CertificateError, CertificateReport

__all__ = ["log_report", "prepare_certificate"]

_log = Logger()


def log_report(report: CertificateReport) -> None:
    """Log the changes and the warnings of a report."""
    for note in report.changes:
        _log.info("certificate: {note}", event="certificate-changed", note=note)
    for warning in report.warnings:
        _log.warn("certificate: {problem}", event="certificate-problem", problem=warning)
    for sentence in report.expiry_warnings:
        _log.warn("certificate: {problem}", event="certificate-expiring", problem=sentence)


def prepare_certificate(certificate: Certificate) -> Callable[[], None]:
    """Read the certificate again, and return the function that uses it from then on and logs what has changed.

    Raises:
        ConfigError: the certificate cannot be used.

    """
    try:
        apply = certificate.prepare(time.time(), machine_names())
    except CertificateError as error:
        raise ConfigError(str(error)) from None
    return lambda: log_report(apply())
