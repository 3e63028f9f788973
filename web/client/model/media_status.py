"""What each page tells the others of its devices, and what the host's page asks of them: pure."""

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
    """Messages of two types: `presence` says which devices are sent, `mute` is a host's request."""

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        asked_to_mute: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """Begin.

        Args:
            state: the page's.
            messaging: carries the messages.
            asked_to_mute: called when the host asks for silence.
            changed: called when somebody told something else of their devices.

        """
        self._state = state
        self._messaging = messaging
        self._asked_to_mute = asked_to_mute
        self._changed = changed
        self._told: dict[str, Any] = {}
        messaging.hear("presence", self._received)
        messaging.hear("mute", self._mute)
        messaging.begun(lambda user: self._tell(user))
        messaging.over(self._forget)

    def follow(self) -> None:
        """Tell everybody what is different now."""
        own = self._own()
        if own != self._told:
            self._told = own
            self._messaging.tell_all(own)

    def ask_to_mute(self, user: str | None = None) -> None:
        """As the host, ask one of the others to mute, or everybody."""
        if user is None:
            self._messaging.tell_all({"type": "mute"})
        else:
            self._messaging.tell(user, {"type": "mute"})

    def _tell(self, user: str) -> None:
        self._messaging.tell(user, self._own())

    def _own(self) -> dict[str, Any]:
        state = self._state
        return {
            "type": "presence",
            MICROPHONE: state.devices.microphone.status == ON,
            CAMERA: state.devices.camera.status == ON,
            SCREEN: state.devices.sharing,
        }

    def _received(self, user: str, message: dict[str, Any]) -> None:
        told = {name: message.get(name) for name in (MICROPHONE, CAMERA, SCREEN)}
        if all(isinstance(value, bool) for value in told.values()):
            self._state.media_status_received(
                user, told[MICROPHONE] is True, told[CAMERA] is True, told[SCREEN] is True
            )
            self._changed()

    def _forget(self, user: str) -> None:
        self._state.media_status_received(user, None, None, False)
        self._changed()

    def _mute(self, user: str, message: dict[str, Any]) -> None:
        # Who the host is says the server; anybody else may not ask.
        other = self._state.participants.find(user)
        if other is not None and other.host:
            self._asked_to_mute()
