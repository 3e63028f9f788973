"""Tests PeerJS's published client against a daemon, and against PeerJS's own server as the control."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.process_file import read_process_record
from tests.suites.e2e.browsers import browser
from tests.suites.e2e.peerjs_page import (
    PATIENCE,
    ControlServer,
    PeerJsApplication,
    PeerJsPage,
    PeerJsServer,
    SignaldServer,
)
from tests.suites.e2e.program import SCRIPTS, faults
from tests.suites.e2e.waiting import until
from tests.support.supervisor import is_running

VALUES: list[Any] = ["hello", 17, True, {"a": [1, {"b": "ü"}]}, "x" * 5000]


class PeerJsTestCase(SynchronousTestCase):
    """A test case with a server and an application of another origin.

    Attributes:
        server_class: the server.
        first_browser: the browser of the first page; the second one is Chromium's.

    """

    server_class: ClassVar[type[SignaldServer | ControlServer]] = SignaldServer
    first_browser: ClassVar[str] = "Chromium"
    server: PeerJsServer

    def setUp(self) -> None:
        """Start the application's server, and the one that is tested."""
        self.application = PeerJsApplication()
        self.addCleanup(self.application.stop)
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.server = self.server_class(directory, self.application.origin)
        self.addCleanup(self.server.stop)

    def page(self, name: str = "Chromium") -> PeerJsPage:
        """Open the application in a new tab."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        return PeerJsPage(tab, self.application, self.server)

    def pages(self, **options: Any) -> tuple[PeerJsPage, PeerJsPage]:
        """Return two pages whose peers are open, as `ann` in the first browser and as `ben`."""
        ann, ben = self.page(self.first_browser), self.page()
        ann.open("ann", **options)
        ben.open("ben", **options)
        return ann, ben


class Behaviours:
    """What PeerJS's client does with either server; the base of the test cases below."""

    def test_chosen_id(self: Any) -> None:
        """A client without an id gets one from the server, and is reached under it."""
        ann, ben = self.page(self.first_browser), self.page()
        id = ann.open()
        self.assertRegex(id, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        ben.open("ben")
        ben.connect(id)
        ann.wait_for("connection open")

    def test_data(self: Any) -> None:
        """Data arrives in binary and in JSON, both ways, and each side's close reaches the other."""
        ann, ben = self.pages()
        for number, serialization in enumerate(("binary", "json"), 1):
            ann.connect("ben", serialization=serialization)
            ben.wait_for("connection open", number)
            for one, other in ((ann, ben), (ben, ann)):
                one.execute(
                    f"for (const value of {VALUES_TEXT}) connections.at(-1).send(value);"
                    "if (connections.at(-1).serialization === 'binary')"
                    " connections.at(-1).send(new Uint8Array([0, 128, 255]));"
                )
                until(functools.partial(_values, other, number * len(VALUES)), PATIENCE, "all values")
                self.assertEqual(_values(other, 1), VALUES * number)
                if serialization == "binary":
                    other.wait_for(["bytes", 0, 128, 255])
            (ann if number == 1 else ben).execute("connections.at(-1).close();")
            for page in (ann, ben):
                page.wait_for("connection close", number)

    def test_media(self: Any) -> None:
        """Two clients see each other, and the end of the call reaches the other side."""
        ann, ben = self.pages()
        for page in (ann, ben):
            page.use_camera()
        ann.execute("watchCall(peer.call('ben', stream));")
        for page in (ann, ben):
            page.wait_for_picture()
        ben.execute("calls[0].close();")
        for page in (ann, ben):
            page.wait_for("call close")

    def test_taken(self: Any) -> None:
        """An id in use is refused with the client's error for that, and its holder is reached as before."""
        ann, ben = self.pages()
        thief = self.page()
        thief.start("ann")
        thief.wait_for("error unavailable-id")
        ben.connect("ann")
        ann.wait_for("connection open")

    def test_unavailable(self: Any) -> None:
        """A connection to an id that nobody has fails with the client's error for that, after some seconds."""
        ann = self.page(self.first_browser)
        ann.open("ann")
        ann.execute("peer.connect('nobody');")
        ann.wait_for("error peer-unavailable")

    def test_late(self: Any) -> None:
        """A connection to a client that comes two seconds later is made."""
        ann, ben = self.page(self.first_browser), self.page()
        ann.open("ann")
        ann.execute("watchConnection(peer.connect('ben')); await new Promise((resolve) => setTimeout(resolve, 2000));")
        ben.open("ben")
        ann.wait_for("connection open")

    def test_reconnect(self: Any) -> None:
        """A client that disconnects keeps its connections, and comes back with its id."""
        ann, ben = self.pages()
        ann.connect("ben")
        ann.execute("peer.disconnect();")
        ann.wait_for("disconnected")
        ann.execute("peer.reconnect();")
        ann.wait_for("open ann", 2)
        ben.execute("connections[0].send('still here');")
        ann.wait_for(["data", "still here"])
        ben.connect("ann")
        ann.wait_for("connection open", 2)

    def test_restart(self: Any) -> None:
        """A restart of the server ends no connection, and clients come back with their ids and reach each other."""
        ann, ben = self.pages()
        ann.connect("ben")
        self.server.restart()
        for page in (ann, ben):
            page.wait_for("disconnected")
            page.execute("peer.reconnect();")
            page.wait_for("open", 2)
        ben.execute("connections[0].send('still here');")
        ann.wait_for(["data", "still here"])
        ben.connect("ann")
        ann.wait_for("connection open", 2)


VALUES_TEXT = str(VALUES).replace("True", "true")


def _values(page: PeerJsPage, least: int) -> list[Any]:
    """Return the values that have arrived, in their order; none if there are fewer than `least`."""
    found = [one[1] for one in page.seen() if one[0] == "data"]
    return found if len(found) >= least else []


class ChromiumTests(Behaviours, PeerJsTestCase):
    """Chromium with Chromium."""


class FirefoxTests(Behaviours, PeerJsTestCase):
    """Firefox with Chromium."""

    first_browser = "Firefox"


class ControlTests(Behaviours, PeerJsTestCase):
    """Chromium with PeerJS's own server, which shows that the tests are right about PeerJS."""

    server_class = ControlServer

    def test_ghost(self) -> None:
        """The original does not tell a client that replaces its ghost that it is open."""
        ann, again = self.page(), self.page()
        ann.open("ann", token="token")
        again.start("ann", token="token")
        again.execute("await new Promise((resolve) => setTimeout(resolve, 2000));")
        self.assertEqual(again.seen(), [])


class SignaldTests(PeerJsTestCase):
    """What this server does beyond the original."""

    server: SignaldServer

    def test_ghost(self) -> None:
        """A client with the id and token of a ghost is open at once, and is the one who is reached."""
        ann, ben = self.pages(token="token")
        again = self.page()
        again.open("ann", token="token")
        ben.connect("ann")
        again.wait_for("connection open")
        ann.wait_for("error unavailable-id")

    def test_crash(self) -> None:
        """After a kill, clients come back with their ids."""
        ann, ben = self.pages()
        self.server.daemon.kill()
        for page in (ann, ben):
            page.wait_for("disconnected")
        self.server.start_again()
        for page in (ann, ben):
            page.execute("peer.reconnect();")
            page.wait_for("open", 2)
        ann.connect("ben")
        ben.wait_for("connection open")

    def test_reserved(self) -> None:
        """During a restart nobody else gets an id."""
        ann = self.page()
        ann.open("ann")
        self.server.restart()
        thief = self.page()
        thief.start("ann")
        thief.wait_for("error unavailable-id")
        ann.execute("peer.reconnect();")
        ann.wait_for("open ann", 2)

    def test_upgrade(self) -> None:
        """`signald upgrade` hands over to a process in which clients come back with their ids; no connection ends."""
        ann, ben = self.pages()
        ann.connect("ben")
        data = self.server.daemon.data
        self.addCleanup(self.end_successor, data)
        subprocess.run([SCRIPTS / "signald", "upgrade", "--data-dir", data], check=True, timeout=PATIENCE)
        for page in (ann, ben):
            page.wait_for("disconnected")
            page.execute("peer.reconnect();")
            page.wait_for("open", 2)
        ben.execute("connections[0].send('still here');")
        ann.wait_for(["data", "still here"])
        ben.connect("ann")
        ann.wait_for("connection open", 2)
        self.assertEqual(faults(self.server.daemon.program.stderr), [])

    def end_successor(self, data: Path) -> None:
        """End the process that an upgrade has started, which is no child of the test's."""
        process = read_process_record(data).pid
        os.kill(process, signal.SIGTERM)
        until(lambda: not is_running(process), PATIENCE, "the successor's end")

    def test_off(self) -> None:
        """A daemon without the option gives no id."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.server = SignaldServer(directory, self.application.origin, peerjs="--no-peerjs")
        self.addCleanup(self.server.stop)
        ann = self.page()
        ann.start()
        ann.wait_for("error server-error")
