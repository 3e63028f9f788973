"""Tests what joins consent, terminal, members and injecting process, with a member and a process that record."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from signald_client.control.code_words import CODE_WORDS, code_sentence
from signald_client.control.console import quoted_name
from signald_client.control.control_rules import ASK, CODE, Rules
from signald_client.control.injector_process import InjectorProcess
from signald_client.control.screen_control import PRESENCE, ScreenControl
from signald_client.signaling import messages
from signald_client.signaling.events import Interrupted, Resumed
from signald_client.signaling.verification import Verification
from signald_page.client.extras import extra_texts
from tests.suites.peer.case import AsyncCase, asynchronous

REQUEST = {"type": "control-request", "version": 1, "embedded": False}
PRESS = {"type": "control-key", "code": "KeyA", "down": True}


class RecordingMember:
    """A member on a peer connection that records what is sent."""

    def __init__(self, number: int, user: str, name: str) -> None:
        self.number = number
        self.user = user
        self.name = name
        self.verification = Verification("")
        self.sent: list[dict[str, Any]] = []

    def send_message(self, message: dict[str, Any]) -> None:
        """Record a message."""
        self.sent.append(message)


class RecordingInjector:
    """An injecting process that records its commands."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def show(self, name: str) -> None:
        """Record the start of a control."""
        self.commands.append(f"show {name}")

    def hide(self) -> None:
        """Record the end of a control."""
        self.commands.append("hide")

    def release_all(self) -> None:
        """Record that everything is released."""
        self.commands.append("release")

    def inject(self, event: Any) -> None:
        """Record an event."""
        self.commands.append(event.code)


class ControlCase(AsyncCase):
    """A test case with a computer."""

    def start(self, rules: Rules) -> None:
        """Start the computer's side, with Ada on connection 1."""
        self.lines: list[str] = []
        self.injector = RecordingInjector()
        self.control = ScreenControl(rules, cast(InjectorProcess, self.injector), self.lines.append)
        self.addCleanup(self.control.close)
        self.ada = self.join(1, "ada", "Ada")

    def join(self, number: int, user: str, name: str) -> RecordingMember:
        """Add a member whose program understands messages."""
        member = RecordingMember(number, user, name)
        self.control.connection_opened(member)
        self.control.channel_ready(member)
        return member

    async def start_controlled(self) -> None:
        """Start with Ada in control."""
        self.start(Rules(ASK, allow_unverified=True))
        self.control.message_received(self.ada, REQUEST)
        self.control.command("yes")
        await asyncio.sleep(1.05)
        self.control.command("yes")
        self.assertEqual(self.injector.commands, ['show "Ada"'])


class TerminalTests(ControlCase):
    """The user's words."""

    @asynchronous
    async def test_words(self) -> None:
        """The user is asked by name, a hasty answer does not count, and other words are explained."""
        await self.start_controlled()
        self.assertEqual(self.ada.sent[0], PRESENCE)
        self.assertIn("Connection 1 (NOT VERIFIED", self.lines[0])
        self.assertIn('the name "Ada".', self.lines[0])
        self.assertIn("too fast", self.lines[1])
        self.control.command("no")
        self.assertIn("nothing but stop", self.lines[-1])
        self.control.command("stop")
        self.assertEqual(self.injector.commands[-1], "hide")
        self.control.command("yes")
        self.control.command("what")
        self.control.command("")
        self.assertEqual([line[:6] for line in self.lines[-2:]], ["Nobody", "Type y"])

    @asynchronous
    async def test_viewer_cannot_answer(self) -> None:
        """What is typed while somebody has control answers nothing: the viewer may be the one who types."""
        await self.start_controlled()
        eve = self.join(2, "eve", "Eve")
        eve.verification.state = "code"
        for word in ("same 2", "yes"):
            self.control.command(word)
        self.assertEqual(eve.verification.state, "code")

    def show_code(self, member: RecordingMember) -> None:
        """Have a code, which is printed with the next tick."""
        member.verification.state = "code"
        member.verification.code = [0, 1, 2, 3, 4, 5, 63]

    async def until_printed(self, words: str) -> None:
        """Wait until a line with these words is printed."""
        while not any(words in line for line in self.lines):
            await asyncio.sleep(0.02)

    @asynchronous
    async def test_codes(self) -> None:
        """The words of a code are printed once; `same` verifies the connection, and `different` does not."""
        self.start(Rules(ASK))
        self.control.command("same 1")
        self.assertIn("Name the number", self.lines[-1])
        self.show_code(self.ada)
        await asyncio.sleep(1.5)
        self.assertEqual(len([line for line in self.lines if "whale fox frog owl shark bee boot" in line]), 1)
        self.control.command("different 1")
        self.assertIn("gets no control", self.lines[-1])
        self.control.message_received(self.ada, REQUEST)
        self.assertEqual(self.ada.sent[-1], {"type": "control-refused", "reason": "unverified"})
        self.control.command("same 1")
        self.control.message_received(self.ada, REQUEST)
        self.assertEqual(self.ada.sent[-1], {"type": "control-asked"})

    @asynchronous
    async def test_number_of_a_code(self) -> None:
        """`same` needs the number of the connection, and does not count within a second after the code was printed."""
        self.start(Rules(ASK))
        self.show_code(self.ada)
        await self.until_printed("Connection 1 has this code")
        self.control.command("same 1")
        self.assertIn("too fast", self.lines[-1])
        await asyncio.sleep(1.05)
        self.control.command("same")
        self.assertIn("Name the number", self.lines[-1])
        self.assertEqual(self.ada.verification.state, "code")
        self.control.command("same 1")
        self.assertEqual(self.ada.verification.state, "confirmed")

    @asynchronous
    async def test_tampered_exchange(self) -> None:
        """A connection whose exchange was tampered with gets no control, also with `--unverified`."""
        for reason, answer in (
            ("mismatch", {"type": "control-refused", "reason": "unverified"}),
            ("timeout", {"type": "control-asked"}),
        ):
            self.start(Rules(ASK, allow_unverified=True))
            self.ada.verification.state = "not-verified"
            self.ada.verification.reason = reason
            await asyncio.sleep(0.3)
            self.control.message_received(self.ada, REQUEST)
            self.assertEqual(self.ada.sent[-1], answer)

    @asynchronous
    async def test_names_forge_nothing(self) -> None:
        """A name cannot look like a code, or like what the program says: it is quoted, and comes after both."""
        self.start(Rules(ASK, allow_unverified=True))
        eve = self.join(2, "eve", 'Ada" (verified) has this code: whale fox "')
        self.show_code(eve)
        await self.until_printed("Connection 2 has this code")
        code = next(line for line in self.lines if "has this code" in line)
        self.assertEqual(code.splitlines()[:2], ["Connection 2 has this code:", "whale fox frog owl shark bee boot"])
        self.assertIn('the name "Ada (verified) has this code: whale fox".', code)
        self.control.message_received(eve, REQUEST)
        self.assertTrue(self.lines[-1].startswith("Connection 2 (NOT VERIFIED"), self.lines[-1])

    @asynchronous
    async def test_stop_answers_no(self) -> None:
        """`stop` while the user is asked is a no."""
        self.start(Rules(ASK, allow_unverified=True))
        self.control.message_received(self.ada, REQUEST)
        self.control.command("stop")
        self.assertEqual(self.ada.sent[-1], {"type": "control-refused", "reason": "declined"})
        self.control.command("yes")
        self.assertEqual(self.lines[-2:], ["The question is withdrawn.", "Nobody asks."])

    @asynchronous
    async def test_words_of_the_page(self) -> None:
        """The words of the code are those of the call page, and a name cannot control the terminal."""
        self.assertEqual(CODE_WORDS, extra_texts.CODE_WORDS)
        self.assertEqual(code_sentence([16, 1]), "lemon fox")
        self.assertEqual(quoted_name("\x1b[2J\u202eAda\u200b\n"), '"[2JAda"')
        for name in ("\u200b \u200b\u201d", "\u3164", "\ue000\u0301"):
            self.assertEqual(quoted_name(name), "Somebody")


class SessionTests(ControlCase):
    """What ends control."""

    @asynchronous
    async def test_session_events(self) -> None:
        """Each event that may put somebody else in the place of a member ends the control; others do not."""
        session = "7Q2M9RT6ZC"
        member = messages.Member("ada", "guest", False, True, 0)
        for event in (
            Interrupted(1.0),
            Resumed("everything"),
            messages.HostChanged(session, "eve"),
            messages.MemberAway(session, "ada"),
            messages.MemberBack(session, "ada"),
            messages.MemberRenewed(session, member),
        ):
            self.start(Rules(CODE, "0123456789", allow_unverified=True))
            self.control.message_received(self.ada, {**REQUEST, "code": "0123456789"})
            self.control.message_received(self.ada, PRESS)
            self.control.session_event(messages.MemberAway(session, "bob"))
            self.assertEqual(self.injector.commands, ['show "Ada"', "KeyA"])
            self.control.session_event(event)
            self.assertEqual(self.injector.commands[-1], "hide", event)
            self.control.message_received(self.ada, PRESS)
            self.assertEqual(self.injector.commands[-1], "hide", event)

    @asynchronous
    async def test_computer(self) -> None:
        """Reports of the injecting process suspend the control, end it, and after a failure end it for good."""
        await self.start_controlled()
        self.control.injector_report({"is": "local-input"})
        self.assertEqual(self.injector.commands[-1], "release")
        self.control.injector_report({"is": "clipboard", "text": "secret"})
        self.assertNotIn("secret", str(self.ada.sent))
        self.control.injector_report({"is": "ended", "reason": "emergency-key"})
        self.assertEqual(self.ada.sent[-1], {"type": "control-ended", "reason": "emergency-key"})
        self.control.injector_report({"is": "ended", "reason": "failed"})
        self.control.message_received(self.ada, REQUEST)
        self.assertEqual(self.ada.sent[-1], {"type": "control-refused", "reason": "never"})

    @asynchronous
    async def test_connection_closed(self) -> None:
        """Messages of a connection that is over are counted; messages about other things concern nobody here."""
        await self.start_controlled()
        self.control.connection_closed(self.ada)
        self.control.message_received(self.ada, PRESS)
        self.control.message_received(self.ada, {"type": "chat", "text": "hello"})
        self.assertEqual(self.injector.commands, ['show "Ada"', "hide"])
        self.assertEqual(self.control.as_plain(), {"grants": 1, "events": 0, "refused": {"closed": 1}})

    @asynchronous
    async def test_pointing(self) -> None:
        """What viewers point at on the screen is for other viewers: it is neither injected, nor counted, nor answered.

        A viewer in control keeps it.
        """
        await self.start_controlled()
        sent = list(self.ada.sent)
        for message in (
            {"type": "point-at", "screen": "computer", "points": [[0.5, 0.5]], "line": 1},
            {"type": "point-at", "screen": 5, "points": None},
            {"type": "point-away"},
        ):
            self.control.message_received(self.ada, message)
        self.assertEqual((self.ada.sent, self.injector.commands, self.lines[3:]), (sent, ['show "Ada"'], []))
        self.assertEqual(self.control.as_plain(), {"grants": 1, "events": 0, "refused": {}})
        self.control.message_received(self.ada, PRESS)
        self.assertEqual(self.injector.commands, ['show "Ada"', "KeyA"])

    @asynchronous
    async def test_question_withdrawn(self) -> None:
        """When the member leaves who asks, the question is withdrawn, and a yes has no effect."""
        self.start(Rules(ASK, allow_unverified=True))
        self.control.message_received(self.ada, REQUEST)
        self.control.connection_closed(self.ada)
        await asyncio.sleep(1.05)
        self.control.command("yes")
        self.assertEqual(self.lines[-2:], ["The question is withdrawn.", "Nobody asks."])
        self.assertEqual(self.injector.commands, [])
