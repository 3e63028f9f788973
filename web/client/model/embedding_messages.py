"""The messages between the call page in a frame and the page around it (docs/embedding.md). It is pure.

Every message is an object with the version under `signald` and its kind under `type`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.names import clean_name
from signald_client.signaling.session_ids import find_session_id

from . import page_state
from .device_choices import CAMERA, MICROPHONE, SPEAKER
from .devices import OFF, ON

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .device_choices import DeviceChoices
    from .page_state import PageState

    Message = dict[str, Any]

    class Commands(Protocol):
        """What the page around this one can do."""

        def enter(self, session: str, name: str, password: str) -> None:
            """Join a session by its canonical id, or that of the page's URL; raise CommandError if a call is on."""

        def choose_device(self, kind: str, device: str) -> None:
            """Use a device of a kind (W3C `MediaDeviceKind`); raise CommandError if there is no such device."""

        def hang_up(self) -> None:
            """Leave the call, or end it as its host; between calls nothing happens."""

        def switch_device(self, kind: str, on: bool) -> None:
            """Switch the device of a kind on or off."""


__all__ = ["MAX_LENGTH", "VERSION", "CommandError", "EmbeddingMessages", "describe", "switch_device"]

VERSION = 1
"""The version of the messages."""

MAX_LENGTH = 4096
"""The most characters of a command as JSON."""

MAX_DEVICE_ID = 512
"""The most characters of a device's id."""

MAX_PASSWORD = 256
"""The most characters of a password."""

KINDS = {"camera": CAMERA, "microphone": MICROPHONE, "speaker": SPEAKER}
"""The kinds of devices by their names in messages."""

NO_CODE = "failed"
"""The code of an error that has none in the protocol."""


class CommandError(Exception):
    """A well-formed command that cannot be carried out now.

    Attributes:
        code: the reason, for the page around this one.

    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EmbeddingMessages:
    """Reads the commands of the page around this one, and tells it what has changed.

    Attributes:
        ignored: how many messages did nothing, since they came from elsewhere or had odd values.
        origin: the origin of the page around this one, once it has said hello; empty before.

    """

    def __init__(self, origins: list[str], commands: Commands, send: Callable[[Message, str], None]) -> None:
        """Start without a partner.

        Arguments:
            origins: the origins whose pages may take part.
            commands: carries the commands out.
            send: sends a message to the page around this one if its origin is the second argument.

        """
        self.ignored = 0
        self.origin = ""
        self._origins = origins
        self._commands = commands
        self._send = send
        self._told: dict[str, Message] = {}
        self._events: list[Message] = []

    def receive(self, origin: str, message: object) -> None:
        """Carry out a message from this origin: empty if the sender is not the page around this one."""
        if not self._is_command(origin, message) or not isinstance(message, dict):
            self.ignored += 1
            return
        try:
            if not self._perform(origin, message):
                self.ignored += 1
        except CommandError as error:
            self._tell({"type": "error", "about": message["type"], "code": error.code, "message": ""})

    def update(self, events: list[Message]) -> None:
        """Tell what has changed, by the events that describe the present state (`describe`)."""
        self._events = events
        if not self.origin:
            return
        for event in events:
            key = event["type"] + event.get("about", "")
            if self._told.get(key) != event:
                self._told[key] = event
                # An error that is over is nothing to tell.
                if event["type"] != "error" or event["code"]:
                    self._tell(event)

    def _is_command(self, origin: str, message: object) -> bool:
        if origin not in self._origins or not isinstance(message, dict):
            return False
        version, kind = message.get("signald"), message.get("type")
        if type(version) is not int or version != VERSION or not isinstance(kind, str):
            return False
        return kind == "hello" or origin == self.origin

    def _perform(self, origin: str, message: Message) -> bool:
        """Carry out a command, and return whether its values have the right types."""
        kind = message["type"]
        if kind == "hello":
            self.origin = origin
            self._told = {}
            self._tell({"type": "ready"})
            self.update(self._events)
            return True
        if kind == "join":
            return self._join(message)
        if kind == "hang-up":
            self._commands.hang_up()
            return True
        if kind in ("microphone", "camera"):
            on = message.get("on")
            if not isinstance(on, bool):
                return False
            self._commands.switch_device(KINDS[kind], on)
            return True
        if kind == "choose-device":
            name, device = message.get("kind"), message.get("device")
            if not isinstance(name, str) or name not in KINDS or not _is_text(device, MAX_DEVICE_ID) or not device:
                return False
            self._commands.choose_device(KINDS[name], device)
            return True
        return False

    def _join(self, message: Message) -> bool:
        session, name, password = [message.get(key, "") for key in ("session", "name", "password")]
        if not (_is_text(session, MAX_LENGTH) and _is_text(name, MAX_LENGTH) and _is_text(password, MAX_PASSWORD)):
            return False
        try:
            session = find_session_id(session) if session else ""
        except ValueError:
            raise CommandError("invalid-session")  # noqa: B904 - MicroPython has no exception chaining
        self._commands.enter(session, clean_name(name), password)
        return True

    def _tell(self, message: Message) -> None:
        told: Message = {"signald": VERSION}
        told.update(message)
        self._send(told, self.origin)


def describe(state: PageState, choices: DeviceChoices, used: Callable[[str], str]) -> list[Message]:
    """Return the events that describe the present state.

    Arguments:
        state: the page's state.
        choices: the available and chosen devices.
        used: returns the id of the device in use, for a kind of `DeviceChoices`.

    """
    devices, problem = state.devices, state.notices.problem
    code = state.notices.code or NO_CODE if problem else ""
    members = [
        {
            "user": member.user,
            "name": member.name,
            "host": member.host,
            "away": member.away,
            "connected": member.connection == "connected",
            "microphone": member.microphone,
            "camera": member.camera,
            "screen": member.screen,
        }
        for member in state.participants.members
    ]
    listed = {
        name: [
            {"device": device, "label": label, "used": is_used}
            for device, label, is_used in choices.options(kind, used(kind))
        ]
        for name, kind in KINDS.items()
    }
    session = state.session.id if state.in_session else ""
    codes = [device.problem for device in (devices.microphone, devices.camera) if device.problem]
    return [
        {
            "type": "state",
            "state": state.stage,
            "session": session,
            "role": state.role if session else "",
            "link": state.session.link if session else "",
            "outcome": state.notices.outcome if state.stage == page_state.ENDED else "",
        },
        {"type": "members", "members": members},
        {
            "type": "media",
            "microphone": devices.microphone.status == ON,
            "camera": devices.camera.status == ON,
            "screen": devices.sharing,
        },
        {"type": "devices", "devices": listed},
        {"type": "error", "about": "call", "code": code, "message": problem},
        {"type": "error", "about": "devices", "code": codes[0] if codes else "", "message": devices.problem},
    ]


def switch_device(state: PageState, kind: str, on: bool, call_began: bool) -> bool:
    """Note that a device is to be on or off; return whether it has to be toggled for that, as its button does.

    Without a preview or a call no device runs, and no command may start one: only the wish for the next call changes.

    Arguments:
        state: the page's state.
        kind: the kind of `DeviceChoices`, of the microphone or the camera.
        on: whether the device is to be on.
        call_began: whether a call exists that has requested its devices; one that still connects may not have.

    """
    devices = state.devices
    device = devices.microphone if kind == MICROPHONE else devices.camera
    in_call = state.phase in (page_state.CONNECTING, page_state.SESSION)
    runs = call_began or devices.previewing if in_call else devices.previewing and state.phase == page_state.START
    if not runs or (device.status == OFF and not on):
        # A device that is off for want of a permission or a plug must not come on later, either.
        device.wanted = on
        return False
    return on != device.is_on


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most
