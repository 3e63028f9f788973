"""A chat over signaling alone, on asyncio: `chat.py SERVER [SESSION [NAME]]`; without a session it opens one."""

import asyncio
import contextlib
import json
import random
import sys
import uuid
from urllib.parse import urljoin

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

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
        self.factory.chat.report(self, "socket_opened")

    def onMessage(self, payload, isBinary):
        self.factory.chat.report(self, "frame_received", payload.decode())

    def onClose(self, wasClean, code, reason):
        self.factory.chat.report(self, "socket_closed", code or 1006, reason or "")


class Chat:
    def __init__(self, page):
        self.client = SignalingClient(json, random.random, str(uuid.uuid4()), "chat.py")
        self.page, self.url = page, urljoin(page, "ws").replace("http", "ws", 1)
        self.socket = self.attempt = self.session = None
        self.names = {}
        self.over = asyncio.Event()

    # The edge of the signaling client: reports of the socket go in, and its effects are carried out.

    def report(self, socket, what, *facts):
        if socket is self.socket:  # One that was discarded has nothing to say any more.
            self.perform(getattr(self.client, what)(*facts, asyncio.get_running_loop().time()))

    def perform(self, results):
        for result in results:
            match result:
                case SendFrame():
                    self.socket.sendMessage(result.text.encode())
                case CloseSocket():
                    self.discard(result.code, result.reason)
                case ConnectAfter():
                    self.discard(1000, "")
                    self.attempt = asyncio.create_task(self.connect(result.seconds))
                case _:
                    self.show(result)

    def discard(self, code, reason):
        if self.socket:
            self.socket.sendClose(code, reason or None)
        if self.attempt and self.attempt is not asyncio.current_task():
            self.attempt.cancel()
        self.socket = self.attempt = None

    async def connect(self, seconds):
        await asyncio.sleep(seconds)
        factory = WebSocketClientFactory(self.url, protocols=[SUBPROTOCOL])
        factory.protocol, factory.chat = Socket, self
        connection = asyncio.get_running_loop().create_connection(
            factory, factory.host, factory.port, ssl=factory.isSecure or None
        )
        try:
            _, self.socket = await connection
        except OSError:
            self.report(self.socket, "socket_closed", 1006, "")

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
                self.over.set()
            case Refused():
                print(event.sentence)
                self.over.set()
            case Ended() | Disconnected():
                self.over.set()

    async def run(self, session=None, name="Ann"):
        loop = asyncio.get_running_loop()
        self.perform(self.client.connect())
        self.perform(self.client.join_session(session, name) if session else self.client.open_session(8, name))
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        tasks = [asyncio.create_task(task) for task in (self.read(lines), self.tick(), self.over.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            socket = self.socket
            self.perform(self.client.disconnect())
            if socket:
                await socket.is_closed

    async def read(self, lines):
        async for line in lines:
            if self.session:
                self.perform(self.client.send_message(self.session, line.decode().rstrip("\n")))

    async def tick(self):
        while True:
            await asyncio.sleep(1)
            self.perform(self.client.tick(asyncio.get_running_loop().time()))


async def main():
    await Chat(sys.argv[1]).run(*sys.argv[2:])


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
