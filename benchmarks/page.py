"""Benchmark of the call page: how fast it loads, how soon people see each other, and what a call costs.

`python -m benchmarks.page [--rounds N] [--only NAME] [--strict]` runs a real Chromium with a fake camera, plain HTTP on
loopback, and an empty profile for each load. Each measurement alternates with its reference in the same run. The
references are an ES-module page that does nothing, served by an identical daemon, and a call between two peer
connections in one page that exchange all signaling messages by function calls. Other load on the machine shows as a
large spread between the least and the greatest value. With `--strict` the exit status is 1 if a bound is missed.
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
"""The greatest ratio of the time of Python's first statement to the time of the reference page's first statement."""

SETTLE_MS = 400.0
"""The greatest times from Python's first statement to a usable start screen, and to the self-view."""

USABLE_TIMES, USABLE_MS = 1.3, 60.0
"""The greatest time from navigation to a usable start screen: this multiple of the time of the reference page's first
statement, and these milliseconds."""

FIRST_FRAME_MS = 600.0
"""The greatest time from the press on Join to the first frame of the other participant."""

SLOW_MS = 2000.0
SLOW_BYTES = 2_000_000 / 8
SLOW_LATENCY_MS = 100
"""The greatest load time on a slow line, and the line's bandwidth of 2 Mbit/s and its latency of 100 ms."""

FETCHED_KB = 260.0
"""The greatest number of fetched bytes, in thousands."""

TASK_MS = 50.0
"""The greatest duration of a task during a call. The W3C Long Tasks API defines a task above 50 ms as long."""

CALL_SECONDS = 10.0
"""The seconds for which the tasks of a call are recorded."""

PATIENCE = 60.0

MANY = (
    "address-connections",
    "address-connection-rate",
    "address-connection-burst",
    "address-request-rate",
    "address-request-burst",
)
"""Limits of the server that a benchmark from a single address would exceed."""

SMALL = ("--size", "160x120", "--rate", "5")
"""The video size in a call of six: a machine with two cores encodes twenty videos."""

# The script records when the self-view is shown. It presses the preview button if the page does not start the preview
# by itself.
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

# The reference of a call: a camera, two peer connections in one page, and signaling by function calls.
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
    """The browser and the servers of all measurements.

    Attributes:
        browser: a running Chromium.
        server: the daemon that serves the call page.
        empty: the daemon that serves the reference page.
        rounds: the number of times that each quantity is measured.

    """

    browser: Chromium
    server: Server
    empty: Server
    rounds: int

    def tab(self) -> ChromiumTab:
        """Open a tab with a new profile that has permission to use camera and microphone."""
        # The benchmark does not set Playwright's `ignore_https_errors`, which the tests need, since it disables the
        # cache.
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
        """Open the call page, and wait until it is usable."""
        tab = self.tab()
        page = CallPage(tab)
        page.open(self.server.url + fragment)
        return tab, page

    def call(self) -> tuple[list[ChromiumTab], CallPage, str]:
        """Connect two pages in a call; return their tabs, the guest's page, and the session id."""
        host_tab, host = self.page()
        session = host.host()
        guest_tab, guest = self.page("#" + session)
        guest.join()
        until(lambda: guest.statistics().get("firstFrameMs"), PATIENCE, "a first frame")
        return [guest_tab, host_tab], guest, session


def cold_load(stand: Stand) -> tuple[list[Figure], str]:
    """Measure the time of the page's first statement, compared with the reference page, and of the later load steps."""
    first, empty, usable, whole = [], [], [], []
    # A browser's first load is slower than any later load, so it is not measured.
    for count in range(-1, stand.rounds):
        progress("cold loads", count, stand.rounds)
        nothing, page = stand.load(stand.empty), stand.load(stand.server)
        if count >= 0:
            empty.append(nothing["js"])
            first.append(page["python"])
            usable.append(page["usable"] - page["python"])
            whole.append(page["usable"])
    progress("cold loads", 1, 1)
    times = [one / other for one, other in zip(first, empty, strict=True)]
    parts = [one / (USABLE_TIMES * other + USABLE_MS) for one, other in zip(whole, empty, strict=True)]
    figures = [
        Figure("cold: first statement of an empty module", "ms", empty),
        Figure("cold: first Python statement", "ms", first),
        Figure("cold: the same, as a multiple", "times", times, FIRST_STATEMENT_TIMES, 2),
        Figure("from there to a usable start screen", "ms", usable, SETTLE_MS),
        Figure("cold: usable start screen", "ms", whole),
        Figure(
            f"cold: the same, as a part of {USABLE_TIMES:g} empty modules and {USABLE_MS:g} ms", "times", parts, 1.0, 2
        ),
    ]
    return figures, ""


def preview(stand: Stand) -> tuple[list[Figure], str]:
    """Measure the time from the page's first statement to the self-view."""
    seen = []
    for count in range(stand.rounds):
        progress("previews", count, stand.rounds)
        tab = stand.tab()
        try:
            tab.page.add_init_script(WATCH_PREVIEW)
            tab.open(stand.server.url)
            shown = until(lambda tab=tab: tab.evaluate("globalThis.previewShown"), PATIENCE, "a preview")  # type: ignore[misc] # mypy infers no type from a lambda's default
            seen.append(shown - tab.evaluate("globalThis.signald.marks.python"))
        finally:
            tab.close()
    progress("previews", 1, 1)
    return [Figure("from there to the own picture, camera granted", "ms", seen, SETTLE_MS)], ""


def first_frame(stand: Stand) -> tuple[list[Figure], str]:
    """Measure the time from joining to the first frame, compared with the reference call."""
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
    """Measure the load of the page on a slow line."""

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
    """Measure the bytes that are fetched for the start screen and for a call as its host, and list the files."""
    tab = stand.tab()
    bodies: dict[str, int] = {}
    whole: dict[str, int] = {}
    names: dict[str, str] = {}
    headers: dict[str, int] = {}
    session = tab.context.new_cdp_session(tab.page)

    def begun(event: dict[str, Any]) -> None:
        names[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def answered(event: dict[str, Any]) -> None:
        # At the time of this event only the response's headers have arrived.
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
    """Use the controls of a call for a while."""
    for _ in range(int(CALL_SECONDS)):
        for _ in range(2):
            tab.click("#mute")
            tab.page.wait_for_timeout(500)
        page.statistics_of_all()


def close(tabs: list[ChromiumTab]) -> None:
    """Close the tabs."""
    for tab in tabs:
        tab.close()


def tasks_of_two(stand: Stand) -> tuple[list[Figure], str]:
    """Measure the longest tasks in a call of two."""
    tabs, guest, _ = stand.call()
    processor, clock = longest_tasks(tabs[0], lambda: busy(tabs[0], guest))
    close(tabs)
    figures = [
        Figure("longest Python task in a call of two, processor", "ms", [processor], TASK_MS, 1),
        Figure("longest Python task in a call of two, clock", "ms", [clock], None, 1),
    ]
    return figures, ""


def tasks_of_six(stand: Stand) -> tuple[list[Figure], str]:
    """Measure the longest tasks in a call of six, while four participants join."""
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
"""The measurements by name; each returns its figures and the text to print below the table."""


def measure(stand: Stand, names: list[str]) -> tuple[list[Figure], str]:
    """Run the named measurements."""
    figures: list[Figure] = []
    notes = ""
    for name in names:
        found, below = MEASURES[name](stand)
        figures += found
        notes += below
    return figures, notes


def main() -> None:
    """Run the benchmark."""
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
