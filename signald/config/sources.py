"""Reads the configuration from its sources: defaults, a TOML file, the environment and the command line.

A later source overrides an earlier one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from attrs import field, fields, frozen

from signald.config.checks import locate, refuse_impossible
from signald.config.setting_names import PREFIX, KeyPath, Setting, nearest, settings
from signald.config.settings import Config, default_data_dir
from signald.config.toml_errors import explain_syntax_error
from signald.config.values import ConfigError, read_path
from signald.net.regular_files import read_regular

__all__ = [
    "CONFIG_VARIABLE",
    "ConfigErrors",
    "ConfigValue",
    "Effective",
    "combine",
    "from_environment",
    "from_file",
    "load",
]

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
"""The environment variable that names the configuration file."""

_MEBIBYTE = 1 << 20
"""The maximum size of a configuration file, in bytes."""


@frozen
class ConfigValue:
    """The value that one source gives to a setting.

    Attributes:
        setting: the setting.
        value: its value, converted and validated.
        where: the source; its `str` is what messages call it: the file and line, the variable or the option.

    """

    setting: Setting
    value: Any
    where: object


@frozen
class Effective:
    """The effective configuration.

    Attributes:
        config: the tree.
        where: the source of each setting that is not a default, by path, as in `ConfigValue`.

    """

    config: Config
    where: Mapping[KeyPath, object]


@frozen
class _TomlFile:
    """A configuration file's name and text; it is parsed for line numbers only if a message needs one.

    Finding the lines takes several times as long as reading the values, and most runs of a command print none.
    """

    name: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of each table and key, by path."""
        from signald.config.toml_lines import lines_of

        return lines_of(self.text)


@frozen
class _Position:
    """The position of a key in a configuration file.

    Attributes:
        file: the file.
        keys: the path of the key.
        suffix: the end of its name, after the file and the line.

    """

    file: _TomlFile
    keys: KeyPath
    suffix: str = ""

    @property
    def folder(self) -> Path:
        """The directory that relative names in the file start from."""
        return read_path(self.file.name).parent

    def __str__(self) -> str:
        """Name the file and the line of the key, or of the nearest table around it whose line is known."""
        for end in range(len(self.keys), 0, -1):
            if self.keys[:end] in self.file.lines:
                return f"{self.file.name}, line {self.file.lines[self.keys[:end]]}{self.suffix}"
        return self.file.name + self.suffix


class ConfigErrors:
    """Collects errors in the configuration, so that all of them are reported at once."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, where: object, sentence: str) -> None:
        """Add an error: its position, and a sentence."""
        self._sentences.append(f"{where}: {sentence}")

    def read(self, setting: Setting, value: object, where: object) -> list[ConfigValue]:
        """Read a value of a TOML file; where it is invalid, add an error and return an empty list."""
        return self._read(setting, lambda: setting.read(value), where)

    def read_text(self, setting: Setting, text: str, where: object) -> list[ConfigValue]:
        """Read the text of an environment variable or an option in the same way."""
        return self._read(setting, lambda: setting.read_text(text), where)

    def _read(self, setting: Setting, read: Callable[[], Any], where: object) -> list[ConfigValue]:
        try:
            return [ConfigValue(setting, read(), where)]
        except ConfigError as error:
            self.add(where, str(error))
            return []

    def raise_all(self) -> None:
        """Raise the errors, if any.

        Raises:
            ConfigError: all errors, each on its own line.

        """
        if self._sentences:
            raise ConfigError("\n".join(self._sentences))


def from_file(path: Path) -> list[ConfigValue]:
    """Read a TOML file; relative paths in it are resolved against its directory.

    Raises:
        ConfigError: it cannot be read, is not TOML, or has unknown keys or invalid values; all are reported.

    """
    name = str(path)
    try:
        content, _ = read_regular(path, _MEBIBYTE)
        if len(content) > _MEBIBYTE:
            raise ConfigError(f"{name} is larger than 1 MiB.")
        text = _decode(content)
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: expected UTF-8, found another encoding; save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(explain_syntax_error(name, text, str(error))) from None
    except (ValueError, RecursionError) as error:  # the error of `int` for thousands of digits, and deep nesting
        raise ConfigError(f"{name} is not valid TOML: {error}.") from None
    file = _TomlFile(name, text)
    errors, found = ConfigErrors(), list[ConfigValue]()
    known = settings()
    for keys, value in _leaves(document):
        setting = known.get(keys)
        if len(keys) == 1 and isinstance(value, dict):
            errors.add(_Position(file, keys), _unknown_section(keys[0]))
        elif setting is None:
            errors.add(_Position(file, keys), _unknown(keys))
        else:
            where = _Position(file, keys, f", {setting.key}")
            found += errors.read(setting, _resolve(setting, value, path.parent), where)
    errors.raise_all()
    return found


def _decode(content: bytes) -> str:
    """Decode a file as editors write it: perhaps with a byte order mark, and with any of the three line ends.

    A carriage return alone is valid nowhere in TOML, so that nothing else can be meant by it.
    """
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    # With a line end at its end, the parser names the line of an error at the end, too.
    return text if text.endswith("\n") else f"{text}\n"


def from_environment(environment: Mapping[str, str]) -> list[ConfigValue]:
    """Read the environment variables that begin with `SIGNALD_`.

    Raises:
        ConfigError: variables are unknown or have invalid values; all are reported.

    """
    errors, found = ConfigErrors(), list[ConfigValue]()
    known = {setting.variable: setting for setting in settings().values()}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE:
            if name in known:
                found += errors.read_text(known[name], environment[name], name)
            else:
                errors.add(name, f"there is no such setting{nearest(name, [*known, CONFIG_VARIABLE])}")
    errors.raise_all()
    return found


def load(options: Sequence[ConfigValue], file: Path | None, environment: Mapping[str, str]) -> Effective:
    """Read all sources, and return the effective configuration.

    Arguments:
        options: the values from the command line.
        file: the TOML file that it names; None for the one that the environment names, if any.
        environment: the environment variables.

    Raises:
        ConfigError: values are invalid or cannot be meant; all errors of the first source that has some are reported.

    """
    named = environment.get(CONFIG_VARIABLE)
    path = read_path(named) if file is None and named else file
    files = [] if path is None else [from_file(path)]
    effective = combine([*files, from_environment(environment), options], environment)
    refuse_impossible(effective.config, effective.where)
    return effective


def combine(sources: Iterable[Sequence[ConfigValue]], environment: Mapping[str, str]) -> Effective:
    """Combine sources; a later one overrides an earlier one, and all override the defaults.

    Raises:
        ConfigError: values of several settings contradict each other.

    """
    values, where = dict[KeyPath, Any](), dict[KeyPath, object]()
    for source in sources:
        for given in source:
            values[given.setting.path] = given.value
            where[given.setting.path] = given.where
    if ("data_dir",) not in values:
        try:
            values["data_dir",] = default_data_dir(environment)
        except ConfigError as error:
            raise ConfigError(f"data_dir (--data-dir): {error}") from None
    try:
        return Effective(_structure(values), where)
    except ConfigError as error:
        raise ConfigError(locate(str(error), None, where)) from None


def _structure(values: Mapping[KeyPath, Any]) -> Config:
    """Create the tree; a section without values has its defaults."""
    root: dict[str, Any] = {path[0]: value for path, value in values.items() if len(path) == 1}
    for attribute in fields(Config):
        section = {path[1]: value for path, value in values.items() if len(path) > 1 and path[0] == attribute.name}
        if section:
            root[attribute.name] = cast(Any, attribute.default).factory(**section)
    return Config(**root)


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """Yield the path and value of each key; a table counts as a key unless it is a known section."""
    sections = _sections()
    for key, value in document.items():
        if isinstance(value, dict) and key in sections:
            yield from (((key, inner), one) for inner, one in value.items())
        else:
            yield (key,), value


def _sections() -> dict[str, list[str]]:
    """Return the names of the settings of each section."""
    sections: dict[str, list[str]] = {}
    for path in settings():
        if len(path) > 1:
            sections.setdefault(path[0], []).append(path[1])
    return sections


def _unknown(keys: KeyPath) -> str:
    """Return a sentence about an unknown key, with the place where a key of its name belongs, or the nearest key."""
    key, name, sections = ".".join(keys), keys[-1], _sections()
    owners = [section for section, names in sections.items() if name in names]
    if len(keys) == 1 and owners:
        return f"there is no setting {key} outside a section; it belongs in {_either(f'[{one}]' for one in owners)}."
    # The names alone are compared within a section: its own name would make any two keys alike.
    if len(keys) > 1 and nearest(name, sections[keys[0]]) == ".":
        if owners:
            return f"there is no setting {key}; did you mean {_either(f'{one}.{name}' for one in owners)}?"
        if (name,) in settings():
            return f"there is no setting {key}; {name} belongs before all sections."
    return f"there is no setting {key}{nearest(key, [setting.key for setting in settings().values()])}"


def _unknown_section(name: str) -> str:
    """Return a sentence about an unknown section, with the nearest known one; its settings are not reported."""
    if (name,) in settings():
        return f"there is no section [{name}], since {name} is a setting; write {name} = VALUE before all sections."
    return f"there is no section [{name}]{nearest(f'[{name}]', [f'[{one}]' for one in _sections()])}"


def _either(names: Iterable[str]) -> str:
    """Join alternatives to "a, b or c"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _resolve(setting: Setting, value: object, folder: Path) -> object:
    """Resolve the relative paths of a value against the directory of the configuration file."""
    if setting.is_list and isinstance(value, list):
        return [_resolve_path(one, folder) if setting.type == tuple[Path, ...] else one for one in value]
    return _resolve_path(value, folder) if setting.type is Path else value


def _resolve_path(value: object, folder: Path) -> object:
    if not isinstance(value, str) or value.startswith("~") or "://" in value:
        return value
    return str(read_path(str(folder)) / value)
