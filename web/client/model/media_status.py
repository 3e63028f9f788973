"""Exchanges which devices each page sends, and the host's requests to mute. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .devices import ON

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page_state import PageState
    from .peer_messaging import PeerMessaging

__all__ = ["MediaStatus"]

MICROPHONE = "microphone"
CAMERA = "camera"
SCREEN = "screen"


class MediaStatus:
    """Sends and receives messages of two types: `presence` says which devices are sent, `mute` is a host's request."""

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        asked_to_mute: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """Subscribe to the messages.

        Arguments:
            state: the page's state.
            messaging: the messages between the pages.
            asked_to_mute: called when the host asks this person to mute.
            changed: called when the media status of a participant changed.

        """
        self._state = state
        self._messaging = messaging
        self._asked_to_mute = asked_to_mute
        self._changed = changed
        self._sent: dict[str, Any] = {}
        messaging.on_message("presence", self._received)
        messaging.on_message("mute", self._mute)
        messaging.on_ready(lambda user: self._send(user))
        messaging.on_closed(self._clear)

    def update(self) -> None:
        """Send the local media status to everybody if it changed."""
        status = self._status()
        if status != self._sent:
            self._sent = status
            self._messaging.broadcast(status)

    def ask_to_mute(self, user: str | None = None) -> None:
        """Ask one participant to mute, or everybody, as the host."""
        if user is None:
            self._messaging.broadcast({"type": "mute"})
        else:
            self._messaging.send(user, {"type": "mute"})

    def _send(self, user: str) -> None:
        self._messaging.send(user, self._status())

    def _status(self) -> dict[str, Any]:
        state = self._state
        return {
            "type": "presence",
            MICROPHONE: state.devices.microphone.status == ON,
            CAMERA: state.devices.camera.status == ON,
            SCREEN: state.devices.sharing,
        }

    def _received(self, user: str, message: dict[str, Any]) -> None:
        status = {name: message.get(name) for name in (MICROPHONE, CAMERA, SCREEN)}
        if all(isinstance(value, bool) for value in status.values()):
            self._state.media_status_received(
                user, status[MICROPHONE] is True, status[CAMERA] is True, status[SCREEN] is True
            )
            self._changed()

    def _clear(self, user: str) -> None:
        self._state.media_status_received(user, None, None, False)
        self._changed()

    def _mute(self, user: str, message: dict[str, Any]) -> None:
        # The server says who is the host; requests of others are ignored.
        member = self._state.participants.find(user)
        if member is not None and member.host:
            self._asked_to_mute()
