"""The server checks an opening handshake, and accepts or refuses it."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode, SignalError
from signald.dialects.dialect import DecodeError, WireProtocol
from signald.net.origins import OriginRule
from signald.server.upgrade_request import (
    MOST_PARAMETERS,
    UpgradeRule,
    any_name_beside,
    read_query,
    refusal,
    refusal_headers,
)
from tests.support.endpoints import NamedDialect, PlainDialect

HEADERS = {"host": "signald.example"}


class ChoiceTests(SynchronousTestCase):
    """The check returns the dialect, or raises the error."""

    def setUp(self) -> None:
        """Create a rule with two dialects on one path."""
        self.rule = UpgradeRule.of([PlainDialect, NamedDialect], OriginRule.of(tls=True), "/ws")

    def choose(self, *offered: str, path: str = "/ws", **headers: str) -> type[WireProtocol]:
        """Check a handshake with these subprotocols and additional headers."""
        return self.rule.choose(path, {**HEADERS, **headers}, offered)

    def refused(self, code: ErrorCode, *offered: str, path: str = "/ws", **headers: str) -> None:
        """Assert that the handshake is refused."""
        error = self.assertRaises(SignalError, self.choose, *offered, path=path, **headers)
        self.assertIs(error.code, code)

    def test_dialect(self) -> None:
        """The first offered subprotocol that the server knows is chosen.

        Without an offer the dialect without a subprotocol is chosen.
        """
        self.assertIs(self.choose(), PlainDialect)
        self.assertIs(self.choose("named.1"), NamedDialect)
        self.assertIs(self.choose("other", "named.1"), NamedDialect)
        self.refused(ErrorCode.UNSUPPORTED_SUBPROTOCOL, "other")
        self.refused(ErrorCode.UNSUPPORTED_SUBPROTOCOL, "NAMED.1")

    def test_no_offer_and_no_plain_dialect(self) -> None:
        """A client that offers no subprotocol is refused where every dialect has one."""
        self.rule = UpgradeRule.of([NamedDialect], OriginRule.of(tls=True), "/ws")
        self.refused(ErrorCode.UNSUPPORTED_SUBPROTOCOL)

    def test_path(self) -> None:
        """The path has to equal the configured one; without a configured path any path is accepted."""
        for path in ("/", "/ws/", "/WS", "", "/ws/x"):
            self.refused(ErrorCode.NOT_FOUND, path=path)
        self.rule = UpgradeRule.of([PlainDialect], OriginRule.bare(), None)
        self.assertIs(self.choose(path="/anything"), PlainDialect)

    def test_hosts(self) -> None:
        """Where host names are listed, a name that a stranger could point to this server is refused."""
        self.rule = evolve(self.rule, hosts=frozenset({"calls.example"}))
        for host in ("calls.example", "CALLS.example:9000", "127.0.0.1:9000", "[::1]", "localhost"):
            self.assertIs(self.choose(host=host), PlainDialect)
        for host in ("evil.example", "calls.example.evil.example"):
            self.refused(ErrorCode.BAD_HOST, host=host, origin=f"https://{host}")

    def test_any_name(self) -> None:
        """A star as the last segment of the path stands for every name that is not empty."""
        self.rule = UpgradeRule.of([PlainDialect], OriginRule.of(tls=True), "/a/*")
        for path in ("/a/b", "/a/*", "/a/.", "/a/%2F"):
            self.assertIs(self.choose(path=path), PlainDialect)
        for path in ("/a", "/a/", "/a/b/", "/a/b/c", "//a/b", "/b/b", "a", ""):
            self.refused(ErrorCode.NOT_FOUND, path=path)
        for path, beside in (("/a/b", "/a/*"), ("/a", "/*"), ("/a/", "/a/"), ("/", "/"), ("", "")):
            self.assertEqual(any_name_beside(path), beside)

    def test_host_and_origin(self) -> None:
        """A missing or invalid Host header and a forbidden Origin are refused."""
        self.refused(ErrorCode.BAD_HOST, host="a b")
        self.assertIs(self.choose(origin="https://signald.example"), PlainDialect)
        self.refused(ErrorCode.BAD_ORIGIN, origin="https://evil.example")


class RefusalTests(SynchronousTestCase):
    """The refusal's error code is derived from Autobahn's reason and status."""

    def test_own_error_codes(self) -> None:
        """A reason that is one of our error codes stands for that error, whatever the status."""
        self.assertIs(refusal("server-full", 500), ErrorCode.SERVER_FULL)

    def test_autobahns(self) -> None:
        """Autobahn's own reasons become `bad-request`, except for some statuses."""
        self.assertIs(refusal("HTTP Connection header missing", 400), ErrorCode.BAD_REQUEST)
        self.assertIs(refusal(None, 505), ErrorCode.BAD_REQUEST)
        self.assertIs(refusal("x", 405), ErrorCode.METHOD_NOT_ALLOWED)
        self.assertIs(refusal("x", 426), ErrorCode.UPGRADE_REQUIRED)

    def test_headers(self) -> None:
        """The response has the headers that RFC 9110 requires for its status."""
        self.assertEqual(refusal_headers(ErrorCode.UPGRADE_REQUIRED), [("Upgrade", "websocket")])
        self.assertEqual(refusal_headers(ErrorCode.METHOD_NOT_ALLOWED), [("Allow", "GET")])
        self.assertEqual(refusal_headers(ErrorCode.BAD_REQUEST), [])


class QueryTests(SynchronousTestCase):
    """The query of a request."""

    def test_parameters(self) -> None:
        """Parameters are percent-encoded, the last one of a name counts, and empty ones are kept."""
        for query, expected in (
            ("id=ann&token=t", {"id": "ann", "token": "t"}),
            ("token=%2B+&id=a%20b&id=c", {"token": "+ ", "id": "c"}),
            ("id=&=x&&a", {"id": "", "": "x", "a": ""}),
            ("id=%ff%00", {"id": "\ufffd\0"}),
            ("", {}),
        ):
            self.assertEqual(read_query(query), expected)

    def test_too_many(self) -> None:
        """A query with too many parameters is refused, since one that is meant could be among those not read."""
        self.assertEqual(len(read_query("&".join(f"a{n}=b" for n in range(MOST_PARAMETERS)))), MOST_PARAMETERS)
        many = "&".join(f"a{n}=b" for n in range(MOST_PARAMETERS + 1))
        self.assertIs(self.assertRaises(DecodeError, read_query, many).code, ErrorCode.BAD_REQUEST)
