"""Joins the parts of remote control: data channels, consent, terminal, and the injecting process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from signald_client.control.code_words import code_sentence
from signald_client.control.consent import READING_SECONDS, REFUTED, UNVERIFIED, VERIFIED, Consent
from signald_client.control.console import quoted_name
from signald_client.control.control_effects import (
    AskUser,
    ControlEnded,
    ControlStarted,
    Effect,
    Inject,
    ReleaseAll,
    Send,
    WithdrawQuestion,
)
from signald_client.control.control_rules import Rules
from signald_client.control.injector_process import InjectorProcess
from signald_client.data_channel import MemberChannel
from signald_client.signaling import messages
from signald_client.signaling.events import Interrupted, Resumed
from signald_client.signaling.verification import (
    ANSWERABLE,
    CODE,
    CONFIRMED,
    DENIED,
    NOT_VERIFIED,
    TIMEOUT,
    Verification,
)
from signald_client.signaling.wire import Value

__all__ = ["ScreenControl"]

TICK_SECONDS = 0.2

PRESENCE = {"type": "presence", "microphone": False, "camera": False, "screen": True}
"""Tells call pages that the only picture is a shared screen."""

PREFIX = "control-"
"""The beginning of the types of messages that are about remote control."""


class ScreenControl:
    """Decides who controls this computer, as its user says in the terminal."""

    def __init__(self, rules: Rules, injector: InjectorProcess | None, print_line: Callable[[str], None]) -> None:
        """Start without a viewer.

        Arguments:
            rules: how requests are decided.
            injector: the process that injects events; None when control is never given.
            print_line: prints a line to the user.

        """
        self._consent = Consent(rules)
        self._injector = injector
        self._print_line = print_line
        self._members: dict[int, MemberChannel] = {}
        self._verified: dict[int, str] = {}
        self._printed_at: dict[int, float] = {}
        self._question = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def as_plain(self) -> dict[str, object]:
        """Return the figures for the report."""
        consent = self._consent
        return {"grants": consent.grants, "events": consent.accepted, "refused": dict(sorted(consent.refusals.items()))}

    def close(self) -> None:
        """End the control."""
        self._timer.cancel()
        self._perform(self._consent.stopped("stopped", self._loop.time()))

    # Methods of `ChannelObserver`

    def connection_opened(self, member: MemberChannel) -> None:
        """Note the viewer at a new peer connection."""
        self._members[member.number] = member
        self._consent.connection_opened(member.number, member.user, member.name, self._loop.time())

    def channel_ready(self, member: MemberChannel) -> None:
        """Say what is shared, and that control can be asked for."""
        member.send_message(PRESENCE)
        self._perform(self._consent.viewer_ready(member.number))

    def message_received(self, member: MemberChannel, message: dict[str, Any]) -> None:
        """Pass a message of remote control on; what else pages tell each other does not concern a computer."""
        if message["type"].startswith(PREFIX):
            self._perform(self._consent.received(member.number, message, self._loop.time()))

    def connection_closed(self, member: MemberChannel) -> None:
        """Forget the viewer, and with it the consent."""
        self._perform(self._consent.connection_closed(member.number, self._loop.time()))
        self._members.pop(member.number, None)
        self._verified.pop(member.number, None)
        self._printed_at.pop(member.number, None)

    # The session

    def session_event(self, event: Value) -> None:
        """Handle an event of the session: it may end a consent."""
        now = self._loop.time()
        if isinstance(event, (Interrupted, Resumed, messages.HostChanged, messages.Opened, messages.Joined)):
            self._perform(self._consent.membership_changed(now))
        elif isinstance(event, (messages.MemberAway, messages.MemberBack, messages.MemberLeft)):
            self._perform(self._consent.membership_changed(now, event.user))
        elif isinstance(event, messages.MemberRenewed):
            self._perform(self._consent.membership_changed(now, event.member.user))

    # The computer

    def injector_report(self, report: dict[str, Any]) -> None:
        """Handle a report of the injecting process."""
        now = self._loop.time()
        if report["is"] == "local-input":
            self._perform(self._consent.local_input(now))
        elif report["is"] == "clipboard":
            self._perform(self._consent.clipboard_read(report["text"]))
        elif report["reason"] == "failed":
            self._perform(self._consent.disable(now))
        else:
            self._perform(self._consent.stopped(report["reason"], now))

    # The user

    def command(self, line: str) -> None:
        """Carry out a line of the user: yes, no, stop, or whether a code is the same."""
        word, _, number = line.partition(" ")
        if word == "stop":
            self._perform(self._consent.stopped("stopped", self._loop.time()))
        elif self._consent.controller is not None:
            # The viewer may be the one who types here.
            self._print_line("While somebody controls this computer, nothing but stop is accepted.")
        elif word in ("yes", "no"):
            self._answer(word == "yes")
        elif word in ("same", "different"):
            self._compare(word == "same", number)
        elif word:
            self._print_line("Type yes, no, stop, or same or different with the number of a connection.")

    def _answer(self, allowed: bool) -> None:
        if not self._question:
            self._print_line("Nobody asks.")
        elif effects := self._consent.answered(self._question, allowed, self._loop.time()):
            self._question = 0
            self._perform(effects)
        else:
            self._print_line("That was too fast. Read the question, and answer it again.")

    def _compare(self, same: bool, number: str) -> None:
        """Store whether the code of a connection is the same; its number is needed, since another may be shown last."""
        codes = {str(each.number): each for each in self._members.values() if each.verification.state in ANSWERABLE}
        if number not in codes:
            self._print_line("Name the number of the connection, as in: same 1")
            return
        member = codes[number]
        if self._loop.time() < self._printed_at.get(member.number, 0.0) + READING_SECONDS:
            self._print_line("That was too fast. Compare the codes, and answer again.")
            return
        member.verification.answer(same)
        self._look_at_codes(0.0)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._look_at_codes(TICK_SECONDS)
        self._perform(self._consent.tick(self._loop.time()))

    def _look_at_codes(self, seconds: float) -> None:
        """Print codes that have been computed, and tell the consent which connections are verified."""
        for number, member in list(self._members.items()):
            verification = member.verification
            verification.tick(seconds)
            before, state = self._verified.get(number), verification.state
            if state == before:
                continue
            self._verified[number] = state
            name = quoted_name(member.name)
            if state == CODE:
                self._printed_at[number] = self._loop.time()
                # The code is on a line of its own and before the name, so that no name can look like it.
                self._print_line(
                    f"Connection {number} has this code:\n{code_sentence(verification.code)}\n"
                    f'Its member has the name {name}. If that page shows the same code, type "same {number}".'
                )
            elif state == CONFIRMED:
                self._print_line(f"Connection {number} is verified. Its member has the name {name}.")
            elif state == DENIED or _is_tampered(verification):
                self._print_line(f"Connection {number} gets no control. Its member has the name {name}.")
            self._perform(self._consent.verification_changed(number, _trust(verification), self._loop.time()))

    # Effects of the consent

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._perform_one(effect)

    def _perform_one(self, effect: Effect) -> None:
        match effect:
            case Send(connection=number, message=message):
                if number in self._members:
                    self._members[number].send_message(message)
            case AskUser():
                self._ask(effect)
            case WithdrawQuestion():
                self._question = 0
                self._print_line("The question is withdrawn.")
            case ControlStarted(name=name):
                self._print_line(f'{quoted_name(name)} controls this computer. Type "stop" to end that.')
                if self._injector is not None:
                    self._injector.show(quoted_name(name))
            case ControlEnded(name=name, reason=reason):
                if self._injector is not None:
                    self._injector.hide()
                self._print_line(f"{quoted_name(name)} does not control this computer any more ({reason}).")
            case Inject(event=event):
                if self._injector is not None:
                    self._injector.inject(event)
            case ReleaseAll():
                if self._injector is not None:
                    self._injector.release_all()

    def _ask(self, question: AskUser) -> None:
        self._question = question.question
        verified = "verified" if question.verified else "NOT VERIFIED, so that somebody may be in between"
        self._print_line(
            f"Connection {question.connection} ({verified}) asks to control keyboard and pointer of this computer, "
            f"this time. Its member has the name {quoted_name(question.name)}. Type yes or no."
        )


def _trust(verification: Verification) -> str:
    """Return what the state of a verification says about who is at the other end."""
    if verification.state == CONFIRMED:
        return VERIFIED
    return REFUTED if verification.state == DENIED or _is_tampered(verification) else UNVERIFIED


def _is_tampered(verification: Verification) -> bool:
    """Whether an exchange failed in a way that no honest program causes; without an exchange it only expires."""
    return verification.state == NOT_VERIFIED and verification.reason != TIMEOUT
