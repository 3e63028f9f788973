"""Tests of hello and resume before the welcome: protocol versions and tokens.

test_resume.py tests what a resume restores.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.actions import Action, Decide, Send
from signald.core.decisions import Identified, Identify, Refused
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.hub import DisconnectReason, Hub
from signald.core.limits import AddressKey, Limits
from signald.core.messages import (
    Count,
    Error,
    Hello,
    Instance,
    Resume,
    Role,
    Secret,
    SessionId,
    Traits,
    UserId,
    Welcome,
)
from signald.core.users import PeerId
from tests.support.world import HOME, TICKETS

ANN = UserId("0" * 26)
ELSEWHERE = AddressKey("198.51.100.9")


class HandshakeTests(SynchronousTestCase):
    """A hub whose decisions the test takes."""

    def setUp(self) -> None:
        """No connection is open."""
        self.hub = Hub(Limits(failed_guesses=2), "test", TICKETS)
        self.peers = 0

    def connect(self, address: AddressKey = HOME) -> PeerId:
        """Open a connection."""
        self.peers += 1
        self.hub.connected(PeerId(self.peers), address, Traits(), 0.0)
        return PeerId(self.peers)

    def hello(self, address: AddressKey = HOME, has_token: bool = True) -> tuple[PeerId, Action]:
        """Send a hello on a new connection; return the connection and the only action."""
        peer = self.connect(address)
        [action] = self.hub.received(peer, Hello(version=1, token="token" if has_token else None), 0.0)
        return peer, action

    def reject(self, decide: Action) -> list[Action]:
        """Decide that the signature of the token is wrong."""
        assert isinstance(decide, Decide)
        return self.hub.decided(decide.id, Refused(ErrorCode.TOKEN_INVALID, is_guess=True), 0.0)

    def test_the_welcome_shows_what_a_token_grants(self) -> None:
        """The welcome shows the token's grant; the token is passed to the decision and is not stored."""
        _, decide = self.hello()
        assert isinstance(decide, Decide)
        self.assertEqual(decide.operation, Identify(None, "token"))
        grant = Grant("ann@example", 99.0, Role.HOST, SessionId("7Q2M9RT6ZC"))
        [welcome] = self.hub.decided(decide.id, Identified(ANN, None, grant), 0.0)
        assert isinstance(welcome, Send)
        assert isinstance(welcome.event, Welcome)
        self.assertEqual((welcome.event.role, welcome.event.session), (Role.HOST, SessionId("7Q2M9RT6ZC")))

    def test_the_welcome_states_how_long_the_state_is_held(self) -> None:
        """A client that can resume learns for how long; one that cannot learns of no such time."""
        self.hub = Hub(Limits(), "test", TICKETS, hold=300.0)
        for secret, hold in ((Secret("s"), 300.0), (None, None)):
            _, decide = self.hello()
            assert isinstance(decide, Decide)
            [welcome] = self.hub.decided(decide.id, Identified(UserId(f"user{hold}"), secret, None), 0.0)
            assert isinstance(welcome, Send)
            assert isinstance(welcome.event, Welcome)
            self.assertEqual(welcome.event.hold, hold)

    def test_invalid_tokens_are_rate_limited_by_address(self) -> None:
        """After two invalid tokens from an address no further token from it is verified.

        Hellos without a token and other addresses are unaffected.
        """
        for _ in range(2):
            peer, decide = self.hello()
            self.assertEqual(self.reject(decide), [Send(peer, Error(ErrorCode.TOKEN_INVALID, Hello))])
        peer, rejected = self.hello()
        self.assertEqual(rejected, Send(peer, Error(ErrorCode.TOO_MANY_GUESSES, Hello)))
        self.assertIsInstance(self.hello(has_token=False)[1], Decide)
        self.assertIsInstance(self.hello(ELSEWHERE)[1], Decide)

    def test_a_mistake_is_no_guess(self) -> None:
        """A token that is refused for another reason than its signature is not charged."""
        for _ in range(3):
            _, decide = self.hello()
            assert isinstance(decide, Decide)
            self.hub.decided(decide.id, Refused(ErrorCode.TOKEN_INVALID), 0.0)
        self.assertEqual(self.hub.handshake.bad_tokens.full_at, {})

    def test_a_large_token(self) -> None:
        """A token beyond the limit is refused before it is verified, and is no guess; a reload changes the limit."""
        self.hub.reload_limits(Limits(token_bytes=64))
        for token, is_refused in (("x" * 64, False), ("é" * 33, True), ("x" * 65, True)):
            peer = self.connect()
            [action] = self.hub.received(peer, Hello(version=1, token=token), 0.0)
            self.assertEqual(action == Send(peer, Error(ErrorCode.TOKEN_TOO_LARGE, Hello)), is_refused, token)
        self.assertEqual(self.hub.handshake.bad_tokens.full_at, {})

    def test_an_invalid_token_is_charged_after_its_sender_has_gone(self) -> None:
        """Disconnecting before the outcome does not avoid the charge, and no error is sent."""
        for _ in range(2):
            peer, decide = self.hello()
            self.hub.disconnected(peer, DisconnectReason.LOST, 0.0)
            self.assertEqual(self.reject(decide), [])
        self.assertNotIsInstance(self.hello()[1], Decide)

    def test_the_budget_of_invalid_tokens_refills(self) -> None:
        """Addresses whose budget is full again are not remembered."""
        self.reject(self.hello()[1])
        self.assertIn(HOME, self.hub.handshake.bad_tokens.full_at)
        self.hub.tick(self.hub.limits.failed_guesses_seconds)
        self.assertEqual(self.hub.handshake.bad_tokens.full_at, {})

    def test_another_version_is_rejected_in_both_requests(self) -> None:
        """A hello or resume of another version is rejected. The connection stays open, and the client can try again."""
        peer = self.connect()
        resume = Resume(2, ANN, Secret("s"), Instance("i"), Count(0))
        for request in (Hello(version=2), resume):
            error = Error(ErrorCode.UNSUPPORTED_VERSION, type(request))
            self.assertEqual(self.hub.received(peer, request, 0.0), [Send(peer, error)])
        self.assertEqual(self.hub.decisions.by_id, {})
