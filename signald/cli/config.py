"""`signald config`: prints the configuration that holds, as TOML, with where each setting comes from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.python.usage import UsageError

from signald.cli.options import Options
from signald.config.setting_names import settings
from signald.config.sources import Effective
from signald.config.values import ConfigError


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Print the configuration; write a problem to standard error, and return 1."""
    options = Options("config")
    try:
        options.parseOptions(list(arguments))
        sys.stdout.write(_document(options.effective(environment)))
    except (UsageError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _document(effective: Effective) -> str:
    """All settings; one without a value is a comment, since TOML has no word for that."""
    lines, section = list[str](), ""
    for path, setting in settings().items():
        if len(path) > 1 and path[0] != section:
            section = path[0]
            lines += ["", f"[{section}]"]
        value: Any = effective.config
        for name in path:
            value = getattr(value, name)
        shown = setting.shown(value)
        text = f"{path[-1]} = {shown}" if shown else f"# {path[-1]} is not set"
        lines.append(f"{text:<48}  # {effective.where.get(path, 'default')}")
    return "\n".join(lines) + "\n"
