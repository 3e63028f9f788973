"""The bot of docs/client.md, which is the one in `examples`."""

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


class BotTests(AsyncCase):
    """The bot."""

    def test_document(self) -> None:
        """The document shows it as it is, and it is short."""
        text = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
        match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        assert match is not None
        self.assertEqual(match[1], BOT.read_text(encoding="utf-8"))
        self.assertLessEqual(len(match[1].splitlines()), 30)

    @asynchronous
    async def test_bot(self) -> None:
        """It greets who is there and who comes, echoes, is in the call, and ends with the session."""
        address = self.address(self.start_daemon())
        said: asyncio.Queue[str] = asyncio.Queue()

        def hear(event: Value) -> None:
            if isinstance(event, ForwardedMessage):
                said.put_nowait(event.content)

        made: list[SmallMedia] = []
        ann = Peer(address, make_media(made), trust=self.trust(), event=hear, reactor=reactor)
        await ann.connect()
        session = await ann.open(3)
        bot = await self.start_bot(address.url, session)
        self.assertEqual(await said.get(), "Hello, everybody!")
        ann.say("Are you a bot?")
        self.assertEqual(await said.get(), "You said: Are you a bot?")
        bob = Peer(address, SmallMedia, name="Bob", trust=self.trust(), event=hear, reactor=reactor)
        await bob.connect()
        await bob.join(session)
        self.assertEqual(await said.get(), "Hello, Bob!")
        await made[0].flowing
        await bob.close()
        self.assertTrue((await ann.close()).flowed)
        self.assertEqual(await bot.communicate(), (b"host-left\n", b""))
        self.assertEqual(bot.returncode, 0)

    async def start_bot(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the bot in a process of its own, in Python's development mode, which complains about leftovers."""
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-X", "dev", str(BOT), *arguments, str(self.data.absolute() / "ca.pem")]
        bot = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        self.addCleanup(lambda: bot.kill() if bot.returncode is None else None)
        return bot
