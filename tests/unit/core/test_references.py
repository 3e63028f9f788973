"""References: the pseudonyms of users and sessions."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.hub import Hub
from signald.core.ids import host_key
from signald.core.limits import Limits
from signald.core.messages import SessionId, UserId
from signald.core.references import References
from signald.core.rejoin_tickets import TicketSource

SECRET = b"host" * 8
ANN, BOB = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA"), UserId("5V8HNJ0K3PB4X7WQ2M9RT6ZCDY")
SESSION = SessionId("7Q2M9RT6ZC")


class ReferenceTests(SynchronousTestCase):
    """References are short, stable under one secret, and independent of each other."""

    def test_the_value(self) -> None:
        """The reference is the beginning of an HMAC, in base 32; `openssl dgst -mac HMAC` gives the same."""
        self.assertEqual(References(SECRET).of_user(ANN), "CJ1KR53Q")
        self.assertEqual(References(SECRET).of_session(SESSION), "ECZM823H")

    def test_stable_and_distinct(self) -> None:
        """It outlasts the process, and differs by id, by kind and by secret."""
        one, again, other = References(SECRET), References(SECRET), References(SECRET[::-1])
        self.assertEqual(one.of_user(ANN), again.of_user(ANN))
        same = UserId(SESSION)
        found = {one.of_user(ANN), one.of_user(BOB), other.of_user(ANN), one.of_user(same), one.of_session(SESSION)}
        self.assertEqual(len(found), 5)

    def test_it_contains_nothing_of_the_id(self) -> None:
        """It has eight symbols of Crockford's base 32, and begins neither like the id nor like the host key."""
        reference = References(SECRET).of_session(SESSION)
        self.assertRegex(reference, r"^[0-9A-HJKMNP-TV-Z]{8}$")
        self.assertNotEqual(reference[:4], SESSION[:4])
        self.assertNotIn(reference, host_key(SECRET, SESSION))

    def test_computed_once(self) -> None:
        """A reference is computed when it is first needed, and kept."""
        references = References(SECRET)
        first = references.of_user(ANN)
        self.assertIs(references.of_user(ANN), first)

    def test_the_hub_derives_it_from_the_secret_of_its_tickets(self) -> None:
        """References outlast a restart with the secret from which host keys and tickets are derived."""
        hub = Hub(Limits(), "test", TicketSource(SECRET, lambda: 0.0))
        self.assertEqual(hub.references.of_user(ANN), References(SECRET).of_user(ANN))
