"""The client's return to a server that has forgotten it: its timer, tickets, ids and kept peer connections."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Negotiate, Refused, Resumed
from signald_client.signaling.negotiation import Negotiator
from signald_client.signaling.negotiation_commands import AddCandidate, CreateAndSetLocal, SendRequest
from signald_client.signaling.rejoining import ASK, GIVE_UP, MAX_BACK_OFF, RETURN_SECONDS, TRANSIENT_CODES, Rejoining
from signald_client.signaling.sessions import Sessions
from signald_client.signaling.wire import Value
from tests.unit.clients.signaling.test_client import BOB, NUMBER, SETTINGS, WELCOME, S, receive, resume_client, sent

UFRAG = "v=0\r\na=ice-ufrag:abcd\r\n"


class TimerTests(SynchronousTestCase):
    """`Rejoining` by itself."""

    def setUp(self) -> None:
        """Start it."""
        self.timer = Rejoining(lambda: 0.5)
        self.timer.start(100.0)

    def test_it_ends(self) -> None:
        """The client gives up once, a minute after it started."""
        self.assertIsNone(self.timer.tick(100.0 + RETURN_SECONDS - 0.1))
        self.assertEqual(self.timer.tick(100.0 + RETURN_SECONDS), GIVE_UP)
        self.assertFalse(self.timer.active)
        self.assertIsNone(self.timer.tick(100.0 + 2 * RETURN_SECONDS))

    def test_back_off(self) -> None:
        """After each transient refusal it asks once more, after a back-off with jitter that doubles up to a bound."""
        now, delays = 100.0, []
        for _ in range(6):
            self.assertTrue(self.timer.refused(TRANSIENT_CODES[0], now))
            asked = next(now + step / 4 for step in range(100) if self.timer.tick(now + step / 4) == ASK)
            delays.append(asked - now)
            self.assertIsNone(self.timer.tick(asked))
            now = asked
        self.assertEqual(delays, [0.5, 1.0, 2.0, 4.0, MAX_BACK_OFF / 2, MAX_BACK_OFF / 2])

    def test_final_refusals(self) -> None:
        """Other refusals are not asked again, and none is after the return."""
        self.assertFalse(self.timer.refused("unknown-session", 100.0))
        self.timer.stop()
        self.assertFalse(self.timer.refused(TRANSIENT_CODES[0], 100.0))
        self.assertIsNone(self.timer.tick(1000.0))

    def test_another_crash(self) -> None:
        """Another start restarts the minute, and asks nothing that an earlier refusal planned."""
        self.timer.refused(TRANSIENT_CODES[0], 100.0)
        self.timer.start(150.0)
        self.assertIsNone(self.timer.tick(150.0 + RETURN_SECONDS - 0.1))


class ReturnCase(SynchronousTestCase):
    """A host whose exchange with Bob is complete; then the server forgets both."""

    def setUp(self) -> None:
        """Let them negotiate."""
        self.connected = ["BOB"]
        self.client = SignalingClient(json, lambda: 0.5, "INSTANCE", connected=lambda: self.connected)
        self.client.connect()
        self.client.socket_opened(0.0)
        self.client.frame_received(json.dumps(WELCOME), 0.0)
        self.client.open_session()
        receive(self.client, "opened", id="1", session=S, ticket="host-ticket", **SETTINGS)
        receive(self.client, "member-joined", session=S, member=BOB)
        self.negotiate("BOB")

    def negotiate(self, sender: str) -> None:
        """Apply Bob's first offer, and answer it."""
        number = {"offerer": sender, "n": 1}
        receive(self.client, "offer", session=S, from_=sender, negotiation=number, sdp=UFRAG)
        negotiator = self.negotiator()
        negotiator.remote_description_set()
        negotiator.local_description_set("answer")

    def negotiator(self, user: str = "BOB") -> Negotiator:
        """Return the present negotiator."""
        negotiator = self.client.negotiator(S, user)
        assert negotiator is not None
        return negotiator

    def forget(self, user: str = "NEW") -> None:
        """Let the connection come back to a server that knows nothing."""
        events = resume_client(self.client, "nothing", user=user)
        self.assertIn(Resumed("nothing"), events)

    def reopen(self, *members: dict[str, Any]) -> messages.Opened:
        """Open the session again, and return the event."""
        self.client.open_session(session=S)
        [opened] = receive(self.client, "opened", id="9", session=S, ticket="new", members=list(members), **SETTINGS)
        assert isinstance(opened, messages.Opened)
        return opened


def member(user: str, former: str | None = None, connected: bool = True, base: int = 0) -> dict[str, Any]:
    """Return Bob under another id."""
    plain = {**BOB, "user": user, "connected": connected, "base": base}
    return plain if former is None else {**plain, "former": former}


class ReturnTests(ReturnCase):
    """The host's view of the return."""

    def test_tickets(self) -> None:
        """The latest ticket for a session outlives the identity, but not the session."""
        self.forget()
        self.assertEqual(self.client.ticket(S), "host-ticket")
        self.reopen()
        self.assertEqual(self.client.ticket(S), "new")
        receive(self.client, "host-changed", session=S, user="BOB2")
        self.assertEqual(self.client.ticket(S), "new")
        receive(self.client, "host-changed", session=S, user="NEW", ticket="newer")
        self.assertEqual(self.client.ticket(S), "newer")
        receive(self.client, "ended", session=S, reason="by-host")
        self.assertIsNone(self.client.ticket(S))

    def test_claims(self) -> None:
        """The client names members whose peer connection the edge has and whose exchange is complete, to the end."""
        self.assertEqual(self.client.connected_users(), ["BOB"])
        self.client.socket_closed(1006, "", 5.0)
        [resume] = sent(self.client.socket_opened(6.0))
        self.assertEqual((resume["type"], resume["connected"]), ("resume", ["BOB"]))
        self.client.frame_received(json.dumps(WELCOME | {"user": "NEW", "resumed": "nothing"}), 7.0)
        self.assertEqual(self.client.connected_users(), ["BOB"])
        self.connected = []
        self.assertEqual(self.client.connected_users(), [])

    def test_no_claims(self) -> None:
        """An edge that keeps nothing, and an exchange that is not complete, claim nothing."""
        self.assertEqual(SignalingClient(json, lambda: 0.5, "X").connected_users(), [])
        receive(self.client, "member-joined", session=S, member={**BOB, "user": "CAT"})
        self.connected = ["BOB", "CAT", "DAN"]
        self.assertEqual(self.client.connected_users(), ["BOB"])

    def test_same_id_for_the_application(self) -> None:
        """A member that comes back under another id keeps its id for the application, in all events and requests."""
        self.forget()
        opened = self.reopen(member("BOB2", "BOB"))
        self.assertEqual([(m.user, m.connected) for m in opened.members], [("BOB", True)])
        [message] = receive(self.client, "message", session=S, from_="BOB2", content="x")
        [away] = receive(self.client, "member-away", session=S, user="BOB2")
        assert isinstance(message, messages.ForwardedMessage)
        assert isinstance(away, messages.MemberAway)
        self.assertEqual((message.sender, away.user), ("BOB", "BOB"))
        [sent_message] = sent(self.client.send_message(S, "y", "BOB"))
        [removal] = sent(self.client.remove_member(S, "BOB"))
        self.assertEqual((sent_message["to"], removal["user"]), ("BOB2", "BOB2"))
        [refused] = receive(self.client, "error", id=removal["id"], code="unknown-member", message="x", about="remove")
        assert isinstance(refused, Refused)
        self.assertEqual(refused.user, "BOB")
        [left] = receive(self.client, "member-left", session=S, user="BOB2", reason="left")
        assert isinstance(left, messages.MemberLeft)
        self.assertEqual(left.user, "BOB")

    def test_second_crash(self) -> None:
        """The id stays the same over several crashes, and the claims use the server's latest one."""
        self.forget()
        self.reopen(member("BOB2", "BOB"))
        self.assertEqual(self.client.connected_users(), ["BOB2"])
        self.forget("NEWER")
        opened = self.reopen(member("BOB3", "BOB2"))
        self.assertEqual([m.user for m in opened.members], ["BOB"])
        self.assertEqual(self.negotiator().remote_user, "BOB3")

    def test_joins_later(self) -> None:
        """It makes no difference whether the member comes back before or after this client."""
        self.forget()
        self.reopen()
        [joined] = receive(self.client, "member-joined", session=S, member=member("BOB2", "BOB"))
        assert isinstance(joined, messages.MemberJoined)
        self.assertEqual((joined.member.user, joined.member.connected), ("BOB", True))

    def test_gone(self) -> None:
        """A member that is gone may come back with its connection as well; one that left is another person then."""
        for reason, user in (("gone", "BOB"), ("left", "BOB3")):
            known = self.negotiator().remote_user
            receive(self.client, "member-left", session=S, user=known, reason=reason)
            new = known + "2" if reason == "gone" else "BOB3"
            [joined] = receive(self.client, "member-joined", session=S, member=member(new, known))
            assert isinstance(joined, messages.MemberJoined)
            self.assertEqual((joined.member.user, joined.member.connected), (user, reason == "gone"))

    def test_a_ticket_used_twice(self) -> None:
        """Of two members that show the same ticket, the second one is a stranger."""
        self.forget()
        opened = self.reopen(member("BOB2", "BOB"), member("EVE", "BOB"))
        self.assertEqual([(m.user, m.connected) for m in opened.members], [("BOB", True), ("EVE", False)])

    def test_unknown_former(self) -> None:
        """A member whose former id this client never knew has its own one."""
        self.forget()
        opened = self.reopen(member("CAT2", "CAT"))
        self.assertEqual([(m.user, m.connected) for m in opened.members], [("CAT2", False)])

    def test_not_connected(self) -> None:
        """A pair that the server does not call connected negotiates from the start, under the same id."""
        self.forget()
        opened = self.reopen(member("BOB2", "BOB", connected=False))
        self.assertEqual([(m.user, m.connected) for m in opened.members], [("BOB", False)])
        self.assertEqual(self.negotiator().negotiation_needed(), [])

    def test_membership(self) -> None:
        """After a resume with the membership, a kept pair goes on, and goes on again when Bob is back."""
        resume_client(self.client, "membership")
        keys = {"session": S, "role": "host", **SETTINGS}
        [joined] = receive(self.client, "joined", members=[member("BOB", base=4096)], **keys)
        assert isinstance(joined, messages.Joined)
        self.assertTrue(joined.members[0].connected)
        [renewed] = receive(self.client, "member-renewed", session=S, member=member("BOB", base=8192))
        assert isinstance(renewed, messages.MemberRenewed)
        self.assertTrue(renewed.member.connected)
        commands = self.negotiator().negotiation_needed()
        self.assertEqual(commands, [CreateAndSetLocal("offer")])
        [offer] = self.negotiator().local_description_set("offer")
        assert isinstance(offer, SendRequest)
        assert isinstance(offer.message, messages.Offer)
        self.assertEqual(offer.message.negotiation, messages.Negotiation("ME", 8193))


class ContinuedNegotiationTests(ReturnCase):
    """The negotiator of a kept peer connection."""

    def come_back(self) -> list[Value]:
        """Forget the pair, come back, and return what there is to do."""
        self.forget()
        self.reopen(member("BOB2", "BOB"))
        self.assertEqual(self.negotiator().known_as, "BOB")
        return self.negotiator().continue_negotiation()

    def test_nothing_to_do(self) -> None:
        """A pair without an exchange under way has nothing to negotiate, and either side may offer."""
        self.assertEqual(self.come_back(), [])
        self.assertEqual(self.negotiator().negotiation_needed(), [CreateAndSetLocal("offer")])

    def test_lost_offer(self) -> None:
        """An offer that was not answered before the crash is made again."""
        self.negotiator().negotiation_needed()
        self.negotiator().local_description_set("offer")
        self.assertEqual(self.come_back(), [CreateAndSetLocal("offer")])

    def test_need_meanwhile(self) -> None:
        """A need that arose while the server knew nothing of the pair is satisfied afterwards."""
        former = self.negotiator()
        self.forget()
        self.assertEqual(former.negotiation_needed(), [])
        self.reopen(member("BOB2", "BOB"))
        self.assertEqual(self.negotiator().continue_negotiation(), [CreateAndSetLocal("offer")])

    def test_under_way(self) -> None:
        """A pair with an operation of the browser under way starts over: what it leads to is not known."""
        receive(self.client, "offer", session=S, from_="BOB", negotiation={"offerer": "BOB", "n": 2}, sdp=UFRAG)
        self.assertEqual(self.client.connected_users(), [])
        self.forget()
        opened = self.reopen(member("BOB2", "BOB"))
        self.assertFalse(opened.members[0].connected)

    def test_remote_offer_and_candidates(self) -> None:
        """Bob's next offer is numbered anew, and his candidates of the kept generation are used."""
        self.come_back()
        number = {"offerer": "BOB2", "n": 1}
        [negotiate] = receive(self.client, "offer", session=S, from_="BOB2", negotiation=number, sdp=UFRAG)
        assert isinstance(negotiate, Negotiate)
        self.assertEqual(negotiate.user, "BOB")
        self.negotiator().remote_description_set()
        self.negotiator().local_description_set("answer")
        candidate = {"candidate": "candidate:1", "usernameFragment": "abcd"}
        [negotiate] = receive(
            self.client, "candidates", session=S, from_="BOB2", negotiation=number, candidates=[candidate]
        )
        assert isinstance(negotiate, Negotiate)
        self.assertEqual(negotiate.commands, [AddCandidate(candidate)])

    def test_closed_twice(self) -> None:
        """Closing a negotiator again does not change from where another one continues."""
        negotiator = self.negotiator()
        negotiator.close()
        negotiator.close()
        self.assertTrue(negotiator.is_established)


class SessionsTests(SynchronousTestCase):
    """`Sessions` by itself."""

    def test_outside(self) -> None:
        """A session that the client is not in has no negotiators and no ticket."""
        sessions = Sessions(True)
        sessions.clear()
        self.assertIsNone(sessions.negotiator(S, "BOB"))
        self.assertIsNone(sessions.ticket(S))
        self.assertEqual(sessions.established(["BOB"]), [])
        self.assertEqual(NUMBER["offerer"], sessions.known_id("BOB"))
