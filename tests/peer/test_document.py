"""The example of docs/client.md."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed

from signald_client.peer import Peer
from signald_client.signaling.session_ids import find_session_id
from tests.peer.case import AsyncCase, SmallMedia, asynchronous, make_media

reactor: Any = installed

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "client.md"


class BotTests(AsyncCase):
    """The bot."""

    @asynchronous
    async def test_bot(self) -> None:
        """It hosts a session, sends back what it gets, and ends with the server."""
        daemon = self.start_daemon()
        match = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
        assert match is not None
        code = match[1].replace("wss://localhost:9000/ws", self.address(daemon).url)
        pipe = asyncio.subprocess.PIPE
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "dev", "-c", code, cwd=self.data, stdout=pipe, stderr=pipe
        )
        self.addCleanup(lambda: bot.kill() if bot.returncode is None else None)
        assert bot.stdout is not None
        link = (await bot.stdout.readline()).decode()
        made: list[SmallMedia] = []
        peer = Peer(self.address(daemon), make_media(made), trust=self.trust(), reactor=reactor)
        await peer.connect()
        await peer.join(find_session_id(link))
        await made[0].flowing
        self.assertTrue((await peer.close()).flowed)
        stopping: Any = daemon.stopService()
        await stopping.asFuture(asyncio.get_running_loop())
        self.assertEqual(await bot.communicate(), (b"disconnected\n", b""))
        self.assertEqual(bot.returncode, 0)
