"""Tests the consent to remote control, by tables and by random walks."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from signald_client.control import control_messages as messages
from signald_client.control.consent import (
    EVENT_BURST,
    EVENT_RATE,
    FLOOD_FORGIVEN,
    FLOOD_REFUSALS,
    MAX_HELD,
    REFUTED,
    UNVERIFIED,
    VERIFIED,
    Consent,
)
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
from signald_client.control.control_rules import ASK, CODE, NEVER, Rules, normal_code
from tests.unit.clients.control.test_control_messages import ODD_MESSAGES

REQUEST: dict[str, Any] = {"type": "control-request", "version": 1, "embedded": False}
GIVE_UP = {"type": "control-give-up"}
MOVE = {"type": "control-pointer", "x": 0.5, "y": 0.5}
SECRET = "0123456789"  # a control code in its normal form


def key(code: str, down: bool) -> dict[str, Any]:
    """Return the message of a key."""
    return {"type": "control-key", "code": code, "down": down}


def button(down: bool) -> dict[str, Any]:
    """Return the message of the left button, in the middle of the screen."""
    return {"type": "control-button", "x": 0.5, "y": 0.5, "button": 0, "down": down}


def refused(connection: int, reason: str) -> Send:
    """Return the effect that refuses a request."""
    return Send(connection, {"type": "control-refused", "reason": reason})


def ended(connection: int, reason: str, name: str = "Ada") -> list[Effect]:
    """Return the effects at the end of a control."""
    return [ControlEnded(connection, name, reason), Send(connection, {"type": "control-ended", "reason": reason})]


def viewers(rules: Rules, verified: bool = True) -> Consent:
    """Return a consent with two viewers: Ada on connection 1 and Bob on connection 2."""
    consent = Consent(rules)
    for connection, name in ((1, "Ada"), (2, "Bob")):
        consent.connection_opened(connection, name.lower(), name, 0.0)
        consent.viewer_ready(connection)
        consent.verification_changed(connection, VERIFIED if verified else UNVERIFIED, 0.0)
    return consent


def controlled(*, clipboard: bool = False) -> Consent:
    """Return a consent in which Ada has had control since second 102."""
    consent = viewers(Rules(ASK, clipboard=clipboard))
    consent.received(1, REQUEST, 100.0)
    assert ControlStarted(1, "Ada") in consent.answered(1, True, 102.0)
    return consent


class RequestTests(SynchronousTestCase):
    """Requests for control, and the user's answer."""

    def test_never(self) -> None:
        """By default nothing is offered, and a request is refused."""
        consent = Consent(Rules())
        consent.connection_opened(1, "ada", "Ada", 0.0)
        self.assertEqual(consent.viewer_ready(1), [])
        self.assertEqual(consent.received(1, REQUEST, 1.0), [refused(1, "never")])
        self.assertEqual(consent.received(1, MOVE, 1.0), [])
        self.assertEqual(consent.refusals, {"never": 1, "no-consent": 1})

    def test_offer(self) -> None:
        """A viewer whose program understands messages learns once that control can be asked for, and how."""
        consent = Consent(Rules(ASK, clipboard=True))
        self.assertEqual(consent.viewer_ready(1), [])
        consent.connection_opened(1, "ada", "Ada", 0.0)
        offer = {"type": "control-offer", "version": 1, "mode": "ask", "clipboard": True}
        self.assertEqual(consent.viewer_ready(1), [Send(1, offer)])
        self.assertEqual(consent.viewer_ready(1), [])

    def test_ask(self) -> None:
        """The user is asked, with name and verification; after a yes the viewer has control, after a no not."""
        consent = viewers(Rules(ASK))
        asked = consent.received(1, REQUEST, 100.0)
        self.assertEqual(asked, [Send(1, {"type": "control-asked"}), AskUser(1, 1, "Ada", True)])
        granted = Send(1, {"type": "control-granted", "clipboard": False})
        self.assertEqual(consent.answered(1, True, 101.0), [ControlStarted(1, "Ada"), granted])
        self.assertEqual((consent.controller, consent.grants), (1, 1))
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.answered(1, False, 101.0), [refused(1, "declined")])
        self.assertIsNone(consent.controller)

    def test_refusals(self) -> None:
        """Each request that may not be granted is refused with its reason, and nobody is asked."""
        cases: list[tuple[Rules, bool, dict[str, Any], str]] = [
            (Rules(ASK), True, {"version": 2}, "version"),
            (Rules(ASK), True, {"embedded": True}, "embedded"),
            (Rules(ASK), False, {}, "unverified"),
            (Rules(CODE, SECRET), False, {"code": SECRET}, "unverified"),
            (Rules(CODE, SECRET), True, {}, "code-needed"),
            (Rules(CODE, SECRET), True, {"code": "9876543210"}, "wrong-code"),
            (Rules(CODE, SECRET, allow_unverified=True), True, {"code": SECRET, "embedded": True}, "embedded"),
        ]
        for rules, verified, change, reason in cases:
            consent = viewers(rules, verified)
            self.assertEqual(consent.received(1, {**REQUEST, **change}, 100.0), [refused(1, reason)])
            self.assertIsNone(consent.controller)
            self.assertEqual(consent.refusals, {reason: 1})

    def test_unverified_on_demand(self) -> None:
        """With `allow_unverified` the user is asked about an unverified connection, and told that it is one."""
        consent = viewers(Rules(ASK, allow_unverified=True), verified=False)
        self.assertIn(AskUser(1, 1, "Ada", False), consent.received(1, REQUEST, 100.0))

    def test_hasty_answer(self) -> None:
        """An answer within the first second is ignored: it may have been meant for an earlier question."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.answered(1, True, 100.9), [])
        self.assertIsNone(consent.controller)
        self.assertIn(ControlStarted(1, "Ada"), consent.answered(1, True, 101.0))

    def test_answer_to_another_question(self) -> None:
        """An answer to a question that is over changes nothing, also when another one is open."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertIn(WithdrawQuestion(1), consent.connection_closed(1, 101.0))
        self.assertEqual(consent.answered(1, True, 102.0), [])
        self.assertEqual(consent.received(2, REQUEST, 105.0), [refused(2, "busy")])
        self.assertIn(AskUser(2, 2, "Bob", True), consent.received(2, REQUEST, 112.0))
        self.assertEqual(consent.answered(1, True, 114.0), [])
        self.assertIsNone(consent.controller)

    def test_no_answer(self) -> None:
        """After thirty seconds without an answer the request is declined, and the next one is with the same reason."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.tick(129.9), [])
        self.assertEqual(consent.tick(130.0), [WithdrawQuestion(1), refused(1, "unanswered")])
        self.assertEqual(consent.answered(1, True, 131.0), [])
        self.assertEqual(consent.received(1, REQUEST, 140.0), [refused(1, "unanswered")])

    def test_stop_before_the_answer(self) -> None:
        """The word that ends a control declines the request that the user is asked about."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.stopped("stopped", 100.5), [WithdrawQuestion(1), refused(1, "declined")])
        self.assertEqual(consent.answered(1, True, 102.0), [])
        self.assertEqual(consent.received(1, REQUEST, 103.0), [refused(1, "declined")])

    def test_refuted(self) -> None:
        """A connection whose code is different is refused, also with `allow_unverified`, and loses its control."""
        consent = viewers(Rules(ASK, allow_unverified=True), verified=False)
        consent.received(1, REQUEST, 100.0)
        consent.answered(1, True, 102.0)
        self.assertEqual(consent.verification_changed(1, REFUTED, 103.0), ended(1, "verification"))
        self.assertEqual(consent.received(1, REQUEST, 200.0), [refused(1, "unverified")])

    def test_nagging(self) -> None:
        """After a no nobody is asked about for ten seconds, and the same user not for a minute, reloaded or not."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        consent.answered(1, False, 102.0)
        self.assertEqual(consent.received(2, REQUEST, 111.0), [refused(2, "busy")])
        consent.connection_closed(1, 112.0)
        consent.connection_opened(3, "ada", "Ada", 113.0)
        consent.verification_changed(3, VERIFIED, 113.0)
        self.assertEqual(consent.received(3, REQUEST, 161.0), [refused(3, "declined")])
        self.assertIn(AskUser(2, 3, "Ada", True), consent.received(3, REQUEST, 162.0))

    def test_many_requests(self) -> None:
        """A viewer who asks more than once a second gets no answer."""
        consent = viewers(Rules(ASK), verified=False)
        answers = [consent.received(1, REQUEST, 100.0) for _ in range(8)]
        self.assertEqual(answers, [[refused(1, "unverified")]] * 5 + [[]] * 3)
        self.assertEqual(consent.refusals, {"unverified": 5, "too-often": 3})

    def test_taken_back(self) -> None:
        """A viewer can take a request back, which withdraws the question."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.received(1, GIVE_UP, 101.0), [WithdrawQuestion(1), refused(1, "given-up")])
        self.assertEqual(consent.answered(1, True, 102.0), [])
        self.assertEqual(consent.received(2, GIVE_UP, 103.0), [])


class CodeTests(SynchronousTestCase):
    """Control with a code."""

    def test_right_code(self) -> None:
        """The right code gives control at once, in any case, with hyphens and with letters that look like digits."""
        consent = viewers(Rules(CODE, normal_code("0O1I-lABCD")))
        effects = consent.received(1, {**REQUEST, "code": " oo1 1-1abcd"}, 100.0)
        self.assertIn(ControlStarted(1, "Ada"), effects)

    def test_after_a_stop(self) -> None:
        """When the computer's user has ended the control, the code is off, and a request is declined for a while."""
        consent = viewers(Rules(CODE, SECRET))
        consent.received(1, {**REQUEST, "code": SECRET}, 100.0)
        consent.stopped("emergency-key", 101.0)
        self.assertEqual(consent.received(1, {**REQUEST, "code": SECRET}, 102.0), [refused(1, "code-off")])
        consent = controlled()
        consent.stopped("stopped", 103.0)
        self.assertEqual(consent.received(1, REQUEST, 104.0), [refused(1, "declined")])
        self.assertEqual(consent.received(2, REQUEST, 104.0), [refused(2, "busy")])

    def test_three_tries(self) -> None:
        """After three wrong codes, of all viewers together, the right one is refused as well, for good."""
        consent = viewers(Rules(CODE, SECRET))
        for connection, reason in ((1, "wrong-code"), (2, "wrong-code"), (1, "code-off")):
            effects = consent.received(connection, {**REQUEST, "code": "0000000000"}, 100.0)
            self.assertEqual(effects, [refused(connection, reason)])
        for connection in (1, 2):
            effects = consent.received(connection, {**REQUEST, "code": SECRET}, 1000.0)
            self.assertEqual(effects, [refused(connection, "code-off")])
        self.assertEqual(consent.grants, 0)

    def test_no_oracle(self) -> None:
        """While somebody has control, codes are not looked at: a right and a wrong one get the same answer."""
        consent = viewers(Rules(CODE, SECRET))
        consent.received(1, {**REQUEST, "code": SECRET}, 100.0)
        for code in (SECRET, "0000000000"):
            self.assertEqual(consent.received(2, {**REQUEST, "code": code}, 101.0), [refused(2, "busy")])
        consent.received(1, GIVE_UP, 102.0)
        self.assertIn(ControlStarted(2, "Bob"), consent.received(2, {**REQUEST, "code": SECRET}, 103.0))

    def test_code_again(self) -> None:
        """After the end of a control the code is needed again, and an empty one is no try."""
        consent = viewers(Rules(CODE, SECRET))
        consent.received(1, {**REQUEST, "code": SECRET}, 100.0)
        consent.membership_changed(101.0)
        self.assertEqual(consent.received(1, REQUEST, 102.0), [refused(1, "code-needed")])


class EndTests(SynchronousTestCase):
    """What ends a consent."""

    def test_what_ends_it(self) -> None:
        """Each event that makes the consent doubtful ends it, with a reason; later events are refused."""
        cases: list[tuple[Any, str]] = [
            (lambda consent: consent.received(1, GIVE_UP, 103.0), "given-up"),
            (lambda consent: consent.verification_changed(1, UNVERIFIED, 103.0), "verification"),
            (lambda consent: consent.membership_changed(103.0), "membership"),
            (lambda consent: consent.membership_changed(103.0, "ada"), "membership"),
            (lambda consent: consent.connection_closed(1, 103.0), "disconnected"),
            (lambda consent: consent.stopped("emergency-key", 103.0), "emergency-key"),
        ]
        for end, reason in cases:
            consent = controlled()
            consent.received(1, key("KeyA", True), 102.5)
            self.assertEqual(end(consent), ended(1, reason))
            self.assertIsNone(consent.controller)
            self.assertEqual(consent.received(1, MOVE, 103.0), [])
            self.assertEqual(consent.received(1, key("KeyA", False), 103.0), [])

    def test_what_does_not_concern_it(self) -> None:
        """What happens to others leaves the consent as it is."""
        consent = controlled()
        self.assertEqual(consent.membership_changed(103.0, "bob"), [])
        self.assertEqual(consent.verification_changed(2, UNVERIFIED, 103.0), [])
        self.assertEqual(consent.verification_changed(1, VERIFIED, 103.0), [])
        self.assertEqual(consent.verification_changed(9, VERIFIED, 103.0), [])
        self.assertEqual(consent.connection_closed(2, 103.0), [])
        self.assertEqual(consent.connection_closed(2, 103.0), [])
        self.assertEqual(consent.controller, 1)

    def test_reload(self) -> None:
        """The same user on another connection, as after a reload, has no control and has to ask again."""
        consent = controlled()
        consent.connection_closed(1, 103.0)
        consent.connection_opened(3, "ada", "Ada", 104.0)
        self.assertEqual(consent.received(3, MOVE, 104.0), [])
        self.assertEqual(consent.received(1, MOVE, 104.0), [])
        self.assertEqual(consent.received(3, REQUEST, 104.0), [refused(3, "unverified")])
        self.assertEqual(consent.refusals, {"no-consent": 1, "closed": 1, "unverified": 1})

    def test_reload_while_asked(self) -> None:
        """A yes after a reload gives control neither to the old nor to the new connection."""
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        consent.connection_opened(3, "ada", "Ada", 101.0)
        consent.connection_closed(1, 101.0)
        self.assertEqual(consent.answered(1, True, 102.0), [])
        self.assertIsNone(consent.controller)

    def test_joined_later(self) -> None:
        """A member who joins after the consent has no part in it."""
        consent = controlled()
        consent.connection_opened(3, "eve", "Eve", 103.0)
        self.assertEqual(consent.received(3, MOVE, 103.0), [])
        self.assertEqual(consent.received(3, REQUEST, 103.0), [refused(3, "busy")])
        self.assertEqual(consent.controller, 1)

    def test_a_computer_that_fails(self) -> None:
        """When the computer cannot be controlled any more, a control and a question end, and none is given later."""
        consent = controlled()
        self.assertEqual(consent.disable(103.0), ended(1, "failed"))
        self.assertEqual(consent.received(1, REQUEST, 120.0), [refused(1, "never")])
        consent = viewers(Rules(ASK))
        consent.received(1, REQUEST, 100.0)
        self.assertEqual(consent.disable(103.0), [WithdrawQuestion(1), refused(1, "never")])
        self.assertEqual(consent.answered(1, True, 104.0), [])

    def test_nothing_to_end(self) -> None:
        """Without a control there is nothing to stop, to suspend or to send."""
        consent = viewers(Rules(ASK, clipboard=True))
        self.assertEqual(consent.stopped("stopped", 1.0), [])
        self.assertEqual(consent.local_input(1.0), [])
        self.assertEqual(consent.clipboard_read("text"), [])
        self.assertEqual(consent.tick(1.0), [])


class EventTests(SynchronousTestCase):
    """Events of the viewer in control, and of others."""

    def test_events(self) -> None:
        """The events of the viewer in control are injected; those of the second viewer are not."""
        consent = controlled()
        self.assertEqual(consent.received(1, MOVE, 103.0), [Inject(messages.Pointer(0.5, 0.5))])
        self.assertEqual(consent.received(2, MOVE, 103.0), [])
        self.assertEqual(consent.received(1, button(True), 103.0), [Inject(messages.Button(0.5, 0.5, 0, True))])
        self.assertEqual(consent.received(1, {"type": "control-hold"}, 103.0), [Inject(messages.Hold())])
        self.assertEqual((consent.accepted, consent.refusals), (3, {"no-consent": 1}))

    def test_keys_that_do_not_match(self) -> None:
        """A second press and a release without a press are refused, and so are more keys than hands can hold."""
        consent = controlled()
        self.assertEqual(consent.received(1, key("KeyA", False), 103.0), [])
        self.assertEqual(len(consent.received(1, key("KeyA", True), 103.0)), 1)
        self.assertEqual(consent.received(1, key("KeyA", True), 103.0), [])
        for number in range(1, MAX_HELD):
            code = f"F{number}" if number < 13 else f"Digit{number - 12}"
            self.assertEqual(len(consent.received(1, key(code, True), 103.0)), 1, code)
        self.assertEqual(consent.received(1, button(True), 103.0), [])
        self.assertEqual(consent.refusals, {"not-held": 1, "repeated": 1, "too-many-held": 1})

    def test_flood(self) -> None:
        """Events beyond the rate are refused; the release of a held key is not; a long flood ends the control."""
        consent = controlled()
        consent.received(1, key("KeyA", True), 103.0)
        injected = [consent.received(1, MOVE, 103.0) for _ in range(int(EVENT_BURST) + 50)]
        self.assertEqual(len([effects for effects in injected if effects]), EVENT_BURST - 1)
        self.assertEqual(consent.received(1, key("KeyA", False), 103.0), [Inject(messages.Key("KeyA", False))])
        self.assertEqual(consent.received(1, key("KeyA", False), 103.0), [])
        effects: list[Effect] = []
        for _ in range(FLOOD_REFUSALS):
            effects += consent.received(1, MOVE, 103.0)
        self.assertEqual(effects, ended(1, "flood"))
        self.assertEqual(consent.received(1, MOVE, 200.0), [])

    def test_bursts_of_an_hour(self) -> None:
        """What is beyond the rate is forgotten after a while: short bursts for an hour do not end the control."""
        consent = controlled()
        beyond = int(FLOOD_FORGIVEN)
        for burst in range(2 * FLOOD_REFUSALS // beyond):
            now = 103.0 + 2 * EVENT_BURST / EVENT_RATE * burst
            for _ in range(int(EVENT_BURST) + beyond):
                consent.received(1, MOVE, now)
        self.assertEqual(consent.refusals, {"rate": 2 * FLOOD_REFUSALS})
        self.assertEqual(consent.controller, 1)

    def test_malformed_flood(self) -> None:
        """Messages that are none count in the rate as well, and end the control in the end."""
        consent = controlled()
        effects: list[Effect] = []
        for _ in range(int(EVENT_BURST) + FLOOD_REFUSALS):
            effects += consent.received(1, {"type": "control-key", "code": "Power", "down": True}, 103.0)
        self.assertEqual(effects, ended(1, "flood"))
        self.assertEqual(consent.refusals["unknown-code"], EVENT_BURST + FLOOD_REFUSALS)
        self.assertEqual(consent.accepted, 0)

    def test_wheel_steps_count(self) -> None:
        """Each step of the wheel counts as an event, since each becomes a press of a button."""
        consent = controlled()
        wheel = {"type": "control-wheel", "x": 0, "y": 0, "right": 10, "down": 10}
        injected = [consent.received(1, wheel, 103.0) for _ in range(20)]
        self.assertEqual(len([effects for effects in injected if effects]), EVENT_BURST / 20)

    def test_local_input(self) -> None:
        """Local input releases everything and suspends the control until a second after the last of it."""
        consent = controlled()
        consent.received(1, key("KeyA", True), 103.0)
        paused = Send(1, {"type": "control-paused", "paused": True})
        self.assertEqual(consent.local_input(103.0), [ReleaseAll(), paused])
        self.assertEqual(consent.local_input(103.5), [])
        self.assertEqual(consent.received(1, MOVE, 104.4), [])
        back = Send(1, {"type": "control-paused", "paused": False})
        self.assertEqual(consent.received(1, key("KeyA", False), 104.5), [back])
        self.assertEqual(len(consent.received(1, key("KeyA", True), 104.5)), 1)
        consent.local_input(105.0)
        self.assertEqual(consent.tick(105.9), [])
        self.assertEqual(consent.tick(106.0), [back])
        self.assertEqual(consent.refusals, {"paused": 1, "not-held": 1})

    def test_clipboard(self) -> None:
        """The clipboard is out of reach, unless the user allowed it."""
        text, read = {"type": "control-clipboard", "text": "hello"}, {"type": "control-clipboard-read"}
        consent = controlled()
        self.assertEqual(consent.received(1, text, 103.0), [])
        self.assertEqual(consent.received(1, read, 103.0), [])
        self.assertEqual(consent.clipboard_read("secret"), [])
        consent = controlled(clipboard=True)
        self.assertEqual(consent.received(1, text, 103.0), [Inject(messages.ClipboardText("hello"))])
        self.assertEqual(consent.received(1, read, 103.0), [Inject(messages.ClipboardRead())])
        self.assertEqual(consent.clipboard_read("secret"), [Send(1, {"type": "control-clipboard", "text": "secret"})])
        self.assertEqual(consent.clipboard_read("secret"), [])

    def test_clipboard_of_the_next_viewer(self) -> None:
        """A text that one viewer asked for does not go to the next one who gets control."""
        consent = controlled(clipboard=True)
        consent.received(1, {"type": "control-clipboard-read"}, 103.0)
        consent.received(1, GIVE_UP, 103.1)
        consent.received(2, REQUEST, 104.0)
        self.assertIn(ControlStarted(2, "Bob"), consent.answered(2, True, 106.0))
        self.assertEqual(consent.clipboard_read("secret"), [])


class Walk(RuleBasedStateMachine):
    """Viewers, the user, the server and the computer do anything, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.next_connection = 1
        self.open: dict[int, str] = {}
        self.verified: set[int] = set()
        self.refuted: set[int] = set()
        self.asked: dict[int, int] = {}
        self.consented: int | None = None
        self.opened_before_consent: set[int] = set()

    @initialize(mode=st.sampled_from((NEVER, ASK, CODE)), unverified=st.booleans(), clipboard=st.booleans())
    def start(self, mode: str, unverified: bool, clipboard: bool) -> None:
        """Choose the rules."""
        self.policy = Rules(mode, SECRET if mode == CODE else "", unverified, clipboard)
        self.consent = Consent(self.policy)

    def check(self, effects: list[Effect], sender: int | None = None, right_code: bool = False) -> None:
        """Compare effects with what may follow, and with who may have control."""
        for effect in effects:
            match effect:
                case ControlStarted(connection=connection):
                    assert self.consented is None, "two viewers have control"
                    assert connection in self.open, "a closed connection has control"
                    assert connection in self.verified or self.policy.allow_unverified
                    assert connection not in self.refuted
                    assert self.policy.mode == (CODE if right_code else ASK)
                    self.consented = connection
                case ControlEnded(connection=connection):
                    assert self.consented == connection
                    self.consented = None
                case Inject():
                    assert sender is not None and sender == self.consented, "an event without consent"
                case AskUser(question=question, connection=connection):
                    assert self.consented is None and self.policy.mode == ASK
                    assert not self.asked, "two questions at a time"
                    self.asked[question] = connection
                case WithdrawQuestion(question=question):
                    del self.asked[question]

    @rule(user=st.sampled_from("ABC"))
    def opens(self, user: str) -> None:
        """A member joins or comes back."""
        self.consent.connection_opened(self.next_connection, user, user, self.now)
        self.open[self.next_connection] = user
        self.check(self.consent.viewer_ready(self.next_connection))
        self.next_connection += 1

    @rule(connection=st.integers(1, 6))
    def closes(self, connection: int) -> None:
        """A connection ends, or ends again."""
        self.open.pop(connection, None)
        self.verified.discard(connection)
        self.check(self.consent.connection_closed(connection, self.now))
        assert self.consented != connection

    @rule(connection=st.integers(1, 6), trust=st.sampled_from((VERIFIED, UNVERIFIED, REFUTED)))
    def verifies(self, connection: int, trust: str) -> None:
        """The user compares codes, or the exchange begins again."""
        if connection in self.open:
            (self.verified.add if trust == VERIFIED else self.verified.discard)(connection)
            (self.refuted.add if trust == REFUTED else self.refuted.discard)(connection)
        self.check(self.consent.verification_changed(connection, trust, self.now))

    @rule(connection=st.integers(1, 6), code=st.sampled_from(("", SECRET, "0000000000")), embedded=st.booleans())
    def asks(self, connection: int, code: str, embedded: bool) -> None:
        """A viewer asks for control."""
        before = self.consented
        effects = self.consent.received(connection, {**REQUEST, "embedded": embedded, "code": code}, self.now)
        self.check(effects, connection, right_code=code == SECRET)
        if embedded:
            assert self.consented == before and not any(isinstance(effect, AskUser) for effect in effects)

    @rule(question=st.integers(0, 4), allowed=st.booleans())
    def answers(self, question: int, allowed: bool) -> None:
        """The user answers a question, the present one or another."""
        before = self.consented
        effects = self.consent.answered(question, allowed, self.now)
        if effects:
            connection = self.asked.pop(question)
            self.check(effects)
            assert self.consented == (connection if allowed else before)

    @rule(connection=st.integers(1, 6), message=ODD_MESSAGES, count=st.sampled_from((1, 1, 1, 700)))
    def sends(self, connection: int, message: dict[str, Any], count: int) -> None:
        """A viewer sends anything, once or as a flood."""
        for _ in range(count):
            right = message.get("code") == SECRET
            self.check(self.consent.received(connection, message, self.now), connection, right_code=right)

    @rule(connection=st.integers(1, 6), event=st.sampled_from((MOVE, GIVE_UP, key("KeyA", True), key("KeyA", False))))
    def presses(self, connection: int, event: dict[str, Any]) -> None:
        """A viewer sends a message of the right form."""
        self.check(self.consent.received(connection, event, self.now), connection)

    @rule(user=st.sampled_from((None, "A", "B", "C")))
    def membership(self, user: str | None) -> None:
        """The session's host changes, or a connection to the server was resumed."""
        self.check(self.consent.membership_changed(self.now, user))
        assert self.consented is None or user not in (None, self.open[self.consented])

    @rule()
    def stops(self) -> None:
        """The emergency key is pressed."""
        self.check(self.consent.stopped("emergency-key", self.now))
        assert self.consented is None

    @rule()
    def local_input(self) -> None:
        """Somebody uses the computer, and nothing is injected at the same moment."""
        self.check(self.consent.local_input(self.now))
        if self.consented is not None:
            effects = self.consent.received(self.consented, MOVE, self.now)
            assert not any(isinstance(effect, Inject) for effect in effects)
            self.check(effects, self.consented)

    @rule(seconds=st.sampled_from((0.0, 0.5, 1.0, 3.0, 30.0, 60.0)))
    def waits(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        expired = self.consent.tick(self.now)
        self.check(expired)

    @invariant()
    def one_controller(self) -> None:
        """Who has control is who was told so."""
        if hasattr(self, "consent"):
            assert self.consent.controller == self.consented
            assert self.consented is None or self.consented in self.open


class WalkTests(SynchronousTestCase):
    """The random walk."""

    def test_walk(self) -> None:
        """No sequence of events gives control without consent, to two viewers, or after its end."""
        run_state_machine_as_test(Walk, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
