"""`signald check-config`: tells whether the daemon could start with this configuration, as far as that can be seen."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from twisted.python.usage import UsageError

from signald.ice_configuration import read_turn
from signald.options import Options
from signald.tokens import TokenVerifier
from signald.values import ConfigError
from signald.webhook import check_webhook


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Read all layers; each problem is a line on standard error, and the status 1."""
    options = Options()
    try:
        options.parseOptions(list(arguments))
        effective = options.effective(environment)
        TokenVerifier(effective.config.tokens)
        check_webhook(effective.config.webhook)
        read_turn(effective.config.ice)
    except (UsageError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    count = len(effective.where)
    sys.stdout.write(
        f"The configuration can be used: {count} setting{'' if count == 1 else 's'} besides the defaults.\n"
    )
    return 0
