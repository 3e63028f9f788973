"""What generators read from the server's message classes: their names, summaries and fields, and the fields' types."""

from __future__ import annotations

from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin

from attrs import Attribute

from signald.core.errors import ErrorCode
from signald.core.messages import Error, Request
from signald.dialects.native import wire_fields

NAMES = {"MemberView": "Member"}
"""The clients' names of classes that have another name on the server."""


def name(class_: type) -> str:
    """Return the clients' name for a class of the server."""
    return NAMES.get(class_.__name__, class_.__name__)


def summary(class_: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join((class_.__doc__ or "").strip().partition("\n\n")[0].split())


def attributes(class_: Any) -> list[Attribute[Any]]:
    """Return a class's attributes; `Error` gets its sentence in addition to its code."""
    found = wire_fields(class_)
    if class_ is Error:
        found = [found[0], found[0].evolve(name="message", type=str), *found[1:]]
    return found


def value_type(type_: Any) -> tuple[Any, bool]:
    """Return the type of a field's value as JSON has it, and whether the field is a list of such values.

    The type is `str`, `int`, `float`, `bool`, a class of values, or `ErrorCode`, of which clients may know the codes.
    """
    if type_ == type[Request] or (get_args(type_) and type[Request] in get_args(type_)):
        return str, False
    inner = [argument for argument in get_args(type_) if argument not in (NoneType, Ellipsis)]
    if get_origin(type_) is tuple:
        return value_type(inner[0])[0], True
    if inner:
        return value_type(inner[0])
    if hasattr(type_, "__supertype__"):
        return value_type(type_.__supertype__)
    return (str if issubclass(type_, Enum) and type_ is not ErrorCode else type_), False
