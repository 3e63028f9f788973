"""MicroPython's bridge to JavaScript, as far as the page uses it."""

from typing import Any

class JsException(Exception):  # noqa: N818 - MicroPython's name
    """A rejected promise: its arguments are the JavaScript error, its name and its message."""

def to_js(value: Any) -> Any: ...
