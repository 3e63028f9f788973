"""docs/embedding.md shows the example that its tests run, and names what the module and the page have."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.sources import load
from signald_page.client.model.device_choices import DeviceChoices
from signald_page.client.model.embedding_messages import CommandError, EmbeddingMessages, describe
from signald_page.client.model.page_state import PageState

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "embedding.md"
EXAMPLE = ROOT / "examples" / "embedding"


class _Commands:
    """Commands that all succeed, but to choose a device."""

    def enter(self, session: str, name: str, password: str) -> None:
        """Do nothing."""

    def choose_device(self, kind: str, device: str) -> None:
        """Refuse."""
        raise CommandError("unknown-device")

    def hang_up(self) -> None:
        """Do nothing."""

    def switch_device(self, kind: str, on: bool) -> None:
        """Do nothing."""


class EmbeddingDocumentTests(SynchronousTestCase):
    """The blocks and tables of the page; tests.suites.e2e.test_embedding starts the example."""

    def setUp(self) -> None:
        """Read the page."""
        self.text = DOCUMENT.read_text("utf-8")
        self.blocks = re.findall(r"(?s)```(\w*)\n(.*?)```", self.text)

    def block(self, language: str) -> str:
        """Return the first block in a language."""
        text: str = next(text for found, text in self.blocks if found == language)
        return text

    def test_files(self) -> None:
        """The page and its script are the files of the example, and the command is its own."""
        self.assertEqual(self.block("html"), (EXAMPLE / "index.html").read_text("utf-8"))
        self.assertEqual(self.block("js"), (EXAMPLE / "app.js").read_text("utf-8"))
        self.assertIn("$ .venv/bin/python examples/embedding/run.py\n", self.block("console"))
        self.assertTrue((EXAMPLE / "run.py").is_file())

    def test_configuration(self) -> None:
        """The file of the page can be used, once its logo is there."""
        text = self.block("toml")
        logo = Path(self.mktemp()).resolve()
        logo.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")
        file = Path(self.mktemp()).resolve()
        file.write_text(text.replace(tomllib.loads(text)["page"]["logo"], str(logo)))
        config = load([], file, {"XDG_DATA_HOME": str(file.parent)}).config
        self.assertEqual((len(config.embed_origins), config.page.title), (2, "Example calls"))

    def test_messages(self) -> None:
        """The messages that are shown are carried out or sent as they are."""
        sent: list[dict[str, object]] = []
        messages = EmbeddingMessages(["https://a"], _Commands(), lambda message, _: sent.append(message))
        state = PageState()
        state.show_start("")
        messages.update(describe(state, DeviceChoices({}), lambda _: ""))
        lines = re.findall(r"(?m)^(your|call) page  (\{.*\})$", self.text)
        self.assertEqual(len(lines), 8)
        for who, text in lines:
            if who == "your":
                messages.receive("https://a", json.loads(text))
        self.assertEqual(messages.ignored, 0)
        state.start_call("guest", "7Q2M9RT6ZC")
        messages.update(describe(state, DeviceChoices({}), lambda _: ""))
        for who, text in lines:
            if who == "call":
                self.assertIn(json.loads(text), sent)

    def test_names(self) -> None:
        """Every option, method and event of the module's types is explained, and no other one."""
        types = (ROOT / "clients" / "js" / "embed.d.mts").read_text("utf-8")
        options = set(re.findall(r"(?m)^  (\w+)\?: ", types))
        methods = set(re.findall(r"(?m)^  (\w+)\(.*\): void;$", types)) - {"addEventListener"}
        events = set(
            re.findall(r"(?m)^  (\w+): .*;$", types.partition("interface CallPageEvents {")[2].partition("}\n")[0])
        )
        cells = re.findall(r"(?m)^\| (`.*?) \|", self.text)
        named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
        self.assertEqual(named, options | methods | events)
