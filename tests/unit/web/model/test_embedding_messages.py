"""The conversation between the call page in a frame and the page around it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import texts
from signald_page.client.model.device_choices import CAMERA, MICROPHONE, DeviceChoices
from signald_page.client.model.devices import MUTED, OFF, ON, REQUESTED
from signald_page.client.model.embedding_messages import (
    MAX_DEVICE_ID,
    MAX_PASSWORD,
    NO_CODE,
    CommandError,
    EmbeddingMessages,
    describe,
    switch_device,
)
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer
from tests.support.json_values import JSON

APP, OTHER = "https://app.example", "https://other.example"
SESSION = "7Q2M9RT6ZC"

ODD: st.SearchStrategy[object] = st.none() | st.integers() | st.text() | st.just([])

#: Messages with the name of a command, whose values may be right.
COMMANDS = st.fixed_dictionaries(
    {
        "signald": st.just(1),
        "type": st.sampled_from(["hello", "join", "hang-up", "microphone", "camera", "choose-device", "other"]),
    },
    optional={
        "on": st.booleans() | ODD,
        "session": st.just(SESSION) | ODD,
        "name": ODD,
        "password": ODD,
        "kind": st.sampled_from(["camera", "microphone", "speaker"]) | ODD,
        "device": ODD,
    },
)


class Recorder:
    """Commands that are recorded, and refused while `refusal` is set."""

    def __init__(self) -> None:
        self.performed: list[tuple[object, ...]] = []
        self.refusal = ""

    def _perform(self, *command: object) -> None:
        if self.refusal:
            raise CommandError(self.refusal)
        self.performed.append(command)

    def enter(self, session: str, name: str, password: str) -> None:
        """Record it."""
        self._perform("enter", session, name, password)

    def choose_device(self, kind: str, device: str) -> None:
        """Record it."""
        self._perform("choose", kind, device)

    def hang_up(self) -> None:
        """Record it."""
        self._perform("hang-up")

    def switch_device(self, kind: str, on: bool) -> None:
        """Record it."""
        self._perform("switch", kind, on)


class EmbeddingCase(SynchronousTestCase):
    """A page that two origins may frame."""

    def setUp(self) -> None:
        """Create the conversation, before any hello."""
        self.commands = Recorder()
        self.sent: list[tuple[dict[str, Any], str]] = []
        self.messages = EmbeddingMessages([APP, OTHER], self.commands, lambda *sent: self.sent.append(sent))

    def receive(self, type_: str, origin: str = APP, **values: object) -> None:
        """Receive a message."""
        self.messages.receive(origin, {"signald": 1, "type": type_, **values})

    def greet(self) -> None:
        """Receive a hello, and forget the answer."""
        self.receive("hello")
        self.sent.clear()

    def types(self) -> list[str]:
        """Return the types of what was sent, and forget it."""
        found = [message["type"] for message, _ in self.sent]
        self.sent.clear()
        return found


class HelloTests(EmbeddingCase):
    """The beginning."""

    def test_nothing_before(self) -> None:
        """Before a hello nothing is sent, and no command is carried out."""
        self.messages.update([{"type": "state", "state": "start"}])
        self.receive("hang-up")
        self.receive("join")
        self.assertEqual((self.sent, self.commands.performed, self.messages.ignored), ([], [], 2))

    def test_answer(self) -> None:
        """A hello is answered with the version and the present state, to the origin that said it alone."""
        self.messages.update([{"type": "state", "state": "start"}])
        self.receive("hello")
        ready, state = {"signald": 1, "type": "ready"}, {"signald": 1, "type": "state", "state": "start"}
        self.assertEqual(self.sent, [(ready, APP), (state, APP)])

    def test_again(self) -> None:
        """A page that was loaded again says hello again, and learns everything again."""
        self.messages.update([{"type": "state", "state": "start"}])
        self.receive("hello")
        self.receive("hello")
        self.assertEqual(self.types(), ["ready", "state"] * 2)

    def test_strangers(self) -> None:
        """Other origins, other senders, and the other allowed origin without a hello of its own do nothing."""
        self.greet()
        for origin in (
            "",
            "null",
            "https://evil.example",
            "https://app.example.evil.example",
            "http://app.example",
            OTHER,
        ):
            self.receive("hang-up", origin)
        for origin in ("", "null", "https://evil.example"):
            self.receive("hello", origin)
        self.assertEqual((self.sent, self.commands.performed, self.messages.ignored), ([], [], 9))
        self.assertEqual(self.messages.origin, APP)

    def test_versions(self) -> None:
        """A message of another version, or without one, does nothing."""
        for version in (None, 0, 2, "1", True, 1.0, [1]):
            self.messages.receive(APP, {"signald": version, "type": "hello"})
        self.messages.receive(APP, {"type": "hello"})
        self.assertEqual((self.sent, self.messages.ignored), ([], 8))


class CommandTests(EmbeddingCase):
    """The commands."""

    def test_all(self) -> None:
        """Each command is carried out with its values, which are cleaned as those that a person types."""
        self.greet()
        self.receive("join")
        self.receive("join", session="7q2-m9rt-6zc", name=" A\u202enn ", password="secret")
        self.receive("hang-up", unknown=1)
        self.receive("microphone", on=False)
        self.receive("camera", on=True)
        self.receive("choose-device", kind="camera", device="id")
        expected = [
            ("enter", "", "", ""),
            ("enter", SESSION, "Ann", "secret"),
            ("hang-up",),
            ("switch", "audioinput", False),
            ("switch", "videoinput", True),
            ("choose", "videoinput", "id"),
        ]
        self.assertEqual((self.commands.performed, self.messages.ignored, self.sent), (expected, 0, []))

    def test_odd_values(self) -> None:
        """Values of another type or length, and unknown commands, do nothing but count."""
        self.greet()
        nothing: tuple[object, ...] = (None, 1, [])
        others: tuple[object, ...] = (None, 1, {}, [])
        odd: list[dict[str, object]] = [
            *[{"type": "microphone", "on": on} for on in (*nothing, 0, "on", "")],
            {"type": "camera"},
            *[{"type": "join", key: value} for key in ("session", "name", "password") for value in others],
            {"type": "join", "password": "x" * (MAX_PASSWORD + 1)},
            *[{"type": "choose-device", "kind": kind, "device": "id"} for kind in (*nothing, "", "screen")],
            *[{"type": "choose-device", "kind": "camera", "device": device} for device in (*nothing, "")],
            {"type": "choose-device", "kind": "camera", "device": "x" * (MAX_DEVICE_ID + 1)},
            *[{"type": kind} for kind in (*nothing, "", "share-screen", "control")],
        ]
        for message in odd:
            self.messages.receive(APP, {"signald": 1, **message})
        for other in (*others, "hello", [1]):
            self.messages.receive(APP, other)
        self.assertEqual((self.sent, self.commands.performed), ([], []))
        self.assertEqual(self.messages.ignored, len(odd) + 6)

    def test_errors(self) -> None:
        """A well-formed command that cannot be carried out is answered with its code."""
        self.greet()
        self.receive("join", session="nonsense")
        self.commands.refusal = "call-on"
        self.receive("join", session=SESSION)
        error = {"signald": 1, "type": "error", "about": "join", "message": ""}
        self.assertEqual(
            [message for message, _ in self.sent], [{**error, "code": "invalid-session"}, {**error, "code": "call-on"}]
        )
        self.assertEqual(self.messages.ignored, 0)

    @given(st.lists(COMMANDS | JSON, max_size=5))
    def test_anything(self, values: list[object]) -> None:
        """Whatever arrives raises no exception, and is carried out, answered or counted, and only one of these."""
        self.setUp()
        self.greet()
        for value in values:
            self.messages.receive(APP, value)
        self.assertEqual(self.messages.ignored + len(self.commands.performed) + len(self.sent), len(values))


class EventTests(EmbeddingCase):
    """What is told."""

    def setUp(self) -> None:
        """Create a page on its start screen."""
        super().setUp()
        self.state = PageState()
        self.choices = DeviceChoices({})
        self.state.show_start("")

    def update(self) -> list[dict[str, Any]]:
        """Tell what has changed, and return it."""
        self.sent.clear()
        self.messages.update(describe(self.state, self.choices, lambda kind: "cam" if kind == CAMERA else ""))
        json.dumps([message for message, _ in self.sent])
        return [message for message, _ in self.sent]

    def test_only_changes(self) -> None:
        """Each event is sent when it differs from the last one of its kind."""
        self.greet()
        self.assertEqual([message["type"] for message in self.update()], ["state", "members", "media", "devices"])
        self.assertEqual(self.update(), [])
        self.state.devices.microphone.started()
        self.assertEqual(
            self.update(), [{"signald": 1, "type": "media", "microphone": True, "camera": False, "screen": False}]
        )

    def test_call(self) -> None:
        """A call's session, link and members are told while it is on, and its outcome at the end."""
        self.greet()
        self.update()
        self.state.start_call(GUEST, SESSION)
        self.state.session.link = f"https://calls.example/#{SESSION}"
        [state] = self.update()
        self.assertEqual((state["state"], state["session"], state["role"], state["link"]), ("connecting", "", "", ""))
        peer = RemotePeer("u", "Ann")
        peer.host = True
        self.state.session_joined(SESSION, GUEST, [peer])
        state, members = self.update()
        self.assertEqual((state["state"], state["session"], state["role"]), ("calling", SESSION, GUEST))
        self.assertEqual(state["link"], f"https://calls.example/#{SESSION}")
        self.assertEqual(
            members["members"],
            [
                {
                    "user": "u",
                    "name": "Ann",
                    "host": True,
                    "away": False,
                    "connected": False,
                    "microphone": None,
                    "camera": None,
                    "screen": False,
                }
            ],
        )
        self.state.hung_up()
        state, members = self.update()
        self.assertEqual((state["state"], state["outcome"]), ("ended", texts.HUNG_UP))
        self.assertEqual(members["members"], [])

    def test_failures(self) -> None:
        """A failure is told with the code of the refused hello, of the closed connection, or of the takeover."""
        self.greet()
        for fail, code in (
            (lambda: self.state.request_refused("hello", "server-full", "Full."), "server-full"),
            (lambda: self.state.server_lost(texts.SERVER_LOST, "too-many-messages"), "too-many-messages"),
            (lambda: self.state.server_lost(texts.SERVER_LOST), NO_CODE),
            (self.state.replaced_elsewhere, "replaced"),
        ):
            self.state.start_call(GUEST, SESSION)
            self.update()
            fail()
            self.assertEqual([told["code"] for told in self.update() if told["type"] == "error"], [code])

    def test_devices(self) -> None:
        """The available devices are told by kind, with the one in use."""
        self.greet()
        self.update()
        self.choices.set_available([("videoinput", "cam", "Camera"), ("audioinput", "mic", "")])
        [told] = self.update()
        self.assertEqual(told["devices"]["camera"], [{"device": "cam", "label": "Camera", "used": True}])
        self.assertEqual([device["device"] for device in told["devices"]["microphone"]], ["mic"])
        self.assertEqual(told["devices"]["speaker"], [])

    def test_problems(self) -> None:
        """Problems of the call and of devices are told once each, with the protocol's code where there is one."""
        self.greet()
        self.update()
        # Two codes may share a sentence, and the server may know codes that the page does not.
        for code in ("session-full", "too-many-connections", "too-many-new-connections", "brand-new"):
            sentence = texts.refusal(code, "Something new.")
            self.state.request_refused("join", code, sentence)
            [told] = self.update()
            self.assertEqual((told["about"], told["code"], told["message"]), ("call", code, sentence))
        self.state.notices.problem = texts.SERVER_UNREACHABLE
        [told] = self.update()
        self.assertEqual(told["code"], NO_CODE)
        self.state.dismiss()
        self.assertEqual(self.update(), [])
        self.state.notices.problem = texts.SERVER_UNREACHABLE
        self.assertEqual(len(self.update()), 1)
        self.state.devices.camera.stopped("refused")
        self.state.devices.changed()
        [told] = self.update()
        self.assertEqual((told["about"], told["code"], bool(told["message"])), ("devices", "refused", True))


def loading() -> PageState:
    """Return a page that loads."""
    return PageState()


def start() -> PageState:
    """Return a page on its start screen."""
    state = PageState()
    state.show_start("")
    return state


def preview() -> PageState:
    """Return a page that shows the person to themselves before a call."""
    state = start()
    state.devices.previewing = True
    return state


def connecting(state: PageState | None = None) -> PageState:
    """Return a page that connects, by default without a preview before."""
    state = state or start()
    state.start_call(HOST)
    return state


def in_session() -> PageState:
    """Return a page in a session."""
    state = connecting()
    state.session_joined(SESSION, HOST, [])
    return state


def ended() -> PageState:
    """Return a page after a call."""
    state = in_session()
    state.hung_up()
    return state


def failed() -> PageState:
    """Return a page whose call failed."""
    state = connecting()
    state.server_lost(texts.SERVER_LOST)
    return state


def testing() -> PageState:
    """Return a page that tests the connection."""
    state = preview()
    state.show_test()
    return state


class SwitchTests(SynchronousTestCase):
    """Whether a command toggles a device, in each phase."""

    def switched(self, state: PageState, status: str, wanted: bool, on: bool, began: bool) -> tuple[bool, bool]:
        """Give the microphone this status and command it; return whether it is toggled, and whether it is wanted."""
        state.devices.microphone.status = status
        state.devices.microphone.wanted = wanted
        return switch_device(state, MICROPHONE, on, began), state.devices.microphone.wanted

    def test_no_call(self) -> None:
        """Where no device runs, and before a call has requested its devices, a command only changes the wish."""
        for make in (loading, start, connecting, ended, failed, testing):
            for on in (False, True):
                for wanted in (False, True):
                    self.assertEqual(self.switched(make(), OFF, wanted, on, began=False), (False, on), make.__name__)

    def test_running(self) -> None:
        """In a preview and in a call a device is toggled unless it is so, or will be so, already."""
        cases: list[tuple[PageState, bool]] = [
            (preview(), False),
            (connecting(preview()), False),
            (connecting(), True),
            (in_session(), True),
        ]
        for state, began in cases:
            for status, wanted, on, expected in (
                (OFF, True, True, (True, True)),
                (OFF, False, True, (True, False)),
                (OFF, True, False, (False, False)),
                (OFF, False, False, (False, False)),
                (REQUESTED, True, True, (False, True)),
                (REQUESTED, False, True, (True, False)),
                (REQUESTED, True, False, (True, True)),
                (REQUESTED, False, False, (False, False)),
                (ON, True, True, (False, True)),
                (ON, True, False, (True, True)),
                (MUTED, False, True, (True, False)),
                (MUTED, False, False, (False, False)),
            ):
                found = self.switched(state, status, wanted, on, began)
                self.assertEqual(found, expected, (state.stage, status, wanted, on))

    def test_camera(self) -> None:
        """The kind chooses the device."""
        state = start()
        self.assertFalse(switch_device(state, CAMERA, False, call_began=False))
        self.assertEqual((state.devices.microphone.wanted, state.devices.camera.wanted), (True, False))
