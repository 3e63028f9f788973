"""Tests of the offer to verify a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import verification
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.verification_offer import OFFER_SECONDS, VerificationOffer


class VerificationOfferTests(SynchronousTestCase):
    """`VerificationOffer` finds somebody with whom a code can be compared, and ends by itself."""

    def setUp(self) -> None:
        """Create a call with Ann and Bob, and no code yet."""
        self.state = PageState()
        self.state.show_start("")
        self.state.start_call(HOST)
        self.state.session_joined("7Q2M9RT6ZC", HOST, [RemotePeer("ann"), RemotePeer("bob")])
        self.codes = {"ann": verification.NONE, "bob": verification.NONE}
        self.offer = VerificationOffer(True)

    def offered(self) -> str:
        """Return the user whose connection is offered."""
        self.offer.update(self.state, lambda user: self.codes[user])
        return self.offer.user

    def offer_ann(self) -> None:
        """Connect Ann, with a code that can be compared."""
        self.codes["ann"] = verification.CODE
        self.state.connection_changed("ann", "connected")
        self.assertEqual(self.offered(), "ann")

    def test_a_connection_with_a_code(self) -> None:
        """The first participant who is connected and has a code is offered."""
        self.assertEqual(self.offered(), "")
        self.codes["bob"] = verification.CODE
        self.assertEqual(self.offered(), "")
        self.state.connection_changed("bob", "connected")
        self.assertEqual(self.offered(), "bob")
        self.offer_ann()

    def test_other_states(self) -> None:
        """A connection that is verified, that cannot be, or that is interrupted is not offered."""
        self.state.connection_changed("ann", "connected")
        for state in (verification.EXCHANGING, verification.CONFIRMED, verification.DENIED, verification.NOT_VERIFIED):
            self.codes["ann"] = state
            self.assertEqual(self.offered(), "")
        self.codes["ann"] = verification.CODE
        self.state.connection_changed("ann", "disconnected")
        self.assertEqual(self.offered(), "")

    def test_status_comes_first(self) -> None:
        """There is no offer while the status line, which has the same place, has something to say."""
        self.offer_ann()
        self.state.network.offline_for = 2.0
        self.assertEqual(self.offered(), "")
        self.state.network.offline_for = None
        self.assertEqual(self.offered(), "ann")

    def test_end(self) -> None:
        """After its end there is no offer, whoever else could be verified; it ends once."""
        self.offer_ann()
        self.assertTrue(self.offer.end())
        self.assertEqual(self.offer.user, "")
        self.assertEqual(self.offered(), "")
        self.assertFalse(self.offer.end())

    def test_over_before(self) -> None:
        """A browser in which it was over before makes no offer, and none ends."""
        self.offer = VerificationOffer(False)
        self.codes["ann"] = verification.CODE
        self.state.connection_changed("ann", "connected")
        self.assertEqual(self.offered(), "")
        self.assertFalse(self.offer.tick(OFFER_SECONDS + 1, False))
        self.assertFalse(self.offer.end())

    def test_by_itself(self) -> None:
        """It has been shown for long enough after `OFFER_SECONDS`; the time before it was shown does not count."""
        self.assertFalse(self.offer.tick(100.0, False))
        self.offer_ann()
        self.assertFalse(self.offer.tick(101.0, False))
        self.assertFalse(self.offer.tick(101.0 + OFFER_SECONDS - 1, False))
        self.assertTrue(self.offer.tick(101.0 + OFFER_SECONDS, False))
        self.offer.end()
        self.assertFalse(self.offer.tick(102.0 + OFFER_SECONDS, False))

    def test_held(self) -> None:
        """The time stands still while it is held, and over the tick with which that ends, however late that comes."""
        self.offer_ann()
        self.offer.tick(1.0, False)
        self.offer.tick(2.0, True)
        self.assertFalse(self.offer.tick(200.0, False))
        self.assertFalse(self.offer.tick(199.0 + OFFER_SECONDS, False))
        self.assertTrue(self.offer.tick(200.0 + OFFER_SECONDS, False))

    def test_interrupted(self) -> None:
        """The seconds of an offer that was interrupted count together."""
        self.offer_ann()
        self.offer.tick(0.0, False)
        self.offer.tick(OFFER_SECONDS - 1, False)
        self.state.network.offline_for = 1.0
        self.assertEqual(self.offered(), "")
        self.assertFalse(self.offer.tick(OFFER_SECONDS + 10, False))
        self.state.network.offline_for = None
        self.offered()
        self.assertFalse(self.offer.tick(OFFER_SECONDS + 20, False))
        self.assertTrue(self.offer.tick(OFFER_SECONDS + 21, False))
