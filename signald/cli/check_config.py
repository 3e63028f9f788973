"""The command `signald check-config`, which checks whether the daemon could start with this configuration."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.python.usage import UsageError

from signald.cli.options import Options
from signald.config.checks import doubts, locate
from signald.config.settings import Config, Tokens
from signald.config.sources import Effective
from signald.config.values import ConfigError

if TYPE_CHECKING:
    from signald.tls.certificates import CertificateReport


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Read the configuration and the files that it names; return 0, or print each error to stderr and return 1.

    Warnings go to stderr too, each marked as one, and do not change the status.
    """
    options = Options("check-config")
    try:
        options.parseOptions(list(arguments))
        effective = options.effective(environment)
    except (UsageError, ConfigError) as error:
        problems = [str(error)]
    else:
        problems = [locate(problem, effective.config, effective.where) for problem in _problems(effective.config)]
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    sys.stdout.write(f"The configuration can be used. Settings that are given: {len(effective.where)}.\n")
    sys.stderr.write("".join(f"warning: {warning}\n" for warning in _warnings(effective)))
    return 0


def _problems(config: Config) -> Iterator[str]:
    """Yield a sentence for each file that the settings name and that cannot be used."""
    for read in _readers(config):
        try:
            read()
        except ConfigError as error:
            yield str(error)


def _warnings(effective: Effective) -> Iterator[str]:
    """Yield a sentence for each setting and file that can be used, and that hardly anybody can want."""
    yield from map(str, doubts(effective.config, effective.where))
    certificate, key = effective.config.certificate, effective.config.key
    if certificate is not None and key is not None:
        report = _check_certificate(certificate, key)
        yield from (*report.warnings, *report.expiry_warnings)


def _check_certificate(certificate: Path, key: Path) -> CertificateReport:
    from signald.tls.certificates import CertificateError, SuppliedCertificate

    try:
        return SuppliedCertificate(certificate, key, time.time()).initial_report
    except CertificateError as error:
        raise ConfigError(str(error)) from None


def _readers(config: Config) -> Iterator[Callable[[], object]]:
    """Yield functions that read the files that the settings name; no function changes a file.

    The local authority is not checked, because only the start of the daemon creates it. Each module is imported only if
    the configuration needs it: most configurations name no such file, and the import of the cryptographic libraries
    takes longer than the rest of the command.
    """
    certificate, key = config.certificate, config.key
    if certificate is not None and key is not None:
        yield lambda: _check_certificate(certificate, key)
    if config.tokens != Tokens():
        from signald.auth.tokens import TokenVerifier

        yield lambda: TokenVerifier(config.tokens)
    if config.webhook.url is not None:
        from signald.auth.webhook_rules import check_webhook

        yield lambda: check_webhook(config.webhook)
    if config.ice.turn_secret_file is not None:
        from signald.config.turn_secret import read_turn

        yield lambda: read_turn(config.ice)
    if config.operations.admin_token_file is not None:
        from signald.operations.admin_token import AdminToken

        yield lambda: AdminToken().prepare(config.operations)
