"""Access to the browser: the only module that touches JavaScript.

JavaScript objects are opaque here (`Any`): `get` reads, `put` sets and `call` calls them, and each raises
`BrowserError` where JavaScript throws. Numbers of more than 32 bits must cross as text.
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
    "capture_pointer",
    "construct",
    "get",
    "hold_lock",
    "is_embedded",
    "listen",
    "load_calls",
    "load_embedding",
    "load_extras",
    "load_qr",
    "loudness",
    "mark",
    "now",
    "observe_size",
    "publish",
    "put",
    "random_float",
    "random_hex",
    "report_entries",
    "short_text",
    "spawn",
    "wait",
    "wall_time",
    "window",
]

window: Any = shim.window
"""JavaScript's `window`."""


class BrowserError(Exception):
    """An exception that JavaScript threw, or the reason of a rejected promise.

    Attributes:
        name: the kind of error, such as `NotAllowedError`.
        message: the browser's description, for a log.

    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


def _unwrap(outcome: Any) -> Any:
    if outcome.ok:
        return outcome.value
    raise BrowserError(outcome.name, outcome.message)


def _to_js(value: Any) -> Any:
    """Convert an argument: dicts and lists become objects and arrays, recursively."""
    return jsffi.to_js(value) if isinstance(value, (dict, list)) else value


def get(target: Any, *path: str) -> Any:
    """Return the property at the end of a path; None if a property on the path is missing, null or undefined."""
    for name in path:
        if target is None:
            return None
        target = _unwrap(shim.get(target, name))
    return target


def put(target: Any, name: str, value: Any) -> None:
    """Set a property."""
    _unwrap(shim.put(target, name, _to_js(value)))


def call(target: Any, method: str, *args: Any) -> Any:
    """Call a method; None stands for null and undefined in both directions."""
    return _unwrap(shim.call(target, method, *[_to_js(arg) for arg in args]))


def call_static(name: str, method: str, *args: Any) -> Any:
    """Call a static method of one of the browser's classes."""
    return _unwrap(shim.callStatic(name, method, *[_to_js(arg) for arg in args]))


def construct(name: str, *args: Any) -> Any:
    """Create an instance of one of the browser's classes."""
    return _unwrap(shim.construct(name, *[_to_js(arg) for arg in args]))


async def wait(promise: Any) -> Any:
    """Wait for a promise, and return its value."""
    try:
        return await promise
    except jsffi.JsException as error:
        raise BrowserError(error.args[1], error.args[2])  # noqa: B904 - MicroPython has no exception chaining


def spawn(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine as a task; if it fails, offer the person a reload."""
    asyncio.create_task(_run_guarded(coroutine))  # noqa: RUF006 - MicroPython's loop keeps its tasks


async def _run_guarded(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except Exception as error:  # noqa: BLE001 - asyncio would only print it
        _fail(error)


def _fail(error: Exception) -> None:
    """Log an unexpected exception, and offer the person a reload."""
    if sys.implementation.name == "micropython":
        sys.print_exception(error, sys.stderr)  # type: ignore[attr-defined] # MicroPython alone has it
    shim.broken(repr(error))


def listen(target: Any, event: str, handler: Callable[[Any], object]) -> None:
    """Call `handler` with each of the target's events of this name, until the target is destroyed."""
    _listen(target, event, handler, {})


def _listen(target: Any, event: str, handler: Callable[[Any], object], options: dict[str, Any]) -> None:
    def guarded(*args: Any) -> None:
        try:
            handler(*args)
        except Exception as error:  # noqa: BLE001 - an exception must not cross into JavaScript
            _fail(error)

    call(target, "addEventListener", event, guarded, options)


def observe_size(target: Any, handler: Callable[[], None]) -> None:
    """Call `handler` now and whenever the size of an element changes, until the element is destroyed."""

    def guarded(*args: Any) -> None:
        try:
            handler()
        except Exception as error:  # noqa: BLE001 - an exception must not cross into JavaScript
            _fail(error)

    call(construct("ResizeObserver", guarded), "observe", target)


def capture_pointer(target: Any, event: Any) -> bool:
    """Let an element have all further events of a pressed pointer (W3C Pointer Events, `setPointerCapture`).

    Return False if the pointer is up or gone already, as after a short touch, and may not be reported any more.
    """
    try:
        call(target, "setPointerCapture", get(event, "pointerId"))
    except BrowserError:
        return False
    return True


class Listeners:
    """Event listeners that are removed together, for objects with a shorter life than the page.

    A listener that refers to its target would keep both alive forever: neither garbage collector sees the other's heap.
    """

    def __init__(self) -> None:
        self._controller = construct("AbortController")

    def listen(self, target: Any, event: str, handler: Callable[[Any], object]) -> None:
        """Call `handler` with each of the target's events of this name, until `end` is called."""
        _listen(target, event, handler, {"signal": get(self._controller, "signal")})

    def end(self) -> None:
        """Remove all listeners."""
        call(self._controller, "abort")


def publish(name: str, function: Callable[..., Any]) -> None:
    """Make a function callable for scripts as `signald.NAME()`; a coroutine function returns a promise there."""
    put(get(window, "signald"), name, function)


def now() -> float:
    """Return the seconds since the page started to load, from a monotonic clock."""
    return float(call(get(window, "performance"), "now")) / 1000


def wall_time() -> float:
    """Return the seconds since 1970; a clock that is set while the page is open does not change it."""
    # As text, because the number has more than 32 bits.
    origin = json.loads(call(get(window, "JSON"), "stringify", get(window, "performance")))["timeOrigin"]
    return float(origin) / 1000 + now()


def random_float() -> float:
    """Return a random number from 0 up to 1, for jitter and not for secrets."""
    return float(call(get(window, "Math"), "random"))


def random_hex(count: int) -> str:
    """Return cryptographically random bytes as hexadecimal digits; this works in insecure contexts too."""
    numbers = call(get(window, "crypto"), "getRandomValues", construct("Uint8Array", count))
    # The bridge does not pass bytes, so they are joined to a text.
    return bytes([int(number) for number in call(numbers, "join", " ").split()]).hex()


def mark(name: str) -> None:
    """Store the current time under `signald.marks`."""
    shim.mark(name)


def report_entries(report: Any, types: list[str], keys: list[str]) -> list[dict[str, Any]]:
    """Return the values of these keys in all entries of these types in an RTCStatsReport."""
    entries: list[dict[str, Any]] = json.loads(shim.entries(report, _to_js(types), _to_js(keys)))
    return entries


def is_embedded() -> bool:
    """Return whether this page is shown in a frame of another page, which could show something else over it."""
    return bool(shim.embedded())


async def hold_lock(name: str) -> bool:
    """Hold a lock of this name (W3C Web Locks) until the page is gone; return False if another page holds it."""
    try:
        return bool(await wait(shim.lock(name)))
    except BrowserError:
        # Browsers offer locks to pages in a secure context only.
        return False


async def load_calls() -> bool:
    """Fetch the modules that calls alone need, unless they are loaded; return False on failure."""
    try:
        await wait(shim.calls())
    except BrowserError:
        return False
    return True


async def load_extras() -> bool:
    """Fetch `signald_page.client.extras`, unless it is loaded, so that it can be imported; return False on failure.

    It imports modules of calls, such as the peer connection of the connectivity test.
    """
    try:
        await wait(shim.calls())
        await wait(shim.extras())
    except BrowserError:
        return False
    return True


async def load_qr() -> Any:
    """Return the library that draws QR codes; it is fetched on first use."""
    return await wait(shim.qr())


async def load_embedding() -> Any:
    """Return the module that exchanges messages with the page around this one; it is fetched on first use."""
    return await wait(shim.embedding())


def short_text(event: Any, max_length: int) -> str | None:
    """Return the text of a message event; None for binary data and for a text of more characters than `max_length`."""
    text: str | None = shim.text(event, max_length)
    return text


def loudness(analyser: Any, samples: Any) -> float:
    """Return the level of an `AnalyserNode`, from 0.0 for silence to 1.0; `samples` is its `Float32Array` buffer."""
    return float(shim.loudness(analyser, samples))


class BrowserJson:
    """JSON through the browser, with the interface of Python's `json` module.

    MicroPython's own `json` decodes escaped characters outside the Basic Multilingual Plane to two surrogates, and its
    escapes for them are not JSON. Numbers are integers of 32 bits, or floats.
    """

    def dumps(self, value: Any) -> str:
        """Return the JSON text of dicts, lists, strings, numbers, booleans and None."""
        text: str = call(get(window, "JSON"), "stringify", value)
        return text

    def loads(self, text: str) -> Any:
        """Return the value of a JSON text; raise ValueError if the text is not valid JSON."""
        browser = get(window, "JSON")
        try:
            # The browser checks the text and writes it without escapes, which MicroPython reads correctly.
            return json.loads(call(browser, "stringify", call(browser, "parse", text)))
        except BrowserError as error:
            raise ValueError(error.message)  # noqa: B904 - MicroPython has no exception chaining
