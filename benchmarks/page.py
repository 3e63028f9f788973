"""The call page against its bounds: how fast it loads, how soon people see each other, and what it costs meanwhile.

`python -m benchmarks.page [--rounds N] [--only NAME] [--strict]`. A real Chromium with a fake camera, plain HTTP on
loopback, an empty profile for each load. What is compared alternates in the same run: an empty ES-module page, served
by an equal daemon, and a call between two connections in one page that exchange everything by function calls. A
machine that does something else meanwhile shows in the most and in the least. Status 1 under `--strict` when a bound
is missed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from benchmarks.empty_page import empty_page
from benchmarks.figures import REPORT, Figure, save, table
from benchmarks.progress import progress
from benchmarks.server import Server
from benchmarks.tasks import longest_tasks
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.chromium import Chromium, ChromiumTab
from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.waiting import until

ROUNDS = 10

FIRST_STATEMENT_TIMES = 1.5
"""Python's first statement, at most so many times as late as an empty page's."""

SETTLE_MS = 400.0
"""From the first statement to a start screen that takes presses, and to the own picture."""

FIRST_FRAME_MS = 700.0
"""From the press on Join to the other's first frame."""

SLOW_MS = 2000.0
SLOW_BYTES = 2_000_000 / 8
SLOW_LATENCY_MS = 100
"""A line of 2 Mbit/s and 100 ms, and what the page may take there."""

FETCHED_KB = 260.0
"""Bytes fetched, in thousands."""

TASK_MS = 50.0
"""The longest task in a call (W3C Long Tasks calls longer ones long)."""

CALL_SECONDS = 10.0
"""For which a call's tasks are watched."""

PATIENCE = 60.0

MANY = (
    "address-connections",
    "address-connection-rate",
    "address-connection-burst",
    "address-request-rate",
    "address-request-burst",
)
"""Limits that a benchmark from one address would run into."""

SMALL = ("--size", "160x120", "--rate", "5")
"""The picture of the peers in a call of six: a machine of two cores encodes twenty of them."""

# When the own picture is there. It presses the button for it where the page does not begin by itself.
WATCH_PREVIEW = """
addEventListener("loadeddata", (event) => {
  if (event.target.id === "local-video") globalThis.previewShown ??= performance.now();
}, true);
const press = setInterval(() => {
  const button = document.getElementById("preview");
  if (!globalThis.signald?.marks.usable) return;
  clearInterval(press);
  if (button?.checkVisibility()) button.click();
}, 5);
"""

# What a browser needs at the least: camera, two connections, and every message handed over at once.
BARE_CALL = """async () => {
  const began = performance.now();
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 1280, height: 720}});
  const [caller, callee] = [new RTCPeerConnection(), new RTCPeerConnection()];
  caller.onicecandidate = ({candidate}) => callee.addIceCandidate(candidate);
  callee.onicecandidate = ({candidate}) => caller.addIceCandidate(candidate);
  const video = document.createElement("video");
  video.muted = video.autoplay = true;
  document.body.append(video);
  const frame = new Promise((done) => video.requestVideoFrameCallback(() => done(performance.now())));
  callee.ontrack = ({track, streams}) => { if (track.kind === "video") video.srcObject = streams[0]; };
  for (const track of stream.getTracks()) {
    caller.addTrack(track, stream);
    callee.addTrack(track, stream);
  }
  await caller.setLocalDescription();
  await callee.setRemoteDescription(caller.localDescription);
  await callee.setLocalDescription();
  await caller.setRemoteDescription(callee.localDescription);
  const shown = await frame;
  for (const connection of [caller, callee]) connection.close();
  for (const track of stream.getTracks()) track.stop();
  return shown - began;
}"""


@frozen
class Stand:
    """What everything is measured on.

    Attributes:
        browser: a running Chromium.
        server: serves the page.
        empty: serves the empty page.
        rounds: how often each is measured.

    """

    browser: Chromium
    server: Server
    empty: Server
    rounds: int

    def tab(self) -> ChromiumTab:
        """Open a tab with a profile of its own, that may use camera and microphone."""
        # Playwright's `ignore_https_errors`, which the tests need, would switch the cache off.
        return self.browser.tab(ignore_https_errors=False, permissions=["camera", "microphone"])

    def load(self, server: Server, prepare: Callable[[ChromiumTab], None] = lambda tab: None) -> dict[str, float]:
        """Load a page in a new profile, and return its marks (milliseconds since navigation)."""
        tab = self.tab()
        try:
            prepare(tab)
            tab.open(server.url)
            wanted = "js" if server is self.empty else "usable"
            until(lambda: wanted in tab.evaluate("globalThis.signald.marks"), PATIENCE, wanted)
            marks: dict[str, float] = tab.evaluate("globalThis.signald.marks")
            return marks
        finally:
            tab.close()

    def page(self, fragment: str = "") -> tuple[ChromiumTab, CallPage]:
        """Open the call page, and wait until it works."""
        tab = self.tab()
        page = CallPage(tab)
        page.open(self.server.url + fragment)
        return tab, page

    def call(self) -> tuple[list[ChromiumTab], CallPage, str]:
        """Let two pages call each other; return their tabs, the guest, and the id of the session."""
        host_tab, host = self.page()
        session = host.host()
        guest_tab, guest = self.page("#" + session)
        guest.join()
        until(lambda: guest.statistics().get("firstFrameMs"), PATIENCE, "a first frame")
        return [guest_tab, host_tab], guest, session


def cold_load(stand: Stand) -> tuple[list[Figure], str]:
    """The page's first statement against the empty page's, and what follows from it."""
    first, empty, usable = [], [], []
    # A browser's own first load is slower than any that follows.
    for count in range(-1, stand.rounds):
        progress("cold loads", count, stand.rounds)
        nothing, page = stand.load(stand.empty), stand.load(stand.server)
        if count >= 0:
            empty.append(nothing["js"])
            first.append(page["python"])
            usable.append(page["usable"] - page["python"])
    progress("cold loads", 1, 1)
    times = [one / other for one, other in zip(first, empty, strict=True)]
    figures = [
        Figure("cold: first statement of an empty module", "ms", empty),
        Figure("cold: first Python statement", "ms", first),
        Figure("cold: the same, as a multiple", "times", times, FIRST_STATEMENT_TIMES, 2),
        Figure("from there to a usable start screen", "ms", usable, SETTLE_MS),
    ]
    return figures, ""


def preview(stand: Stand) -> tuple[list[Figure], str]:
    """How long after the first statement the person sees themselves."""
    seen = []
    for count in range(stand.rounds):
        progress("previews", count, stand.rounds)
        tab = stand.tab()
        try:
            tab.page.add_init_script(WATCH_PREVIEW)
            tab.open(stand.server.url)
            shown = until(lambda tab=tab: tab.evaluate("globalThis.previewShown"), PATIENCE, "a preview")  # type: ignore[misc]
            seen.append(shown - tab.evaluate("globalThis.signald.marks.python"))
        finally:
            tab.close()
    progress("previews", 1, 1)
    return [Figure("from there to the own picture, camera granted", "ms", seen, SETTLE_MS)], ""


def first_frame(stand: Stand) -> tuple[list[Figure], str]:
    """From joining to the first picture, against the same without any server and any page."""
    bare, joined = [], []
    for count in range(stand.rounds):
        progress("calls", count, stand.rounds)
        tab = stand.tab()
        tab.open(stand.empty.url)
        bare.append(tab.page.evaluate(BARE_CALL))
        tab.close()
        tabs, guest, _ = stand.call()
        joined.append(guest.statistics()["firstFrameMs"])
        close(tabs)
    progress("calls", 1, 1)
    figures = [
        Figure("from call to first frame, two connections in one page", "ms", bare),
        Figure("from Join to first frame, two pages", "ms", joined, FIRST_FRAME_MS),
    ]
    return figures, ""


def slow_line(stand: Stand) -> tuple[list[Figure], str]:
    """The page on a slow line."""

    def slow(tab: ChromiumTab) -> None:
        session = tab.context.new_cdp_session(tab.page)
        session.send("Network.enable")
        line = {"latency": SLOW_LATENCY_MS, "downloadThroughput": SLOW_BYTES, "uploadThroughput": SLOW_BYTES}
        session.send("Network.emulateNetworkConditions", {"offline": False, **line})

    usable = []
    for count in range(stand.rounds):
        progress("loads on a slow line", count, stand.rounds)
        usable.append(stand.load(stand.server, slow)["usable"])
    progress("loads on a slow line", 1, 1)
    return [Figure("2 Mbit/s and 100 ms, cold: usable", "ms", usable, SLOW_MS)], ""


def fetched(stand: Stand) -> tuple[list[Figure], str]:
    """What is fetched for the start screen, and until a call was made as its host; and a list of all of it."""
    tab = stand.tab()
    bodies: dict[str, int] = {}
    whole: dict[str, int] = {}
    names: dict[str, str] = {}
    headers: dict[str, int] = {}
    session = tab.context.new_cdp_session(tab.page)

    def begun(event: dict[str, Any]) -> None:
        names[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def answered(event: dict[str, Any]) -> None:
        # What has come by then is the headers.
        headers[event["requestId"]] = int(event["response"]["encodedDataLength"])

    def finished(event: dict[str, Any]) -> None:
        name, size = names[event["requestId"]], int(event["encodedDataLength"])
        whole[name] = whole.get(name, 0) + size
        bodies[name] = bodies.get(name, 0) + size - headers.get(event["requestId"], 0)

    session.on("Network.requestWillBeSent", begun)
    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    page = CallPage(tab)
    page.open(stand.server.url)
    tab.page.wait_for_load_state("networkidle")
    opened = set(whole)
    guest_tab, guest = stand.page("#" + page.host())
    guest.join()
    page.wait_for("connected")
    tab.page.wait_for_load_state("networkidle")
    close([guest_tab, tab])
    rows = [
        f"  {bodies.get(name, 0):>8} {size:>8}  {name}{'' if name in opened else '  (on demand)'}\n"
        for name, size in sorted(whole.items(), key=lambda item: -item[1])
    ]
    first = sum(bodies.get(name, 0) for name in opened) / 1000
    with_headers = sum(whole[name] for name in opened) / 1000
    figures = [
        Figure("fetched for the start screen, Brotli", "kB", [first], FETCHED_KB, 1),
        Figure("the same with its headers", "kB", [with_headers], None, 1),
        Figure("fetched until a host's call was made", "kB", [sum(bodies.values()) / 1000], FETCHED_KB, 1),
    ]
    return figures, "\nBytes fetched, bodies and with headers:\n\n" + "".join(rows)


def busy(tab: ChromiumTab, page: CallPage) -> None:
    """Use a call as people do, for a while."""
    for _ in range(int(CALL_SECONDS)):
        for _ in range(2):
            tab.click("#mute")
            tab.page.wait_for_timeout(500)
        page.statistics_of_all()


def close(tabs: list[ChromiumTab]) -> None:
    """Close them all."""
    for tab in tabs:
        tab.close()


def tasks_of_two(stand: Stand) -> tuple[list[Figure], str]:
    """The longest tasks in a call of two."""
    tabs, guest, _ = stand.call()
    processor, clock = longest_tasks(tabs[0], lambda: busy(tabs[0], guest))
    close(tabs)
    figures = [
        Figure("longest Python task in a call of two, processor", "ms", [processor], TASK_MS, 1),
        Figure("longest Python task in a call of two, clock", "ms", [clock], None, 1),
    ]
    return figures, ""


def tasks_of_six(stand: Stand) -> tuple[list[Figure], str]:
    """The longest tasks in a call of six, while four of them come."""
    tabs, guest, session = stand.call()
    peers: list[Program] = []

    def fill() -> None:
        for name in ("Cat", "Dan", "Eve", "Fay"):
            program = [str(SCRIPTS / "signald-peer"), "join", session, "--name", name, *SMALL]
            peers.append(Program([*program, "--server", stand.server.signaling_url, "--duration", "120"]))
        until(lambda: len(guest.statistics_of_all()) == 5, PATIENCE, "six people")
        until(
            lambda: min(figures["framesDecoded"] for figures in guest.statistics_of_all().values()) > 0,
            PATIENCE,
            "five pictures",
        )
        busy(tabs[0], guest)

    try:
        processor, clock = longest_tasks(tabs[0], fill)
    finally:
        for peer in peers:
            peer.stop(signal.SIGKILL)
    close(tabs)
    figures = [
        Figure("longest Python task in a call of six, processor", "ms", [processor], TASK_MS, 1),
        Figure("longest Python task in a call of six, clock", "ms", [clock], None, 1),
    ]
    return figures, ""


MEASURES: dict[str, Callable[[Stand], tuple[list[Figure], str]]] = {
    "load": cold_load,
    "preview": preview,
    "call": first_frame,
    "slow": slow_line,
    "bytes": fetched,
    "two": tasks_of_two,
    "six": tasks_of_six,
}
"""What can be measured: figures, and what stands below the table."""


def measure(stand: Stand, names: list[str]) -> tuple[list[Figure], str]:
    """Measure these."""
    figures: list[Figure] = []
    notes = ""
    for name in names:
        found, below = MEASURES[name](stand)
        figures += found
        notes += below
    return figures, notes


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each measurement (default: {ROUNDS})")
    parser.add_argument("--only", action="append", choices=MEASURES, help="measure this alone; repeatable")
    parser.add_argument("--strict", action="store_true", help="status 1 when a bound is missed")
    options = parser.parse_args()
    limits = [word for name in MANY for word in ("--limit", f"{name}=10000")]
    with tempfile.TemporaryDirectory() as directory:
        folders = [Path(directory, name) for name in ("page", "empty")]
        for folder in folders:
            folder.mkdir()
        server = Server(folders[0], "--no-tls", *limits)
        try:
            empty = Server(folders[1], "--no-tls", *limits, environment=empty_page(folders[1]))
            try:
                browser = Chromium()
                stand = Stand(browser, server, empty, options.rounds)
                figures, notes = measure(stand, options.only or list(MEASURES))
                browser.close()
            finally:
                empty.stop()
        finally:
            server.stop()
    save("page", "The call page against its bounds", figures, notes)
    sys.stdout.write(f"{table(figures)}{notes}\nin {REPORT}: page.svg, page.txt, page.json\n")
    missed = [figure.name.strip() for figure in figures if not figure.met]
    sys.stdout.write(f"{len(missed)} of {sum(figure.bound is not None for figure in figures)} bounds missed\n")
    sys.exit(1 if missed and options.strict else 0)


if __name__ == "__main__":
    main()
