"""Benchmark of memory leaks in the call page: the events of an hour's call are played in a few minutes.

`python -m benchmarks.page_memory [--minutes N] [--strict]` connects two pages in a call and plays the events of N
minutes as fast as possible: statistics are read, microphones muted and unmuted, ICE restarted, windows resized, and a
visitor joins and leaves. After each tenth of the minutes both heaps, JavaScript's and MicroPython's, are collected and
measured. Growth is counted from the second sample on, since modules are loaded once in the first minutes. With
`--strict` the exit status is 1 if the growth exceeds the bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import websocket
from attrs import frozen

from benchmarks.figures import REPORT
from benchmarks.plots import lines
from benchmarks.progress import progress
from benchmarks.server import Server
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.chromium import Chromium, ChromiumTab
from tests.suites.e2e.heaps import REMEMBER, Heaps
from tests.suites.e2e.waiting import until

MINUTES = 60
SAMPLES = 10

GROWTH = 0.02
"""The greatest accepted growth of a heap from the second sample to the last, as a fraction."""

LOOKS = 60
SWITCHES = 6
RESIZES = 2
"""The number of events in one minute of a call: reading statistics, toggling the microphone, resizing."""

LOOKS_AT_ONCE = 4
"""The number of measurements for each sample."""

SETTLE_SECONDS = 6.0
"""Seconds to wait before a sample. Sent messages are kept until the server acknowledges them, after 5 s."""

PATIENCE = 60.0

SIZES = ({"width": 1280, "height": 800}, {"width": 700, "height": 800})

# The script runs the events of one minute within the page.
MINUTE = """async ([looks, switches]) => {
  for (let count = 0; count < looks; count++) {
    await signald.stats();
    if (count % (looks / switches) < 1) document.getElementById("mute").click();
  }
  for (const one of connections) if (one.deref()?.signalingState === "stable") one.deref().restartIce();
}"""

ALONE = "document.querySelectorAll('#remotes [data-user]').length === 1"


@frozen
class Sample:
    """The size of a page's heaps after garbage collection.

    Attributes:
        minutes: the minutes of the call that have been played.
        javascript: the bytes in use by JavaScript.
        python: the bytes in use by MicroPython's objects.
        memory: the bytes of WebAssembly memory that the interpreter has allocated.

    """

    minutes: float
    javascript: int
    python: int
    memory: int


class Watched:
    """A page whose memory is measured."""

    def __init__(self, browser: Chromium, url: str) -> None:
        self.tab: ChromiumTab = browser.tab(ignore_https_errors=False, permissions=["camera", "microphone"])
        self.tab.page.add_init_script(REMEMBER)
        self.page = CallPage(self.tab)
        self.page.open(url)
        self._heaps = Heaps(self.tab)

    def sample(self, minutes: float) -> Sample:
        """Collect and measure both heaps several times, and keep the least values.

        Work that happens to run during a measurement needs memory too.
        """
        found = []
        for _ in range(LOOKS_AT_ONCE):
            self._heaps.collect()
            found.append(self._heaps.used())
        least = [min(one[place] for one in found) for place in range(3)]
        return Sample(minutes, *least)

    def minute(self) -> None:
        """Play the events of one minute."""
        self.tab.page.evaluate(MINUTE, [LOOKS, SWITCHES])
        for count in range(RESIZES):
            size = SIZES[count % len(SIZES)]
            self.tab.page.set_viewport_size({"width": size["width"], "height": size["height"]})


def visit(server: Server, session: str) -> None:
    """Join the session as a visitor without media, and leave it."""
    caller = websocket.create_connection(server.signaling_url, timeout=PATIENCE, subprotocols=["signald.1"])
    for message in ({"type": "hello", "version": 1}, {"type": "join", "session": session, "name": "Cat"}):
        caller.send(json.dumps(message))
    while json.loads(caller.recv())["type"] != "joined":
        pass
    caller.send(json.dumps({"type": "leave", "session": session}))
    caller.close()


def soak(server: Server, browser: Chromium, minutes: int) -> dict[str, list[Sample]]:
    """Play the minutes of a call; return the samples of both pages."""
    host = Watched(browser, server.url)
    session = host.page.host()
    guest = Watched(browser, f"{server.url}#{session}")
    guest.page.join()
    until(lambda: guest.page.statistics().get("firstFrameMs"), PATIENCE, "a first frame")
    pages = {"host": host, "guest": guest}
    samples = {name: [page.sample(0)] for name, page in pages.items()}
    step = max(1, minutes // SAMPLES)
    for minute in range(1, minutes + 1):
        for page in pages.values():
            page.minute()
        visit(server, session)
        progress("minutes", minute, minutes)
        if minute % step == 0:
            host.tab.page.wait_for_timeout(SETTLE_SECONDS * 1000)
            for name, page in pages.items():
                until(lambda page=page: page.tab.evaluate(ALONE), PATIENCE, "the visitor to be gone")  # type: ignore[misc] # mypy infers no type from a lambda's default
                samples[name].append(page.sample(minute))
    for page in pages.values():
        page.tab.close()
    return samples


def growth(samples: list[Sample], heap: str) -> float:
    """Return the growth of a heap from the second sample to the last, as a fraction."""
    return float(getattr(samples[-1], heap) / getattr(samples[1], heap)) - 1


def slope(samples: list[Sample], heap: str) -> float:
    """Return the growth of a heap in bytes per minute, by least squares from the second sample on."""
    points = [(sample.minutes, float(getattr(sample, heap))) for sample in samples[1:]]
    mean_x, mean_y = (sum(point[axis] for point in points) / len(points) for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def report(samples: dict[str, list[Sample]]) -> bool:
    """Print and save the samples; return whether the growth is within the bound."""
    text = ["minutes" + "".join(f"  {name:>5}: JavaScript   Python   memory (kB)" for name in samples)]
    for row in zip(*samples.values(), strict=True):
        cells = [f"  {one.javascript / 1000:17.0f} {one.python / 1000:8.1f} {one.memory / 1000:13.0f}" for one in row]
        text.append(f"{row[0].minutes:7.0f}{''.join(cells)}")
    text.append("")
    flat = True
    for name, known in samples.items():
        for heap in ("javascript", "python"):
            grown = growth(known, heap)
            flat = flat and grown <= GROWTH
            verdict = "met" if grown <= GROWTH else "MISSED"
            text.append(
                f"{name}, {heap:<10} {grown:+7.2%}, {slope(known, heap):+8.0f} bytes a minute  "
                f"(bound {GROWTH:.0%}: {verdict})"
            )
    REPORT.mkdir(exist_ok=True)
    (REPORT / "memory.txt").write_text("\n".join(text) + "\n")
    series = {
        f"{name}, {heap}": [float(getattr(one, heap)) for one in known[1:]]
        for name, known in samples.items()
        for heap in ("javascript", "python")
    }
    times = [one.minutes * 60 for one in next(iter(samples.values()))[1:]]
    (REPORT / "memory.svg").write_text(lines("Heaps in a call, as parts of the second sample", times, series))
    sys.stdout.write("\n".join(text) + f"\n\nin {REPORT}: memory.svg, memory.txt\n")
    return flat


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=MINUTES, help=f"of a call (default: {MINUTES})")
    parser.add_argument("--strict", action="store_true", help="status 1 when a heap grows")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), "--no-tls")
        try:
            browser = Chromium()
            samples = soak(server, browser, max(options.minutes, 3))
            browser.close()
        finally:
            server.stop()
    flat = report(samples)
    sys.stdout.write(f"{options.minutes} minutes of a call in {time.monotonic() - began:.0f} s\n")
    sys.exit(0 if flat or not options.strict else 1)


if __name__ == "__main__":
    main()
