"""Loads the conversation with the page around this one, where the server allows that page to show this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, load_extras, spawn, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..extras.embedding import Embedding
    from ..model.page_state import PageState
    from .device_controls import DeviceControls

__all__ = ["EmbeddingLoader"]


class EmbeddingLoader:
    """Tells the page around this one what has changed, once the modules for it are loaded."""

    def __init__(
        self,
        *,
        state: PageState,
        devices: DeviceControls,
        enter: Callable[[str, str, str], None],
        speaker_chosen: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        """Load the modules; the arguments are those of `Embedding`."""
        self._embedding: Embedding | None = None
        content = call(get(window, "document"), "querySelector", "meta[name=embed-origins]")
        origins = [] if content is None else get(content, "content").split()
        if origins:
            spawn(self._load(origins, state, devices, enter, speaker_chosen, refresh))

    def update(self) -> None:
        """Tell what has changed."""
        if self._embedding is not None:
            self._embedding.update()

    async def _load(
        self,
        origins: list[str],
        state: PageState,
        devices: DeviceControls,
        enter: Callable[[str, str, str], None],
        speaker_chosen: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        if not await load_extras():
            # The page around this one gets no answer; the person can use this one.
            return
        from ..extras.embedding import Embedding

        embedding = Embedding(
            origins=origins,
            state=state,
            devices=devices,
            enter=enter,
            speaker_chosen=speaker_chosen,
            refresh=refresh,
        )
        try:
            await embedding.start()
        except BrowserError:
            return
        self._embedding = embedding
        embedding.update()
