"""JSON codec of the classes of `messages`: the one place that maps JSON keys to attributes and back.

Every class lists its `fields`, which are all that the codec knows of it. A `Message` has a frame of its own, a `Value`
is a part of a message. Unknown keys and unknown types of the server are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Protocol

    class Codec(Protocol):
        """JSON encoder and decoder with the interface of Python's `json` module.

        The leading underscores make the arguments positional: MicroPython does not accept the syntax for that.
        """

        def dumps(self, __value: Any) -> str:
            """Return the JSON text of dicts, lists, strings, numbers and booleans."""

        def loads(self, __text: str) -> Any:
            """Return the value of a JSON text; raise ValueError when the text is not JSON."""


__all__ = [
    "FROM_SERVER",
    "REQUIRED",
    "BadMessageError",
    "Field",
    "Message",
    "Value",
    "decode",
    "encode",
    "read_value",
    "to_plain",
]


class BadMessageError(ValueError):
    """A frame of the server is not a valid message; the argument is a sentence for a log."""


class Field:
    """Maps one attribute to its JSON key.

    Attributes:
        attribute: the name in Python.
        key: the name in JSON.
        shape: `string`, `integer`, `number`, `boolean` or a `Value` class; a tuple of one of these stands for a list.
        default: the value where the key is absent; `REQUIRED` when the key must be present.

    """

    def __init__(self, attribute: str, key: str, shape: Any, default: Any) -> None:
        self.attribute = attribute
        self.key = key
        self.shape = shape
        self.default = default


REQUIRED = ("required",)


class Value:
    """Base class of plain data: two objects of one class are equal when their attributes are.

    Attributes:
        fields: the attributes in JSON, in the order of the constructor's arguments; empty where there is no JSON form.
        hidden: the attributes that are secrets, which `repr` leaves out.

    """

    fields: tuple[Field, ...] = ()
    hidden: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={value!r}" for name, value in self.__dict__.items() if name not in self.hidden])
        return f"{type(self).__name__}({shown})"


class Message(Value):
    """Base class of the messages that have a frame of their own.

    Attributes:
        type: the message's type on the wire.
        counted: whether a resume counts it (docs/protocol.md, "Resume").
        id: the id of a request, which its reply and its error repeat; None where there is none.

    """

    type = ""
    counted = True
    id: str | None = None


FROM_SERVER: dict[str, Any] = {}
"""Maps the types of the server's messages to their classes; `messages` fills it."""


def _read_shape(shape: Any, plain: Any, key: str) -> Any:
    """Return the attribute's value for a JSON value, which must have this shape."""
    if isinstance(shape, tuple):
        if not isinstance(plain, list):
            raise BadMessageError(f"{key} is not a list.")
        return [_read_shape(shape[0], element, key) for element in plain]
    if not isinstance(shape, str):
        return read_value(shape, plain)
    # bool is a subclass of int on CPython, but not on MicroPython.
    boolean = plain is True or plain is False
    if shape == "string" and isinstance(plain, str):
        return plain
    if shape == "boolean" and boolean:
        return plain
    if shape == "number" and isinstance(plain, (int, float)) and not boolean:
        return plain
    if shape == "integer" and isinstance(plain, int) and not boolean:
        return plain
    raise BadMessageError(f"{key} is not of type {shape}.")


def read_value(cls: Any, plain: Any) -> Any:
    """Return the `Value` of class `cls` that a JSON object describes; unknown keys are ignored, null is absent.

    Raises:
        BadMessageError: the value is not an object, or a key is missing or has another shape.

    """
    if not isinstance(plain, dict):
        raise BadMessageError(f"{cls.__name__} is not an object.")
    arguments = []
    for field in cls.fields:
        found = plain.get(field.key)
        if found is not None:
            arguments.append(_read_shape(field.shape, found, field.key))
        elif field.default is REQUIRED:
            raise BadMessageError(f"{cls.__name__} lacks {field.key}.")
        else:
            arguments.append(field.default)
    return cls(*arguments)


def to_plain(value: Any) -> Any:
    """Return the JSON value of an attribute's value: a dict for a `Value`, without keys for absent attributes."""
    if isinstance(value, list):
        return [to_plain(element) for element in value]
    if not isinstance(value, Value):
        return value
    plain = {"type": value.type} if isinstance(value, Message) else {}
    for field in value.fields:
        attribute = getattr(value, field.attribute)
        if attribute is not None and (attribute != [] or field.default is REQUIRED):
            plain[field.key] = to_plain(attribute)
    return plain


def encode(message: Message, codec: Codec) -> str:
    """Return the frame for a request."""
    return codec.dumps(to_plain(message))


def decode(frame: str, codec: Codec) -> Message | None:
    """Return the server's message in a frame; None when this client does not know its type.

    Raises:
        BadMessageError: the frame is not JSON, not an object, or not of the form of its type.

    """
    try:
        plain = codec.loads(frame)
    except (ValueError, RuntimeError):
        # RuntimeError is raised for nesting that is too deep, on both runtimes.
        raise BadMessageError("The frame is not JSON.") from None
    if not isinstance(plain, dict) or not isinstance(plain.get("type"), str):
        raise BadMessageError("The frame is not an object with a type.")
    cls = FROM_SERVER.get(plain["type"])
    if cls is None:
        return None
    message: Message = read_value(cls, plain)
    return message
