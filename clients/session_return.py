"""The return of a peer into its session, after a crash of the server that lost its identity."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Refused
from signald_client.signaling.rejoining import ASK, GIVE_UP, Rejoining
from signald_client.signaling.wire import Message

__all__ = ["SessionReturn"]

TICK_SECONDS = 0.25
"""Seconds between two looks at the timer of a return."""

HOST = "host"

_log = logging.getLogger(__name__)


class SessionReturn:
    """Remembers how the peer entered its session, and asks for that again: as the host, or as a guest."""

    def __init__(
        self, client: SignalingClient, send: Callable[[Message], None], on_given_up: Callable[[], None]
    ) -> None:
        """Create it without a session.

        Arguments:
            client: the signaling client.
            send: sends a request to the server.
            on_given_up: called when the peer cannot come back, or has tried for long enough.

        """
        self._client = client
        self._send = send
        self._on_given_up = on_given_up
        self._request: Any = None
        self._entered: Any = None
        self._is_host = False
        self._rejoining = Rejoining(random.random)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> bool:
        """Whether the peer is on its way back."""
        return self._rejoining.active

    def requested(self, request: messages.Open | messages.Join) -> None:
        """Remember the request with which the peer enters its session first."""
        self._request = request

    def entered(self, event: messages.Opened | messages.Joined) -> None:
        """Note that the peer is in the session, for the first time or again."""
        self._entered = event
        self._is_host = isinstance(event, messages.Opened) or event.role == HOST
        self.stop()

    def host_changed(self, event: messages.HostChanged) -> None:
        """Note who the host is."""
        self._is_host = event.user == self._client.user

    def start(self) -> None:
        """Start the return; without a ticket, as from a server of an earlier version, it is given up at once."""
        if self._entered is None or self._client.ticket(self._entered.session) is None:
            self._give_up()
            return
        self._rejoining.start(self._now())
        self._ask()
        self._plan()

    def stop(self) -> None:
        """End the return."""
        self._rejoining.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def refused(self, event: Refused) -> None:
        """Handle the refusal of a request: ask again later, as a guest, or not any more."""
        if not self.active or event.about not in ("open", "join") or self._rejoining.refused(event.code, self._now()):
            return
        if event.about == "open" and event.code == "wrong-host-key":
            # Another member has become the host meanwhile.
            self._is_host = False
            self._ask()
        else:
            self._give_up()

    def not_admitted(self, event: messages.NotAdmitted) -> None:
        """Handle the end of a wait for the host without admission."""
        if self.active:
            self._give_up()

    def _ask(self) -> None:
        entered, request = self._entered, self._request
        name = None if request is None else request.name
        password = None if request is None else request.password
        ticket, connected = self._client.ticket(entered.session), self._client.connected_users()
        _log.info(
            "The server has forgotten the session; the peer returns as the %s.", HOST if self._is_host else "guest"
        )
        if not self._is_host:
            self._send(messages.Join(entered.session, name, password, ticket, connected))
            return
        self._send(
            messages.Open(
                capacity=entered.capacity,
                name=name,
                label=entered.label,
                password=password,
                lobby=entered.lobby,
                succession=isinstance(request, messages.Open) and request.succession,
                relay_only=entered.relay_only,
                session=entered.session,
                ticket=ticket,
                connected=connected,
            )
        )

    def _plan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        todo = self._rejoining.tick(self._now())
        if todo == ASK:
            self._ask()
        elif todo == GIVE_UP:
            self._give_up()
        if self.active:
            self._plan()

    def _give_up(self) -> None:
        _log.info("The peer cannot return into its session.")
        self.stop()
        self._on_given_up()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
