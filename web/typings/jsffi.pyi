"""The part of MicroPython's JavaScript bridge that the page uses."""

from typing import Any

class JsException(Exception):  # noqa: N818 - MicroPython's name
    """A rejected promise: its arguments are the JavaScript error, its name and its message."""

def to_js(value: Any) -> Any: ...
