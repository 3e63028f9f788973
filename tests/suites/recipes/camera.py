"""Starts the example with GStreamer's webrtcbin by its command, and looks at its picture in the call page.

`make examples` runs this where GStreamer is. Its packages are not among those of the tests, since they and what they
need take some hundred megabytes; docs/examples.md lists them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import WATCHED, CallPage
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

PATIENCE = 30.0
"""The seconds that each step may take."""

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "camera"

PYTHON = "/usr/bin/python3"
"""The system's Python, to which GStreamer's bindings belong."""

ELEMENTS = ("nicesrc", "rtpvp8pay", "sctpenc", "videotestsrc", "vp8enc", "webrtcbin")
"""The elements of GStreamer that the example uses, each package having some."""

LOOK = f"""
import gi
for name, version in (("Gst", "1.0"), ("GstSdp", "1.0"), ("GstWebRTC", "1.0"), ("Soup", "3.0")):
    gi.require_version(name, version)
from gi.repository import Gst, GstSdp, GstWebRTC, Soup
Gst.init(None)
missing = [name for name in {ELEMENTS} if Gst.ElementFactory.find(name) is None]
if missing:
    raise SystemExit("GStreamer has no " + ", ".join(missing))
"""


def say(line: str) -> None:
    """Print what happened."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def find_missing() -> str:
    """Return what the system's Python lacks for the example; empty if it has everything."""
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON}"
    done = subprocess.run([PYTHON, "-c", LOOK], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2] or ("" if done.returncode == 0 else "GStreamer does not start")


def watch(name: str, url: str) -> None:
    """Join the camera's session in a browser, and wait until its picture has played for a while."""
    tab = browser(name).tab()
    page = CallPage(tab)
    page.open(url)
    began = time.monotonic()
    page.join()
    page.wait_for("connected")

    def has_played() -> bool:
        width, played = page.picture()
        return width > 0 and played > WATCHED

    until(has_played, PATIENCE, "the camera's picture")
    frames = page.statistics()["framesDecoded"]
    say(f"camera: {name} has decoded {frames} frames {time.monotonic() - began:.1f} s after joining")
    tab.click("#hang-up")
    tab.close()


def main() -> None:
    """Start the example, and watch it in each browser, one after the other."""
    if missing := find_missing():
        say(f"camera: not tried, {missing} (docs/examples.md has the packages)")
        return
    with tempfile.TemporaryDirectory(prefix="signald-camera-") as home:
        command: list[str | Path] = [sys.executable, EXAMPLE / "run.py", "--server-port", "0"]
        program = Program(command, environment={"HOME": home})
        try:
            url = program.wait_for(r"Open (\S+)", PATIENCE)[1]
            for name in ("Chromium", "Firefox"):
                watch(name, url)
        except AssertionError as error:
            raise AssertionError(f"{error}: {program.stdout}{program.stderr}") from None
        finally:
            status = program.stop(signal.SIGINT)
    assert (status, program.stderr) == (0, ""), (status, program.stderr)
    say("camera: the example works")


if __name__ == "__main__":
    main()
