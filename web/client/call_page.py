"""What joins the parts of a call: devices, connections, pictures, invitation."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from . import state as states
from . import statistics, texts
from .browser import call, get, listen, now, publish, put, spawn, window
from .call import Call
from .devices import AUDIO, VIDEO
from .invite import Invitation
from .media import Media
from .state import GUEST
from .tiles import Tiles
from .view_model import view

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page import Page
    from .state import PageState

__all__ = ["CallPage"]

TICK = 1.0
"""Seconds between two looks at what time alone changes."""


class CallPage:
    """The page as soon as there is more than the start screen."""

    def __init__(self, state: PageState, page: Page, start_again: Callable[[], None]) -> None:
        """Make the parts.

        Args:
            state: the page's.
            page: its elements.
            start_again: shows the start screen, with the id that the page's address names.

        """
        self._state = state
        self._page = page
        self._start_again = start_again
        self._media = Media(state, self._changed, self._replaced)
        self._tiles = Tiles(page, state, self._changed)
        self._invitation = Invitation(page, state, self._changed)
        self._call: Call | None = None
        self._pressed = 0.0
        page.on("mute", "click", lambda event: self._media.toggle_microphone())
        page.on("camera", "click", lambda event: self._media.toggle_camera())
        page.on("hang-up", "click", lambda event: self._hang_up())
        page.on("cancel", "click", lambda event: self._hang_up())
        page.on("skip", "click", lambda event: self._skip())
        page.on("hear", "click", lambda event: self._tiles.hear())
        page.on("again", "click", lambda event: self._again())
        page.on("home", "click", lambda event: self._home())
        # Tells the others at once; without it they would wait for the connection to time out. Firefox has closed the
        # socket by the time of `pagehide`, and Safari on phones has no `beforeunload`.
        listen(window, "beforeunload", lambda event: self._hang_up())
        listen(window, "pagehide", lambda event: self._hang_up())
        put(page.element("local-video"), "srcObject", self._media.stream)
        publish("stats", self._statistics)
        spawn(self._tick())

    # What the person does

    def begin(self, role: str, session: str = "") -> None:
        """Start a call, or join this one."""
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

    def preview(self) -> None:
        """Show the person to themselves."""
        self._state.preview = True
        spawn(self._media.start(AUDIO, VIDEO))
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

    def _hang_up(self) -> None:
        self._state.hung_up()
        self._changed()

    def _again(self) -> None:
        if self._state.phase == states.FAILED:
            self.begin(self._state.role, self._state.session if self._state.role == GUEST else "")
        else:
            self._home()

    def _home(self) -> None:
        self._state.restart()
        self._start_again()

    # What follows

    def _changed(self) -> None:
        """Let everything follow the state."""
        state = self._state
        if self._call is not None and state.phase not in (states.CONNECTING, states.SESSION):
            ended, self._call = self._call, None
            ended.end()
            if state.phase == states.START:
                # The person goes on from where they can see themselves.
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
