"""The response header that shows the doctor which headers and addresses arrived through the proxies."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from ipaddress import ip_network

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import AddressKey
from signald.server.forwarding_traffic import ForwardingTraffic
from signald.server.reflection import ANSWER, MAX_HOPS, PROOF_SECONDS, REQUEST, RequestReflector, Seen, proof, read_seen
from tests.support.endpoints import CLIENT, Endpoint, parse_response, request, upgrade_request
from tests.support.memory_server import MemoryServer

SECRET = bytes(range(32))
NOW = 1_800_000_000.0
PROXIES = [ip_network("10.0.0.0/8")]


def seen(headers: dict[str, str], *, peer: str = "10.1.2.3", given: str | None = None) -> Seen | None:
    """Return the content of the response header."""
    reflector = RequestReflector(SECRET, lambda: NOW)
    proved = {REQUEST.lower(): proof(SECRET, NOW) if given is None else given}
    answer = reflector.headers({**headers, **proved}, peer, PROXIES)
    return read_seen(answer[ANSWER]) if answer else None


class MirrorTests(SynchronousTestCase):
    """The server reports what it received to the operator's doctor only."""

    def test_what_was_seen(self) -> None:
        """The report has the Host header, the TCP peer's address, the proxy hops and the address that is counted."""
        found = seen({"host": "calls.example.org", "x-forwarded-for": "192.0.2.77, 203.0.113.9"})
        self.assertEqual(
            found, Seen("calls.example.org", "10.1.2.3", True, ("192.0.2.77", "203.0.113.9"), "203.0.113.9")
        )

    def test_a_stranger_proxy(self) -> None:
        """The report has an untrusted proxy's forwarding header, and says that the header is not trusted."""
        found = seen({"x-forwarded-for": "203.0.113.9"}, peer="198.51.100.1")
        self.assertEqual(found, Seen("", "198.51.100.1", False, ("203.0.113.9",), "198.51.100.1"))

    def test_only_the_operator(self) -> None:
        """No report is sent for a missing or malformed proof, or for one of another secret or another time."""
        other = proof(bytes(32), NOW)
        early, late = proof(SECRET, NOW - PROOF_SECONDS - 1), proof(SECRET, NOW + PROOF_SECONDS + 1)
        moved = f"{NOW + 1:.0f}-{proof(SECRET, NOW).partition('-')[2]}"
        for given in (other, early, late, moved, "", "-", "1-é", "9" * 5000 + "-", "\u0661-x"):
            self.assertIsNone(seen({"host": "calls.example.org"}, given=given), given)
        self.assertEqual(RequestReflector(SECRET, lambda: NOW).headers({"host": "x"}, "10.1.2.3", PROXIES), {})

    def test_bounds(self) -> None:
        """However long the request's headers are, the report is short and a valid header value."""
        proved = {REQUEST.lower(): proof(SECRET, NOW), "host": "é" * 9000, "x-forwarded-for": "\x00, " * 5000}
        answer = RequestReflector(SECRET, lambda: NOW).headers(proved, "10.1.2.3", PROXIES)[ANSWER]
        self.assertLess(len(answer), 8192)
        self.assertTrue(answer.isascii())
        found = read_seen(answer)
        assert found is not None
        self.assertEqual(len(found.hops), MAX_HOPS)

    def test_an_unnamed_proxy(self) -> None:
        """The report names the address that has most of the traffic; the report of an older version has none."""
        traffic = ForwardingTraffic()
        traffic.unnamed_proxy = AddressKey("10.0.0.5")
        proved = {REQUEST.lower(): proof(SECRET, NOW)}
        answer = RequestReflector(SECRET, lambda: NOW, traffic).headers(proved, "10.1.2.3", PROXIES)[ANSWER]
        found = read_seen(answer)
        assert found is not None
        self.assertEqual(found.unnamed_proxy, "10.0.0.5")
        document = json.loads(urlsafe_b64decode(answer))
        del document["unnamed_proxy"]
        self.assertEqual(
            read_seen(urlsafe_b64encode(json.dumps(document).encode()).decode()), evolve(found, unnamed_proxy="")
        )

    def test_invalid_reports_are_rejected(self) -> None:
        """The parser rejects any text that is not a report, since a proxy may have written it."""
        for value in ("", "e30=", "bnVsbA==", "!", "W10=", "é"):
            self.assertIsNone(read_seen(value), value)


class AnswerTests(SynchronousTestCase):
    """The report is in the responses of the signaling path."""

    def setUp(self) -> None:
        """Start the site."""
        self.server = MemoryServer(reflector=RequestReflector(SECRET, lambda: NOW))

    def fetch(self, data: bytes) -> tuple[int, dict[str, str]]:
        """Return the status and headers of a response."""
        endpoint = Endpoint(self.server.site, clock=self.server.clock)
        endpoint.send(data)
        status, headers, _body = parse_response(endpoint.answer())
        return status, headers

    def test_every_answer_has_it(self) -> None:
        """An upgrade, a refused upgrade and a request whose Upgrade header a proxy removed all get the report."""
        proved = {"Host": "calls.example.org", REQUEST: proof(SECRET, NOW)}
        answers = [
            self.fetch(upgrade_request("/ws", **{"Signald-Doctor": proof(SECRET, NOW)})),
            self.fetch(upgrade_request("/ws", Origin="https://evil.example", **{"Signald-Doctor": proof(SECRET, NOW)})),
            self.fetch(request("/ws", proved)),
        ]
        self.assertEqual([status for status, _ in answers], [101, 403, 426])
        for _, headers in answers:
            found = read_seen(headers[ANSWER.lower()])
            assert found is not None
            self.assertEqual(found.peer, CLIENT)

    def test_nobody_else_has_it(self) -> None:
        """A response to a request without the proof has no report."""
        for data in (upgrade_request("/ws"), request("/ws", {"Host": "calls.example.org"})):
            self.assertNotIn(ANSWER.lower(), self.fetch(data)[1])
