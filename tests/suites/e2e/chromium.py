"""Chromium, driven by Playwright."""

from __future__ import annotations

import array
import atexit
import functools
import math
import shutil
import tempfile
import wave
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Playwright, sync_playwright

from tests.suites.e2e.waiting import until

__all__ = ["GRANTED", "Chromium", "ChromiumTab", "Error", "executable", "windowed_executable"]

#: Features of Chromium that no page needs. The first three belong to the address bar; their hidden pages in every
#: window cost more processor time than the page under test: 2 s of the first 5 s of a window. The others are the
#: features that Playwright disables; they are repeated here since Chromium uses only the last list on a command line.
#: The last one hides a page's addresses behind names of mDNS, which aiortc cannot resolve, until a camera is open.
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
    "WebRtcHideLocalIpsWithMdns",
)

#: Options that keep Chromium from sending requests to a network that no test asked for.
QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(WITHOUT)}",
)

#: Playwright's options of a context with which pages cost less processor time than with a person's browser, for tests
#: that measure nothing: the dot that breathes while a page waits has the page drawn sixty times a second.
SPARING_TAB = {"reduced_motion": "reduce"}

#: JavaScript that runs before a page's own scripts, and takes the sound of the fake microphone as it is: to filter the
#: loudspeaker's echo from it, as Chromium does by default, costs a tenth of a call's processor time. The filter also
#: lengthens the beeps of Chromium's own fake microphone, of which a page misses most without it; see `sound_file`.
RAW_SOUND = """(() => {
    // A page without TLS, as the empty one at first, has no devices.
    if (!globalThis.MediaDevices) return;
    const ask = MediaDevices.prototype.getUserMedia;
    const raw = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
    MediaDevices.prototype.getUserMedia = function (wanted) {
        const audio = wanted?.audio && {...(wanted.audio === true ? {} : wanted.audio), ...raw};
        return ask.call(this, {...wanted, audio});
    };
})()"""

#: Chromium's message when it refuses a service worker: the tests make Chromium ignore certificate errors of a page, but
#: Chromium does not ignore those of the page's service worker.
NO_WORKER = "An SSL certificate error occurred when fetching the script."

#: The option `permissions` of a tab whose page is told that camera and microphone are granted. The headless build
#: grants them to every page that asks, but reports that a user would be asked; the start screen then asks for nothing.
GRANTED = ("camera", "microphone")

#: The seconds that one step may take.
PATIENCE = 20.0

#: The width and height of the fake camera's video in pixels, and its frame rate. Chromium's own fake camera produces
#: 1280 by 720 pixels at 20 frames a second, which every page of a test would have to draw, encode and decode.
WIDTH, HEIGHT, RATE = 320, 180, 10

#: The frame rate in tests that measure nothing. Each frame costs 3 ms of processor time to draw, whatever its size, on
#: both sides of a call. It stays well above the two frames a second that count as no video.
SPARING_RATE = 6

#: The fake microphone's tone in hertz, its amplitude of 1.0 at most, and the samples of a second.
TONE, LOUDNESS, SAMPLE_RATE = 440, 0.5, 48000


def executable() -> str | None:
    """Return the path of the system's headless Chromium, if there is one.

    It is the same browser without windows, toolbars and extensions; a call needs 5 s of processor time instead of 8.
    """
    return shutil.which("chromium-headless-shell")


def windowed_executable() -> str | None:
    """Return the path of the system's Chromium with its whole user interface, if there is one."""
    return shutil.which("chromium")


@functools.cache
def driver() -> Playwright:
    """Return Playwright, which exists once per thread, and ends with the process."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


def _temporary_directory(prefix: str) -> Path:
    """Create a directory that is deleted at exit."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def camera_file(rate: int) -> Path:
    """Write a video of a changing grey for the fake camera, and return its path; it is deleted at exit.

    Arguments:
        rate: frames a second.

    """
    colours = bytes([128]) * (WIDTH * HEIGHT // 2)
    frames = [b"FRAME\n" + bytes([96 + 16 * step]) * (WIDTH * HEIGHT) + colours for step in range(rate)]
    film = _temporary_directory("signald-camera-") / "camera.y4m"
    film.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{rate}:1 Ip A1:1 C420\n".encode() + b"".join(frames))
    return film


@functools.cache
def sound_file() -> Path:
    """Write a second of a tone for the fake microphone, and return its path; Chromium repeats it.

    A page hears it whenever it listens. Chromium's own fake microphone beeps for a moment only, and a page that looks
    at the level four times a second finds speech in it by chance.
    """
    wave_of = (math.sin(2 * math.pi * TONE * step / SAMPLE_RATE) for step in range(SAMPLE_RATE))
    file = _temporary_directory("signald-microphone-") / "microphone.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        sound.writeframes(array.array("h", (int(LOUDNESS * 32767 * value) for value in wave_of)).tobytes())
    return file


class ChromiumTab:
    """A page in a separate browser context."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.messages: list[str] = []
        self.page.on("console", self._record_message)
        self.page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.text != NO_WORKER:
            self.messages.append(f"{message.type}: {message.text}")

    def open(self, url: str) -> None:
        """Navigate to a URL, and return when the page has loaded."""

        def look() -> bool:
            try:
                self.page.goto(url)
            except Error as error:
                # Chromium aborts every load when a network interface of the machine appears or disappears.
                if "ERR_NETWORK_CHANGED" in error.message:
                    return False
                raise
            return True

        until(look, PATIENCE, "the page to load")

    def reload(self) -> None:
        """Reload the page, and return when the page has loaded."""
        self.page.reload()

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or of the promise that the expression returns."""
        return self.page.evaluate(expression)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        self.page.click(selector)

    def type(self, selector: str, text: str) -> None:
        """Click on an element, and type a text: its first character by a key, the others at once.

        A key costs the page, its interpreter and the drawing 15 ms of processor time.
        """
        self.page.click(selector)
        self.page.keyboard.type(text[:1])
        self.page.keyboard.insert_text(text[1:])

    def screenshot(self, path: Path) -> None:
        """Save a screenshot of the page as a PNG file."""
        self.page.screenshot(path=path, type="png")

    def close(self) -> None:
        """Close the page and its context."""
        self.context.close()


class Chromium:
    """A headless Chromium with a fake camera and microphone.

    Attributes:
        name: the name of the browser in reports.

    """

    name = "Chromium"

    def __init__(
        self,
        *,
        camera: bool = True,
        environment: dict[str, str | float | bool] | None = None,
        program: str | None = None,
        cameras: int = 0,
        sparing: bool = False,
    ) -> None:
        """Start Chromium.

        Arguments:
            sparing: whether pages shall cost little processor time rather than move, sound and look as a person's.
            program: the program to start; by default the headless Chromium.
            cameras: the number of Chromium's own fake cameras; with 0, one camera with a small picture.
            camera: whether a page gets permission for camera and microphone; otherwise the request is refused.
            environment: the whole environment of Chromium's process; by default that of this process.

        """
        devices = f"=device-count={cameras}" if cameras else ""
        flags = ["--disable-gpu", f"--use-fake-device-for-media-stream{devices}", *QUIET]
        film = camera_file(SPARING_RATE if sparing else RATE)
        flags += [] if cameras else [f"--use-file-for-fake-video-capture={film}"]
        # Without this option headless Chromium refuses the permission, since no user can grant it.
        flags += ["--use-fake-ui-for-media-stream"] if camera else []
        flags += [f"--use-file-for-fake-audio-capture={sound_file()}"] if sparing else []
        self._sparing = sparing
        self._browser: PlaywrightBrowser = driver().chromium.launch(
            executable_path=program or executable(), args=flags, chromium_sandbox=False, env=environment
        )

    def tab(self, **options: Any) -> ChromiumTab:
        """Open an empty tab.

        Arguments:
            options: Playwright's options of a context, such as `viewport` or `color_scheme`.

        """
        sparing = SPARING_TAB if self._sparing else {}
        context = self._browser.new_context(**{"ignore_https_errors": True, **sparing, **options})
        context.set_default_timeout(PATIENCE * 1000)
        if self._sparing:
            context.add_init_script(RAW_SOUND)
        return ChromiumTab(context)

    def close(self) -> None:
        """Terminate the browser."""
        self._browser.close()
