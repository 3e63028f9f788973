"""Clients that remember what they were answered, and compare it with what they find after a crash of the server.

A couple is a host and a guest in threads of their own. The host changes the label of their session, and opens and ends
sessions of its own; the guest leaves and joins. Now and then each loses its connection. Whatever was answered has to be
there after a crash; what was asked and not answered may be there or not.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence

import websocket

from tests.suites.e2e.waiting import until
from tests.support.native_client import Body, NativeClient

__all__ = ["CrashClient", "Guest", "Host", "couples", "wait_for_clients"]

LOST = (OSError, websocket.WebSocketException)
"""The errors of a connection that ends with the server."""

PAUSE = 0.02
"""Seconds between two requests of a client, so that no rate limit is reached."""

PATIENCE = 60.0
"""Seconds within which a client has to be connected again."""


class CrashClient(threading.Thread):
    """A client with an identity, which resumes whenever its connection ends.

    Attributes:
        port: the server's port.
        sessions: the sessions in which it is a member by the answers so far, each with its label.
        answers: the number of answered requests.
        survivals: the value of `resumed` in each welcome after the first.
        blackouts: seconds from each loss of the connection to the next welcome.
        faults: what contradicted an answer, and exceptions.

    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.chance = random.Random(seed)
        self.sessions: dict[str, str | None] = {}
        self.answers = 0
        self.survivals: list[str] = []
        self.blackouts: list[float] = []
        self.faults: list[str] = []
        self.ready = threading.Event()
        self._doubtful: set[str] = set()
        self._doubtful_label: tuple[str, str] | None = None
        self._is_opening = False
        self._over = threading.Event()
        self._loads = 0
        self._client = NativeClient(port, tls=False)
        self._welcome = self._client.greet(instance="0")

    @property
    def user(self) -> str:
        """The client's identity."""
        user: str = self._welcome["user"]
        return user

    def end(self) -> None:
        """Make no more requests, and wait for the thread."""
        self._over.set()
        self.join(PATIENCE)

    def run(self) -> None:
        """Make requests until the end, and resume after each loss of the connection."""
        try:
            while not self._over.wait(PAUSE):
                try:
                    if self.chance.random() < 0.02:
                        self._client.close()
                    self.step()
                    self.ready.set()
                except LOST:
                    self._come_back()
            self._compare(self._client)
        except Exception as error:  # noqa: BLE001 # the test reports it
            self.faults.append(repr(error))

    def step(self) -> None:
        """Make one request."""
        raise NotImplementedError

    def request(self, type: str, **keys: object) -> Body:
        """Make a request, and count its answer."""
        body = self._client.request(type, **keys)
        self.answers += 1
        return body

    @contextlib.contextmanager
    def in_doubt(self, session: str) -> Iterator[None]:
        """Make a request that begins or ends a membership: until its answer, both are possible."""
        self._doubtful.add(session)
        yield
        self._doubtful.discard(session)

    def open(self, **keys: object) -> str:
        """Open a session."""
        self._is_opening = True
        session: str = self.request("open", **keys)["session"]
        self._is_opening = False
        self.sessions[session] = None
        return session

    def change_label(self, session: str, label: str) -> None:
        """Change a session's label."""
        self._doubtful_label = (session, label)
        answer = self.request("change", session=session, label=label)
        self._doubtful_label = None
        if answer["type"] != "done":
            self.faults.append(f"changing the label was answered with {answer}")
        self.sessions[session] = label

    def _come_back(self) -> None:
        """Resume, and compare the sessions with those that were answered."""
        begin = time.monotonic()
        while True:
            try:
                client = NativeClient(self.port, tls=False)
                # A welcome may be lost with the server: then the secret of the one before has to be valid.
                self._loads += 1
                welcome = client.request(
                    "resume", version=1, user=self._welcome["user"], secret=self._welcome["secret"],
                    instance=str(self._loads), received=0,
                )  # fmt: skip
                self._client, before, self._welcome = client, self._welcome, welcome
                self.survivals.append(welcome["resumed"])
                if welcome["user"] != before["user"]:
                    raise AssertionError(f"the identity is lost: {welcome['resumed']}")
                self._compare(client)
            except LOST:
                if time.monotonic() - begin > PATIENCE:
                    raise
                time.sleep(PAUSE)
            else:
                self.blackouts.append(time.monotonic() - begin)
                return

    def _compare(self, client: NativeClient) -> None:
        """Compare the `joined` events after a welcome with the sessions that were answered."""
        client.send("ping", id="end")
        joined: dict[str, str | None] = {}
        while (event := client.receive())["type"] != "pong":
            if event["type"] == "joined":
                joined[event["session"]] = event.get("label")
        if self._over.is_set():
            return
        lost = self.sessions.keys() - joined.keys() - self._doubtful
        risen = joined.keys() - self.sessions.keys() - self._doubtful
        if lost:
            self.faults.append(f"{len(lost)} sessions are lost")
        if risen and not (self._is_opening and len(risen) == 1):
            self.faults.append(f"{len(risen)} sessions are there again")
        for session, label in joined.items():
            expected = self.sessions.get(session, label)
            if label != expected and (session, label) != self._doubtful_label and session not in risen:
                self.accept_label(session, label, expected)
        self.sessions = joined
        self._doubtful.clear()
        self._doubtful_label = None
        self._is_opening = False

    def accept_label(self, session: str, label: str | None, expected: str | None) -> None:
        """Look at a label that is another than the last one that was answered."""
        self.faults.append(f"the label is {label}, not {expected}")


class Host(CrashClient):
    """The host of the couple's session, which it opens at the start.

    Attributes:
        shared: the couple's session.

    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(port, seed)
        self.shared = self.open(capacity=2)
        self._changes = 0

    def step(self) -> None:
        """Change the label of the couple's session, or open or end another one."""
        own = [session for session in self.sessions if session != self.shared]
        draw = self.chance.random()
        if draw < 0.6:
            self._changes += 1
            self.change_label(self.shared, f"label {self._changes}")
        elif own and draw < 0.8:
            with self.in_doubt(own[0]):
                self.request("end", session=own[0])
            self.sessions.pop(own[0], None)
        elif len(own) < 4:
            self.open(keep=self.chance.random() < 0.5)


class Guest(CrashClient):
    """A guest that leaves the couple's session and joins it again.

    Attributes:
        shared: the couple's session.

    """

    def __init__(self, port: int, seed: int, shared: str) -> None:
        super().__init__(port, seed)
        self.shared = shared

    def step(self) -> None:
        """Leave, join, or send a message."""
        if self.shared not in self.sessions:
            with self.in_doubt(self.shared):
                answer = self.request("join", session=self.shared)
            if answer["type"] == "joined":
                self.sessions[self.shared] = answer.get("label")
            else:
                self.faults.append(f"a join was answered with {answer}")
        elif self.chance.random() < 0.2:
            with self.in_doubt(self.shared):
                self.request("leave", session=self.shared)
            self.sessions.pop(self.shared, None)
        else:
            self._client.send("message", session=self.shared, content="hello")
            self.request("ping")

    def accept_label(self, session: str, label: str | None, expected: str | None) -> None:
        """Accept any label: the host changes it meanwhile."""


def couples(port: int, count: int) -> list[CrashClient]:
    """Connect couples, whose threads are not started yet."""
    clients: list[CrashClient] = []
    for number in range(count):
        host = Host(port, 2 * number)
        clients += [host, Guest(port, 2 * number + 1, host.shared)]
    return clients


def wait_for_clients(clients: Sequence[CrashClient], resumed: Sequence[int]) -> None:
    """Wait until each client has resumed more often than before, and has made a request since."""
    for client, before in zip(clients, resumed, strict=True):
        until(lambda client, before: client.faults or len(client.blackouts) > before, PATIENCE,
              "a client to resume", client, before)  # fmt: skip
    for client in clients:
        client.ready.clear()
    for client in clients:
        until(lambda client: client.faults or client.ready.is_set(), PATIENCE, "a client to go on", client)
