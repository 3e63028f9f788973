"""The cases of tests that crash the server in the middle of a call with direct media.

The longest pause between two pictures is compared with that of the same call just before, while another daemon, of
which the call knows nothing, is killed and started again: that takes the same work of the machine. A machine that is
busy with other work delays both, at different moments: a crash whose pause is too long is therefore repeated, up to
three times in the same call. Media that is cut pauses each time.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.cheap_media import PICTURE
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.report import add_time
from tests.suites.e2e.waiting import until

#: The options of the daemon. At `localhost` pages are in a secure context without TLS, and need no certificate.
OPTIONS = ("--no-tls",)

#: The seconds between the crash and the start of the next process: once as a person needs who starts it by hand.
DOWN = 7.0
SHORT = 1.0

#: The most seconds by which the longest pause may exceed that without a crash of the call's daemon.
DIFFERENCE = 0.3

#: The seconds after the start of the other daemon for which pauses are measured, as clients take to come back.
SETTLING = 1.0

#: The most crashes of one call.
TRIES = 3

#: Installs `pauses`, which watches each remote video by `requestVideoFrameCallback` and stores its longest pause.
WATCH = """
globalThis.pauses = (() => {
  const longest = new Map();
  for (const video of document.querySelectorAll("#remotes video")) {
    let last = performance.now();
    const note = () => longest.set(video, Math.max(longest.get(video) ?? 0, performance.now() - last));
    const step = () => { note(); last = performance.now(); video.requestVideoFrameCallback(step); };
    video.requestVideoFrameCallback(step);
    // A picture that has stopped calls nobody back.
    setInterval(note, 50);
  }
  return { reset: () => longest.clear(), read: () => Math.max(...longest.values()) };
})(); 0
"""

#: Makes the pictures that a page sends as cheap to encode as those of the peers. Five encodings of a picture of the
#: usual size take all of a small machine, whose pauses are then longer than any that a crash could cause.
SEND_SMALL_PICTURES = """
document.querySelector("#local-video").srcObject.getVideoTracks()[0]
  .applyConstraints({ width: 160, height: 120, frameRate: 5 })
"""

#: Keeps the page from reaching the server until `release` is called.
HOLD = """
(() => {
  const Real = globalThis.WebSocket;
  globalThis.WebSocket = class extends Real {
    constructor(url, protocol) { super(url.replace(/:[0-9]+/, ":1"), protocol); }
  };
  globalThis.release = () => { globalThis.WebSocket = Real; };
})(); 0
"""


def open_page(port: int, session: str = "") -> CallPage:
    """Open the page of a daemon in a new tab."""
    page = CallPage(browser("Chromium").tab())
    page.open(f"http://localhost:{port}/" + (f"#{session}" if session else ""))
    return page


def wait_for_call(*pages: CallPage, others: int = 1) -> None:
    """Wait until each page has pictures of so many others."""
    for page in pages:
        page.wait_for("connected")
        until(
            lambda page: [m["framesDecoded"] > 5 for m in page.statistics_of_all().values()] == [True] * others,
            PATIENCE,
            "pictures",
            page,
        )


def frames(page: CallPage) -> int:
    """Return how many frames the page has decoded over its present peer connections."""
    return sum(int(member["framesDecoded"]) for member in page.statistics_of_all().values())


def restarts(page: CallPage) -> list[int]:
    """Return for each other member how often ICE was restarted."""
    return [int(member["iceRestarts"]) for member in page.statistics_of_all().values()]


def reconnects(page: CallPage) -> int:
    """Return how often the page has reconnected to the server."""
    return int(json.loads(page.tab.evaluate("globalThis.signald.connection()"))["reconnects"])


def is_waiting(page: CallPage) -> bool:
    """Return whether the page says that it waits for the server or for the others."""
    return "was restarted" in page.text("status") or "Reconnecting" in page.text("status")


def reset_pauses(*pages: CallPage) -> None:
    """Measure from now on."""
    for page in pages:
        page.tab.evaluate("globalThis.pauses.reset(); 0")


def longest_pause(*pages: CallPage) -> float:
    """Return the longest pause of any picture on these pages, in seconds."""
    return max(float(page.tab.evaluate("globalThis.pauses.read()")) for page in pages) / 1000.0


class CrashCase(SynchronousTestCase):
    """A daemon that crashes."""

    def setUp(self) -> None:
        """Start it."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.daemon = Daemon(self.directory, *OPTIONS)
        self.port = self.daemon.port
        self.other = Daemon(self.directory / "other", *OPTIONS)
        for stop in (lambda: self.daemon.stop(), lambda: self.other.stop()):
            self.addCleanup(stop)
        self.peers: list[Program] = []

    def page(self, session: str = "") -> CallPage:
        """Open the page in a new tab."""
        page = open_page(self.port, session)
        self.addCleanup(page.tab.close)
        return page

    def peer(self, *arguments: str) -> Program:
        """Start a `signald-peer`."""
        command: list[str | Path] = [SCRIPTS / "signald-peer", *arguments, *PICTURE]
        peer = Program([*command, "--server", f"ws://localhost:{self.port}/ws"])
        self.addCleanup(peer.stop, signal.SIGKILL)
        self.peers.append(peer)
        return peer

    def restart(self, down: float, *, forget: bool) -> None:
        """Kill the daemon, and start it again.

        Arguments:
            down: the seconds in between.
            forget: whether it loses all identities, because its journal is deleted.

        """
        self.daemon.kill()
        for journal in self.daemon.data.glob("journal*") if forget else ():
            journal.unlink()
        time.sleep(down)
        self.daemon = Daemon(self.directory, *OPTIONS, "--port", str(self.port))

    def quiet_pause(self, down: float, *pages: CallPage) -> float:
        """Return the longest pause of a picture while the other daemon is killed and started again.

        Arguments:
            down: the seconds in between.
            pages: the pages of the call.

        """
        reset_pauses(*pages)
        self.other.kill()
        time.sleep(down)
        self.other = Daemon(self.directory / "other", *OPTIONS)
        time.sleep(SETTLING)
        return longest_pause(*pages)

    def survive(self, crash: Callable[[int], None], down: float, *pages: CallPage, others: int = 1) -> int:
        """Crash, and assert that no page loses a picture or a connection; return the number of crashes.

        Arguments:
            crash: restarts the server, and returns when all members are back; its argument counts the crashes.
            down: the seconds for which it has no server.
            pages: the pages of the call.
            others: how many others each member has.

        """
        wait_for_call(*pages, others=others)
        for page in pages:
            page.tab.evaluate(WATCH)
        differences: list[float] = []
        while not differences or (min(differences) > DIFFERENCE and len(differences) < TRIES):
            quiet = self.quiet_pause(down, *pages)
            before = [frames(page) for page in pages]
            reset_pauses(*pages)
            crash(len(differences) + 1)
            pause = longest_pause(*pages)
            add_time(f"crash in a call of {others + 1}", pause, f"longest pause of a picture; {quiet:.2f} s without it")
            differences.append(pause - quiet)
            for count, page in zip(before, pages, strict=True):
                self.assertGreater(frames(page), count)
                self.assertEqual((page.state, restarts(page)), ("connected", [0] * others))
        self.assertLessEqual(min(differences), DIFFERENCE, differences)
        return len(differences)

    def hold_back(self, held: CallPage, first: CallPage, down: float, crashes: int, *, forget: bool) -> None:
        """Crash, and let a page reach the server only once another one is back.

        Arguments:
            held: the page that comes back later.
            first: the page that comes back before it.
            down: the seconds without a server.
            crashes: how many crashes the call has seen with this one.
            forget: whether the server loses all identities.

        """
        held.tab.evaluate(HOLD)
        self.restart(down, forget=forget)
        until(lambda: reconnects(first) == crashes, PATIENCE, "the first page at the server")
        if forget:
            first.wait_for_text("status", "was restarted")
        held.tab.evaluate("globalThis.release(); 0")

    def wait_for_return(self, crashes: int, *pages: CallPage) -> None:
        """Wait until each page is back at the server after so many crashes, and nobody is waited for any more."""
        for page in pages:
            until(lambda page: reconnects(page) == crashes, PATIENCE, "the connection to the server", page)
            until(lambda page: not is_waiting(page), PATIENCE, "the others", page)


class PeersCase(CrashCase):
    """A call with `signald-peer`."""

    def crash_with(self, *pages: CallPage, others: int) -> None:
        """Crash, and assert that pages and peers keep all connections with so many others.

        Of two pages, first the host's and then the guest's comes back last of them.
        """
        wait_for_call(*pages, others=others)
        for page in pages:
            page.tab.evaluate(SEND_SMALL_PICTURES)
        orders = [pages, pages[::-1]] if len(pages) == 2 else [pages]
        crashes = 0
        for order in orders:
            crashes += self.survive(partial(self.crash, crashes, order), SHORT, *pages, others=others)
        for peer in self.peers:
            peer.process.send_signal(signal.SIGINT)
        for peer in self.peers:
            peer.wait(PATIENCE)
            report = json.loads(peer.stdout)
            self.assertEqual((report["reconnects"], len(report["members"])), (crashes, others), peer.stderr)
            for member in report["members"]:
                # A page without a microphone sends no sound, and the peer then reports that media did not flow.
                self.assertGreater(min(member["video-frames-sent"], member["video-frames-received"]), 0, peer.stderr)

    def crash(self, before: int, pages: Sequence[CallPage], crashes: int) -> None:
        """Crash after so many crashes, and wait until the pages are back, the first of two last."""
        crashes += before
        if len(pages) == 2:
            held, first = pages
            self.hold_back(held, first, SHORT, crashes, forget=True)
        else:
            self.restart(SHORT, forget=True)
        self.wait_for_return(crashes, *pages)
