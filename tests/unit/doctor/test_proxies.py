"""Tests of the doctor's findings about proxies, which it derives from the response to its handshake."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.config.values import ConfigError
from signald.core.errors import ErrorCode
from signald.doctor.findings import Finding, Mark
from signald.doctor.handshakes import FORGED, handshake, judge_handshake, judge_seen, judge_traffic
from signald.doctor.responses import MOST_BYTES, Response, read_response
from signald.doctor.session import SessionRecord, judge_idle, judge_session
from signald.doctor.targets import PublicUrl, Target
from signald.server.problems import last_response
from signald.server.reflection import Seen

URL = PublicUrl.read("https://calls.example.org/")


class UrlTests(SynchronousTestCase):
    """Tests of `PublicUrl`."""

    def test_read(self) -> None:
        """Default ports are added to the target and left out of the origin, as browsers do."""
        for text, target, path, origin, socket in (
            (
                "https://calls.example.org",
                Target("calls.example.org", 443, True),
                "/",
                "https://calls.example.org",
                None,
            ),
            ("http://[2001:DB8::1]:9000/", Target("2001:db8::1", 9000, False), "/", "http://[2001:db8::1]:9000", None),
            (
                "https://bücher.example:8443/calls",
                Target("xn--bcher-kva.example", 8443, True),
                "/calls/",
                "https://xn--bcher-kva.example:8443",
                "wss://xn--bcher-kva.example:8443/calls/ws",
            ),
        ):
            url = PublicUrl.read(text)
            self.assertEqual((url.target, url.path, url.origin), (target, path, origin))
            self.assertEqual(url.socket, socket or f"{'wss' if target.tls else 'ws'}://{url.authority}/ws")

    def test_unusable_urls(self) -> None:
        """Other schemes, URLs with a user, and characters that could break the HTTP request line are refused."""
        for text in (
            "", "calls.example.org", "ftp://calls.example.org/", "wss://calls.example.org/", "https://", "https:///x",
            "https://user:pass@calls.example.org/", "https://calls.example.org:99999/", "https://calls.example.org/a b",
            "https://calls.example.org/\r\nX: y", "https://calls.example.org/é", "https://[::1/", "https://a..b/",
        ):  # fmt: skip
            with self.assertRaises(ConfigError, msg=text):
                print(PublicUrl.read(text))  # noqa: T201 # shows the URL if the test fails


class HandshakeTests(SynchronousTestCase):
    """Tests of the findings about whether proxies pass the Upgrade and Host headers on."""

    def judge(self, response: Response | None, seen: Seen | None = None) -> list[Finding]:
        """Return the findings about a response."""
        assert response is not None
        return judge_handshake(URL, "/", response, seen)

    def test_request(self) -> None:
        """The request looks like a browser's, but has a forged X-Forwarded-For header, and a proof if there is one."""
        request = handshake(URL, "1-abc").decode()
        self.assertTrue(request.startswith("GET /ws HTTP/1.1\r\nHost: calls.example.org\r\n"))
        self.assertIn(f"\r\nX-Forwarded-For: {FORGED}\r\n", request)
        self.assertIn("\r\nSignald-Doctor: 1-abc\r\n", request)
        self.assertNotIn("Signald-Doctor", handshake(URL, None).decode())

    def test_switched(self) -> None:
        """A 101 response is OK only if it belongs to this request and has the subprotocol."""
        request = handshake(URL, None).decode()
        self.assertIn("Sec-WebSocket-Key: c2lnbmFsZCBkb2N0b3IhIQ==\r\n", request)
        # From `printf c2lnbmFsZCBkb2N0b3IhIQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11 | openssl sha1 -binary | base64`.
        good = {"sec-websocket-accept": "IgWCNS3yhEVfSdiAD+VCNR4bIhg=", "sec-websocket-protocol": "signald.1"}
        self.assertEqual([one.mark for one in self.judge(Response(101, good, b"", True))], [Mark.OK, Mark.OK])
        for missing, said in (("sec-websocket-accept", "a cache"), ("sec-websocket-protocol", "subprotocol")):
            headers = {name: value for name, value in good.items() if name != missing}
            (found,) = self.judge(Response(101, headers, b"", True))
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn(said, found.text)

    def test_refusals_of_signald(self) -> None:
        """For each error with which signald refuses a handshake, the finding names its probable cause."""
        seen = Seen("signald", "127.0.0.1", True, (), "")
        for code, about, said in (
            (ErrorCode.UPGRADE_REQUIRED, None, "Upgrade is not passed on"),
            (ErrorCode.BAD_ORIGIN, seen, "signald saw Host: signald instead of calls.example.org"),
            (ErrorCode.BAD_ORIGIN, None, "signald saw another Host"),
            (ErrorCode.BAD_HOST, None, "Host is not passed on"),
            (ErrorCode.NOT_FOUND, None, "the proxy passes on another path"),
            (ErrorCode.SERVER_FULL, None, "signald refuses the WebSocket: server-full"),
        ):
            (found,) = self.judge(read_response(last_response(code)), about)
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn(said, found.text)
            self.assertTrue(found.remedy)
        (found,) = self.judge(read_response(last_response(ErrorCode.GOING_AWAY)))
        self.assertEqual(found.mark, Mark.WARNING)

    def test_other_answers(self) -> None:
        """Responses that signald did not send are failures with a remedy."""
        for status, headers, said in (
            (502, {}, "The proxy answers 502: it does not reach signald."),
            (301, {"location": "https://www.example.org/"}, "redirected to https://www.example.org/"),
            (200, {}, "answers 200, and that is not signald's answer"),
            (404, {"content-type": "application/problem+json"}, "answers 404"),
        ):
            (found,) = self.judge(Response(status, headers, b"[]", True))
            self.assertIn(said, found.text)
            self.assertEqual((found.mark, bool(found.remedy)), (Mark.FAILURE, True))


class AddressTests(SynchronousTestCase):
    """Tests of the findings about whether signald counts clients by their own addresses."""

    def judge(self, hops: str, *, trusted: bool, behind: bool = True, proxy: bool = False) -> Finding:
        """Return the finding about a request that reached signald with these X-Forwarded-For hops."""
        seen = Seen("calls.example.org", "10.0.0.5", trusted, tuple(hops.split()), "")
        return judge_seen(seen, behind_proxy=behind, proxy_protocol=proxy)

    def test_good(self) -> None:
        """All is OK if a trusted proxy sets or extends the header, if there is no proxy, or with a PROXY header."""
        for found in (
            self.judge("198.51.100.7", trusted=True),
            self.judge(f"{FORGED} 198.51.100.7", trusted=True),
            self.judge(FORGED, trusted=False, behind=False),
            self.judge(FORGED, trusted=False, proxy=True),
        ):
            self.assertEqual(found.mark, Mark.OK, found)

    def test_faults(self) -> None:
        """The remedy of each fault has the setting with the proxy's address, or the directive for the proxy."""
        for found, said, remedy in (
            (self.judge("198.51.100.7", trusted=False), "is not trusted", 'trusted_proxies = ["10.0.0.5"]'),
            (self.judge("", trusted=True), "does not set X-Forwarded-For", '["10.0.0.5"]'),
            (self.judge(FORGED, trusted=False), "does not set X-Forwarded-For", '["10.0.0.5"]'),
            (self.judge(FORGED, trusted=True), "that a client has made up", "$remote_addr"),
            (self.judge(f"198.51.100.7 {FORGED}", trusted=True), "that a client has made up", "$remote_addr"),
        ):
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn(said, found.text)
            self.assertIn(remedy, found.remedy or "")

    def test_nothing_known(self) -> None:
        """The check is skipped if signald did not report the request that it received."""
        self.assertEqual(judge_seen(None, behind_proxy=True, proxy_protocol=False).mark, Mark.SKIPPED)


class ResponseTests(SynchronousTestCase):
    """Tests of the parser of HTTP responses."""

    def test_in_pieces(self) -> None:
        """A response is None until its headers are complete, and incomplete until its body is."""
        data = last_response(ErrorCode.BAD_ORIGIN)
        head = data.index(b"\r\n\r\n") + 4
        for end in range(head):
            self.assertIsNone(read_response(data[:end]), end)
        for end in range(head, len(data)):
            found = read_response(data[:end])
            assert found is not None
            self.assertFalse(found.whole)
        found = read_response(data)
        assert found is not None
        self.assertEqual((found.whole, found.status, found.code), (True, 403, "bad-origin"))

    def test_other_protocols(self) -> None:
        """Bytes of other protocols are refused at once, and an endless status line as soon as it exceeds the limit."""
        for data in (b"SSH-2.0-x\r\n", b"\x15\x03\x01", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 8):
            self.assertRaises(ValueError, read_response, data)
        self.assertRaises(ValueError, read_response, b"HTTP/1.1 200 " + b"x" * MOST_BYTES)
        self.assertIsNone(read_response(b"HTTP/1.1 200 " + b"x" * 9000))

    def test_codes(self) -> None:
        """Only a problem document whose code is a string has an error code."""
        for body in (b"", b"[]", b"{}", b'{"code": 5}', b"\xff", b"[" * 100000):
            headers = {"content-type": "application/problem+json"}
            self.assertIsNone(Response(400, headers, body, True).code)
        self.assertIsNone(Response(400, {}, json.dumps({"code": "x"}).encode(), True).code)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Parsing arbitrary bytes with an end of headers either returns a response or raises ValueError."""
        for prefix in (b"", b"HTTP/1.1 200 OK\r\n"):
            try:
                found = read_response(prefix + data + b"\r\n\r\n")
            except ValueError:
                continue
            assert found is not None
            self.assertGreaterEqual(found.status, 0)


class SessionTests(SynchronousTestCase):
    """Tests of the findings about a WebSocket session."""

    def test_answers(self) -> None:
        """A welcome and a request for a token are OK; any other error, silence and another protocol are failures."""
        for record, mark, said in (
            (SessionRecord("welcome"), Mark.OK, "welcomes"),
            (SessionRecord("error", "token-required"), Mark.OK, "asks for a token"),
            (SessionRecord("error", "server-full"), Mark.FAILURE, "server-full"),
            (SessionRecord(), Mark.FAILURE, "no answer to hello"),
            (SessionRecord("hi"), Mark.FAILURE, "does not speak signald.1"),
        ):
            found = judge_session(URL, record)
            self.assertEqual(found.mark, mark)
            self.assertIn(said, found.text)

    def test_idle(self) -> None:
        """An idle session is OK if it stays open, and a failure if it is closed too early or receives no ping."""
        for record, mark, said in (
            (SessionRecord("welcome", None, 2, 50.0, False), Mark.OK, "lives for 50 s"),
            (SessionRecord("welcome", None, 0, 15.2, True), Mark.FAILURE, "closed after 15 s"),
            (SessionRecord("welcome", None, 0, 50.0, False), Mark.FAILURE, "No ping"),
        ):
            found = judge_idle(record, 50.0, 20.0)
            self.assertEqual(found.mark, mark)
            self.assertIn(said, found.text)

    def test_most_of_the_traffic(self) -> None:
        """An address that has most of the traffic and speaks for others is named with the setting; else nothing is."""
        seen = Seen("calls.example.org", "127.0.0.1", False, (), "127.0.0.1")
        self.assertEqual(judge_traffic(seen), [])
        (found,) = judge_traffic(evolve(seen, unnamed_proxy="10.0.0.5"))
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn("comes from 10.0.0.5, which sends X-Forwarded-For and is not trusted", found.text)
        self.assertIn('trusted_proxies = ["10.0.0.5"]', found.remedy or "")
