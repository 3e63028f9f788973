"""The response header that tells the operator's own check what came through the proxies."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from signald.server.reflection import ANSWER, MAX_HOPS, PROOF_SECONDS, REQUEST, RequestReflector, Seen, proof, read_seen
from tests.support.endpoints import CLIENT, Endpoint, parse_response, request, upgrade_request
from tests.support.memory_server import MemoryServer

SECRET = bytes(range(32))
NOW = 1_800_000_000.0
PROXIES = [ip_network("10.0.0.0/8")]


def seen(headers: dict[str, str], *, peer: str = "10.1.2.3", given: str | None = None) -> Seen | None:
    """The content of the header."""
    reflector = RequestReflector(SECRET, lambda: NOW)
    proved = {REQUEST.lower(): proof(SECRET, NOW) if given is None else given}
    answer = reflector.headers({**headers, **proved}, peer, PROXIES)
    return read_seen(answer[ANSWER]) if answer else None


class MirrorTests(SynchronousTestCase):
    """Who is told what."""

    def test_what_was_seen(self) -> None:
        """The Host, the other end, the hops and the address that counts."""
        found = seen({"host": "calls.example.org", "x-forwarded-for": "192.0.2.77, 203.0.113.9"})
        self.assertEqual(
            found, Seen("calls.example.org", "10.1.2.3", True, ("192.0.2.77", "203.0.113.9"), "203.0.113.9")
        )

    def test_a_stranger_proxy(self) -> None:
        """Its header is told, and that it is not believed."""
        found = seen({"x-forwarded-for": "203.0.113.9"}, peer="198.51.100.1")
        self.assertEqual(found, Seen("", "198.51.100.1", False, ("203.0.113.9",), "198.51.100.1"))

    def test_only_the_operator(self) -> None:
        """No proof, another secret's, one of another time, and what is none: nothing is told."""
        other = proof(bytes(32), NOW)
        early, late = proof(SECRET, NOW - PROOF_SECONDS - 1), proof(SECRET, NOW + PROOF_SECONDS + 1)
        moved = f"{NOW + 1:.0f}-{proof(SECRET, NOW).partition('-')[2]}"
        for given in (other, early, late, moved, "", "-", "1-é", "9" * 5000 + "-", "\u0661-x"):
            self.assertIsNone(seen({"host": "calls.example.org"}, given=given), given)
        self.assertEqual(RequestReflector(SECRET, lambda: NOW).headers({"host": "x"}, "10.1.2.3", PROXIES), {})

    def test_bounds(self) -> None:
        """However long the headers are, the answer is short, and fit for a header."""
        proved = {REQUEST.lower(): proof(SECRET, NOW), "host": "é" * 9000, "x-forwarded-for": "\x00, " * 5000}
        answer = RequestReflector(SECRET, lambda: NOW).headers(proved, "10.1.2.3", PROXIES)[ANSWER]
        self.assertLess(len(answer), 8192)
        self.assertTrue(answer.isascii())
        found = read_seen(answer)
        assert found is not None
        self.assertEqual(len(found.hops), MAX_HOPS)

    def test_what_is_no_answer(self) -> None:
        """A proxy may say anything in that header."""
        for value in ("", "e30=", "bnVsbA==", "!", "W10=", "é"):
            self.assertIsNone(read_seen(value), value)


class AnswerTests(SynchronousTestCase):
    """The header on the answers of the signaling path."""

    def setUp(self) -> None:
        """Serve."""
        self.site = MemoryServer(reflector=RequestReflector(SECRET, lambda: NOW)).site

    def ask(self, data: bytes) -> tuple[int, dict[str, str]]:
        """The status and headers of an answer."""
        endpoint = Endpoint(self.site)
        endpoint.send(data)
        status, headers, _body = parse_response(endpoint.answer())
        return status, headers

    def test_every_answer_has_it(self) -> None:
        """An upgrade, a refused one, and a request whose Upgrade a proxy has lost."""
        proved = {"Host": "calls.example.org", REQUEST: proof(SECRET, NOW)}
        answers = [
            self.ask(upgrade_request("/ws", **{"Signald-Doctor": proof(SECRET, NOW)})),
            self.ask(upgrade_request("/ws", Origin="https://evil.example", **{"Signald-Doctor": proof(SECRET, NOW)})),
            self.ask(request("/ws", proved)),
        ]
        self.assertEqual([status for status, _ in answers], [101, 403, 426])
        for _, headers in answers:
            found = read_seen(headers[ANSWER.lower()])
            assert found is not None
            self.assertEqual(found.peer, CLIENT)

    def test_nobody_else_has_it(self) -> None:
        """Without the proof the header is not there."""
        for data in (upgrade_request("/ws"), request("/ws", {"Host": "calls.example.org"})):
            self.assertNotIn(ANSWER.lower(), self.ask(data)[1])
