"""`signald check-config`: tells whether the daemon could start with this configuration, as far as that can be seen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from twisted.python.usage import UsageError

from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import check_webhook
from signald.cli.options import Options
from signald.config.tree import Config
from signald.config.values import ConfigError
from signald.operations.admin import AdminToken
from signald.server.ice_configuration import read_turn
from signald.tls.certificates import CertificateError, SuppliedCertificate


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Read all layers and the files that they name; each problem is a line on standard error, and the status 1."""
    options = Options("check-config")
    try:
        options.parseOptions(list(arguments))
        effective = options.effective(environment)
    except (UsageError, ConfigError) as error:
        problems = [str(error)]
    else:
        problems = [*_problems(effective.config)]
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    sys.stdout.write(f"The configuration can be used. Settings that are given: {len(effective.where)}.\n")
    return 0


def _problems(config: Config) -> Iterator[str]:
    """What is wrong with the files that the settings name."""
    for read in _readers(config):
        try:
            read()
        except (ConfigError, CertificateError) as error:
            yield str(error)


def _readers(config: Config) -> Iterator[Callable[[], object]]:
    """What reads them, without making or changing any: a local authority is made at the start alone."""
    certificate, key = config.certificate, config.key
    if certificate is not None and key is not None:
        yield lambda: SuppliedCertificate(certificate, key, time.time())
    yield lambda: TokenVerifier(config.tokens)
    yield lambda: check_webhook(config.webhook)
    yield lambda: read_turn(config.ice)
    yield lambda: AdminToken().configure(config.operations)
