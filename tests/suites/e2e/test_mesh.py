"""Tests calls of several members, in which each member is connected to every other member."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import websocket

from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.cheap_media import PICTURE, open_small_page, write_silent_film
from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.report import add_mesh, add_picture
from tests.suites.e2e.waiting import until

#: The example bot that the documentation shows.
BOT = Path(__file__).parents[3] / "examples" / "bot" / "bot.py"

#: The number of decoded frames of each other member that counts as a working stream.
ENOUGH = 10

#: The number of frames after which the peers, who tell their figures at the end alone, are asked to end: the last of
#: them connect to each other some time after the pages.
PLENTY = 3 * ENOUGH


def decoded(page: CallPage) -> dict[str, int]:
    """Return the number of frames that a page has decoded, by the last four symbols of the sender's user id."""
    members: dict[str, dict[str, Any]] = json.loads(page.tab.evaluate("globalThis.signald.stats()"))
    return {user[-4:]: figures["framesDecoded"] for user, figures in members.items()}


def sees_all(page: CallPage) -> bool:
    """Return whether a page shows seven other members and has decoded plenty of the video of each."""
    tiles = page.tab.evaluate("document.querySelectorAll('#remotes video[data-user]').length")
    counts = decoded(page)
    return tiles == 7 and len(counts) == 7 and min(counts.values()) > PLENTY


class MeshTests(CallTestCase):
    """Tests of calls with more than two members."""

    def test_eight(self) -> None:
        """Two pages and six peers are in a call; each decodes the videos of the seven others."""
        host, guest = (open_small_page(self.daemon.url) for _ in range(2))
        for page in (host, guest):
            self.addCleanup(page.tab.close)
        film = self.directory / "film.mp4"
        write_silent_film(film)
        session = host.host()
        guest.join(session)
        host.wait_for("connected")
        peers = []
        for name in ("Cat", "Dan", "Eve", "Fay", "Gil", "Hal"):
            server = ["--server", self.daemon.signaling_url, "--ca", str(self.daemon.authority)]
            program = str(SCRIPTS / "signald-peer")
            peer = Program([program, "join", session, "--name", name, "--play", film, *PICTURE, *server])
            self.addCleanup(peer.stop, signal.SIGKILL)
            peers.append(peer)
        for page in (host, guest):
            until(sees_all, 2 * PATIENCE, "pictures of seven others", page)
        add_picture(host.tab, "eight")
        rows = []
        for name, page in (("page", host), ("page", guest)):
            rows.append(f"{name:<6}" + "".join(f"{user}: {count:<8}" for user, count in decoded(page).items()))
        for peer in peers:
            peer.process.send_signal(signal.SIGINT)
        for peer in peers:
            # A page without a microphone sends no sound, for which the exit status is not 0.
            peer.wait(2 * PATIENCE)
            members = json.loads(peer.stdout)["members"]
            counts = {member["user"][-4:]: member["video-frames-received"] for member in members}
            self.assertEqual(len(counts), 7)
            self.assertGreater(min(counts.values()), ENOUGH)
            rows.append(f"{'peer':<6}" + "".join(f"{user}: {count:<8}" for user, count in counts.items()))
        add_mesh(rows)

    def test_an_escaped_emoji(self) -> None:
        """The tile shows a name correctly if a Python client sends an emoji as JSON escapes."""
        page = self.page()
        session = page.host()
        context = {"ca_certs": str(self.daemon.authority)}
        client = websocket.create_connection(
            self.daemon.signaling_url, timeout=PATIENCE, sslopt=context, subprotocols=["signald.1"]
        )
        self.addCleanup(client.close)
        client.send('{"type":"hello","version":1}')
        name = r"Zo\u00eb \ud83d\ude00"
        client.send(f'{{"type":"join","session":"{session}","name":"{name}"}}')
        page.wait_for("calling")
        shown = "document.querySelector('#remotes .name').textContent"
        until(lambda: page.tab.evaluate(shown) == "Zoë 😀", PATIENCE, "the name on the tile")

    def test_the_bot(self) -> None:
        """The bot of the documentation has a call with a peer."""
        host = self.peer("host", "--duration", "20")
        session = host.session()
        bot = Program([sys.executable, BOT, self.daemon.signaling_url, session, self.daemon.authority])
        self.addCleanup(bot.stop, signal.SIGKILL)
        figures = host.figures()
        self.assertGreater(min(figures.frames_in, figures.frames_out, figures.audio_in, figures.audio_out), ENOUGH)
        self.assertEqual(bot.wait(), 0, bot.stderr)
