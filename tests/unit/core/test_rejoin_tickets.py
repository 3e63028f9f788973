"""Rejoin tickets by themselves: what is signed, and what a changed or expired one is worth."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.ids import host_key
from signald.core.messages import MAX_TICKET_CHARACTERS, Role, SessionId, UserId
from signald.core.rejoin_tickets import RejoinTicket, TicketSource

SECRET = b"s" * 32
SESSION = SessionId("7Q2M9RT6ZC")
OTHER = SessionId("0000000000")
ANN = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")


class TicketTests(SynchronousTestCase):
    """One ticket of Ann, for a day."""

    def setUp(self) -> None:
        """Issue it."""
        self.wall = 1_800_000_000.0
        self.tickets = TicketSource(SECRET, lambda: self.wall)
        self.ticket = self.tickets.issue(SESSION, ANN, Role.GUEST, 86400.0)

    def test_valid(self) -> None:
        """A ticket says to whom it was issued, and in which role."""
        self.assertEqual(self.tickets.verify(self.ticket, SESSION), RejoinTicket(ANN, Role.GUEST))
        host = self.tickets.issue(SESSION, ANN, Role.HOST, 86400.0)
        self.assertEqual(self.tickets.verify(host, SESSION), RejoinTicket(ANN, Role.HOST))

    def test_length(self) -> None:
        """A ticket stays within the bound of the protocol for some thousand years."""
        self.wall = 1e11
        self.assertLessEqual(len(self.tickets.issue(SESSION, ANN, Role.GUEST, 1.0)), MAX_TICKET_CHARACTERS)

    def test_expiry(self) -> None:
        """A ticket is valid until its second has come, and not any more then."""
        self.wall += 86399.9
        self.assertIsNotNone(self.tickets.verify(self.ticket, SESSION))
        self.wall += 0.1
        self.assertIsNone(self.tickets.verify(self.ticket, SESSION))

    def test_other_session(self) -> None:
        """A ticket for one session is worth nothing at another."""
        self.assertIsNone(self.tickets.verify(self.ticket, OTHER))

    def test_every_changed_character(self) -> None:
        """A ticket with any character changed, or without one, is refused."""
        for index, symbol in enumerate(self.ticket):
            for changed in ("", "é", "A" if symbol != "A" else "B"):
                forged = self.ticket[:index] + changed + self.ticket[index + 1 :]
                self.assertIsNone(self.tickets.verify(forged, SESSION), forged)

    def test_other_texts(self) -> None:
        """A text without the form of a ticket is refused, and so is the host key of the session."""
        claims = self.ticket.rpartition(".")[0]
        for text in ("", ".", "...", "\0", host_key(SECRET, SESSION), f"{claims}.{host_key(SECRET, SESSION)}"):
            self.assertIsNone(self.tickets.verify(text, SESSION), text)

    def test_other_secret(self) -> None:
        """A server with another secret refuses the ticket."""
        self.assertIsNone(TicketSource(b"t" * 32, lambda: self.wall).verify(self.ticket, SESSION))

    def test_secret_is_hidden(self) -> None:
        """The secret is not shown with the object."""
        self.assertNotIn("ssss", repr(self.tickets))
