"""Publishes statistics for tests and diagnosis, which scripts read through `signald` (docs/page.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .bridge import publish

if TYPE_CHECKING:
    from typing import Any

    from ..model.page_state import PageState
    from .current_call import CurrentCall
    from .tiles import Tiles

__all__ = ["Diagnostics"]


class Diagnostics:
    """Publishes `signald.stats()` and `signald.connection()`.

    Attributes:
        started_at: when the person started or joined the last call, in seconds of the page's clock.

    """

    def __init__(self, state: PageState, current: CurrentCall, tiles: Tiles) -> None:
        """Publish the functions."""
        self.started_at = 0.0
        self._state = state
        self._current = current
        self._tiles = tiles
        publish("stats", self._statistics)
        publish("connection", self._connection)

    async def _statistics(self, *args: Any) -> str:
        """Return the statistics of each peer connection, as JSON."""
        members = {}
        for user, peer in list(self._current.peers().items()):
            values = await peer.totals()
            values["iceState"], values["connectionState"] = peer.states
            first_frame = self._tiles.first_frame(user)
            member = self._state.participants.find(user)
            values["maxBitrate"] = peer.senders.video_bounds and peer.senders.video_bounds.bitrate
            values["iceRestarts"] = member.restarts if member is not None else 0
            values["firstFrameMs"] = (first_frame - self.started_at) * 1000 if first_frame else None
            members[user] = values
        return json.dumps(members)

    def _connection(self, *args: Any) -> str:
        """Return the state of the signaling connection, as JSON."""
        call = self._current.call
        return json.dumps(
            {
                "online": self._state.network.offline_for is None,
                "reconnects": call.reconnects if call is not None else 0,
            }
        )
