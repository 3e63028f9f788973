"""Tests the bot of docs/client.md, which is `examples/bot.py`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed

from signald_client.peer import Peer
from signald_client.signaling.messages import ForwardedMessage
from signald_client.signaling.wire import Value
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media

reactor: Any = installed

ROOT = Path(__file__).parents[3]
BOT = ROOT / "examples" / "bot.py"

SLOW_CALLBACK = re.compile(r"Executing <.*> took [0-9.]+ seconds")


class BotTests(AsyncCase):
    """Tests of the bot in the documentation."""

    def test_document(self) -> None:
        """docs/client.md shows the whole source of the bot, which has at most 30 lines."""
        text = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
        match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        assert match is not None
        self.assertEqual(match[1], BOT.read_text(encoding="utf-8"))
        self.assertLessEqual(len(match[1].splitlines()), 30)

    @asynchronous
    async def test_bot(self) -> None:
        """The bot greets present and new members, echoes messages, sends media, and ends with the session."""
        address = self.address(self.start_daemon())
        texts: asyncio.Queue[str] = asyncio.Queue()

        def collect(event: Value) -> None:
            if isinstance(event, ForwardedMessage):
                texts.put_nowait(event.content)

        made: list[SmallMedia] = []
        ann = Peer(address, make_media(made), trust=self.trust(), on_event=collect, reactor=reactor)
        await ann.connect()
        session = await ann.open_session(3)
        bot = await self.start_bot(address.url, session)
        self.assertEqual(await texts.get(), "Hello, everybody!")
        ann.send_message("Are you a bot?")
        self.assertEqual(await texts.get(), "You said: Are you a bot?")
        bob = Peer(address, SmallMedia, name="Bob", trust=self.trust(), on_event=collect, reactor=reactor)
        await bob.connect()
        await bob.join_session(session)
        self.assertEqual(await texts.get(), "Hello, Bob!")
        await made[0].flowing
        await bob.close()
        self.assertTrue((await ann.close()).flowed)
        out, err = await bot.communicate()
        # Development mode also logs callbacks that took more than 0.1 s, as they do on a busy machine.
        lines = [line for line in err.decode().splitlines() if not SLOW_CALLBACK.fullmatch(line)]
        self.assertEqual((out, lines), (b"host-left\n", []))
        self.assertEqual(bot.returncode, 0)

    async def start_bot(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the bot in a process of Python's development mode, which warns about leaked resources."""
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-X", "dev", str(BOT), *arguments, str(self.data.absolute() / "ca.pem")]
        bot = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        self.addCleanup(lambda: bot.kill() if bot.returncode is None else None)
        return bot
