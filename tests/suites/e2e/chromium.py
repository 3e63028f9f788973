"""Chromium, driven by Playwright."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Playwright, sync_playwright

from tests.suites.e2e.waiting import until

__all__ = ["Chromium", "ChromiumTab", "Error", "executable"]

#: Parts of Chromium that no page needs. The first three are pages of the address bar, hidden in every window, that cost
#: more processor time than the page under test: 2 s of the first 5 s of a window. The others are those that Playwright
#: switches off, since Chromium heeds only the last list on a command line.
WITHOUT = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
)

#: Nothing of these may reach a network but what a test asks for.
QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(WITHOUT)}",
)

#: Chromium's message when it refuses a service worker: the tests make it ignore errors of a page's certificate, but
#: not of its worker's.
NO_WORKER = "An SSL certificate error occurred when fetching the script."

#: Seconds that one step has.
PATIENCE = 20.0

#: The picture of the shared browser's camera, in pixels, and its frames in a second. Chromium's own fake camera gives
#: 1280 by 720 pixels twenty times a second, of which each page of a test draws, encodes and decodes every one.
WIDTH, HEIGHT, RATE = 320, 180, 10


def executable() -> str | None:
    """Return the path of the system's Chromium, if there is one."""
    return shutil.which("chromium")


@functools.cache
def driver() -> Playwright:
    """Return Playwright, of which a thread can have one; it ends with the process."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


@functools.cache
def camera_file() -> Path:
    """Write a film for the fake camera, a grey that changes, and return its path; it goes with the process."""
    directory = Path(tempfile.mkdtemp(prefix="signald-camera-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    colours = bytes([128]) * (WIDTH * HEIGHT // 2)
    frames = [b"FRAME\n" + bytes([96 + 16 * step]) * (WIDTH * HEIGHT) + colours for step in range(RATE)]
    film = directory / "camera.y4m"
    film.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420\n".encode() + b"".join(frames))
    return film


class ChromiumTab:
    """A page in a context of its own."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.messages: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.text != NO_WORKER:
            self.messages.append(f"{message.type}: {message.text}")

    def open(self, url: str) -> None:
        """Go to a URL, and return when the page has loaded."""

        def look() -> bool:
            try:
                self.page.goto(url)
            except Error as error:
                # A network of this machine came or went, which breaks whatever Chromium loads just then.
                if "ERR_NETWORK_CHANGED" in error.message:
                    return False
                raise
            return True

        until(look, PATIENCE, "the page to load")

    def reload(self) -> None:
        """Load the page anew, and return when it has loaded."""
        self.page.reload()

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or of the promise that it gives."""
        return self.page.evaluate(expression)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        self.page.click(selector)

    def type(self, selector: str, text: str) -> None:
        """Click on an element and type."""
        self.page.click(selector)
        self.page.keyboard.type(text)

    def screenshot(self, path: Path) -> None:
        """Save what is seen as a PNG file."""
        self.page.screenshot(path=path, type="png")

    def close(self) -> None:
        """Close the page and its context."""
        self.context.close()


class Chromium:
    """A headless Chromium with a fake camera and microphone.

    Attributes:
        name: what it is called in reports.

    """

    name = "Chromium"

    def __init__(
        self,
        *,
        camera: bool = True,
        environment: dict[str, str | float | bool] | None = None,
        program: str | None = None,
        cameras: int = 0,
    ) -> None:
        """Start it.

        Arguments:
            program: what starts it; the system's Chromium by default.
            cameras: how many of Chromium's own cameras there are; one with a small picture for 0.
            camera: whether a page that asks for camera or microphone gets it; otherwise it is refused.
            environment: the whole environment of its process; this process's own otherwise.

        """
        devices = f"=device-count={cameras}" if cameras else ""
        flags = ["--disable-gpu", f"--use-fake-device-for-media-stream{devices}", *QUIET]
        flags += [] if cameras else [f"--use-file-for-fake-video-capture={camera_file()}"]
        # Nobody is there to answer the question for permission: without this one the browser refuses.
        flags += ["--use-fake-ui-for-media-stream"] if camera else []
        self._browser: PlaywrightBrowser = driver().chromium.launch(
            executable_path=program or executable(), args=flags, chromium_sandbox=False, env=environment
        )

    def tab(self, **options: Any) -> ChromiumTab:
        """Open an empty tab.

        Arguments:
            options: Playwright's options of a context, such as `viewport` or `color_scheme`.

        """
        context = self._browser.new_context(**{"ignore_https_errors": True, **options})
        context.set_default_timeout(PATIENCE * 1000)
        return ChromiumTab(context)

    def close(self) -> None:
        """End the browser."""
        self._browser.close()
