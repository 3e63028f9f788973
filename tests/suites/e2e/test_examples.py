"""Starts the examples of docs/examples.md by their commands, and uses them as people do."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.program import Program
from tests.suites.e2e.test_chat import open_chat, wait_for_messages, write
from tests.suites.e2e.waiting import until

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"

PATIENCE = 30.0

#: The marks of the board, a dot for a field without one.
BOARD = "[...document.querySelectorAll('#board button')].map((each) => each.textContent || '.').join('')"

STATE = "document.getElementById('state').textContent"


class ExampleCase(SynchronousTestCase):
    """A test case that starts examples."""

    def start(self, example: str, *options: str) -> Program:
        """Start an example by its command, with a server on a free port."""
        return self.program(EXAMPLES / example / "run.py", "--server-port", "0", *options)

    def program(self, script: Path, *arguments: str) -> Program:
        """Start a Python program with a home and a standard input of its own."""
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        program = Program(
            [sys.executable, script, *arguments], environment={"HOME": str(home)}, directory=ROOT, interactive=True
        )
        self.addCleanup(program.stop, signal.SIGINT)
        return program

    def tab(self, url: str) -> ChromiumTab:
        """Open an address in a new tab."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.open(url)
        return tab


class ChatTests(ExampleCase):
    """The chats over signaling alone."""

    def talk(self, example: str, other: str) -> None:
        """Start a chat and join it with the other program; one ends by Ctrl-C, the other with its standard input."""
        ann = self.start(example)
        page, session = ann.wait_for(r"In another terminal: \S+ \S+ (\S+) (\S+) Bob", PATIENCE).groups()
        bob = self.program(EXAMPLES / other / "chat.py", page, session, "Bob")
        ann.wait_for("Bob is here", PATIENCE)
        ann.type_line("Hello, Bob!")
        bob.wait_for("Ann: Hello, Bob!", PATIENCE)
        # What a terminal would take for a command loses its control characters.
        bob.type_line("\x1b]0;Hello,\x07 \x9bAnn!")
        ann.wait_for("Bob: ]0;Hello, Ann!", PATIENCE)
        self.assertEqual((bob.stop(signal.SIGINT), bob.stderr), (0, ""))
        # Bob has left, and is not merely away.
        ann.wait_for("Bob is gone", PATIENCE)
        assert ann.process.stdin is not None
        ann.process.stdin.close()
        self.assertEqual((ann.wait(), ann.stderr), (0, ""))

    def test_asyncio(self) -> None:
        """The chat on asyncio opens a session, which that on Twisted joins."""
        self.talk("chat-asyncio", "chat-twisted")

    def test_twisted(self) -> None:
        """The chat on Twisted opens a session, which that on asyncio joins."""
        self.talk("chat-twisted", "chat-asyncio")


class GameTests(ExampleCase):
    """The game over a data channel."""

    def test_game(self) -> None:
        """Two players play to the end, one of them reloads the page meanwhile, and they begin another game."""
        url = self.start("game", "--port", "0").wait_for(r"Open (\S+)", PATIENCE)[1]
        host = self.tab(url)
        until(lambda: host.evaluate("location.hash.length > 1"), PATIENCE, "a session")
        guest = self.tab(url + host.evaluate("location.hash"))

        def move(tab: ChromiumTab, field: int, board: str) -> None:
            button = f"#board button:nth-child({field})"
            until(lambda: tab.evaluate(f"!document.querySelector('{button}').disabled"), PATIENCE, f"the move {board}")
            tab.click(button)
            for each in (host, guest):
                until(lambda each: each.evaluate(BOARD) == board, PATIENCE, f"the board {board}", each)

        move(host, 1, "X........")
        move(guest, 5, "X...O....")
        self.assertEqual(guest.evaluate(STATE), "The other player's turn.")
        guest.reload()
        until(lambda: guest.evaluate(BOARD) == "X...O....", PATIENCE, "the board after a reload")
        move(host, 2, "XX..O....")
        move(guest, 9, "XX..O...O")
        move(host, 3, "XXX.O...O")
        for tab in (host, guest):
            self.assertEqual(tab.evaluate(STATE), "X wins.")
        guest.click("#again")
        until(lambda: host.evaluate(BOARD) == ".........", PATIENCE, "another game")
        self.assertEqual(host.evaluate(STATE), "Your turn.")


class BotTests(ExampleCase):
    """The bot, in a call with the page."""

    def test_bot(self) -> None:
        """The bot shows its picture, greets the person in the chat, and answers; its command ends without an error."""
        bot = self.start("bot")
        page = CallPage(self.tab(bot.wait_for(r"Open (\S+)", PATIENCE)[1]))
        page.wait_for("start")
        page.tab.type("#name", "Ann")
        page.join()
        page.wait_for("connected")
        until(lambda: page.picture()[0] > 0, PATIENCE, "the bot's picture")
        open_chat(page)
        wait_for_messages(page, ["Bot", "Hello, Ann!", ""])
        write(page, "Are you a bot?")
        greeting, answer = ["Bot", "Hello, Ann!", ""], ["Bot", "You said: Are you a bot?", ""]
        wait_for_messages(page, greeting, ["You", "Are you a bot?", "Delivered"], answer)
        self.assertEqual((bot.stop(signal.SIGINT), bot.stderr), (0, ""))
        self.assertIn("interrupted", bot.stdout)
