"""What joins the parts of a call: devices, connections, pictures, invitation."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from ..model import page_state as states
from ..model import texts, webrtc_stats
from ..model.device_choices import SPEAKER, USER, DeviceChoices
from ..model.devices import ASKING, AUDIO, ON, VIDEO, browser_family
from ..model.media_status import MediaStatus
from ..model.peer_messaging import PeerMessaging
from ..model.trust import Trust
from ..model.view_model import view
from . import storage
from .audio_levels import AudioLevels
from .bridge import BrowserJson, call, get, listen, load_extras, now, publish, put, random_hex, spawn, window
from .call import Call
from .chat_feed import ChatFeed
from .invitation import Invitation
from .keyboard_loader import KeyboardLoader
from .lobby_list import LobbyList
from .local_media import LocalMedia
from .people_controller import PeopleController
from .quality_monitor import QualityMonitor
from .screen_share import ScreenShare
from .screen_share import possible as screen_possible
from .side_panel import SidePanel
from .stage import Stage
from .tiles import Tiles
from .trust_badges import TrustBadges
from .wake_lock import WakeLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.panels import Panels
    from ..model.page_state import PageState
    from .page import Page
    from .peer_connection import PeerConnection

__all__ = ["CallPage"]

NONCE_BYTES = 32
"""Of the random number behind a verification code."""

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
        self._choices = DeviceChoices(storage.devices())
        self._media = LocalMedia(state, self._choices, self._changed, self._replaced)
        self._screen = ScreenShare(state, self._changed, self._screen_replaced)
        self._messaging = PeerMessaging(BrowserJson(), self._tell)
        self._media_status = MediaStatus(state, self._messaging, self._asked_to_mute, self._changed)
        state.network.relay_only = storage.relay_only()
        self._trust = Trust(state, self._messaging, lambda: random_hex(NONCE_BYTES), self._descriptions, self._changed)
        self._tiles = Tiles(page, state, lambda: self._choices.chosen.get(SPEAKER, ""), self._changed)
        self._stage = Stage(page, state, self._changed)
        self._side = SidePanel(page, state, self._changed)
        self._feed = ChatFeed(page, state, self._messaging, self._changed)
        self._audio_levels = AudioLevels(page, state, self._media, self._peers, self._changed)
        self._wake_lock = WakeLock()
        state.devices.mute_hints = storage.hints()
        state.devices.browser = browser_family(get(window, "navigator", "userAgent"))
        state.devices.can_share = screen_possible()
        self._invitation = Invitation(page, state, self._changed)
        self._people = PeopleController(page, state, self._media_status, lambda: self._call, self._changed)
        self._panels: Panels | None = None
        self._fetching = False
        self._missed = 0  # messages that were unread when the panel could not be fetched
        self._call: Call | None = None
        self._following = False
        self._pressed = 0.0
        self._name = ""
        self._password = ""
        self._lobby = False
        page.on("mute", "click", lambda event: self._toggle(AUDIO))
        page.on("camera", "click", lambda event: self._toggle(VIDEO))
        page.on("share", "click", lambda event: self._screen.toggle())
        page.on("flip", "click", lambda event: self._flip())
        page.on("hang-up", "click", lambda event: self._people.hang_up())
        page.on("cancel", "click", lambda event: self._people.hang_up())
        page.on("open-settings", "click", lambda event: spawn(self._settings()))
        page.on("devices", "toggle", lambda event: spawn(self._fetch_panels()))
        page.on("skip", "click", lambda event: self._skip())
        page.on("hear", "click", lambda event: self._tiles.hear())
        page.on("again", "click", lambda event: self._again())
        page.on("home", "click", lambda event: self._home())
        self._lobby_list = LobbyList(page, state, self._answer_knock)
        self._keyboard_loader = KeyboardLoader(page, state)
        self._quality_monitor = QualityMonitor(page, state, self._messaging, self._changed)
        self._trust_badges = TrustBadges(page, state, self._trust, self._peers)
        for target, event in (
            (window, "online"),
            (get(window, "document"), "visibilitychange"),
            (get(window, "navigator", "connection"), "change"),
        ):
            if target is not None:
                listen(target, event, lambda event: self._hurry(get(event, "type") != "visibilitychange"))
        self._by_thumb = bool(get(call(window, "matchMedia", "(pointer: coarse)"), "matches"))
        devices = get(window, "navigator", "mediaDevices")
        if devices is not None:
            listen(devices, "devicechange", lambda event: spawn(self._media.devices_changed()))
        put(page.element("local-video"), "srcObject", self._media.stream)
        publish("stats", self._statistics)
        publish("connection", self._connection)
        spawn(self._tick())

    # What the person does

    def begin(
        self,
        role: str,
        session: str = "",
        name: str = "",
        password: str = "",
        kept: str = "",
        lobby: bool = False,
    ) -> None:
        """Start a call, or join this one.

        Args:
            role: `host` or `guest`.
            session: its id; empty for a new one.
            name: what the person calls themselves.
            password: the session's.
            kept: who the page was before it was loaded anew.
            lobby: whether a session that is opened has a lobby.

        """
        if not self._state.start_call(role, session):
            return
        self._pressed = now()
        self._name = name
        self._password = password
        self._lobby = lobby
        self._state.notices.progress = texts.REACHING_SERVER
        self._call = Call(
            self._state,
            self._media,
            self._screen,
            self._messaging,
            self._changed,
            self._log,
            name,
            password,
            kept,
            lobby,
        )
        spawn(self._settle_devices(self._call))
        self._changed()

    def go_on(self, role: str, session: str, kept: str) -> None:
        """Be in the call again in which the page was before it was loaded anew."""
        password, lobby, self._state.session.relay_only = storage.settings(session)
        self.begin(role, session, storage.name(), password, kept, lobby)

    def preview(self) -> None:
        """Show the person to themselves."""
        self._state.devices.previewing = True
        self._state.devices.microphone.wanted = self._state.devices.camera.wanted = True
        spawn(self._media.start(AUDIO, VIDEO))
        self._changed()

    async def preview_if_granted(self) -> None:
        """Show the person to themselves if that takes no question."""
        if await self._media.granted() and self._state.phase == states.START and not self._state.devices.previewing:
            self.preview()

    def release(self) -> None:
        """Stop what was started to see oneself."""
        self._media.stop()
        self._changed()

    async def _settle_devices(self, for_call: Call) -> None:
        if not self._state.devices.previewing:
            state = self._state
            wanted = [device.kind for device in (state.devices.microphone, state.devices.camera) if device.wanted]
            await self._media.start(*wanted)
        for_call.devices_settled()

    async def _fetch_panels(self) -> None:
        """Fetch messages and device lists when they are first wanted; where that cannot be, say so."""
        if not await load_extras():
            self._state.layout.side_panel = ""
            self._state.notices.problem = texts.NO_EXTRAS
            self._missed = self._state.layout.unread
        elif self._panels is None:
            from ..extras.panels import Panels

            self._panels = Panels(
                self._page,
                self._state,
                self._feed,
                self._choices,
                self._media,
                self._tiles.speaker_chosen,
                self._changed,
            )
        self._fetching = False
        self._changed()

    async def _settings(self) -> None:
        await self._fetch_panels()
        if self._panels is not None:
            self._panels.pickers.open()

    def _skip(self) -> None:
        self._media.stop()
        if self._call is not None:
            self._call.devices_settled()
        self._changed()

    def _toggle(self, kind: str) -> None:
        state = self._state
        if state.phase == states.START and not state.devices.previewing:
            # Nothing runs yet: it is decided what will.
            device = state.devices.microphone if kind == AUDIO else state.devices.camera
            device.wanted = not device.wanted
            self._changed()
        elif kind == AUDIO:
            self._media.toggle_microphone()
        else:
            self._media.toggle_camera()

    def _flip(self) -> None:
        self._choices.turn()
        self._media.choose(VIDEO)

    def _hurry(self, moved: bool) -> None:
        if self._call is not None and get(window, "document", "visibilityState") == "visible":
            self._call.hurry(moved)

    def _answer_knock(self, user: str, admitted: bool) -> None:
        if self._call is not None:
            self._call.answer_knock(user, admitted)

    def _again(self) -> None:
        if self._state.phase == states.FAILED:
            self.begin(self._state.role, self._state.session.id, self._name, self._password, "", self._lobby)
        else:
            self._home()

    def _home(self) -> None:
        self._state.return_to_start()
        self._start_again()

    # What follows

    def say_anew(self) -> None:
        """Show everything in the language that is spoken now."""
        self._changed()

    def _changed(self) -> None:
        """Let everything follow the state: a call that is over at once, what is seen of it soon, and once."""
        state = self._state
        if self._call is not None and state.phase not in (states.CONNECTING, states.SESSION):
            ended, self._call = self._call, None
            ended.end()
            if state.phase == states.START:
                # The person goes on from where they can see themselves.
                state.devices.previewing = True
            else:
                self._media.stop()
                state.devices.previewing = False
        if not self._following:
            self._following = True
            spawn(self._follow())

    async def _follow(self) -> None:
        await asyncio.sleep(0)
        self._following = False
        state = self._state
        peers = self._peers()
        self._trust.follow({user: peer.described for user, peer in peers.items()})
        self._tiles.follow(peers, self._audio_levels.speech)
        self._trust_badges.follow()
        self._quality_monitor.call = self._call
        self._quality_monitor.follow()
        self._stage.follow()
        self._audio_levels.follow()
        self._wake_lock.follow(state.stage in ("calling", "connected"))
        state.devices.front_camera = self._choices.facing == USER
        state.devices.can_flip = self._choices.several_cameras and self._by_thumb
        if not state.in_session:
            self._screen.stop()
        self._media_status.follow()
        self._feed.follow()
        self._invitation.follow()
        self._lobby_list.follow()
        self._people.follow(self._name)
        if self._panels is not None:
            self._panels.follow()
        elif (state.layout.side_panel == "chat" or state.layout.unread > self._missed) and not self._fetching:
            self._fetching = True
            spawn(self._fetch_panels())
        self._keyboard_loader.follow()
        if state.phase == states.SESSION and get(window, "location", "hash") != "#" + state.session.id:
            # A reload, or tomorrow, then finds the id again.
            call(get(window, "history"), "replaceState", None, "", "#" + state.session.id)
        self._page.show(view(state))

    def _peers(self) -> dict[str, PeerConnection]:
        return {} if self._call is None else self._call.peers.by_user

    def _descriptions(self, user: str) -> tuple[str, str]:
        peer = self._peers().get(user)
        return ("", "") if peer is None else peer.descriptions

    def _replaced(self, kind: str) -> None:
        if self._call is not None:
            self._call.peers.replace_track(kind)

    def _screen_replaced(self) -> None:
        if self._call is not None:
            self._call.peers.share()

    def _tell(self, user: str, text: str) -> bool:
        return self._call is not None and self._call.peers.tell(user, text)

    def _asked_to_mute(self) -> None:
        if self._state.devices.microphone.wanted and self._state.devices.microphone.status in (ASKING, ON):
            self._media.toggle_microphone()
            self._state.notices.announce(texts.MUTED_BY_HOST)
            self._changed()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._trust.tick(now())
            if self._call is not None:
                self._call.tick()
                self._tiles.look()

    # For those who look from outside

    def _log(self, line: str) -> None:
        call(get(window, "signald", "log"), "push", line)

    async def _statistics(self, *args: Any) -> str:
        """Return as JSON, for each other person, figures of the connection with them (docs/page.md)."""
        members = {}
        for user, peer in list(self._peers().items()):
            values = webrtc_stats.figures(await peer.statistics())
            values["iceState"], values["connectionState"] = peer.states
            first_frame = self._tiles.first_frame(user)
            other = self._state.participants.find(user)
            values["maxBitrate"] = peer.bounded[0] if peer.bounded is not None else None
            values["iceRestarts"] = other.restarts if other is not None else 0
            values["firstFrameMs"] = (first_frame - self._pressed) * 1000 if first_frame else None
            members[user] = values
        return json.dumps(members)

    def _connection(self, *args: Any) -> str:
        """Return as JSON how it is with the connection to the server (docs/page.md)."""
        reconnects = self._call.reconnects if self._call is not None else 0
        return json.dumps({"online": self._state.network.offline_for is None, "reconnects": reconnects})
