"""The command `signald config`, which prints the effective configuration as TOML, with the source of each setting."""

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
    """Print the effective configuration and return 0; if it is invalid, print the error to stderr and return 1."""
    options = Options("config")
    try:
        options.parseOptions(list(arguments))
        sys.stdout.write(_document(options.effective(environment)))
    except (UsageError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _document(effective: Effective) -> str:
    """Return all settings as TOML; a setting without a value becomes a comment, because TOML has no null value."""
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
