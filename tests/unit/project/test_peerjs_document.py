"""The page about clients of PeerJS says what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from attrs import fields

from signald.config.setting_names import settings
from signald.core.limits import Limits
from tests.support.directory_server import DirectoryCase, PeerJsClient

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "peerjs.md"


class PeerJsDocumentTests(DirectoryCase):
    """Examples and options of `docs/peerjs.md`."""

    def setUp(self) -> None:
        """Read the page."""
        super().setUp()
        self.text = DOCUMENT.read_text("utf-8")

    def test_exchange(self) -> None:
        """The server answers the messages of the example as the page says."""
        clients = {"ann": PeerJsClient(self.server, "ann"), "ben": self.connect("ben")}
        lines = re.findall(r"^(ann|ben) (→|←) (\{.*\})$", self.text, re.MULTILINE)
        self.assertEqual(len(lines), 4)
        received: dict[str, list[object]] = {"ann": [], "ben": []}
        for name, direction, text in lines:
            if direction == "→":
                clients[name].send_text(text.encode())
            for other, client in clients.items():
                received[other] += client.take()
            if direction == "←":
                self.assertEqual(received[name].pop(0), json.loads(text))
        self.assertEqual(received, {"ann": [], "ben": []})

    def test_options(self) -> None:
        """Each option of signald that the page names exists, and each limit."""
        known = {setting.option for setting in settings().values()}
        limits = set(re.findall(r"--limit ([a-z-]+)=", self.text))
        self.assertLessEqual(limits, {field.name.replace("_", "-") for field in fields(Limits)})
        named = set(re.findall(r"--(peerjs[a-z-]*|allow-origin|trusted-proxy)\b", self.text))
        self.assertLessEqual(named, known)
        self.assertEqual({name for name in known if name.startswith("peerjs")} - named, set())
