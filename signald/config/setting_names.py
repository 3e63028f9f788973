"""Settings: the leaves of the configuration tree, with their names in files, environment variables and options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from enum import Enum, EnumType
from functools import cache
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin

from attrs import NOTHING, Attribute, fields, frozen, has, resolve_types
from cattrs import Converter

from signald.config.settings import Config
from signald.config.values import ConfigError, read_ice_server, read_network, read_origin, read_path
from signald.core.ice_server import IceServer
from signald.net.origins import Origin
from signald.net.proxies import Network

__all__ = ["PREFIX", "Setting", "nearest", "settings"]

PREFIX = "SIGNALD_"
"""The prefix of environment variables that hold settings."""

KeyPath = tuple[str, ...]
"""The path of a setting in the tree, such as `("ice", "servers")`."""

_MOST_NUMBER = 2**53
"""The largest number that is accepted: beyond it floats do not hold every integer."""

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
"""The spellings of a boolean in an environment variable, in any case."""

_URL = re.compile(r"(?P<scheme>[a-z]+://)(?P<user>[^/?#]*@)?(?P<place>[^?]*)(?P<query>\?.*)?", re.DOTALL)
"""A URL; its user information and its query may contain credentials."""

_KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
"""What a value is called that may hold a secret, by its type."""

_NAMES = {bool: "true or false", int: "an integer", float: "a number"}
"""The names of types in error messages; for any other type, a string is expected."""


class _Text(str):
    """A string, or a number as a string, for a setting that has its own parser."""

    __slots__ = ()


def _strict(kind: type, *accepted: type, secret: bool = False) -> Callable[[object, object], Any]:
    """Return a structure hook that accepts exactly these types, so that a boolean is not taken for a number."""

    def structure(value: object, _target: object) -> Any:
        if type(value) is int and abs(value) > _MOST_NUMBER:
            # Python raises when it converts such a number to a float or to decimal digits.
            raise ConfigError("expected a number of at most 2^53, got a larger one.")
        if type(value) not in (accepted or (kind,)):
            raise ConfigError(f"expected {_NAMES.get(kind, 'a string')}, got {_excerpt(value, secret)}.")
        return kind(value)

    return structure


def _parsed_by(read: Callable[[str], Any], *, secret: bool = False) -> Callable[[object, object], Any]:
    """Return a structure hook that accepts a string and parses it."""
    text = _strict(str, secret=secret)
    return lambda value, _target: read(text(value, str))


def _excerpt(value: object, secret: bool) -> str:
    """Return the beginning of a value for an error message, a string in quotes; nothing of a possible secret."""
    if secret:
        return _KINDS.get(type(value), "a value of another type")
    return f'"{value:.40}"' if isinstance(value, str) else f"{value!s:.40}"


def _without_credentials(text: str) -> str:
    """Hide the parts of a URL that may contain credentials."""
    found = _URL.fullmatch(text)
    if found is None:
        return text
    user, query = "(hidden)@" if found["user"] else "", "?(hidden)" if found["query"] else ""
    return f"{found['scheme']}{user}{found['place']}{query}"


def _is_list(kind: Any) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple


def _choice(value: object, target: type[Enum]) -> Enum:
    words = [str(member.value) for member in target]
    if value not in words:
        raise ConfigError(f"expected one of {', '.join(words)}, got {value!s:.40}.")
    return target(value)


def _list(value: object, target: Any) -> Any:
    """Structure a list; cattrs would take a string for a list of its characters."""
    if not isinstance(value, list):
        is_server = get_args(target)[0] is IceServer
        example = ', such as ["stun:HOST"]' if is_server else ""
        raise ConfigError(f"expected a list in square brackets{example}, got {_excerpt(value, is_server)}.")
    return tuple(_converter.structure(one, get_args(target)[0]) for one in value)


_converter = Converter()
for _kind in (bool, int, str):
    _converter.register_structure_hook(_kind, _strict(_kind))
_converter.register_structure_hook(float, _strict(float, float, int))
_converter.register_structure_hook(_Text, _strict(_Text, str, int))
_converter.register_structure_hook(Path, _parsed_by(read_path))
_converter.register_structure_hook(Origin, _parsed_by(read_origin))
_converter.register_structure_hook(IceServer, _parsed_by(read_ice_server, secret=True))
_converter.register_structure_hook_func(lambda kind: kind == Network, _parsed_by(read_network))
_converter.register_structure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _choice)
_converter.register_structure_hook_func(_is_list, _list)


@frozen
class Setting:
    """One setting, a leaf of the tree.

    Attributes:
        path: its path in the tree.
        type: the Python type of its value, without the None of an optional one.
        optional: whether it may be None.
        default: the value where no source sets it; `NOTHING` where that depends on the machine.
        meaning: what the help and the documentation say about it.
        unit: the unit of its number; None for none.
        reload: whether a change takes effect on SIGHUP.
        restricts: whether the default permits more than other values.
        letter: a short option; None for none.

    """

    path: KeyPath
    type: Any
    optional: bool
    default: Any
    meaning: str
    unit: str | None
    reload: bool
    restricts: bool
    letter: str | None
    _option: str | None
    _read: Callable[[str], Any] | None
    _range: tuple[float | None, float | None]
    _check: Callable[[Any], None]

    @property
    def key(self) -> str:
        """The dotted key of TOML, by which messages name it."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return PREFIX + "_".join(self.path).upper()

    @property
    def option(self) -> str:
        """The name of its command line option without hyphens; a limit is set with `--limit NAME=VALUE`."""
        return self._option or "-".join(self.path).replace("_", "-")

    @property
    def choices(self) -> list[str]:
        """The allowed words of an enumeration; empty for other types."""
        kind = self.type
        return [str(word.value) for word in cast(type[Enum], kind)] if isinstance(kind, EnumType) else []

    @property
    def phrase(self) -> str:
        """The meaning with the choices and the unit."""
        choices = f": {', '.join(self.choices[:-1])} or {self.choices[-1]}" if self.choices else ""
        return f"{self.meaning}{choices}{'' if self.unit is None else f', in {self.unit}'}"

    @property
    def _is_limit(self) -> bool:
        return self.path[0] == "limits"

    @property
    def is_list(self) -> bool:
        """Whether its value is a list."""
        return _is_list(self.type)

    def shown(self, value: Any) -> str:
        """Format a value as TOML with credentials hidden; None, which TOML does not have, as an empty string."""
        if value is None:
            return ""
        if isinstance(value, tuple):
            return f"[{', '.join(self.shown(one) for one in value)}]"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return f"{value:.12g}" if isinstance(value, int) or value != int(value) else f"{value:.1f}"
        if isinstance(value, IceServer):
            hidden = "" if value.credential is None else f",{value.username},(hidden)"
            value = ",".join(value.urls) + hidden
        text = value.value if isinstance(value, Enum) else _without_credentials(str(value))
        return json.dumps(text, ensure_ascii=False)

    def read(self, value: object) -> Any:
        """Convert a value of a TOML file, and validate it.

        Raises:
            ConfigError: the value is invalid: what was expected and what was found.

        """
        read, kind = self._read, self.type
        if read is not None:
            kind = tuple[_Text, ...] if self.is_list else _Text
            if isinstance(value, float | bool):
                # The parser says what it expects, such as a port number, where the type could only say "a string".
                value = str(value).lower() if isinstance(value, bool) else str(value)
        found = _converter.structure(value, kind)
        if read is not None:
            found = tuple(read(one) for one in found) if self.is_list else read(found)
        try:
            self._check(found)
        except ValueError:
            bounds = " to ".join(f"{bound:.12g}" for bound in self._range if bound is not None)
            more = " or more" if self._range[1] is None else ""
            advice = "; a limit cannot be switched off, so set a high number" if self._is_limit and not found else ""
            raise ConfigError(f"expected {bounds}{more} {self.unit}, got {value}{advice}.") from None
        return found

    def read_text(self, text: str) -> Any:
        """Convert the text of an environment variable or an option; the values of a list are separated by white space.

        Raises:
            ConfigError: the value is invalid: what was expected and what was found.

        """
        # A file of variables with the line ends of Windows leaves one behind each value.
        text = text.removesuffix("\r")
        if self.optional and not text:
            return None
        if self.is_list:
            return self.read(text.split())
        if self.type is bool:
            if text.lower() not in _BOOLEANS:
                raise ConfigError(f"expected true or false, got {text:.40}.")
            return _BOOLEANS[text.lower()]
        if self._read is None and self.type in (int, float):
            try:
                return self.read(self.type(text))
            except (ValueError, OverflowError):
                raise ConfigError(f"expected {_NAMES[self.type]}, got {text:.40}.") from None
        return self.read(text)


@cache
def settings() -> dict[KeyPath, Setting]:
    """Return all settings by path, in the order of the tree."""
    return {setting.path: setting for setting in _walk(Config, ())}


def nearest(name: str, names: list[str]) -> str:
    """Return the end of a sentence about an unknown name: a suggestion of the nearest known one, or a full stop."""
    found = get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]}?" if found else "."


def _walk(section: type, path: KeyPath) -> Iterator[Setting]:
    for attribute in fields(resolve_types(section)):
        here: KeyPath = (*path, attribute.name)
        if isinstance(attribute.type, type) and has(attribute.type) and not path:
            yield from _walk(attribute.type, here)
        else:
            yield _leaf(here, attribute)


def _leaf(path: KeyPath, attribute: Attribute[Any]) -> Setting:
    kind: Any = attribute.type
    optional = False
    arguments = get_args(kind)
    if type(None) in arguments:
        optional = True
        kind = Union[tuple(one for one in arguments if one is not type(None))]  # noqa: UP007 # the members come from a tuple
    metadata = attribute.metadata
    return Setting(
        path,
        kind,
        optional,
        NOTHING if attribute.default is NOTHING else attribute.default,
        metadata["meaning"],
        metadata["unit"],
        metadata.get("reload", False),
        metadata.get("restricts", False),
        metadata.get("letter"),
        metadata.get("option"),
        metadata.get("read"),
        metadata["range"],
        _checker(attribute),
    )


def _checker(attribute: Attribute[Any]) -> Callable[[Any], None]:
    """Return a function that raises ValueError for a value that the tree would reject."""
    validator = attribute.validator
    # These validators use only the value and the attribute's name, so no instance is needed.
    return lambda value: None if validator is None or value is None else validator(cast(Any, None), attribute, value)
