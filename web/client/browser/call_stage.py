"""The stage of a call: the participants' pictures, and the indicators on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.verification import CONFIRMED

from ..model.avatars import initials
from ..model.call_clock import CallClock
from ..model.layout import OWN_SCREEN, picture_owner
from ..model.shown_pictures import ShownPicture, seen_heights
from .audio_levels import AudioLevels
from .bridge import get, now, window
from .control_loader import ControlLoader
from .idle_controls import IdleControls
from .pointing_loader import PointingLoader
from .quality_monitor import QualityMonitor
from .stage import Stage
from .stage_placement import StagePlacement
from .tiles import Tiles
from .trust_badges import TrustBadges
from .wake_lock import WakeLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from ..model.trust import Trust
    from .current_call import CurrentCall
    from .device_controls import DeviceControls
    from .page import Page

__all__ = ["CallStage"]


class CallStage:
    """The features that show the participants' pictures and the state of their peer connections.

    Attributes:
        tiles: the pictures.

    """

    def __init__(
        self,
        *,
        page: Page,
        state: PageState,
        current: CurrentCall,
        devices: DeviceControls,
        trust: Trust,
        refresh: Callable[[], None],
    ) -> None:
        """Create the features; `refresh` is called when the state has changed."""
        self.tiles = Tiles(page, state, devices.speaker_id, refresh)
        self._state = state
        self._current = current
        self._page = page
        self._clock = CallClock()
        self._placement = StagePlacement(page, state, self.tiles)
        self._stage = Stage(page, state, self._placement, refresh)
        self._idle_controls = IdleControls(state)
        self._audio_levels = AudioLevels(
            page=page, state=state, media=devices.media, peers=current.peers, refresh=refresh
        )
        self._wake_lock = WakeLock()
        self._quality_monitor = QualityMonitor(page, state, current, refresh)
        self._trust_badges = TrustBadges(page, state, trust, current.peers)
        self._control_loader = ControlLoader(
            state, current.messaging, self.tiles, lambda user: trust.verification(user).state == CONFIRMED, refresh
        )
        self._pointing_loader = PointingLoader(
            page=page,
            state=state,
            current=current,
            tiles=self.tiles,
            screen=devices.screen,
            controls=lambda: self._control_loader.controls,
            refresh=refresh,
        )
        page.on_click("hear", self.tiles.play_sound)

    def tick(self) -> None:
        """Run the timers, and show the duration of the call; call this method about once a second."""
        self.tiles.check_frames()
        self._trust_badges.tick()
        text = self._clock.tick(self._state.in_session, self._state.stage == "connected", now())
        self._page.set("clock", "text", text)
        self._ask_for_shown_heights()

    def _ask_for_shown_heights(self) -> None:
        ratio = float(get(window, "devicePixelRatio"))
        speaker = self._state.participants.speaker
        pictures = []
        visible = get(window, "document", "visibilityState") == "visible"
        floating, filling = self.tiles.enlarged_heights()
        for name, height in seen_heights(self._placement.heights, floating, filling, visible).items():
            if name == OWN_SCREEN:
                continue
            user, screen = picture_owner(name)
            pictures.append(ShownPicture(user, int(height * ratio), screen, user == speaker))
        self._current.shown_pictures.update(pictures)

    def update(self, name: str) -> None:
        """Show the current state of the call; `name` is the person's own."""
        self._page.set("self-avatar", "text", initials(name))
        self.tiles.show_pictures(self._current.peers(), self._audio_levels.speech)
        self._trust_badges.show()
        self._control_loader.update()
        self._pointing_loader.update()
        self._quality_monitor.update()
        self._stage.place_self_view()
        self._audio_levels.meter_microphone()
        self._wake_lock.hold(self._state.stage in ("calling", "connected"))
