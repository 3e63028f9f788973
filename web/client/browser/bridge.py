"""The browser as the rest of the page sees it: the only module that touches JavaScript.

JavaScript objects are opaque here (`Any`): they are read with `get`, changed with `put` and called with `call`, which
raise `BrowserError` where JavaScript throws. Numbers larger than 32 bits must cross as text.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import jsffi
import shim

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

__all__ = [
    "BrowserError",
    "BrowserJson",
    "Listeners",
    "call",
    "call_static",
    "construct",
    "get",
    "listen",
    "load_extras",
    "load_qr",
    "loudness",
    "mark",
    "now",
    "publish",
    "put",
    "random_float",
    "random_hex",
    "random_text",
    "report_entries",
    "short_text",
    "spawn",
    "wait",
    "window",
]

window: Any = shim.window
"""JavaScript's `window`."""


class BrowserError(Exception):
    """What JavaScript threw, or a promise was rejected with.

    Attributes:
        name: the kind of error, such as `NotAllowedError`.
        message: the browser's words, for a log.

    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


def _value(outcome: Any) -> Any:
    if outcome.ok:
        return outcome.value
    raise BrowserError(outcome.name, outcome.message)


def _given(value: Any) -> Any:
    """Return an argument as JavaScript wants it: dicts and lists become objects and arrays, all the way down."""
    return jsffi.to_js(value) if isinstance(value, (dict, list)) else value


def get(target: Any, *path: str) -> Any:
    """Return a property of a property and so on; None where it is missing, null or undefined."""
    for name in path:
        if target is None:
            return None
        target = _value(shim.get(target, name))
    return target


def put(target: Any, name: str, value: Any) -> None:
    """Set a property."""
    _value(shim.put(target, name, _given(value)))


def call(target: Any, method: str, *args: Any) -> Any:
    """Call a method; None stands for null and undefined, both ways."""
    return _value(shim.call(target, method, *[_given(arg) for arg in args]))


def call_static(name: str, method: str, *args: Any) -> Any:
    """Call a method of one of the browser's classes."""
    return _value(shim.callStatic(name, method, *[_given(arg) for arg in args]))


def construct(name: str, *args: Any) -> Any:
    """Make an object of one of the browser's classes."""
    return _value(shim.construct(name, *[_given(arg) for arg in args]))


async def wait(promise: Any) -> Any:
    """Return what a promise comes to."""
    try:
        return await promise
    except jsffi.JsException as error:
        raise BrowserError(error.args[1], error.args[2])  # noqa: B904 - MicroPython has no exception chaining


def spawn(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine beside the rest; when it fails, the person is offered a reload."""
    asyncio.create_task(_guarded(coroutine))  # noqa: RUF006 - MicroPython's loop keeps its tasks


async def _guarded(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except Exception as error:  # noqa: BLE001 - nothing of it may be lost, nor cross into JavaScript
        _fail(error)


def _fail(error: Exception) -> None:
    """Log an exception that nobody expected, and offer a reload."""
    if sys.implementation.name == "micropython":
        sys.print_exception(error, sys.stderr)  # type: ignore[attr-defined]
    shim.broken(repr(error))


def listen(target: Any, event: str, heard: Callable[[Any], object]) -> None:
    """Call `heard` with each of the target's events of this name, for the target's whole life."""
    _listen(target, event, heard, {})


def _listen(target: Any, event: str, heard: Callable[[Any], object], options: dict[str, Any]) -> None:
    def guarded(*args: Any) -> None:
        try:
            heard(*args)
        except Exception as error:  # noqa: BLE001 - an exception must not cross into JavaScript
            _fail(error)

    call(target, "addEventListener", event, guarded, options)


class Listeners:
    """What hears events for something that is over before the page is.

    A listener that holds its target would keep both for ever: no collector sees through the other side's heap.
    """

    def __init__(self) -> None:
        self._ending = construct("AbortController")

    def listen(self, target: Any, event: str, heard: Callable[[Any], object]) -> None:
        """Call `heard` with each of the target's events of this name, until the end."""
        _listen(target, event, heard, {"signal": get(self._ending, "signal")})

    def end(self) -> None:
        """Hear nothing any more."""
        call(self._ending, "abort")


def publish(name: str, function: Callable[..., Any]) -> None:
    """Make a function callable from outside as `signald.NAME()`; a coroutine function gives a promise there."""
    put(get(window, "signald"), name, function)


def now() -> float:
    """Return the seconds since the page began to load; they never go back."""
    return float(call(get(window, "performance"), "now")) / 1000


def random_float() -> float:
    """Return a random number from 0 up to 1, good enough for the times of attempts."""
    return float(call(get(window, "Math"), "random"))


def random_hex(count: int) -> str:
    """Return so many random bytes that nobody can guess, as hexadecimal digits; on any page, secure or not."""
    numbers = call(get(window, "crypto"), "getRandomValues", construct("Uint8Array", count))
    # As text: bytes do not cross.
    return bytes([int(number) for number in call(numbers, "join", " ").split()]).hex()


def random_text() -> str:
    """Return a text that nobody can guess and that no other page has."""
    text: str = call(get(window, "crypto"), "randomUUID") if get(window, "isSecureContext") else str(random_float())
    return text


def mark(name: str) -> None:
    """Note the time under `signald.marks`."""
    shim.mark(name)


def report_entries(report: Any, types: list[str], keys: list[str]) -> list[dict[str, Any]]:
    """Return these keys of an RTCStatsReport's entries of these types."""
    entries: list[dict[str, Any]] = json.loads(shim.entries(report, _given(types), _given(keys)))
    return entries


async def load_extras() -> bool:
    """Make `signald_page.client.extras` importable: fetched when it is first wanted; False when it cannot be."""
    try:
        await wait(shim.extras())
    except BrowserError:
        return False
    return True


async def load_qr() -> Any:
    """Return the module that draws QR codes, fetched when it is first wanted."""
    return await wait(shim.qr())


def short_text(event: Any, most: int) -> str | None:
    """Return the text of a message event; None where it has none, or one of more characters than this."""
    text: str | None = shim.text(event, most)
    return text


def loudness(analyser: Any, samples: Any) -> float:
    """Return how loud an `AnalyserNode` is: 0.0 for silence, 1.0 for the loudest; `samples` is its `Float32Array`."""
    return float(shim.loudness(analyser, samples))


class BrowserJson:
    """JSON through the browser, in the form of Python's `json` module.

    MicroPython's own splits what is outside Unicode's basic plane when it comes escaped, and escapes it in ways that
    are not JSON. Numbers are integers of 32 bits, or floats.
    """

    def dumps(self, value: Any) -> str:
        """Return the JSON text of dicts, lists, strings, numbers, booleans and None."""
        text: str = call(get(window, "JSON"), "stringify", value)
        return text

    def loads(self, text: str) -> Any:
        """Return the value of a JSON text; ValueError when it is none."""
        browser = get(window, "JSON")
        try:
            # The browser checks it and undoes the escapes; what it writes is safe for MicroPython.
            return json.loads(call(browser, "stringify", call(browser, "parse", text)))
        except BrowserError as error:
            raise ValueError(error.message)  # noqa: B904 - MicroPython has no exception chaining
