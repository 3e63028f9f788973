"""A bot: it greets each member of a session, sends back what it is told, and shows the test picture."""

import sys
from pathlib import Path

from signald_client.media import PatternAndTone
from signald_client.peer import Peer
from signald_client.running import run
from signald_client.server import Address, Trust
from signald_client.signaling.messages import ForwardedMessage, Joined, MemberJoined


async def main(reactor, url, session, authority=None):
    def on_event(event):
        if isinstance(event, Joined):
            peer.say("Hello, everybody!")
        elif isinstance(event, MemberJoined):
            peer.say(f"Hello, {event.member.name or 'stranger'}!", event.member.user)
        elif isinstance(event, ForwardedMessage) and not event.content.startswith("You said: "):
            peer.say(f"You said: {event.content}", event.sender)

    trust = Trust(Path(authority).read_bytes() if authority else None)
    peer = Peer(Address.parse(url), PatternAndTone, name="Bot", trust=trust, event=on_event, reactor=reactor)
    await peer.connect()
    await peer.join(session)
    print(await peer.ended())
    await peer.close()


run(lambda reactor: main(reactor, *sys.argv[1:]))
