"""A server in memory that serves clients of PeerJS and matchbox, and such clients."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.directory_access import DirectoryAccess
from signald.auth.tokens import TokenVerifier
from signald.config.settings import Tokens
from signald.core.directory import Directory
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.dialects import matchbox, peerjs
from signald.dialects.dialect import DirectoryDialect
from signald.net.origins import OriginRule
from signald.server.directory_switchboard import DirectorySwitchboard
from signald.server.directory_web import DirectoryPaths, add_directory, add_rooms, rooms_path
from signald.server.directory_websocket import DirectoryPort
from signald.server.factory import DirectoryFactory
from signald.server.upgrade_request import UpgradeRule
from tests.support.access import NOW
from tests.support.connections import make_switchboard
from tests.support.endpoints import CLIENT, CLOSE, TEXT, Endpoint, frame, parse_frames, parse_response, upgrade_request
from tests.support.memory_server import MemoryServer

__all__ = ["DirectoryCase", "DirectoryServer", "MatchboxClient", "PeerJsClient"]


class DirectoryServer(MemoryServer):
    """A server whose page's port serves clients of PeerJS and matchbox too.

    Attributes:
        switchboard: the switchboard, whose snapshots contain the directory.
        directory: the switchboard of PeerJS's clients.
        rooms: the switchboard of matchbox's clients.
        port: the port of PeerJS's clients.
        rooms_port: the port of matchbox's clients, whose ids are numbered.

    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        paths: DirectoryPaths | None = None,
        tokens: Tokens | None = None,
        lists_ids: bool = False,
        origins: OriginRule | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(limits, **changes)
        limits = limits or Limits()
        paths = paths or DirectoryPaths("/", peerjs.PATH, peerjs.DEFAULT_KEY)
        base = changes.get("base", "/")
        self.switchboard = make_switchboard(self.clock, limits)
        self.directory = DirectorySwitchboard(Directory(limits), self.clock, self.switchboard.intake)
        self.rooms = DirectorySwitchboard(Directory(limits), self.clock, self.switchboard.intake)
        self.switchboard.directory, self.switchboard.rooms = self.directory, self.rooms
        self._tokens, self._origins = tokens or Tokens(), origins or OriginRule.of(tls=False, every=True)
        self.port = self._make_port(
            limits, peerjs.PeerJs, paths.websocket, paths.key, self.directory, lambda size: b"\x17" * size
        )
        add_directory(self.site, DirectoryFactory(self.port), paths, lists_ids=lists_ids)
        numbers = count(1)
        self.rooms_port = self._make_port(
            limits,
            matchbox.Matchbox,
            rooms_path(base, matchbox.PATH),
            "",
            self.rooms,
            lambda size: next(numbers).to_bytes(size, "big"),
        )
        add_rooms(self.site, DirectoryFactory(self.rooms_port), base, matchbox.PATH)

    def _make_port(
        self,
        limits: Limits,
        dialect: type[DirectoryDialect],
        path: str,
        key: str,
        directory: DirectorySwitchboard,
        random_bytes: Callable[[int], bytes],
    ) -> DirectoryPort:
        bad_tokens = self.switchboard.hub.guesses.tokens
        return DirectoryPort(
            switchboard=self.switchboard,
            limits=limits,
            budget=self.budget,
            admission=self.admission,
            clock=self.clock,
            rounds=self.rounds,
            rule=UpgradeRule.of([dialect], self._origins, path),
            directory=directory,
            access=DirectoryAccess(key, TokenVerifier(self._tokens), bad_tokens, lambda: NOW),
            random_bytes=random_bytes,
        )

    def tick(self, seconds: float) -> None:
        """Let time pass, with the work of every second, and without pings that nobody answers."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.switchboard.tick()


class _Client:
    """A client of the directory on a transport in memory.

    Attributes:
        endpoint: the client's side of the connection.
        status: the status of the response to its opening handshake.
        closed: the code and reason of the server's close frame; None before.

    """

    def __init__(self, server: DirectoryServer, target: str, address: str, **headers: str) -> None:
        self.endpoint = Endpoint(server.site, address, server.clock)
        self.closed: tuple[int, str] | None = None
        self.endpoint.send(upgrade_request(target, **headers))
        self.status, _, self._unread = parse_response(self.endpoint.answer())

    def send_text(self, *texts: bytes) -> None:
        """Send text messages in one read."""
        self.endpoint.send(b"".join(frame(TEXT, text) for text in texts))

    def take(self) -> list[Any]:
        """Read the messages that have arrived."""
        data, self._unread = self._unread + self.endpoint.answer(), b""
        messages = []
        for opcode, payload in parse_frames(data):
            if opcode == TEXT:
                messages.append(json.loads(payload))
            elif opcode == CLOSE:
                code = struct.unpack_from("!H", payload)[0]
                self.closed = (code, payload[2:].decode())
        return messages

    def close(self) -> None:
        """Lose the connection."""
        self.endpoint.disconnect()


class PeerJsClient(_Client):
    """A client of PeerJS."""

    def __init__(
        self, server: DirectoryServer, id: str, token: str | None = "", *, address: str = CLIENT, **more: Any
    ) -> None:
        """Connect and claim an id, with the id as the token by default.

        Arguments:
            server: the server.
            id: the id.
            token: the secret.
            address: the client's address.
            more: other parameters, of which one that is None is omitted; and `headers` of the request.

        """
        headers = more.pop("headers", {})
        parameters = {"key": "peerjs", "id": id, "token": id if token == "" else token, "version": "1.5.5", **more}
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        super().__init__(server, f"{server.port.rule.path}?{query}", address, **headers)

    def send(self, type_: str, dst: str | None = None, **more: Any) -> None:
        """Send a message."""
        receiver = {} if dst is None else {"dst": dst}
        self.send_text(json.dumps({"type": type_, **receiver, **more}).encode())

    def types(self) -> list[str]:
        """Read the types of the messages that have arrived."""
        return [message["type"] for message in self.take()]


class MatchboxClient(_Client):
    """A client of matchbox.

    Attributes:
        id: the id that it was assigned; empty where it was refused.

    """

    def __init__(self, server: DirectoryServer, target: str, *, address: str = CLIENT, **headers: str) -> None:
        """Enter a room.

        Arguments:
            server: the server.
            target: the room's name, with the query.
            address: the client's address.
            headers: headers of the request.

        """
        super().__init__(server, f"/{matchbox.PATH}/{target}", address, **headers)
        first = self.take() if self.status == 101 else []
        self.id: str = first[0]["IdAssigned"] if first else ""

    def signal(self, receiver: str, data: object) -> None:
        """Send a signal."""
        self.send_text(json.dumps({"Signal": {"receiver": receiver, "data": data}}).encode())


class DirectoryCase(SynchronousTestCase):
    """A test case with a server for clients of PeerJS.

    Attributes:
        server: the server.
        clock: its clock.

    """

    server: DirectoryServer
    clock: Clock

    def setUp(self) -> None:
        """Start a server with the default limits."""
        self.serve()

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a server with other limits, or with other arguments of `DirectoryServer`."""
        self.server = DirectoryServer(limits, **changes)
        self.clock = self.server.clock

    def connect(self, id: str, token: str = "", **more: Any) -> PeerJsClient:
        """Connect a client, and read that it is registered."""
        client = PeerJsClient(self.server, id, token, **more)
        self.assertEqual(client.types(), ["OPEN"])
        return client

    def assert_closed(self, client: PeerJsClient, code: ErrorCode, *types: str) -> None:
        """Assert that a client was sent these types of messages and closed with an error."""
        self.assertEqual(client.types(), list(types))
        self.assertEqual(client.closed, (code.close_code or 1008, code.value))
