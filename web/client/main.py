"""The page's beginning, and what joins its parts: the only place that knows all of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from signald_client.signaling.session_ids import find_session_id, group_session_id

from . import state as states
from . import statistics, texts
from .browser import call, get, listen, mark, now, publish, put, spawn, window
from .call import Call
from .devices import AUDIO, VIDEO
from .invite import Invitation
from .media import Media
from .page import Page
from .state import GUEST, HOST, PageState
from .tiles import Tiles
from .view_model import view

if TYPE_CHECKING:
    from typing import Any

__all__ = ["start"]

TICK = 1.0
"""Seconds between two looks at what time alone changes."""


class CallPage:
    """The page as a whole."""

    def __init__(self) -> None:
        self._state = PageState()
        self._page = Page()
        self._media = Media(self._state, self._changed, self._replaced)
        self._tiles = Tiles(self._page, self._state, self._changed)
        self._invitation = Invitation(self._page, self._state, self._changed)
        self._call: Call | None = None
        self._pressed = 0.0
        self._listen()
        put(self._page.element("local-video"), "srcObject", self._media.stream)
        publish("stats", self._statistics)
        if get(window, "RTCPeerConnection") is None or get(window, "WebSocket") is None:
            self._state.cannot_call(texts.NO_WEBRTC)
        else:
            self._read_address()
        self._changed()
        spawn(self._tick())

    def _listen(self) -> None:
        on = self._page.on
        on("start", "click", lambda event: self._begin(HOST))
        on("join-form", "submit", self._join)
        on("preview", "click", lambda event: self._preview())
        on("mute", "click", lambda event: self._media.toggle_microphone())
        on("camera", "click", lambda event: self._media.toggle_camera())
        on("hang-up", "click", lambda event: self._hang_up())
        on("cancel", "click", lambda event: self._hang_up())
        on("skip", "click", lambda event: self._skip())
        on("hear", "click", lambda event: self._tiles.hear())
        on("dismiss", "click", lambda event: self._dismiss())
        on("again", "click", lambda event: self._again())
        on("home", "click", lambda event: self._home())
        listen(window, "hashchange", lambda event: self._read_address())
        # Tells the others at once; without it they would wait for the connection to time out.
        listen(window, "pagehide", lambda event: self._hang_up())

    # What the person does

    def _read_address(self) -> None:
        """Take the id that the page's address names."""
        if self._state.phase not in (states.LOADING, states.START):
            return
        fragment = get(window, "location", "hash")
        invited = ""
        if len(fragment) > 1:
            try:
                invited = find_session_id(fragment)
            except ValueError as error:
                self._state.problem = str(error)
        self._fill(invited)
        self._state.ready(invited)
        self._changed()

    def _fill(self, session: str) -> None:
        put(self._page.element("session-input"), "value", group_session_id(session) if session else "")

    def _join(self, event: Any) -> None:
        call(event, "preventDefault")
        text = get(self._page.element("session-input"), "value")
        try:
            session = find_session_id(text) if text.strip() else ""
        except ValueError as error:
            self._complain(str(error))
            return
        if session:
            self._fill(session)
            self._begin(GUEST, session)
        else:
            self._complain(texts.NO_ID)

    def _complain(self, problem: str) -> None:
        self._state.problem = problem
        call(self._page.element("session-input"), "focus")
        self._changed()

    def _begin(self, role: str, session: str = "") -> None:
        if not self._state.begin(role, session):
            return
        self._pressed = now()
        self._state.progress = texts.REACHING_SERVER
        if role == GUEST:
            # A reload then finds the id again.
            call(get(window, "history"), "replaceState", None, "", "#" + session)
        self._call = Call(self._state, self._media, self._changed, self._log)
        spawn(self._settle_devices(self._call))
        self._changed()

    async def _settle_devices(self, for_call: Call) -> None:
        if not self._state.preview:
            await self._media.start(AUDIO, VIDEO)
        for_call.devices_settled()

    def _skip(self) -> None:
        self._media.stop()
        if self._call is not None:
            self._call.devices_settled()
        self._changed()

    def _preview(self) -> None:
        self._state.preview = True
        spawn(self._media.start(AUDIO, VIDEO))
        self._changed()

    def _hang_up(self) -> None:
        self._state.hung_up()
        self._changed()

    def _dismiss(self) -> None:
        self._state.dismissed()
        self._changed()

    def _again(self) -> None:
        if self._state.phase == states.FAILED:
            self._begin(self._state.role, self._state.session if self._state.role == GUEST else "")
        else:
            self._home()

    def _home(self) -> None:
        self._state.restart()
        self._read_address()
        self._changed()

    # What follows

    def _changed(self) -> None:
        """Let everything follow the state."""
        state = self._state
        if self._call is not None and state.phase not in (states.CONNECTING, states.SESSION):
            ended, self._call = self._call, None
            ended.end()
            if state.phase == states.START:
                state.preview = True
            else:
                self._media.stop()
        self._tiles.follow({} if self._call is None else self._call.peers)
        self._invitation.follow()
        self._page.show(view(state))

    def _replaced(self, kind: str, track: Any) -> None:
        if self._call is not None:
            self._call.replace_track(kind)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            if self._call is not None:
                self._call.tick()
                self._tiles.look()

    # For those who look from outside

    def _log(self, line: str) -> None:
        call(get(window, "signald", "log"), "push", line)

    async def _statistics(self, *args: Any) -> str:
        """Return as JSON, for each other person, figures of the connection with them (docs/page.md)."""
        members = {}
        for user, peer in list(self._call.peers.items()) if self._call is not None else []:
            values = statistics.figures(await peer.statistics())
            values["iceState"], values["connectionState"] = peer.states
            first_frame = self._tiles.first_frame(user)
            values["firstFrameMs"] = (first_frame - self._pressed) * 1000 if first_frame else None
            members[user] = values
        return json.dumps(members)


def start() -> None:
    """Bring the page to life."""
    CallPage()
    mark("usable")
