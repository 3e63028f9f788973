"""The settings one by one: every leaf of the configuration's tree, and its names in a file, a variable, an option."""

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

from signald.config.tree import Config
from signald.config.values import ConfigError, read_ice_server, read_network, read_origin, read_path
from signald.core.messages import IceServer
from signald.net.origins import Origin
from signald.net.proxies import Network

__all__ = ["PREFIX", "Setting", "nearest", "settings"]

PREFIX = "SIGNALD_"
"""Of the environment's variables."""

KeyPath = tuple[str, ...]

_MOST_NUMBER = 2**53
"""Up to which floats hold whole numbers."""

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_URL = re.compile(r"(?P<scheme>[a-z]+://)(?P<user>[^/?#]*@)?(?P<place>[^?]*)(?P<query>\?.*)?", re.DOTALL)
"""Of a web address; user and query may hold credentials."""

_NAMES = {bool: "truth value (true or false)", int: "whole number", float: "number", str: "text", tuple: "list"}


class _Text(str):
    """Text or a number, as text, for a setting with a reader of its own."""

    __slots__ = ()


def _of(kind: type, *accepted: type, secret: bool = False) -> Callable[[object, object], Any]:
    """Return what takes values of a TOML file's own types alone; `bool` is no number."""

    def structure(value: object, _target: object) -> Any:
        if type(value) is int and abs(value) > _MOST_NUMBER:
            # Python makes neither a float nor digits of any number.
            raise ConfigError("The number is out of range.")
        if type(value) not in (accepted or (kind,)):
            raise ConfigError(f"{_shown(value, secret)} is no {_NAMES.get(kind, 'text')}.")
        return kind(value)

    return structure


def _by(read: Callable[[str], Any], *, secret: bool = False) -> Callable[[object, object], Any]:
    """Return what takes text and reads it."""
    text = _of(str, secret=secret)
    return lambda value, _target: read(text(value, str))


def _shown(value: object, secret: bool) -> str:
    """The beginning of a value, text in quotes, for messages that others may read: nothing of a possible secret."""
    if secret:
        return "What is given"
    return f'"{value:.40}"' if isinstance(value, str) else f"{value!s:.40}"


def _without_credentials(text: str) -> str:
    """A text, without what in a web address only the two ends of it should know."""
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
        raise ConfigError(f"{value!s:.40} is not one of {', '.join(words)}.")
    return target(value)


def _several(value: object, target: Any) -> Any:
    """Structure a list; a single text would otherwise be taken for a list of letters."""
    if not isinstance(value, list):
        raise ConfigError(f"{_shown(value, get_args(target)[0] is IceServer)} is no list.")
    return tuple(_converter.structure(one, get_args(target)[0]) for one in value)


_converter = Converter()
for _kind in (bool, int, str):
    _converter.register_structure_hook(_kind, _of(_kind))
_converter.register_structure_hook(float, _of(float, float, int))
_converter.register_structure_hook(_Text, _of(_Text, str, int))
_converter.register_structure_hook(Path, _by(read_path))
_converter.register_structure_hook(Origin, _by(read_origin))
_converter.register_structure_hook(IceServer, _by(read_ice_server, secret=True))
_converter.register_structure_hook_func(lambda kind: kind == Network, _by(read_network))
_converter.register_structure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _choice)
_converter.register_structure_hook_func(_is_list, _several)


@frozen
class Setting:
    """One leaf of the tree.

    Attributes:
        path: the names of its section, if any, and of itself.
        type: the Python type of its value, without the None of an optional one.
        optional: whether it may be None.
        default: what holds where nobody says anything; `NOTHING` where that depends on the machine.
        meaning: a phrase.
        unit: of a number; None for none.
        reload: whether a change takes effect on SIGHUP.
        letter: a short option; None for none.

    """

    path: KeyPath
    type: Any
    optional: bool
    default: Any
    meaning: str
    unit: str | None
    reload: bool
    letter: str | None
    _option: str | None
    _read: Callable[[str], Any] | None
    _range: tuple[float | None, float | None]
    _check: Callable[[Any], None]

    @property
    def key(self) -> str:
        """As messages name it: the dotted key of TOML."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment's variable."""
        return PREFIX + "_".join(self.path).upper()

    @property
    def option(self) -> str:
        """The command line's, without the two hyphens; a limit is set with `--limit NAME=VALUE`."""
        return self._option or "-".join(self.path).replace("_", "-")

    @property
    def choices(self) -> list[str]:
        """The words that it may be; empty where there are others."""
        kind = self.type
        return [str(word.value) for word in cast(type[Enum], kind)] if isinstance(kind, EnumType) else []

    @property
    def phrase(self) -> str:
        """What it is for, with its choices and its unit."""
        choices = f": {', '.join(self.choices[:-1])} or {self.choices[-1]}" if self.choices else ""
        return f"{self.meaning}{choices}{'' if self.unit is None else f', in {self.unit}'}"

    @property
    def is_list(self) -> bool:
        """Whether there may be several."""
        return _is_list(self.type)

    def shown(self, value: Any) -> str:
        """A value as TOML has it, credentials hidden; empty for None, which TOML does not have."""
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
        """Make the Python value of what a TOML file holds.

        Raises:
            ConfigError: it cannot be used; one sentence.

        """
        read, kind = self._read, self.type
        if read is not None:
            kind = tuple[_Text, ...] if self.is_list else _Text
        found = _converter.structure(value, kind)
        if read is not None:
            found = tuple(read(one) for one in found) if self.is_list else read(found)
        try:
            self._check(found)
        except ValueError:
            bounds = " to ".join(f"{bound:.12g}" for bound in self._range if bound is not None)
            more = " or more" if self._range[1] is None else ""
            raise ConfigError(f"{value} is out of range: {bounds}{more} {self.unit}.") from None
        return found

    def read_text(self, text: str) -> Any:
        """Make the Python value of a variable or an option: a list's are parted by white space.

        Raises:
            ConfigError: it cannot be used; one sentence.

        """
        if self.optional and not text:
            return None
        if self.is_list:
            return self.read(text.split())
        if self.type is bool:
            if text not in _WORDS:
                raise ConfigError(f"{text:.40} is neither true nor false.")
            return _WORDS[text]
        if self._read is None and self.type in (int, float):
            try:
                return self.read(self.type(text))
            except (ValueError, OverflowError):
                raise ConfigError(f"{text:.40} is no {_NAMES[self.type]}.") from None
        return self.read(text)


@cache
def settings() -> dict[KeyPath, Setting]:
    """Return all settings by their paths, in the order of the tree."""
    return {setting.path: setting for setting in _walk(Config, ())}


def nearest(name: str, names: list[str]) -> str:
    """Return the words that propose the name which is most like an unknown one; empty where none is."""
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
        kind = Union[tuple(one for one in arguments if one is not type(None))]  # noqa: UP007 # made of a tuple
    metadata = attribute.metadata
    return Setting(
        path,
        kind,
        optional,
        NOTHING if attribute.default is NOTHING else attribute.default,
        metadata["meaning"],
        metadata["unit"],
        metadata.get("reload", False),
        metadata.get("letter"),
        metadata.get("option"),
        metadata.get("read"),
        metadata["range"],
        _checker(attribute),
    )


def _checker(attribute: Attribute[Any]) -> Callable[[Any], None]:
    """Return what raises ValueError for a value that the tree would refuse."""
    validator = attribute.validator
    # These validators look at nothing but the value and the attribute's name.
    return lambda value: None if validator is None or value is None else validator(cast(Any, None), attribute, value)
