"""A chat over signaling alone, on Twisted: `chat.py SERVER [SESSION [NAME]]`; without a session it opens one."""

import json
import random
import sys
import uuid
from urllib.parse import urljoin

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
from twisted.internet.defer import Deferred
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall, react
from twisted.protocols.basic import LineOnlyReceiver

from signald_client.signaling.client import SUBPROTOCOL, SignalingClient
from signald_client.signaling.events import (
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    Interrupted,
    Refused,
    Resumed,
    SendFrame,
)
from signald_client.signaling.messages import Ended, ForwardedMessage, Joined, MemberJoined, MemberLeft, Opened


class Socket(WebSocketClientProtocol):
    def onOpen(self):
        self.factory.chat.report(self.factory, "socket_opened")

    def onMessage(self, payload, isBinary):
        self.factory.chat.report(self.factory, "frame_received", payload.decode())

    def onClose(self, wasClean, code, reason):
        self.factory.chat.report(self.factory, "socket_closed", code or 1006, reason or "")


class Sockets(WebSocketClientFactory):
    """Makes the WebSocket of one attempt to connect."""

    protocol = Socket
    noisy = False
    socket = None

    def buildProtocol(self, address):
        self.socket = super().buildProtocol(address)
        return self.socket

    def clientConnectionFailed(self, connector, reason):
        self.chat.report(self, "socket_closed", 1006, "")


class Lines(LineOnlyReceiver):
    """Standard input."""

    delimiter = b"\n"

    def __init__(self, chat):
        self.chat = chat

    def lineReceived(self, line):
        self.chat.say(line.decode())

    def connectionLost(self, reason):
        self.chat.stop()


class Chat:
    def __init__(self, reactor, page):
        self.client = SignalingClient(json, random.random, str(uuid.uuid4()), "chat.py")
        self.page, self.url = page, urljoin(page, "ws").replace("http", "ws", 1)
        self.reactor = reactor
        self.attempt = self.planned = self.session = None
        self.names = {}
        self.over = Deferred()

    # The edge of the signaling client: reports of the socket go in, and its effects are carried out.

    def report(self, attempt, what, *facts):
        if attempt is self.attempt:  # One that was discarded has nothing to say any more.
            self.perform(getattr(self.client, what)(*facts, self.reactor.seconds()))

    def perform(self, results):
        for result in results:
            match result:
                case SendFrame():
                    self.attempt.socket.sendMessage(result.text.encode())
                case CloseSocket():
                    self.discard(result.code, result.reason)
                case ConnectAfter():
                    self.discard(1000, "")
                    self.planned = self.reactor.callLater(result.seconds, self.connect)
                case _:
                    self.show(result)

    def discard(self, code, reason):
        if self.attempt and self.attempt.socket:
            self.attempt.socket.sendClose(code, reason or None)
        if self.planned and self.planned.active():
            self.planned.cancel()
        self.attempt = None

    def connect(self):
        self.attempt = Sockets(self.url, protocols=[SUBPROTOCOL], reactor=self.reactor)
        self.attempt.chat = self
        connectWS(self.attempt, optionsForClientTLS(self.attempt.host) if self.attempt.isSecure else None)

    # The chat itself

    def show(self, event):
        match event:
            case Opened():
                self.session = event.session
                print(f"In another terminal: {sys.executable} {sys.argv[0]} {self.page} {event.session} Bob")
            case Joined():
                self.session = event.session
                self.names = {member.user: member.name or "somebody" for member in event.members}
            case MemberJoined():
                self.names[event.member.user] = event.member.name or "somebody"
                print(f"{self.names[event.member.user]} is here.")
            case MemberLeft():
                print(f"{self.names.pop(event.user)} is gone.")
            case ForwardedMessage():
                # Control characters of a stranger could do anything to the terminal.
                print(f"{self.names[event.sender]}: {''.join(filter(str.isprintable, event.content))}")
            case Interrupted():
                print(f"No connection; the next attempt is in {event.seconds:.1f} s.")
            case Dropped():
                print(f"Messages that may be lost with the connection: {len(event.messages)}.")
            case Resumed(survival="nothing"):
                print("The server has forgotten this chat.")
                self.stop()
            case Refused():
                print(event.sentence)
                self.stop()
            case Ended() | Disconnected():
                self.stop()

    async def run(self, session=None, name="Ann"):
        self.perform(self.client.connect())
        self.perform(self.client.join_session(session, name) if session else self.client.open_session(8, name))
        StandardIO(Lines(self))
        LoopingCall(lambda: self.perform(self.client.tick(self.reactor.seconds()))).start(1)
        self.reactor.addSystemEventTrigger("before", "shutdown", self.leave)
        await self.over

    def leave(self):
        """Close the connection, and return a Deferred of its end."""
        socket = self.attempt and self.attempt.socket
        self.perform(self.client.disconnect())
        return socket and socket.is_closed

    def say(self, text):
        if self.session:
            self.perform(self.client.send_message(self.session, text))

    def stop(self):
        if not self.over.called:
            self.over.callback(None)


async def main(reactor, page, *arguments):
    await Chat(reactor, page).run(*arguments)


react(main, sys.argv[1:])
