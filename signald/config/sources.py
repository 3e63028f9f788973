"""The configuration out of its layers: defaults, a TOML file, the environment, the command line, in that order."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from attrs import field, fields, frozen

from signald.config.settings import PREFIX, KeyPath, Setting, nearest, settings
from signald.config.tree import Config, default_data_dir
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
"""The environment's variable that names the file."""

_MEBIBYTE = 1 << 20


@frozen
class ConfigValue:
    """A setting that one layer gives.

    Attributes:
        setting: which.
        value: checked.
        where: the layer, as messages name it: a file and its line, a variable or an option. Its `str` is the name.

    """

    setting: Setting
    value: Any
    where: object


@frozen
class Effective:
    """The configuration that holds.

    Attributes:
        config: the tree.
        where: which layer each setting comes from, by its path, as in `ConfigValue`; a default is not in it.

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
        """The line of each table and key, by its path."""
        from signald.config.toml_lines import lines_of

        return lines_of(self.text)


@frozen
class _Position:
    """A key's place in a configuration file.

    Attributes:
        file: the file.
        keys: the path of the key.
        suffix: follows the file and the line.

    """

    file: _TomlFile
    keys: KeyPath
    suffix: str = ""

    def __str__(self) -> str:
        """Name the file and the line of the key, or of the nearest table around it whose line is known."""
        for end in range(len(self.keys), 0, -1):
            if self.keys[:end] in self.file.lines:
                return f"{self.file.name}, line {self.file.lines[self.keys[:end]]}{self.suffix}"
        return self.file.name + self.suffix


class ConfigErrors:
    """Collects what cannot be used, so that all of it is told at once."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, where: object, sentence: str) -> None:
        """Take one more."""
        self._sentences.append(f"{where}: {sentence}")

    def read(self, setting: Setting, value: object, where: object) -> list[ConfigValue]:
        """Read a value as TOML has it; an empty list, and one problem more, where it cannot be used."""
        return self._read(setting, lambda: setting.read(value), where)

    def read_text(self, setting: Setting, text: str, where: object) -> list[ConfigValue]:
        """Read the text of a variable or an option in the same way."""
        return self._read(setting, lambda: setting.read_text(text), where)

    def _read(self, setting: Setting, read: Callable[[], Any], where: object) -> list[ConfigValue]:
        try:
            return [ConfigValue(setting, read(), where)]
        except ConfigError as error:
            self.add(where, str(error))
            return []

    def tell(self) -> None:
        """Go on where there is none.

        Raises:
            ConfigError: a sentence for each, on lines of their own.

        """
        if self._sentences:
            raise ConfigError("\n".join(self._sentences))


def from_file(path: Path) -> list[ConfigValue]:
    """Read a TOML file; relative paths in it begin at its folder.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has unknown keys or wrong values; a sentence for each.

    """
    name = str(path)
    try:
        content, _ = read_regular(path, _MEBIBYTE)
        if len(content) > _MEBIBYTE:
            raise ConfigError(f"{name} is larger than 1 MiB.")
        text = content.decode()
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name} is not UTF-8.") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what `int` says of thousands of digits
        raise ConfigError(f"{name} is no TOML: {error}.") from None
    file = _TomlFile(name, text)
    problems, found = ConfigErrors(), list[ConfigValue]()
    known = settings()
    for keys, value in _leaves(document):
        setting = known.get(keys)
        if setting is None:
            problems.add(_Position(file, keys), _unknown(keys))
        else:
            where = _Position(file, keys, f", {setting.key}")
            found += problems.read(setting, _placed(setting, value, path.parent), where)
    problems.tell()
    return found


def from_environment(environment: Mapping[str, str]) -> list[ConfigValue]:
    """Read the variables that begin with `SIGNALD_`.

    Raises:
        ConfigError: one is unknown or has a wrong value; a sentence for each.

    """
    problems, found = ConfigErrors(), list[ConfigValue]()
    known = {setting.variable: setting for setting in settings().values()}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE:
            if name in known:
                found += problems.read_text(known[name], environment[name], name)
            else:
                problems.add(name, f"there is no such setting{nearest(name, [*known, CONFIG_VARIABLE])}")
    problems.tell()
    return found


def load(options: Sequence[ConfigValue], file: Path | None, environment: Mapping[str, str]) -> Effective:
    """Read all layers.

    Arguments:
        options: what the command line gives.
        file: the TOML file that it names; None for the one that the environment names, if any.
        environment: the variables.

    Raises:
        ConfigError: something cannot be used; a sentence for each problem of the first layer that has some.

    """
    named = environment.get(CONFIG_VARIABLE)
    path = read_path(named) if file is None and named else file
    layers = [] if path is None else [from_file(path)]
    return combine([*layers, from_environment(environment), options], environment)


def combine(layers: Iterable[Sequence[ConfigValue]], environment: Mapping[str, str]) -> Effective:
    """Lay each layer over the ones before it, over the defaults.

    Raises:
        ConfigError: values of several settings do not fit each other.

    """
    values, where = dict[KeyPath, Any](), dict[KeyPath, object]()
    for layer in layers:
        for given in layer:
            values[given.setting.path] = given.value
            where[given.setting.path] = given.where
    if ("data_dir",) not in values:
        values["data_dir",] = default_data_dir(environment)
    return Effective(_structure(values), where)


def _structure(values: Mapping[KeyPath, Any]) -> Config:
    """Make the tree; each section that is not named is its default."""
    root: dict[str, Any] = {path[0]: value for path, value in values.items() if len(path) == 1}
    for attribute in fields(Config):
        section = {path[1]: value for path, value in values.items() if len(path) > 1 and path[0] == attribute.name}
        if section:
            root[attribute.name] = cast(Any, attribute.default).factory(**section)
    return Config(**root)


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """What stands in a document, by its path; an empty table is one of its own unless there is such a section."""
    sections = {path[0] for path in settings() if len(path) > 1}
    for key, value in document.items():
        if isinstance(value, dict) and (value or key in sections):
            yield from (((key, inner), one) for inner, one in value.items())
        else:
            yield (key,), value


def _unknown(keys: KeyPath) -> str:
    """A sentence on a key that there is not: the nearest of all, and of those in the same section."""
    key = ".".join(keys)
    known = [setting.key for setting in settings().values()]
    last = {setting.path[-1]: setting.key for setting in settings().values()}
    hint = nearest(key, known)
    if hint == "." and keys[-1] in last:
        hint = f"; did you mean {last[keys[-1]]}?"
    return f"there is no setting {key}{hint}"


def _placed(setting: Setting, value: object, folder: Path) -> object:
    """Let a relative path begin at the file's folder."""
    if setting.is_list and isinstance(value, list):
        return [_below(one, folder) if setting.type == tuple[Path, ...] else one for one in value]
    return _below(value, folder) if setting.type is Path else value


def _below(value: object, folder: Path) -> object:
    if not isinstance(value, str) or value.startswith("~"):
        return value
    return str(read_path(str(folder)) / value)
