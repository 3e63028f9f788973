"""Controls Firefox through WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/) without a driver program.

Debian has no geckodriver, and Playwright controls only its own builds; Firefox itself implements BiDi on a WebSocket.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import websocket

from tests.suites.e2e.chromium import HEIGHT, SPARING_RATE, WIDTH
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

PREFERENCES = {
    # Firefox uses a fake camera and microphone, and grants the permission without a prompt.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    # Calls within this machine need loopback addresses, and its addresses in the candidates.
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "remote.active-protocols": 1,
    # These settings keep Firefox from work that a page of a few seconds does not need: 60 drawings a second, compiling
    # WebAssembly a second time with optimizations, and processes that wait for pages to come.
    "layout.frame_rate": 20,
    "javascript.options.wasm_optimizingjit": False,
    "dom.ipc.processPrelaunch.enabled": False,
    "browser.newtab.preload": False,
    "browser.pagethumbnails.capturing_disabled": True,
    "ui.prefersReducedMotion": 1,
    # These settings prevent additional windows, and requests that a test did not ask for.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

#: JavaScript that runs before a page's own scripts, and gives its fake camera the picture of that in Chromium. Firefox
#: would otherwise produce what the page asks for: 1280 by 720 pixels at 30 frames a second, whose encoding and decoding
#: cost 0.6 s of processor time a second for each other member.
SMALL_CAMERA = f"""() => {{
    // A page without TLS, as the empty one at first, has no devices.
    if (!globalThis.MediaDevices) return;
    const ask = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = function (wanted) {{
        const video = wanted?.video && {{...wanted.video, width: {WIDTH}, height: {HEIGHT}, frameRate: {SPARING_RATE}}};
        const raw = {{echoCancellation: false, noiseSuppression: false, autoGainControl: false}};
        const audio = wanted?.audio && {{...(wanted.audio === true ? {{}} : wanted.audio), ...raw}};
        return ask.call(this, {{...wanted, video, audio}});
    }};
}}"""

#: The seconds within which Firefox has to start, and within which one command has to complete.
PATIENCE = 30.0


def executable() -> str | None:
    """Return the path of the system's Firefox ESR, if there is one."""
    return shutil.which("firefox-esr")


class BiDiError(Exception):
    """A BiDi command was refused, or a script raised an exception."""


class FirefoxTab:
    """A page in a separate user context (BiDi's name for a container with its own cookies and storage)."""

    def __init__(self, firefox: Firefox) -> None:
        self._firefox = firefox
        self._user_context = firefox.command("browser.createUserContext")["userContext"]
        created = firefox.command("browsingContext.create", type="window", userContext=self._user_context)
        self.context: str = created["context"]

    @property
    def messages(self) -> list[str]:
        """The messages that the page has written to the console."""
        return self._firefox.messages.setdefault(self.context, [])

    def open(self, url: str) -> None:
        """Navigate to a URL, and return when the page has loaded."""
        self._firefox.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def reload(self) -> None:
        """Reload the page, and return when the page has loaded."""
        self._firefox.command("browsingContext.reload", context=self.context, wait="complete")

    def _script(self, expression: str) -> Any:
        """Return the remote value of an expression (BiDi `script.RemoteValue`)."""
        answer = self._firefox.command(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=True,
            userActivation=False,
        )
        if answer["type"] == "exception":
            raise BiDiError(answer["exceptionDetails"]["text"])
        return answer["result"]

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, or of the promise that the expression returns."""
        result = self._script(f"Promise.resolve({expression}).then(value => JSON.stringify(value))")
        return json.loads(result.get("value", "null"))

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        element = self._element(selector)
        self._perform(
            {
                "type": "pointer",
                "id": "mouse",
                "actions": [
                    {"type": "pointerMove", "x": 0, "y": 0, "origin": {"type": "element", "element": element}},
                    {"type": "pointerDown", "button": 0},
                    {"type": "pointerUp", "button": 0},
                ],
            }
        )

    def type(self, selector: str, text: str) -> None:
        """Click on an element, and type a text."""
        self.click(selector)
        strokes = [{"type": stroke, "value": key} for key in text for stroke in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": strokes})

    def _element(self, selector: str) -> dict[str, str]:
        """Wait until an element is visible, and return a reference to the element."""
        quoted = json.dumps(selector)

        def look() -> dict[str, str] | None:
            visible = f"(e => e && e.checkVisibility() && !e.disabled ? e : null)(document.querySelector({quoted}))"
            node = self._script(visible)
            return {"sharedId": node["sharedId"]} if node["type"] == "node" else None

        element = until(look, PATIENCE, f"{selector} to be seen")
        self._script(f"document.querySelector({quoted}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
        return element

    def _perform(self, source: dict[str, Any]) -> None:
        """Simulate actions of a person's mouse or keyboard (BiDi `input.performActions`)."""
        # Firefox starts no camera for a page without focus, so that the window is activated before each action.
        self._firefox.command("browsingContext.activate", context=self.context)
        self._firefox.command("input.performActions", context=self.context, actions=[source])

    def resize(self, width: int, height: int) -> None:
        """Give the page this size in CSS pixels; a window of Firefox itself is never narrower than 450."""
        viewport = {"width": width, "height": height}
        self._firefox.command("browsingContext.setViewport", context=self.context, viewport=viewport)

    def screenshot(self, path: Path) -> None:
        """Save a screenshot of the page as a PNG file."""
        answer = self._firefox.command("browsingContext.captureScreenshot", context=self.context)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Close the page, and remove its user context."""
        self._firefox.command("browser.removeUserContext", userContext=self._user_context)


class Firefox:
    """A headless Firefox with a fake camera and microphone.

    Attributes:
        name: the name of the browser in reports.
        messages: the console messages of each page, by browsing context.

    """

    name = "Firefox"

    def __init__(self, **preferences: bool) -> None:
        """Start Firefox with a new profile, and open a BiDi session.

        Arguments:
            preferences: further preferences, with `_` in place of each period.

        """
        self._profile = tempfile.TemporaryDirectory(prefix="signald-firefox-", ignore_cleanup_errors=True)
        profile = Path(self._profile.name)
        wanted = {**PREFERENCES, **{name.replace("_", "."): value for name, value in preferences.items()}}
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items())
        (profile / "user.js").write_text("".join(lines))
        command = [executable() or "firefox-esr", "--headless", "--no-remote", "--profile", str(profile)]
        command += ["--remote-debugging-port", "0", "about:blank"]
        # With this HOME Firefox leaves no files in the home directory of the person who runs the tests.
        self._program = Program(command, environment={"HOME": str(profile)})
        self.messages: dict[str, list[str]] = {}
        self._number = 0
        try:
            url = self._program.wait_for(r"WebDriver BiDi listening on (ws://\S+)", PATIENCE)[1]
            # Firefox refuses a WebSocket whose opening handshake has an Origin header.
            self._socket = websocket.create_connection(f"{url}/session", timeout=PATIENCE, suppress_origin=True)
            self.command("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self.command("session.subscribe", events=["log.entryAdded"])
            self.command("script.addPreloadScript", functionDeclaration=SMALL_CAMERA)
        except BaseException:
            self._end()
            raise

    def command(self, method: str, **parameters: Any) -> Any:
        """Send a BiDi command, and return its result.

        Raises:
            BiDiError: Firefox refused the command.

        """
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "log.entryAdded":
                entry = message["params"]
                context = entry["source"].get("context", "")
                self.messages.setdefault(context, []).append(f"{entry['level']}: {entry['text']}")
            if message.get("id") == self._number:
                if message["type"] == "error":
                    raise BiDiError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]

    def tab(self) -> FirefoxTab:
        """Open an empty tab."""
        return FirefoxTab(self)

    def close(self) -> None:
        """Terminate the browser."""
        try:
            self.command("browser.close")
            self._socket.close()
        finally:
            self._end()

    def _end(self) -> None:
        """End the process if it is still running, and remove the profile."""
        try:
            self._program.stop()
        finally:
            self._profile.cleanup()
