"""Tests the bot of docs/client.md, which is `examples/bot/bot.py`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed

from signald_client.data_channel import MemberChannel
from signald_client.peer import Peer
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media

reactor: Any = installed

ROOT = Path(__file__).parents[3]
BOT = ROOT / "examples" / "bot" / "bot.py"

SLOW_CALLBACK = re.compile(r"Executing <.*> took [0-9.]+ seconds")


#: The most lines of the bot, docstring and blank lines included.
MAX_LINES = 60


class Person:
    """Somebody who writes in the chat of a call, and reads the others' messages.

    Attributes:
        texts: the messages that have arrived.
        acknowledged: the ids of the own messages that have arrived at the others.
        bot: the member with whom there is a data channel.

    """

    def __init__(self) -> None:
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()

    def connection_opened(self, member: MemberChannel) -> None:
        """Do nothing: the channel is not ready yet."""

    def channel_ready(self, member: MemberChannel) -> None:
        """Keep the member, to write to it."""
        self.bot = member

    def message_received(self, member: MemberChannel, message: dict[str, Any]) -> None:
        """Keep what the bot writes and acknowledges."""
        if message["type"] == "chat":
            self.texts.put_nowait(message["text"])
        elif message["type"] == "chat-received":
            self.acknowledged.put_nowait(message["id"])

    def connection_closed(self, member: MemberChannel) -> None:
        """Do nothing: the call is about to end."""

    def write(self, ident: object, text: object) -> None:
        """Send a chat message to the bot."""
        self.bot.send_message({"type": "chat", "id": ident, "text": text})


class BotTests(AsyncCase):
    """Tests of the bot in the documentation."""

    def test_document(self) -> None:
        """docs/client.md shows the whole source of the bot, which is short."""
        text = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
        match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        assert match is not None
        self.assertEqual(match[1], BOT.read_text(encoding="utf-8"))
        self.assertLessEqual(len(match[1].splitlines()), MAX_LINES)

    @asynchronous
    async def test_bot(self) -> None:
        """The bot greets everybody, acknowledges and answers each message once, sends media, and ends with the call.

        It does not answer the answer of another bot, and what it sends is not longer than a message may be.
        """
        address = self.address(self.start_daemon())
        made: list[SmallMedia] = []
        chats = (Person(), Person())
        ann = Peer(address, make_media(made), trust=self.trust(), channels=chats[0], reactor=reactor)
        await ann.connect()
        session = await ann.open_session(3)
        bot = await self.start_bot(address.url, session)
        self.assertEqual(await chats[0].texts.get(), "Hello, stranger!")
        chats[0].write("1", "Are you a bot?")
        chats[0].write("1", "Are you a bot?")
        chats[0].write(2, "This is no message.")
        chats[0].write("4", "You said: another bot says so.")
        chats[0].write("3", "Bye!".ljust(4000, "!"))
        answers = [await chats[0].texts.get() for _ in range(2)]
        self.assertEqual(answers, ["You said: Are you a bot?", "You said: Bye!".ljust(4000, "!")])
        self.assertEqual([await chats[0].acknowledged.get() for _ in range(4)], ["1", "1", "4", "3"])
        bob = Peer(address, SmallMedia, name="Bob", trust=self.trust(), channels=chats[1], reactor=reactor)
        await bob.connect()
        await bob.join_session(session)
        # Ann's program has no chat for Bob: the greeting is the bot's.
        self.assertEqual(await chats[1].texts.get(), "Hello, Bob!")
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
