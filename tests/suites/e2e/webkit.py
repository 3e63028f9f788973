"""Controls WebKitGTK's MiniBrowser through W3C WebDriver (https://www.w3.org/TR/webdriver2/).

Debian's WebKitWebDriver starts the browser, which needs a display: it gets an X server without a screen.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import socket
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until
from tests.support.x_display import XDisplay

__all__ = ["WebDriverError", "WebKit", "WebKitTab", "executable"]

#: The seconds within which the browser has to start, and within which one command has to complete.
PATIENCE = 30.0

#: The key of an element's reference in WebDriver's JSON (WebDriver §12.1).
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

#: The style sheet of GTK that makes the browser's toolbar so small that the window can be as narrow as a phone.
NARROW = "* { padding: 0; margin: 0; min-width: 0; min-height: 0; border-width: 0; font-size: 1px; }"

#: JavaScript that returns the value of an expression, or of the promise that the expression returns, as JSON.
EVALUATE = """const done = arguments[arguments.length - 1];
Promise.resolve().then(() => %s).then(
    value => done({ value: JSON.stringify(value ?? null) }), error => done({ error: String(error) }));"""

#: JavaScript that returns an element once it is visible and enabled, in the middle of the window.
VISIBLE = """const element = document.querySelector(arguments[0]);
if (!element || !element.checkVisibility() || element.disabled) return null;
element.scrollIntoView({ block: 'center', behavior: 'instant' });
return element;"""


def executable() -> str | None:
    """Return the path of WebKitGTK's WebDriver, if it is installed."""
    return shutil.which("WebKitWebDriver")


class WebDriverError(Exception):
    """A command was refused, or a script raised an exception."""


class WebKitTab:
    """The window of one WebDriver session; WebKitGTK gives each session storage of its own, in memory."""

    def __init__(self, browser: WebKit) -> None:
        """Start the browser with a window."""
        self._browser = browser
        wanted = {"acceptInsecureCerts": True}
        created = browser.command("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{created['sessionId']}"
        self.messages: list[str] = []
        """The messages of the console, which this protocol does not report: always empty."""

    def command(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Send a command of the session, and return its result.

        Arguments:
            path: the path below the session's.
            body: the parameters.
            method: the HTTP method; GET and DELETE have no parameters.

        Raises:
            WebDriverError: the command was refused.

        """
        return self._browser.command(method, self._session + path, body or {})

    def open(self, url: str) -> None:
        """Navigate to a URL, and return when the page has loaded."""
        self.command("/url", {"url": url})

    def reload(self) -> None:
        """Reload the page, and return when the page has loaded."""
        self.command("/refresh")

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, or of the promise that the expression returns.

        Raises:
            WebDriverError: the expression threw, or the promise was rejected.

        """
        found = self.command("/execute/async", {"script": EVALUATE % expression, "args": []})
        if "error" in found:
            raise WebDriverError(found["error"])
        return json.loads(found["value"])

    def _element(self, selector: str) -> str:
        """Wait until an element is visible, and return its path below the session's."""

        def look() -> dict[str, str] | None:
            found: dict[str, str] | None = self.command("/execute/sync", {"script": VISIBLE, "args": [selector]})
            return found

        return f"/element/{until(look, PATIENCE, f'{selector} to be seen')[ELEMENT]}"

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        self.command(self._element(selector) + "/click")

    def type(self, selector: str, text: str) -> None:
        """Click on an element, and type a text."""
        self.click(selector)
        self.command(self._element(selector) + "/value", {"text": text})

    def resize(self, width: int, height: int) -> None:
        """Give the page this size in CSS pixels, as far as the window's least size allows."""
        size = "[innerWidth, innerHeight]"
        rectangle = self.command("/window/rect", method="GET")
        inner_width, inner_height = self.evaluate(size)
        self.command(
            "/window/rect",
            {
                "width": width + int(rectangle["width"]) - inner_width,
                "height": height + int(rectangle["height"]) - inner_height,
            },
        )
        until(lambda: self.evaluate(size) == [width, height], PATIENCE, f"a page of {width} by {height} pixels")

    def screenshot(self, path: Path) -> None:
        """Save a screenshot of the page as a PNG file."""
        path.write_bytes(base64.b64decode(self.command("/screenshot", method="GET")))

    def close(self) -> None:
        """End the session, and with it the browser."""
        self.command("", method="DELETE")


class WebKit:
    """A WebDriver of WebKitGTK, which starts one browser at a time.

    Attributes:
        name: the name of the browser in reports.

    """

    name = "WebKitGTK"

    def __init__(self) -> None:
        """Start the driver, and an X server for its browsers."""
        self._home = tempfile.TemporaryDirectory(prefix="signald-webkit-", ignore_cleanup_errors=True)
        theme = Path(self._home.name, ".config", "gtk-3.0", "gtk.css")
        theme.parent.mkdir(parents=True)
        theme.write_text(NARROW)
        self._display = XDisplay("2560x1440")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        # With this HOME the browser leaves no files behind.
        environment = {
            "DISPLAY": self._display.name,
            "HOME": self._home.name,
            "GDK_BACKEND": "x11",
            "GTK_A11Y": "none",
            "NO_AT_BRIDGE": "1",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        self._program = Program(["WebKitWebDriver", f"--port={self._port}"], environment=environment)
        try:
            until(self._ready, PATIENCE, "WebKitWebDriver to answer")
        except BaseException:
            self.close()
            raise

    def _ready(self) -> bool:
        try:
            return bool(self.command("GET", "/status")["ready"])
        except OSError:
            return False

    def command(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a command, and return its result.

        Raises:
            WebDriverError: the command was refused.
            OSError: the driver does not answer.

        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(body or {}) if method == "POST" else None)
            reply = connection.getresponse()
            value = json.load(reply)["value"]
        finally:
            connection.close()
        if reply.status != HTTPStatus.OK:
            raise WebDriverError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def tab(self) -> WebKitTab:
        """Start a browser with an empty page."""
        return WebKitTab(self)

    def close(self) -> None:
        """Terminate driver and browser, and the X server."""
        try:
            self._program.stop()
        finally:
            self._display.close()
            self._home.cleanup()
