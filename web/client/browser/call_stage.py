"""The stage of a call: the participants' pictures, and the indicators on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .audio_levels import AudioLevels
from .quality_monitor import QualityMonitor
from .stage import Stage
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
        self._stage = Stage(page, state, refresh)
        self._audio_levels = AudioLevels(
            page=page, state=state, media=devices.media, peers=current.peers, refresh=refresh
        )
        self._wake_lock = WakeLock()
        self._quality_monitor = QualityMonitor(page, state, current, refresh)
        self._trust_badges = TrustBadges(page, state, trust, current.peers)
        page.on_click("hear", self.tiles.play_sound)

    def update(self) -> None:
        """Show the current state of the call."""
        self.tiles.show_pictures(self._current.peers(), self._audio_levels.speech)
        self._trust_badges.show()
        self._quality_monitor.update()
        self._stage.place_self_view()
        self._audio_levels.meter_microphone()
        self._wake_lock.hold(self._state.stage in ("calling", "connected"))
