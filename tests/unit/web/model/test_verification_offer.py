"""Tests of the offer to verify a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import verification
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.verification_offer import offered_user


class VerificationOfferTests(SynchronousTestCase):
    """`offered_user` finds somebody with whom a code can be compared."""

    def setUp(self) -> None:
        """Create a call with Ann and Bob, and no code yet."""
        self.state = PageState()
        self.state.show_start("")
        self.state.start_call(HOST)
        self.state.session_joined("7Q2M9RT6ZC", HOST, [RemotePeer("ann"), RemotePeer("bob")])
        self.codes = {"ann": verification.NONE, "bob": verification.NONE}

    def offered(self) -> str:
        """Return the user whose connection can be verified."""
        return offered_user(self.state, lambda user: self.codes[user])

    def test_a_connection_with_a_code(self) -> None:
        """The first participant who is connected and has a code is offered."""
        self.assertEqual(self.offered(), "")
        self.codes["bob"] = verification.CODE
        self.assertEqual(self.offered(), "")
        self.state.connection_changed("bob", "connected")
        self.assertEqual(self.offered(), "bob")
        self.codes["ann"] = verification.CODE
        self.state.connection_changed("ann", "connected")
        self.assertEqual(self.offered(), "ann")

    def test_other_states(self) -> None:
        """A connection that is verified, that cannot be, or that is interrupted is not offered."""
        self.state.connection_changed("ann", "connected")
        for state in (verification.EXCHANGING, verification.CONFIRMED, verification.DENIED, verification.NOT_VERIFIED):
            self.codes["ann"] = state
            self.assertEqual(self.offered(), "")
        self.codes["ann"] = verification.CODE
        self.state.connection_changed("ann", "disconnected")
        self.assertEqual(self.offered(), "")
