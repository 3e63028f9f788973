"""The page from the preview to the end of a call: creates its features, starts calls, and updates the document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts
from ..model.media_status import MediaStatus
from ..model.page_state import CONNECTING, FAILED, HOST, SESSION
from ..model.trust import Trust
from ..model.view_model import view
from . import storage
from .bridge import call, get, is_embedded, listen, load_calls, load_extras, now, random_hex, spawn, window
from .call_panels import CallPanels
from .call_stage import CallStage
from .crash_copy import CrashCopy
from .current_call import CurrentCall
from .device_controls import DeviceControls
from .diagnostics import Diagnostics

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.embedding import Embedding
    from ..model.page_state import PageState
    from .page import Page

    Settings = dict[str, Any]

__all__ = ["CallPage"]

NONCE_BYTES = 32
"""The length of the random nonce of a verification code."""

PRELOAD_DELAY = 3.0
"""Seconds from the start screen to the download of the modules of calls, unless a key or a press is earlier."""

TICK_INTERVAL = 1.0
"""Seconds between two runs of the timers."""


class CallPage:
    """The features of the page that calls need."""

    def __init__(
        self,
        state: PageState,
        page: Page,
        show_start: Callable[[], None],
        enter: Callable[[str, str, str], None],
    ) -> None:
        """Create the features.

        Arguments:
            state: the page's state.
            page: the page's elements.
            show_start: shows the start screen for the session that the page's URL names.
            enter: enters a call for the page around this one, with session id, name and password; each may be empty.

        """
        self._state = state
        self._page = page
        self._show_start = show_start
        self._refresh_pending = False
        self._name = self._password = ""
        self._lobby = False
        self._settings: Settings = {}
        self._crash_copy = CrashCopy()
        self._current = current = CurrentCall()
        self._devices = devices = DeviceControls(page, state, current, self.refresh)
        self._media_status = MediaStatus(state, current.messaging, devices.mute_by_host, self.refresh)
        self._trust = Trust(
            state, current.messaging, lambda: random_hex(NONCE_BYTES), current.descriptions, self.refresh
        )
        self._stage = CallStage(
            page=page, state=state, current=current, devices=devices, trust=self._trust, refresh=self.refresh
        )
        self._panels = CallPanels(
            page=page,
            state=state,
            current=current,
            devices=devices,
            media_status=self._media_status,
            speaker_chosen=self._stage.tiles.apply_speaker,
            refresh=self.refresh,
        )
        self._diagnostics = Diagnostics(state, current, self._stage.tiles)
        self._embedding: Embedding | None = None
        if is_embedded():
            spawn(self._load_embedding(enter))
        self.preview = devices.preview
        self.preview_if_granted = devices.preview_if_granted
        self.stop_preview = devices.stop
        self._listen()
        spawn(self._preload())
        spawn(self._tick())

    def _listen(self) -> None:
        self._page.on_click("skip", self._skip_devices)
        self._page.on_click("again", self._repeat)
        self._page.on_click("rejoin", self._start_again)
        self._page.on_click("home", self._return_to_start)
        for event in ("pointerdown", "keydown"):
            listen(window, event, lambda event: spawn(self._load_calls()))
        probe = self._current.probe_network
        for target, event in (
            (window, "online"),
            (get(window, "document"), "visibilitychange"),
            (get(window, "navigator", "connection"), "change"),
        ):
            if target is not None:
                listen(target, event, lambda event: probe(get(event, "type") != "visibilitychange"))

    def start_call(
        self,
        role: str,
        session_id: str = "",
        *,
        name: str = "",
        password: str = "",
        lobby: bool = False,
        identity: str = "",
        ticket: str = "",
    ) -> None:
        """Start a call, or join an existing call.

        Arguments:
            role: `host` or `guest`.
            session_id: the session to join; empty for a new session.
            name: the person's name; empty for none.
            password: the session's password; empty for none.
            lobby: whether a session that is opened has a lobby.
            identity: the stored identity with which the signaling client resumes after a reload; empty for a new
                identity.
            ticket: the stored rejoin ticket for the session; empty for none.

        """
        if not self._state.start_call(role, session_id):
            return
        self._diagnostics.started_at = now()
        self._name = name
        self._password = password
        self._lobby = lobby
        self._state.notices.progress = texts.REACHING_SERVER
        settings = {"name": name, "password": password, "lobby": lobby, "identity": identity, "ticket": ticket}
        spawn(self._connect(settings))
        self.refresh()

    def resume_call(self, name: str, role: str, session_id: str, identity: str, ticket: str) -> None:
        """Resume the call that was active when the page was reloaded, under this name."""
        password, lobby, self._state.session.relay_only = storage.session_settings(session_id)
        self.start_call(role, session_id, name=name, password=password, lobby=lobby, identity=identity, ticket=ticket)

    def refresh(self) -> None:
        """Stop a call that is over at once, and update the document soon: once for all changes until then."""
        if self._current.call is not None and self._state.phase not in (CONNECTING, SESSION):
            self._current.end()
            self._devices.call_ended()
        if not self._refresh_pending:
            self._refresh_pending = True
            spawn(self._update())

    async def _update(self) -> None:
        await asyncio.sleep(0)
        self._refresh_pending = False
        state = self._state
        self._trust.update({user: peer.descriptions_set for user, peer in self._current.peers().items()})
        self._stage.update(self._name)
        self._devices.update()
        self._media_status.update()
        self._panels.update(self._name)
        self._current.update()
        if self._embedding is not None:
            self._embedding.update()
        fragment = "#" + state.session.id
        if state.in_session and get(window, "location", "hash") != fragment:
            # With the session in the URL, a reload or a bookmark leads to this session.
            call(get(window, "history"), "replaceState", None, "", fragment)
        self._page.show(view(state))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_INTERVAL)
            self._trust.tick(now())
            if self._current.call is not None:
                self._current.call.tick()
            self._stage.tick()

    async def _preload(self) -> None:
        """Load the modules of calls once the start screen is usable, since an upgrade of the server removes them."""
        await asyncio.sleep(PRELOAD_DELAY)
        await load_calls()

    async def _load_calls(self) -> None:
        """Load the modules of calls as soon as the person uses the page, so that a call starts without a wait."""
        await load_calls()

    async def _load_embedding(self, enter: Callable[[str, str, str], None]) -> None:
        """Load the conversation with the page around this one; without it, the person can use this page."""
        if await load_extras():
            from ..extras.embedding import start

            self._embedding = await start(
                self._state, self._devices, enter, self._stage.tiles.apply_speaker, self.refresh
            )
            self.refresh()

    async def _connect(self, settings: Settings) -> None:
        """Connect to the server, once the modules of calls are loaded, and start the devices."""
        self._settings = settings
        loaded = await load_calls()
        if self._settings is not settings or self._state.phase != CONNECTING:
            # Meanwhile the person has cancelled, and may have started another call.
            return
        if not loaded:
            self._state.hung_up()
            self._state.notices.problem = texts.NO_EXTRAS
            self.refresh()
            return
        from .call import Call

        self._current.call = started = Call(
            state=self._state,
            media=self._devices.media,
            screen=self._devices.screen,
            messaging=self._current.messaging,
            height_for=self._current.shown_pictures.height_for,
            refresh=self.refresh,
            log=_log,
            speaker_id=self._devices.speaker_id,
            crash_copy=self._crash_copy,
            **settings,
        )
        await self._devices.start_wanted()
        started.devices_settled()

    def _skip_devices(self) -> None:
        self._devices.media.stop()
        if self._current.call is not None:
            self._current.call.devices_settled()
        self.refresh()

    def _repeat(self) -> None:
        """Retry a failed call; after a call that ended normally, return to the start screen."""
        if self._state.phase == FAILED:
            self._start_again()
        else:
            self._return_to_start()

    def _start_again(self) -> None:
        """Start the last call again, as its host with the settings that the session had at its end."""
        state = self._state
        if state.role == HOST and state.session.has_host_key:
            self._password, self._lobby, state.session.relay_only = storage.session_settings(state.session.id)
        self.start_call(state.role, state.session.id, name=self._name, password=self._password, lobby=self._lobby)

    def _return_to_start(self) -> None:
        self._state.return_to_start()
        self._show_start()


def _log(line: str) -> None:
    call(get(window, "signald", "log"), "push", line)
