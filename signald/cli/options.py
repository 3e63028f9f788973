"""Parses the command line; its options are generated from the tree of settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NoReturn, TextIO

from attrs import NOTHING
from twisted.python import usage

from signald import __version__
from signald.cli.commands import COMMANDS
from signald.config.setting_names import Setting, nearest, settings
from signald.config.sources import CONFIG_VARIABLE, ConfigErrors, ConfigValue, Effective, load
from signald.config.values import ConfigError, read_path

__all__ = ["Options", "error_text", "refuse_start"]

_OTHERS = [setting for setting in settings().values() if setting.path[0] != "limits"]
_LISTS = [setting for setting in _OTHERS if setting.is_list]
_FLAGS = [setting for setting in _OTHERS if setting.type is bool]
_VALUES = [setting for setting in _OTHERS if not setting.is_list and setting.type is not bool]
_LIMITS = {setting.path[-1]: setting for setting in settings().values() if setting.path[0] == "limits"}


def _meaning(setting: Setting) -> str:
    """Return the help text of a setting, with its choices, unit and default."""
    return f"{setting.phrase} [default: {_default(setting)}]"


def _default(setting: Setting) -> str:
    if setting.default is NOTHING:
        return "~/.local/share/signald"
    if setting.type is bool:
        return "yes" if setting.default else "no"
    return "none" if setting.default in (None, ()) else setting.shown(setting.default).strip('"')


class Options(usage.Options):
    """The options of `signald`, of `twistd signald`, and of the commands that read the configuration.

    Attributes:
        command: the command that the options belong to; None for the daemon.
        given: the settings that the command line sets.
        file: the configuration file that the command line names; None if it names no file.

    """

    longdesc: ClassVar[str] = "A WebRTC signaling daemon: it serves a private call page and the signaling under it."

    optParameters: ClassVar[list[list[object]]] = [
        ["config", "c", None, f"TOML file of settings [default: what {CONFIG_VARIABLE} names, or none]"],
        *(list[object]((setting.option, setting.letter, None, _meaning(setting))) for setting in _VALUES),
    ]
    optFlags: ClassVar[list[list[object]]] = [
        [option, None, words]
        for setting in _FLAGS
        for option, words in (
            (setting.option, _meaning(setting)),
            (f"no-{setting.option}", f"the opposite of --{setting.option}"),
        )
    ]

    def __init__(self, command: str | None = None) -> None:
        super().__init__()
        self.command = command
        self._lists: dict[str, list[str]] = {}
        self._limits: list[tuple[Setting, str]] = []
        self.given: list[ConfigValue] = []
        self.file: Path | None = None

    def opt_limit(self, text: str) -> None:
        """Set a limit, NAME=VALUE; repeatable. The names are below."""
        name, equals, value = text.partition("=")
        known = [limit.replace("_", "-") for limit in _LIMITS]
        if not equals:
            raise usage.UsageError(f"A limit is set with NAME=VALUE, not {text}.")
        setting = _LIMITS.get(name.replace("-", "_"))
        if setting is None:
            raise usage.UsageError(f"There is no limit called {name}{nearest(name.replace('_', '-'), known)}")
        self._limits.append((setting, value))

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"signald {__version__}")  # noqa: T201 # what was asked for
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line, by default that of `sys.argv`.

        Raises:
            UsageError: the command line is invalid; the message has a sentence for each problem.

        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            name = str(error).removeprefix("option --").removesuffix(" not recognized")
            if f"option --{name} not recognized" != str(error):
                raise
            known = [f"--{option}" for option in self.synonyms]
            raise usage.UsageError(f"There is no option --{name}{nearest(f'--{name}', known)}") from None

    def parseArgs(self, *arguments: str) -> None:  # Twisted's name
        """Refuse arguments that are not options.

        Raises:
            UsageError: the command line has such an argument.

        """
        for name in arguments[:1]:
            if name in COMMANDS:
                raise usage.UsageError(f"A command stands before all options: signald {name} …")
            hint = nearest(name, [*COMMANDS])
            if hint == ".":
                hint = "; `signald` alone starts the daemon, `signald --help` lists the commands."
            raise usage.UsageError(f"There is no command {name}{hint}")

    def postOptions(self) -> None:
        """Read the values of all options now, before twistd changes the working directory, which relative paths need.

        Raises:
            UsageError: a value cannot be used.

        """
        problems = ConfigErrors()
        for setting in _VALUES:
            if self[setting.option] is not None:
                self.given += problems.read_text(setting, self[setting.option], f"--{setting.option}")
        for setting in _FLAGS:
            for option, value in ((setting.option, True), (f"no-{setting.option}", False)):
                if self[option]:
                    self.given.append(ConfigValue(setting, value, f"--{option}"))
        for setting in _LISTS:
            if setting.option in self._lists:
                self.given += problems.read(setting, self._lists[setting.option], f"--{setting.option}")
        for setting, text in self._limits:
            self.given += problems.read_text(setting, text, f"--limit {setting.path[-1].replace('_', '-')}")
        try:
            problems.raise_all()
            self.file = None if self["config"] is None else read_path(self["config"])
        except ConfigError as error:
            raise usage.UsageError(str(error)) from None

    def effective(self, environment: Mapping[str, str]) -> Effective:
        """Return the effective configuration of the options, the environment and the file, which is read at each call.

        Raises:
            ConfigError: a value cannot be used.

        """
        return load(self.given, self.file, environment)

    def getSynopsis(self) -> str:  # Twisted's name
        """Return the first line of the help text."""
        return super().getSynopsis() if self.command is None else f"Usage: signald {self.command} [options]"

    def getUsage(self, width: int | None = None) -> str:  # Twisted's name
        """Return the help text, with the commands and the limits below it."""
        lines = [
            f"  {name.replace('_', '-')}={limit.default:.12g}  {limit.unit}: {limit.meaning}"
            for name, limit in _LIMITS.items()
        ]
        limits = "\n".join(lines)
        commands = "\n".join(f"  {name:<14}{does}" for name, does in COMMANDS.items())
        if self.command is None:
            purpose = f"Commands, each with a --help of its own (signald COMMAND --help):\n{commands}\n"
        else:
            purpose = f"What it does: {COMMANDS[self.command]}.\n"
        return f"{super().getUsage(width)}\n{purpose}\nLimits and their defaults:\n{limits}\n"

    def append(self, setting: Setting, text: str) -> None:
        """Add a value of a repeatable option to its list."""
        self._lists.setdefault(setting.option, []).append(text)


def error_text(error: Exception) -> str:
    """Return the message for `sys.exit`: each line of an error's text follows the name of the program."""
    return "\n".join(f"signald: {line}" for line in str(error).splitlines())


def refuse_start(error: Exception) -> NoReturn:
    """Print an error in the configuration or in a file that it names, and exit with `os.EX_CONFIG` (sysexits.h).

    A service manager can tell such an error, which only the operator can mend, by the status.

    Raises:
        SystemExit: always, with status 78.

    """
    err: TextIO | None = sys.stderr
    if err is not None:  # closed before the start (`2>&-`)
        with suppress(OSError):
            err.write(f"{error_text(error)}\n")
    raise SystemExit(os.EX_CONFIG) from error


def _appending(setting: Setting) -> Callable[[Options, str], None]:
    """Return the method of a repeatable option; Twisted prints the method's docstring in the help text."""

    def append(self: Options, text: str) -> None:
        self.append(setting, text)

    append.__doc__ = f"{_meaning(setting)}; repeatable"
    return append


for _setting in _LISTS:
    setattr(Options, f"opt_{_setting.option.replace('-', '_')}", _appending(_setting))
