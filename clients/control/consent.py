"""The consent to remote control: who may control this computer, since when, and until when.

A pure state machine: it is told what happens and what time it is, and returns effects. Consent belongs to one peer
connection and to nothing else, so that nobody can inherit it: who comes later, or comes back, has another connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define

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
from signald_client.control.control_gate import PAUSE_SECONDS
from signald_client.control.control_messages import (
    VERSION,
    Button,
    ClipboardRead,
    ClipboardText,
    ControlMessage,
    GiveUp,
    InvalidMessageError,
    Key,
    Request,
    Wheel,
    decode_message,
)
from signald_client.control.control_rules import CODE, NEVER, ControlCode, Rules
from signald_client.control.token_bucket import TokenBucket

__all__ = ["REFUTED", "UNVERIFIED", "VERIFIED", "Consent"]

UNVERIFIED = "unverified"
VERIFIED = "verified"
REFUTED = "refuted"
"""What is known about who is at the other end of a connection; refuted is one whose code was found to be different, or
whose exchange was tampered with."""

QUESTION_SECONDS = 30.0
"""Seconds after which a question without an answer counts as answered with no."""

READING_SECONDS = 1.0
"""Seconds for which an answer is not accepted, since it may have been meant for an earlier question."""

QUIET_SECONDS = 10.0
"""Seconds after a question was declined or withdrawn in which nobody else's request leads to another question."""

DECLINED_SECONDS = 60.0
"""Seconds after a decline in which the same user is declined without a question."""

EVENT_RATE = 200.0
"""Events per second that the viewer in control may send."""

EVENT_BURST = 200.0
"""Events that may come at once, as after a short stall of the network."""

REQUEST_RATE = 1.0
REQUEST_BURST = 5.0
"""Requests for control of one viewer that are answered, per second and at once."""

MAX_HELD = 16
"""Most keys and buttons that a viewer can hold at a time; hands hold fewer."""

FLOOD_REFUSALS = 400
"""Events beyond the rate limit after which the control ends: two seconds at twice the rate."""

FLOOD_FORGIVEN = 20.0
"""Events beyond the rate limit that are forgotten per second, so that short bursts do not add up over an hour."""


@define
class _Viewer:
    """The other side of one peer connection."""

    user: str
    name: str
    requests: TokenBucket
    trust: str = UNVERIFIED
    ready: bool = False


@define
class _Question:
    """The question that the user of this computer is asked."""

    number: int
    connection: int
    asked_at: float


class Consent:
    """Decides about requests for control, and lets through the events of the viewer who has it.

    Attributes:
        refusals: how many messages were refused, by reason.
        accepted: how many events were injected.
        grants: how often control was given.

    """

    def __init__(self, rules: Rules) -> None:
        self.refusals: Counter[str] = Counter()
        self.accepted = 0
        self.grants = 0
        self._rules = rules
        self._viewers: dict[int, _Viewer] = {}
        self._question: _Question | None = None
        self._questions = 0
        self._quiet_until = 0.0
        self._declined: dict[str, tuple[float, str]] = {}
        self._code = ControlCode(rules.code)
        self._controller: int | None = None
        self._held: set[str] = set()
        self._events = TokenBucket(EVENT_RATE, EVENT_BURST, 0.0)
        self._flood = TokenBucket(FLOOD_FORGIVEN, FLOOD_REFUSALS - 1, 0.0)
        self._reads_clipboard = False
        self._paused_until: float | None = None
        self._handlers: dict[type, Callable[[int, Any, float], list[Effect]]] = {
            Request: self._requested,
            GiveUp: self._given_up,
        }

    @property
    def controller(self) -> int | None:
        """The peer connection whose viewer has control; None when nobody has."""
        return self._controller

    # Peer connections

    def connection_opened(self, connection: int, user: str, name: str, now: float) -> None:
        """Note a new peer connection, by a number that is never used again."""
        self._viewers[connection] = _Viewer(user, name, TokenBucket(REQUEST_RATE, REQUEST_BURST, now))

    def viewer_ready(self, connection: int) -> list[Effect]:
        """Tell a viewer whose program understands messages that control can be asked for."""
        viewer = self._viewers.get(connection)
        if viewer is None or viewer.ready:
            return []
        viewer.ready = True
        return self._offer(connection)

    def connection_closed(self, connection: int, now: float) -> list[Effect]:
        """Forget a peer connection, and with it the consent that belongs to it."""
        if self._viewers.get(connection) is None:
            return []
        effects = self._end(connection, "disconnected", now)
        del self._viewers[connection]
        return effects

    def verification_changed(self, connection: int, trust: str, now: float) -> list[Effect]:
        """Note whether a connection is verified or refuted; a change ends a consent that was given before it."""
        viewer = self._viewers.get(connection)
        if viewer is None or viewer.trust == trust:
            return []
        viewer.trust = trust
        return self._end(connection, "verification", now)

    def membership_changed(self, now: float, user: str | None = None) -> list[Effect]:
        """End a consent, because the session has another host or a connection to the server was resumed.

        Arguments:
            now: the time in seconds.
            user: the user whom the change concerns; None when it concerns all.

        """
        effects: list[Effect] = []
        for connection, viewer in self._viewers.items():
            if user in (None, viewer.user):
                effects += self._end(connection, "membership", now)
        return effects

    # The user of this computer

    def answered(self, question: int, allowed: bool, now: float) -> list[Effect]:
        """Handle the user's answer to a question; an answer to another question than the present one changes nothing.

        An answer within `READING_SECONDS` is ignored, and has to be given again.
        """
        asked = self._question
        if asked is None or asked.number != question or now < asked.asked_at + READING_SECONDS:
            return []
        self._question = None
        if allowed:
            return self._grant(asked.connection, now)
        return self._decline(asked.connection, "declined", now)

    def stopped(self, reason: str, now: float) -> list[Effect]:
        """End the control, because the user or a failure at this computer ends it; without one, answer no.

        Nobody gets control with the code again, since whoever had it knows it, and the same viewer is not asked about
        for a while.
        """
        if self._controller is None:
            return self._withdraw("declined", now)
        self._code.switch_off()
        self._declined[self._viewers[self._controller].user] = (now + DECLINED_SECONDS, "declined")
        self._quiet_until = now + QUIET_SECONDS
        return self._end(self._controller, reason, now)

    def disable(self, now: float) -> list[Effect]:
        """End the control, and give it to nobody any more, because this computer cannot be controlled now."""
        self._rules = Rules(NEVER)
        asked = self._question
        if asked is not None:
            return self._end(asked.connection, "never", now)
        return self.stopped("failed", now)

    def local_input(self, now: float) -> list[Effect]:
        """Suspend the control, because somebody uses the computer's own keyboard or pointer."""
        if self._controller is None:
            return []
        first, self._paused_until = self._paused_until is None, now + PAUSE_SECONDS
        if not first:
            return []
        self._held.clear()
        return [ReleaseAll(), Send(self._controller, {"type": "control-paused", "paused": True})]

    def clipboard_read(self, text: str) -> list[Effect]:
        """Send the clipboard's text to the viewer in control, if that viewer is the one who asked for it."""
        if self._controller is None or not self._reads_clipboard:
            return []
        self._reads_clipboard = False
        return [Send(self._controller, {"type": "control-clipboard", "text": text})]

    def tick(self, now: float) -> list[Effect]:
        """Let time pass; call it several times a second."""
        effects = self._resume(now)
        asked = self._question
        if asked is not None and now >= asked.asked_at + QUESTION_SECONDS:
            effects += self._withdraw("unanswered", now)
        return effects

    # Messages of viewers

    def received(self, connection: int, message: dict[str, Any], now: float) -> list[Effect]:
        """Handle a message whose type begins with `control-`; whatever is wrong with it is counted."""
        if connection not in self._viewers:
            self.refusals["closed"] += 1
            return []
        try:
            decoded = decode_message(message)
        except InvalidMessageError as error:
            return self._invalid(connection, error.code, now)
        handler = self._handlers.get(type(decoded), self._event)
        return handler(connection, decoded, now)

    def _requested(self, connection: int, request: Request, now: float) -> list[Effect]:
        if not self._viewers[connection].requests.admit(1, now):
            self.refusals["too-often"] += 1
            return []
        refusal = self._refusal(connection, request, now)
        if refusal:
            self.refusals[refusal] += 1
            return [Send(connection, {"type": "control-refused", "reason": refusal})]
        if self._rules.mode == CODE:
            return self._grant(connection, now)
        self._questions += 1
        self._question = _Question(self._questions, connection, now)
        viewer = self._viewers[connection]
        return [
            Send(connection, {"type": "control-asked"}),
            AskUser(self._questions, connection, viewer.name, viewer.trust == VERIFIED),
        ]

    def _refusal(self, connection: int, request: Request, now: float) -> str:
        """Return why a request is refused; empty when it is not."""
        viewer = self._viewers[connection]
        if self._rules.mode == NEVER:
            return "never"
        if request.version != VERSION:
            return "version"
        if request.embedded:
            return "embedded"
        # Before the code is looked at, so that a viewer cannot try codes while another one has control.
        if self._controller is not None or self._question is not None:
            return "busy"
        if viewer.trust == REFUTED or not (viewer.trust == VERIFIED or self._rules.allow_unverified):
            return "unverified"
        if self._rules.mode == CODE:
            return self._code.check(request.code)
        until, reason = self._declined.get(viewer.user, (0.0, ""))
        if now < until:
            return reason
        return "busy" if now < self._quiet_until else ""

    def _given_up(self, connection: int, message: GiveUp, now: float) -> list[Effect]:
        return self._end(connection, "given-up", now)

    def _event(self, connection: int, event: Any, now: float) -> list[Effect]:
        """Let an event through, if its viewer has control and nothing forbids it now."""
        if connection != self._controller:
            self.refusals["no-consent"] += 1
            return []
        effects = self._resume(now)
        if not self._events.admit(_cost(event), now) and not self._is_release(event):
            return effects + self._flooded(now)
        if self._paused_until is not None:
            self.refusals["paused"] += 1
            return effects
        refusal = self._forbidden(event)
        if refusal:
            self.refusals[refusal] += 1
            return effects
        self.accepted += 1
        self._reads_clipboard |= isinstance(event, ClipboardRead)
        return [*effects, Inject(event)]

    def _forbidden(self, event: ControlMessage) -> str:
        """Return why an event of the viewer in control is refused, and keep account of what the viewer holds."""
        if isinstance(event, (ClipboardText, ClipboardRead)):
            return "" if self._rules.clipboard else "clipboard"
        if not isinstance(event, (Key, Button)):
            return ""
        name = _held_name(event)
        if not event.down:
            if name not in self._held:
                return "not-held"
            self._held.remove(name)
        elif name in self._held:
            return "repeated"
        elif len(self._held) >= MAX_HELD:
            return "too-many-held"
        else:
            self._held.add(name)
        return ""

    def _is_release(self, event: ControlMessage) -> bool:
        """Whether an event releases what the viewer holds, which no rate limit may prevent."""
        return isinstance(event, (Key, Button)) and not event.down and _held_name(event) in self._held

    def _invalid(self, connection: int, code: str, now: float) -> list[Effect]:
        self.refusals[code] += 1
        if connection != self._controller or self._events.admit(1, now):
            return []
        return self._flooded(now)

    def _flooded(self, now: float) -> list[Effect]:
        self.refusals["rate"] += 1
        return [] if self._flood.admit(1, now) else self.stopped("flood", now)

    # Transitions

    def _offer(self, connection: int) -> list[Effect]:
        if self._rules.mode == NEVER:
            return []
        rules = self._rules
        offer = {"type": "control-offer", "version": VERSION, "mode": rules.mode, "clipboard": rules.clipboard}
        return [Send(connection, offer)]

    def _grant(self, connection: int, now: float) -> list[Effect]:
        self._controller = connection
        self._held = set()
        self._events = TokenBucket(EVENT_RATE, EVENT_BURST, now)
        self._flood = TokenBucket(FLOOD_FORGIVEN, FLOOD_REFUSALS - 1, now)
        self._reads_clipboard = False
        self._paused_until = None
        self.grants += 1
        granted = {"type": "control-granted", "clipboard": self._rules.clipboard}
        return [ControlStarted(connection, self._viewers[connection].name), Send(connection, granted)]

    def _withdraw(self, reason: str, now: float) -> list[Effect]:
        """Decline the request that the user is asked about, if there is one."""
        if self._question is None:
            return []
        asked, self._question = self._question, None
        return [WithdrawQuestion(asked.number), *self._decline(asked.connection, reason, now)]

    def _decline(self, connection: int, reason: str, now: float) -> list[Effect]:
        self._quiet_until = now + QUIET_SECONDS
        # Users whose time is over are forgotten, so that the dict cannot grow without a bound.
        self._declined = {user: entry for user, entry in self._declined.items() if entry[0] > now}
        self._declined[self._viewers[connection].user] = (now + DECLINED_SECONDS, reason)
        self.refusals[reason] += 1
        return [Send(connection, {"type": "control-refused", "reason": reason})]

    def _end(self, connection: int, reason: str, now: float) -> list[Effect]:
        """End the control or the question of a connection, if it has either."""
        if self._question is not None and self._question.connection == connection:
            question, self._question = self._question, None
            # As after a decline, so that nobody can wear the user down with questions.
            self._quiet_until = now + QUIET_SECONDS
            return [
                WithdrawQuestion(question.number),
                Send(connection, {"type": "control-refused", "reason": reason}),
            ]
        if connection != self._controller:
            return []
        self._controller = self._paused_until = None
        self._held = set()
        ended = Send(connection, {"type": "control-ended", "reason": reason})
        return [ControlEnded(connection, self._viewers[connection].name, reason), ended]

    def _resume(self, now: float) -> list[Effect]:
        """End the pause when its time is over."""
        if self._controller is None or self._paused_until is None or now < self._paused_until:
            return []
        self._paused_until = None
        return [Send(self._controller, {"type": "control-paused", "paused": False})]


def _held_name(event: Key | Button) -> str:
    return event.code if isinstance(event, Key) else f"button {event.button}"


def _cost(event: ControlMessage) -> int:
    """Return the number of events that an event counts as: each step of the wheel is a press of a button."""
    return max(1, abs(event.right) + abs(event.down)) if isinstance(event, Wheel) else 1
