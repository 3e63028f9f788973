"""Generates the client's message classes, which run on CPython and MicroPython, from the server's attrs classes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from attrs import NOTHING, Attribute, resolve_types

from signald.core.errors import ErrorCode
from signald.core.messages import UNCOUNTED, Ack, Error, Request
from signald.dialects.native import EVENTS, NESTED, REQUESTS, key, wire_fields

PATH = Path(__file__).parents[1] / "clients" / "signaling" / "messages.py"

NAMES = {"MemberView": "Member"}
"""The client's names of classes that have another name on the server."""

_SHAPES: dict[Any, tuple[str, str]] = {
    str: ('"string"', "str"),
    int: ('"integer"', "int"),
    float: ('"number"', "float"),
    bool: ('"boolean"', "bool"),
}
_WIDTH = 120

_HEAD = '''"""The messages of docs/protocol.md as small classes.

`make generate` writes this file from signald/core/messages/; do not edit it.

The client sends requests and receives events; it does both with `Ack`. `wire` encodes and decodes them.
"""

from __future__ import annotations

from .wire import FROM_SERVER, REQUIRED, Field, Message, Value
'''


def name(class_: type) -> str:
    """Return the client's name for a class of the server."""
    return NAMES.get(class_.__name__, class_.__name__)


def client_messages() -> str:
    """Return the source text of the module."""
    parts = [_HEAD]
    parts += [_class(class_, None) for class_ in NESTED]
    parts += [_class(class_, type_) for type_, class_ in REQUESTS.items()]
    events: dict[type, str] = {**EVENTS, Error: "error"}
    parts += [_class(class_, type_) for class_, type_ in events.items() if class_ is not Ack]
    names = "\n".join(f"    {name(class_)}," for class_ in events)
    parts.append(f"for _message in (\n{names}\n):\n    FROM_SERVER[_message.type] = _message\n")
    return "\n\n".join(parts)


def _class(class_: Any, type_: str | None) -> str:
    resolve_types(class_)
    attributes = _attributes(class_)
    lines = [f"class {name(class_)}({'Value' if type_ is None else 'Message'}):", f'    """{_summary(class_)}"""', ""]
    if type_ is not None:
        lines.append(f'    type = "{type_}"')
        if class_ in UNCOUNTED:
            lines.append("    counted = False")
    rows = [f'Field("{a.name}", "{key(a.name)}", {_shape(a.type)[0]}, {_default(a)})' for a in attributes]
    lines += _tuple("fields", rows)
    lines += _tuple("hidden", [f'"{attribute.name}"' for attribute in attributes if not attribute.repr])
    lines += ["", *_init([_argument(attribute) for attribute in attributes])]
    lines += [f"        self.{attribute.name} = {_value(attribute)}" for attribute in attributes]
    return "\n".join(lines) + "\n"


def _attributes(class_: Any) -> list[Attribute[Any]]:
    """Return a class's attributes, the required ones first; `Error` gets its sentence in addition to its code."""
    found = wire_fields(class_)
    if class_ is Error:
        sentence = found[0].evolve(name="message", type=str)
        found = [found[0], sentence, *found[1:]]
    return sorted(found, key=lambda attribute: attribute.default is not NOTHING)


def _summary(class_: type) -> str:
    """Return the first paragraph of a class's docstring."""
    first = (class_.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(first.split())


def _tuple(name: str, elements: list[str]) -> list[str]:
    """Return the lines of a class attribute with a tuple, as the formatter lays them out.

    An empty tuple has no lines.
    """
    if len(elements) < 2:
        return [f"    {name} = ({element},)" for element in elements]
    return [f"    {name} = (", *(f"        {element}," for element in elements), "    )"]


def _init(arguments: list[str]) -> list[str]:
    line = f"    def __init__(self, {', '.join(arguments)}) -> None:"
    if len(line) <= _WIDTH:
        return [line]
    middle = f"        self, {', '.join(arguments)}"
    if len(middle) <= _WIDTH:
        return ["    def __init__(", middle, "    ) -> None:"]
    return ["    def __init__(", "        self,", *(f"        {argument}," for argument in arguments), "    ) -> None:"]


def _argument(attribute: Attribute[Any]) -> str:
    typed = f"{attribute.name}: {_shape(attribute.type)[1]}"
    if attribute.default is NOTHING:
        return typed
    default = _default(attribute)
    return f"{typed} | None = None" if default == "None" else f"{typed} = {default}"


def _default(attribute: Attribute[Any]) -> str:
    """Return the default of an absent key. For a list it is None, since callers could change a shared default list."""
    if attribute.default is NOTHING:
        return "REQUIRED"
    return "None" if attribute.default == () else repr(attribute.default)


def _value(attribute: Attribute[Any]) -> str:
    return f"{attribute.name} or []" if attribute.default == () else attribute.name


def _shape(type_: Any) -> tuple[str, str]:
    """Return a type's shape on the wire, and its annotation in Python."""
    if type_ in _SHAPES:
        return _SHAPES[type_]
    if type_ == type[Request] or (get_args(type_) and type[Request] in get_args(type_)):
        return _SHAPES[str]
    inner = [argument for argument in get_args(type_) if argument not in (NoneType, Ellipsis)]
    if get_origin(type_) is tuple:
        shape, annotation = _shape(inner[0])
        return f"({shape},)", f"list[{annotation}]"
    if inner:
        return _shape(inner[0])
    if hasattr(type_, "__supertype__"):
        return _shape(type_.__supertype__)
    if type_ is ErrorCode or issubclass(type_, Enum):
        return _SHAPES[str]
    return name(type_), name(type_)


def write() -> Iterable[Path]:
    """Write the module and yield its path."""
    PATH.write_text(client_messages(), encoding="utf-8")
    yield PATH
