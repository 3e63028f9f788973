"""How the classes of `messages` travel: the one place that maps JSON keys to attributes and back.

Every class lists its `fields`; decoding and encoding know nothing else. `Message` is what travels by itself,
`Value` what stands inside one. Unknown keys and unknown types of the server are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Protocol

    class Codec(Protocol):
        """What turns JSON into Python values and back: Python's `json` module has this form.

        The leading underscores make the arguments positional, which MicroPython's syntax has no sign for.
        """

        def dumps(self, __value: Any) -> str:
            """Return the JSON text of dicts, lists, strings, numbers and booleans."""

        def loads(self, __text: str) -> Any:
            """Return the value of a JSON text; ValueError when it is none."""


__all__ = [
    "FROM_SERVER",
    "REQUIRED",
    "BadMessageError",
    "Field",
    "Message",
    "Value",
    "decode",
    "encode",
    "read",
    "to_plain",
]


class BadMessageError(ValueError):
    """What came from the server is not a valid message; the argument is a sentence for a log."""


class Field:
    """How one attribute travels.

    Attributes:
        attribute: its name in Python.
        key: its name in JSON.
        shape: `string`, `integer`, `number`, `boolean` or a `Value` class; a tuple of one of these is a list of them.
        default: what an absent key means; `REQUIRED` when it has to be there.

    """

    def __init__(self, attribute: str, key: str, shape: Any, default: Any) -> None:
        self.attribute = attribute
        self.key = key
        self.shape = shape
        self.default = default


REQUIRED = ("required",)


class Value:
    """Plain data that equals another of its class with equal attributes.

    Attributes:
        fields: how its attributes travel, in the order of the constructor's arguments; none when it never does.
        hidden: the attributes that are secrets, which `repr` does not show.

    """

    fields: tuple[Field, ...] = ()
    hidden: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={value!r}" for name, value in self.__dict__.items() if name not in self.hidden])
        return f"{type(self).__name__}({shown})"


class Message(Value):
    """What travels in a frame of its own.

    Attributes:
        type: its name on the wire.
        counted: whether a resume counts it (docs/protocol.md, "Resume").
        id: the request's, which its reply and its error carry too; None for none.

    """

    type = ""
    counted = True
    id: str | None = None


FROM_SERVER: dict[str, Any] = {}
"""The classes of what the server sends, by their type; `messages` enters them."""


def _read_shape(shape: Any, plain: Any, key: str) -> Any:
    """Return the attribute's value for a JSON value of this shape."""
    if isinstance(shape, tuple):
        if not isinstance(plain, list):
            raise BadMessageError(f"{key} is no list.")
        return [_read_shape(shape[0], element, key) for element in plain]
    if not isinstance(shape, str):
        return read(shape, plain)
    # bool is a kind of int on CPython and is none on MicroPython.
    boolean = plain is True or plain is False
    if shape == "string" and isinstance(plain, str):
        return plain
    if shape == "boolean" and boolean:
        return plain
    if shape == "number" and isinstance(plain, (int, float)) and not boolean:
        return plain
    if shape == "integer" and isinstance(plain, int) and not boolean:
        return plain
    raise BadMessageError(f"{key} is no {shape}.")


def read(cls: Any, plain: Any) -> Any:
    """Return the `Value` of class `cls` that a JSON object describes; unknown keys are ignored, null is absent.

    Raises:
        BadMessageError: it is no object, or a key is missing or has another shape.

    """
    if not isinstance(plain, dict):
        raise BadMessageError(f"{cls.__name__} is no object.")
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
    """Return the JSON value of an attribute's value: dicts for `Value` objects, without keys that say nothing."""
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
    """Return the server's message in a frame; None when it is of a type that this client does not know.

    Raises:
        BadMessageError: it is not JSON, no object, or not of the form of its type.

    """
    try:
        plain = codec.loads(frame)
    except (ValueError, RuntimeError):
        # RuntimeError is what nesting too deep raises, on both runtimes.
        raise BadMessageError("The frame is not JSON.") from None
    if not isinstance(plain, dict) or not isinstance(plain.get("type"), str):
        raise BadMessageError("The frame is not an object with a type.")
    cls = FROM_SERVER.get(plain["type"])
    if cls is None:
        return None
    message: Message = read(cls, plain)
    return message
