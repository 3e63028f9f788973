"""The conversation with the page around this one: carries its commands out, and tells it what happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..browser.bridge import BrowserError, BrowserJson, call, get, listen, load_embedding, publish, window
from ..model.embedding_messages import MAX_LENGTH, CommandError, EmbeddingMessages, describe, switch_device
from ..model.page_state import ENDED, FAILED, START
from .device_pickers import TRACKS, use_device

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.device_controls import DeviceControls
    from ..model.page_state import PageState

__all__ = ["Embedding", "start"]


class Embedding:
    """The commands and the events; it publishes `signald.embedding()` for diagnosis."""

    def __init__(
        self,
        module: Any,
        origins: list[str],
        state: PageState,
        devices: DeviceControls,
        enter: Callable[[str, str, str], None],
        speaker_chosen: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        """Listen to the page around this one.

        Arguments:
            module: the JavaScript module that exchanges messages with it.
            origins: the origins whose pages may show this one.
            state: the page's state.
            devices: the local devices.
            enter: enters a call as the start screen does, with session id, name and password; each may be empty.
            speaker_chosen: called when another loudspeaker was chosen.
            refresh: called when the state has changed.

        """
        self._state = state
        self._devices = devices
        self._enter = enter
        self._speaker_chosen = speaker_chosen
        self._refresh = refresh
        self._json = BrowserJson()
        self._module = module
        self._messages = EmbeddingMessages(origins, self, self._send)
        publish("embedding", self._diagnosis)
        listen(call(module, "listenToParent", MAX_LENGTH), "told", self._received)

    def update(self) -> None:
        """Tell what has changed."""
        media, choices = self._devices.media, self._devices.choices
        used = {kind: media.device_id(track) for kind, track in TRACKS.items()}
        self._messages.update(describe(self._state, choices, lambda kind: used.get(kind, "")))

    # Commands

    def enter(self, session: str, name: str, password: str) -> None:
        """Join or open a call."""
        if self._state.phase not in (START, ENDED, FAILED):
            raise CommandError("call-on")
        self._enter(session, name, password)

    def hang_up(self) -> None:
        """Leave the call, or end it as its host."""
        self._state.hung_up()
        self._refresh()

    def switch_device(self, kind: str, on: bool) -> None:
        """Switch the camera or the microphone on or off, as its button does; before a call, only note the wish."""
        if switch_device(self._state, kind, on, self._devices.call_began):
            self._devices.toggle(TRACKS[kind])
        else:
            self._refresh()

    def choose_device(self, kind: str, device: str) -> None:
        """Use another device."""
        choices = self._devices.choices
        if device not in [known for known, _ in choices.available[kind]]:
            raise CommandError("unknown-device")
        use_device(choices, self._devices.media, self._speaker_chosen, kind, device)
        self._refresh()

    # Messages

    def _received(self, event: Any) -> None:
        origin, text = get(event, "detail", "origin"), get(event, "detail", "text")
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        self._messages.receive(origin, message)

    def _send(self, message: dict[str, Any], origin: str) -> None:
        call(self._module, "tellParent", self._json.dumps(message), origin)

    def _diagnosis(self, *args: Any) -> str:
        """Return the partner's origin and the number of ignored messages, as JSON."""
        return json.dumps({"origin": self._messages.origin, "ignored": self._messages.ignored})


async def start(
    state: PageState,
    devices: DeviceControls,
    enter: Callable[[str, str, str], None],
    speaker_chosen: Callable[[], None],
    refresh: Callable[[], None],
) -> Embedding | None:
    """Start the conversation, where the server lets pages of other origins show this one; the rest is of `Embedding`.

    Without the module for it, which could not be fetched, the page around this one gets no answer.
    """
    allowed = call(get(window, "document"), "querySelector", "meta[name=embed-origins]")
    if allowed is None:
        return None
    try:
        module = await load_embedding()
    except BrowserError:
        return None
    return Embedding(module, get(allowed, "content").split(), state, devices, enter, speaker_chosen, refresh)
