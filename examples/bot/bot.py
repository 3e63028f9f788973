"""A bot in a call, which answers in the chat and sends the test pattern: `bot.py SERVER [SESSION [CA]]`."""

import asyncio
import secrets
import signal
import sys
from pathlib import Path

from signald_client.asyncio_reactor import run_in_reactor
from signald_client.pattern import PatternAndTone
from signald_client.peer import Peer
from signald_client.server import Address, Trust


class Chat:
    """Is told about the data channel with each member."""

    def __init__(self):
        self.answered = set()

    def connection_opened(self, member):
        pass

    def channel_ready(self, member):
        self.say(member, f"Hello, {member.name or 'stranger'}!")

    def message_received(self, member, message):
        match message:
            case {"type": "chat", "id": str(ident), "text": str(text)}:
                member.send_message({"type": "chat-received", "id": ident})
                # A message comes again when its acknowledgement was lost.
                if (member.user, ident) not in self.answered:
                    self.answered.add((member.user, ident))
                    # Two bots would answer each other for ever.
                    if not text.startswith("You said: "):
                        self.say(member, f"You said: {text}"[:4000])

    def connection_closed(self, member):
        pass

    def say(self, member, text):
        member.send_message({"type": "chat", "id": secrets.token_hex(8), "text": text})


async def main(reactor, url, session=None, authority=None):
    address = Address.parse(url)
    trust = Trust(Path(authority).read_bytes() if authority else None)
    peer = Peer(address, PatternAndTone, name="Bot", trust=trust, channels=Chat(), reactor=reactor)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, peer.stop, "interrupted")
    await peer.connect()
    if session:
        await peer.join_session(session)
    else:
        print("Open", address.link(await peer.open_session(8)), flush=True)
    print(await peer.wait_until_ended())
    await peer.close()


run_in_reactor(lambda reactor: main(reactor, *sys.argv[1:]))
