"""Tests of the lines about connections, users and sessions: the lines of a failed call explain it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, cast

from attrs import evolve
from twisted.logger import ILogObserver, globalLogPublisher

from signald.config.settings import LogLevel
from signald.core.decisions import Decided
from signald.core.limits import Limits
from signald.core.messages import IceError, SessionId
from signald.core.users import DecisionId
from tests.support.access import NOW, minted
from tests.support.call_log import Caller, CallLogCase, token_settings
from tests.support.endpoints import CLIENT, Endpoint, upgrade_request
from tests.support.world import HOME


class FailedCallTests(CallLogCase):
    """Each failed call is explained by the lines that name its user, its session or its connection."""

    def test_a_wrong_claim(self) -> None:
        """The application signs a role that does not exist: the line names claim, expectation and value."""
        self.serve(tokens=token_settings(self))
        caller = Caller(self, token=minted(signald={"role": "moderator"}))
        self.assertEqual(caller.welcome["code"], "token-invalid")
        caller.close(1000)
        self.assertEqual(
            self.texts(),
            [
                "connection 1: opened, native over ws",
                "connection 1, user -: the token was refused with token-invalid;"
                ' signald.role: expected "host" or "guest", found "moderator"',
                "connection 1, user -, session -: hello was refused with token-invalid, limit -, webhook no",
                "connection 1, user -: closed after 0.0 s by client, code 1000, reason -",
            ],
        )

    def test_an_old_link(self) -> None:
        """A token that has expired is said to have, with both times."""
        self.serve(tokens=token_settings(self))
        Caller(self, token=minted(exp=NOW - 3600))
        self.assertIn(
            "connection 1, user -: the token was refused with token-expired;"
            " exp: expected a time after 2027-01-15T08:00:00Z, found 2027-01-15T07:00:00Z",
            self.texts(),
        )

    def test_what_a_token_does_not_allow(self) -> None:
        """A guest's token opens nothing, and one for a session admits to no other: the lines name the claim."""
        self.serve(tokens=token_settings(self))
        guest = Caller(self, token=minted(signald={"session": "7Q2M9RT6ZC"}))
        self.assertEqual(guest.say("open")[0]["code"], "not-permitted")
        self.assertEqual(guest.say("join", session="ZZZZZZZZZZ")[0]["code"], "not-permitted")
        ours, at = self.reference(guest), self.session_reference("ZZZZZZZZZZ")
        begin = f"connection 1, user {ours}: the token was refused with not-permitted; signald"
        self.assertEqual(
            self.texts()[2:],
            [
                f'{begin}.role: expected "host", to open a session, found "guest"',
                f"connection 1, user {ours}, session -: open was refused with not-permitted, limit -, webhook no",
                f"{begin}.session: expected the session of the request, found another one",
                f"connection 1, user {ours}, session {at}: join was refused with not-permitted, limit -, webhook no",
            ],
        )

    def test_a_full_session(self) -> None:
        """A third person joins a session for two: the refusal has the references of person and session."""
        host, guest, third = Caller(self), Caller(self), Caller(self)
        session = host.open(capacity=2)
        guest.say("join", session=session)
        self.assertEqual(third.say("join", session=session)[0]["code"], "session-full")
        ours, theirs, other = map(self.reference, (host, guest, third))
        at = self.session_reference(session)
        self.assertEqual(
            self.texts()[6:],
            [
                f"session {at}: opened by user {ours}, connection 1; 1 sessions are open",
                f"session {at}: user {theirs}, connection 2, joined; 2 of 2",
                f"connection 3, user {other}, session {at}: join was refused with session-full, limit -, webhook no",
            ],
        )

    def test_a_refusal_by_the_webhook(self) -> None:
        """What the operator's own service refuses is told from what signald refuses."""
        self.serve(verdict=b'{"allow": false, "code": "session-full"}')
        caller = Caller(self)
        self.assertEqual(caller.say("open")[0]["code"], "session-full")
        expected = f"connection 1, user {self.reference(caller)}, session -: open was refused with session-full,"
        self.assertEqual(self.texts()[2:], [f"{expected} limit -, webhook yes"])

    def test_a_guest_refused_in_the_lobby(self) -> None:
        """The host refuses a guest: the guest waited, and was not admitted."""
        host, guest = Caller(self), Caller(self)
        session = host.open(lobby=True)
        guest.say("join", session=session)
        host.say("refuse", session=session, user=guest.welcome["user"])
        at, theirs = self.session_reference(session), self.reference(guest)
        self.assertEqual(
            self.texts()[5:],
            [
                f"session {at}: user {theirs}, connection 2, waits for the lobby; 1 wait",
                f"session {at}: user {theirs}, connection 2, was not admitted, reason refused; 0 wait",
            ],
        )

    def test_no_peer_connection(self) -> None:
        """A program that cannot connect to another member says so: both references, and nothing of its text."""
        host, guest = Caller(self), Caller(self)
        session = host.open()
        guest.say("join", session=session)
        guest.say("ice-error", session=session, to=host.welcome["user"], text="canary 192.0.2.77")
        at, ours, theirs = self.session_reference(session), self.reference(host), self.reference(guest)
        self.assertEqual(
            self.texts()[-1], f"session {at}: user {theirs}, connection 2, has no peer connection to {ours}"
        )
        [peer] = [id for id, peer in self.switchboard.hub.peers.items() if peer.user == guest.welcome["user"]]
        self.switchboard.calls.log_ice_error(peer, HOME, IceError(SessionId(session), None, "canary"))
        self.assertEqual(self.texts()[-1], self.texts()[-2], "without an addressee, it is about the only other member")

    def test_a_refused_ice_error(self) -> None:
        """One about another session, or about whoever is not in the session, is refused and says nothing more."""
        host, guest, third = Caller(self), Caller(self), Caller(self)
        session = host.open(capacity=3)
        guest.say("join", session=session)
        third.say("join", session=session)
        guest.say("leave", session=session)
        before = len(self.lines())
        for named, other in (
            ("ZZZZZZZZZZ", host.welcome["user"]),
            (session, guest.welcome["user"]),
            (session, third.welcome["user"]),
        ):
            third.say("ice-error", session=named, to=other, text="canary")
        self.assertEqual([line["event"] for line in self.lines()[before:]], ["request-refused"] * 3)

    def test_a_cut_longer_than_the_grace(self) -> None:
        """The network of a host is cut for longer than the grace: its end is 30 s after the loss."""
        host, guest = Caller(self), Caller(self)
        session = host.open()
        guest.say("join", session=session)
        self.advance(5)
        host.endpoint.disconnect()
        self.advance(15)
        guest.say("ping")
        self.advance(16)
        at, ours, theirs = self.session_reference(session), self.reference(host), self.reference(guest)
        self.assertEqual(
            self.texts()[6:],
            [
                f"connection 1, user {ours}: closed after 5.0 s by nobody, code -, reason -",
                f"session {at}: user {ours}, connection 1, is away",
                f"session {at}: user {ours}, connection 1, left, reason host-gone; 0 of 2",
                f"session {at}: user {theirs}, connection 2, left, reason host-gone; 0 of 2",
                f"session {at}: ended, reason host-gone; 0 sessions are open",
            ],
        )

    def test_a_resume(self) -> None:
        """A user that comes back has another connection and the same reference."""
        host = Caller(self)
        session = host.open()
        host.endpoint.disconnect()
        again = Caller(self, greets=False)
        welcome, *_ = again.say(
            "resume", version=1, user=host.welcome["user"], secret=host.welcome["secret"], instance="i" * 22, received=1
        )
        at, ours = self.session_reference(session), self.reference(host)
        self.assertEqual(welcome["reference"], ours)
        self.assertEqual(
            self.texts()[4:],
            [
                f"session {at}: user {ours}, connection 1, is away",
                "connection 2: opened, native over ws",
                f"session {at}: user {ours} is back, connection 2",
                f"connection 2: user {ours} was welcomed, resumed everything, role -",
            ],
        )

    def test_a_limit(self) -> None:
        """A connection that the server closes has the error, its code and the limit behind it in its lines."""
        self.serve(Limits(message_burst=2, message_rate=1.0))
        caller = Caller(self)
        for _ in range(2):
            caller.say("ping")
        caller.endpoint.disconnect()
        ours = self.reference(caller)
        closed = f"connection 1, user {ours}: closed after 0.0 s by server, code 1008, reason too-many-messages"
        self.assertEqual(self.texts()[-1], closed)

    def test_too_many_guesses(self) -> None:
        """A refusal because of a limit names the limit as it is configured."""
        self.serve(Limits(failed_guesses=1))
        caller = Caller(self)
        for _ in range(2):
            caller.say("join", session="ZZZZZZZZZZ")
        refused = "session -: join was refused with too-many-guesses, limit failed-guesses, webhook no"
        self.assertTrue(self.texts()[-1].endswith(refused))

    def test_a_silent_client(self) -> None:
        """A connection that is aborted since its client answers no ping names that limit."""
        caller = Caller(self, greets=False)
        self.addCleanup(caller.endpoint.disconnect)
        self.advance(9)
        caller.say("hello", version=1, instance="i" * 22)
        self.advance(40)
        closed = next(line for line in self.lines() if line["event"] == "connection-closed")
        self.assertEqual((closed["by"], closed["code"], closed["reason"]), ("server", "-", "pong-seconds"))

    def test_a_refused_handshake(self) -> None:
        """A page of another origin is refused; the line has a number of its own, the code and no origin."""
        endpoint = Endpoint(self.site, CLIENT, self.clock)
        endpoint.send(upgrade_request(sec_websocket_protocol="signald.1", origin="https://canary.example"))
        self.assertEqual(self.texts(), ["connection 1: refused with bad-origin, limit -"])

    def test_other_ends_of_sessions(self) -> None:
        """Guests who leave, are removed, or become the host, and sessions that a host ends, are told apart."""
        host, guest = Caller(self), Caller(self)
        session = host.open(capacity=4, succession=True, lobby=True)
        for leave in (lambda: guest.say("leave", session=session), lambda: guest.close(1000)):
            guest.say("join", session=session)
            leave()
        guest = Caller(self)
        guest.say("join", session=session)
        host.say("admit", session=session, user=guest.welcome["user"])
        host.say("hand-over", session=session, user=guest.welcome["user"])
        guest.say("end", session=session)
        found = [(line["event"], line["reason"]) for line in self.lines() if "reason" in line and "by" not in line]
        self.assertEqual(
            found,
            [
                ("session-opened", "-"),
                ("visitor-waits", "lobby"),
                ("visitor-not-admitted", "left"),
                ("visitor-waits", "lobby"),
                ("visitor-not-admitted", "left"),
                ("visitor-waits", "lobby"),
                ("member-joined", "-"),
                ("host-changed", "-"),
                ("member-left", "by-host"),
                ("member-left", "by-host"),
                ("session-ended", "by-host"),
            ],
        )

    def test_nothing_of_the_clients(self) -> None:
        """No line has an id, an address or a secret of a client."""
        host, guest = Caller(self, "198.51.100.77"), Caller(self, "198.51.100.78")
        session = host.open()
        guest.say("join", session=session, name="canary")
        host.say("ping", canary="canary")
        guest.endpoint.disconnect()
        text = "\n".join(map(str, self.lines()))
        self.assertIn("unknown-keys", self.events())
        for secret in (session, host.welcome["user"], host.welcome["secret"], "198.51", "canary", "i" * 22):
            self.assertNotIn(secret, text)


class LevelTests(CallLogCase):
    """Lines below the level are not made, and the lines about clients are bounded."""

    def call(self) -> None:
        """Make a call of two, with a refusal."""
        host, guest = Caller(self), Caller(self)
        session = host.open()
        guest.say("join", session=session)
        guest.say("join", session=session)
        guest.say("ping", unknown=1)
        guest.endpoint.disconnect()
        host.close(1000)

    def set_level(self, level: LogLevel) -> None:
        """Change the level, as a reload does."""
        self.log.configure(evolve(self.log.settings, level=level))
        self.switchboard.calls.set_level(level)

    def test_info(self) -> None:
        """At `info` there are lines about sessions and members alone."""
        self.set_level(LogLevel.INFO)
        self.call()
        self.assertEqual(
            self.events(),
            ["session-opened", "member-joined", "member-away", "member-left", "member-left", "session-ended"],
        )

    def test_warn(self) -> None:
        """At `warn` nothing is written, and no event reaches any observer."""
        self.set_level(LogLevel.WARN)
        heard: list[Any] = []
        observer = cast(ILogObserver, heard.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.call()
        namespaces = {event.get("log_namespace", "") for event in heard}
        self.assertEqual([name for name in namespaces if name.startswith("signald.server.")], [])

    def test_one_address(self) -> None:
        """An address with very many lines loses those beyond its budget, and a line says how many were lost."""
        self.serve(Limits(message_burst=1000))
        caller = Caller(self, "192.0.2.66")
        for _ in range(600):
            caller.say("leave", session="ZZZZZZZZZZ")
        self.assertEqual(len(self.lines()), 500)
        other = Caller(self, "192.0.2.67")
        self.assertEqual(self.events()[-2:], ["connection-opened", "user-welcomed"])
        self.advance(1)
        dropped = [line for line in self.lines() if line["event"] == "client-lines-dropped"]
        self.assertEqual([line["count"] for line in dropped], [102])
        self.assertTrue(other.welcome)

    def test_clients_behind_a_proxy(self) -> None:
        """A client behind a trusted proxy uses up its own lines with refused handshakes, and not the proxy's."""
        self.serve()
        self.port.admission.trusted_proxies = [ip_network(CLIENT)]
        request = {"sec_websocket_protocol": "signald.1", "origin": "https://canary.example"}
        for _ in range(501):
            Endpoint(self.site, CLIENT, self.clock).send(upgrade_request(**request, x_forwarded_for="198.51.100.1"))
        self.assertEqual(self.events(), ["connection-refused"] * 500)
        Endpoint(self.site, CLIENT, self.clock).send(upgrade_request(**request, x_forwarded_for="198.51.100.2"))
        self.assertEqual(len(self.events()), 501)

    def test_a_silenced_address(self) -> None:
        """An address that has used up its lines has none of any kind, and its calls go on."""
        self.serve(tokens=token_settings(self))
        budget = self.switchboard.calls._budget
        while budget.allows(HOME, self.clock.seconds()):
            pass
        self.call()
        host, guest = Caller(self), Caller(self)
        session = host.open()
        self.assertEqual(guest.say("join", session=session)[0]["type"], "joined")
        guest.say("ice-error", session=session, to=host.welcome["user"], text="failed")
        Caller(self, token=minted(aud="app"))
        endpoint = Endpoint(self.site, CLIENT, self.clock)
        endpoint.send(upgrade_request(sec_websocket_protocol="signald.1", origin="https://canary.example"))
        self.assertEqual(self.lines(), [])

    def test_an_unknown_decision(self) -> None:
        """The outcome of a decision that is not pending, which the hub refuses, is no news."""
        self.assertIsNone(self.switchboard.calls.read_outcome(DecisionId(9), Decided()))

    def test_ended_users_are_forgotten(self) -> None:
        """Nothing is kept of users that have ended."""
        for _ in range(3):
            self.call()
        self.advance(120)
        self.assertEqual(self.switchboard.hub.users, {})
        calls = self.switchboard.calls
        self.assertEqual((calls._latest, calls._refusals), ({}, {}))
