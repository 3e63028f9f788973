"""The messages of remote control on the data channel, as docs/protocol.md ("Remote control") defines them."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from attrs import frozen

from signald_client.control.key_codes import KNOWN_CODES

__all__ = [
    "MAX_TEXT",
    "MAX_WHEEL_STEPS",
    "VERSION",
    "Button",
    "ClipboardRead",
    "ClipboardText",
    "ControlMessage",
    "GiveUp",
    "Hold",
    "InvalidMessageError",
    "Key",
    "Pointer",
    "Request",
    "Wheel",
    "decode_message",
    "fitting_text",
]

VERSION = 1
"""The version of these messages."""

MAX_TEXT = 8_000
"""Most characters of a text for the clipboard, so that a message stays within the 16,000 of a data channel."""

MAX_TEXT_UNITS = 15_900
"""Most UTF-16 code units of such a text in JSON, where some characters take more than one; pages count these."""

MAX_CODE = 64
"""Most characters of a control code."""

MAX_WHEEL_STEPS = 10
"""Most steps of the wheel in one message, in each direction; larger numbers are clamped."""

BUTTONS = range(5)
"""The mouse buttons of W3C Pointer Events: left, middle, right, back, forward."""


class InvalidMessageError(Exception):
    """A message has another form than the protocol defines.

    Attributes:
        code: `malformed`, or `unknown-code` for a key that does not exist here.

    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@frozen
class Request:
    """Asks for control.

    Attributes:
        version: the version that the viewer speaks.
        embedded: whether the viewer's page is shown in a frame of another page.
        code: the control code; empty for none.

    """

    version: int
    embedded: bool
    code: str


@frozen
class GiveUp:
    """Gives the control up, or takes a request back."""


@frozen
class Pointer:
    """Moves the pointer.

    Attributes:
        x: the place as a part of the screen's width, from 0.0 to 1.0.
        y: the same of its height.

    """

    x: float
    y: float


@frozen
class Button:
    """Presses or releases a mouse button at a place."""

    x: float
    y: float
    button: int
    down: bool


@frozen
class Wheel:
    """Turns the wheel at a place; steps are positive to the right and down."""

    x: float
    y: float
    right: int
    down: int


@frozen
class Key:
    """Presses or releases a key, by its W3C `code`."""

    code: str
    down: bool


@frozen
class Hold:
    """Says that the viewer still holds a key or button."""


@frozen
class ClipboardText:
    """Puts a text into the clipboard of the controlled computer."""

    text: str


@frozen
class ClipboardRead:
    """Asks for the text in the clipboard of the controlled computer."""


ControlMessage = Request | GiveUp | Pointer | Button | Wheel | Key | Hold | ClipboardText | ClipboardRead


def decode_message(message: dict[str, Any]) -> ControlMessage:
    """Return the message of a JSON object whose `type` begins with `control-`; unknown keys are ignored.

    Raises:
        InvalidMessageError: the message does not have the form that the protocol defines.

    """
    kind = message.get("type")
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decoder is None:
        raise InvalidMessageError("malformed")
    try:
        found: ControlMessage = decoder(message)
    except KeyError:
        raise InvalidMessageError("malformed") from None
    return found


def fitting_text(text: str) -> str:
    """Return the beginning of a text for the clipboard that fits into a message."""
    units = 0
    for index, letter in enumerate(text[:MAX_TEXT]):
        # Quotation marks of the JSON text are none of the letter's.
        units += len(json.dumps(letter, ensure_ascii=False).encode("utf-16-le", "surrogatepass")) // 2 - 2
        if units > MAX_TEXT_UNITS:
            return text[:index]
    return text[:MAX_TEXT]


def _request(message: dict[str, Any]) -> Request:
    code = _text(message.get("code", ""), MAX_CODE)
    return Request(_integer(message["version"]), _flag(message["embedded"]), code)


def _key(message: dict[str, Any]) -> Key:
    code, down = _text(message["code"], MAX_CODE), _flag(message["down"])
    if code not in KNOWN_CODES:
        raise InvalidMessageError("unknown-code")
    return Key(code, down)


def _button(message: dict[str, Any]) -> Button:
    button = _integer(message["button"])
    if button not in BUTTONS:
        raise InvalidMessageError("unknown-code")
    return Button(*_place(message), button, _flag(message["down"]))


def _wheel(message: dict[str, Any]) -> Wheel:
    steps = [max(-MAX_WHEEL_STEPS, min(MAX_WHEEL_STEPS, _integer(message[name]))) for name in ("right", "down")]
    return Wheel(*_place(message), *steps)


_DECODERS: dict[str, Any] = {
    "control-request": _request,
    "control-give-up": lambda message: GiveUp(),
    "control-pointer": lambda message: Pointer(*_place(message)),
    "control-button": _button,
    "control-wheel": _wheel,
    "control-key": _key,
    "control-hold": lambda message: Hold(),
    "control-clipboard": lambda message: ClipboardText(_text(message["text"], MAX_TEXT)),
    "control-clipboard-read": lambda message: ClipboardRead(),
}


def _place(message: dict[str, Any]) -> tuple[float, float]:
    return _coordinate(message["x"]), _coordinate(message["y"])


def _coordinate(value: Any) -> float:
    """Return a coordinate, clamped to the screen."""
    if type(value) not in (int, float) or (type(value) is float and not isfinite(value)):
        raise InvalidMessageError("malformed")
    return float(max(0, min(1, value)))


def _integer(value: Any) -> int:
    # JSON has one kind of number: 1.0 is the same number as 1.
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise InvalidMessageError("malformed")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise InvalidMessageError("malformed")
    return value


def _text(value: Any, max_length: int) -> str:
    if type(value) is not str or len(value) > max_length or "\0" in value:
        raise InvalidMessageError("malformed")
    return value
