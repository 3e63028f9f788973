"""Generates the client's message classes, which run on CPython and MicroPython, from the server's attrs classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import NOTHING, Attribute, resolve_types

from codegen.message_fields import attributes, name, summary, value_type
from signald.core.errors import ErrorCode
from signald.core.messages import UNCOUNTED, Ack, Error
from signald.dialects.native import EVENTS, NESTED, REQUESTS, key

PATH = Path(__file__).parents[1] / "clients" / "signaling" / "messages.py"

_SHAPES: dict[Any, tuple[str, str]] = {
    str: ('"string"', "str"),
    int: ('"integer"', "int"),
    float: ('"number"', "float"),
    bool: ('"boolean"', "bool"),
    ErrorCode: ('"string"', "str"),
}
_WIDTH = 120

_HEAD = '''"""The messages of docs/protocol.md as small classes.

`make generate` writes this file from signald/core/messages/; do not edit it.

The client sends requests and receives events; it does both with `Ack`. `wire` encodes and decodes them.
"""

from __future__ import annotations

from .wire import FROM_SERVER, REQUIRED, Field, Message, Value
'''


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
    # The required ones first, as Python has its arguments.
    fields = sorted(attributes(class_), key=lambda attribute: attribute.default is not NOTHING)
    lines = [f"class {name(class_)}({'Value' if type_ is None else 'Message'}):", f'    """{summary(class_)}"""', ""]
    if type_ is not None:
        lines.append(f'    type = "{type_}"')
        if class_ in UNCOUNTED:
            lines.append("    counted = False")
    rows = [f'Field("{a.name}", "{key(a.name)}", {_shape(a.type)[0]}, {_default(a)})' for a in fields]
    lines += _tuple("fields", rows)
    lines += _tuple("hidden", [f'"{attribute.name}"' for attribute in fields if not attribute.repr])
    lines += ["", *_init([_argument(attribute) for attribute in fields])]
    lines += [f"        self.{attribute.name} = {_value(attribute)}" for attribute in fields]
    return "\n".join(lines) + "\n"


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
    value, is_list = value_type(type_)
    shape, annotation = _SHAPES.get(value) or (name(value), name(value))
    return (f"({shape},)", f"list[{annotation}]") if is_list else (shape, annotation)


def write() -> Iterable[Path]:
    """Write the module and yield its path."""
    PATH.write_text(client_messages(), encoding="utf-8")
    yield PATH
