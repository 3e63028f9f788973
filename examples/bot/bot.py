"""A bot: it greets each member of a session, echoes messages, and sends the test pattern."""

import sys
from pathlib import Path

from signald_client.asyncio_reactor import run_in_reactor
from signald_client.pattern import PatternAndTone
from signald_client.peer import Peer
from signald_client.server import Address, Trust
from signald_client.signaling.messages import ForwardedMessage, Joined, MemberJoined


async def main(reactor, url, session, authority=None):
    def on_event(event):
        if isinstance(event, Joined):
            peer.send_message("Hello, everybody!")
        elif isinstance(event, MemberJoined):
            peer.send_message(f"Hello, {event.member.name or 'stranger'}!", event.member.user)
        elif isinstance(event, ForwardedMessage) and not event.content.startswith("You said: "):
            peer.send_message(f"You said: {event.content}", event.sender)

    trust = Trust(Path(authority).read_bytes() if authority else None)
    peer = Peer(Address.parse(url), PatternAndTone, name="Bot", trust=trust, on_event=on_event, reactor=reactor)
    await peer.connect()
    await peer.join_session(session)
    print(await peer.wait_until_ended())
    await peer.close()


run_in_reactor(lambda reactor: main(reactor, *sys.argv[1:]))
