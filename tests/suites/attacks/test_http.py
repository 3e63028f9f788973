"""Requests that a server, or a proxy before it, may take for something else than they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.raw import exchange, headers, verdict
from tests.suites.attacks.report import add_threat
from tests.suites.attacks.target import target
from tests.suites.e2e.program import faults as logged_faults
from tests.support.endpoints import request, upgrade_request

HOST = {"Host": "localhost"}

#: Paths that are nothing, though they may mean something elsewhere.
PATHS = (
    "/../../etc/passwd", "/assets/../../../etc/passwd", "/assets/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/%00", "/%00", "/assets/", "/assets", "/.git/config", "/.env", "/ws/", "/ws/x", "/index.html/..", "/..",
    "/assets/\\..\\..\\windows\\win.ini", "/~root", "/?redirect=https://evil.example/x/../..//", "//evil.example/..",
    "/%5c%5cevil.example", "/;/evil.example", "/" + "a" * 8000, "/" + "a/" * 4000, "/%ff%fe", "/\x01", "/ca-key.pem",
)  # fmt: skip

#: Paths of the operator's listener, and of monitoring in other servers.
OPERATORS = ("/metrics", "/healthz", "/readyz", "/admin", "/admin/", "/debug", "/debug/pprof", "/server-status")

#: Files of an installation that a server must not show: something in one of them.
SECRETS = (b"root:", b"PRIVATE KEY", b"[core]", b"[fonts]")


def line(text: str, *fields: str) -> bytes:
    """A request from its first line and its headers as they are."""
    return "\r\n".join([text, *fields, "", ""]).encode("latin-1")


#: Requests that are read in two ways by two readers, by what is wrong with them.
SMUGGLED: Mapping[str, bytes] = {
    "no Host": line("GET / HTTP/1.1"),
    "two Hosts": line("GET / HTTP/1.1", "Host: localhost", "Host: evil.example"),
    "Host with a list": line("GET / HTTP/1.1", "Host: localhost, evil.example"),
    "Host with a user": line("GET / HTTP/1.1", "Host: a@localhost"),
    "Host with a path": line("GET / HTTP/1.1", "Host: localhost/x"),
    "length and chunks": line("GET / HTTP/1.1", "Host: localhost", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "two lengths": line("GET / HTTP/1.1", "Host: localhost", "Content-Length: 0", "Content-Length: 5"),
    "a length with a sign": line("GET / HTTP/1.1", "Host: localhost", "Content-Length: +5"),
    "a negative length": line("GET / HTTP/1.1", "Host: localhost", "Content-Length: -1"),
    "chunks, oddly written": line("GET / HTTP/1.1", "Host: localhost", "Transfer-Encoding: xchunked"),
    "a space before the colon": line("GET / HTTP/1.1", "Host: localhost", "Content-Length : 5"),
    "a folded header": line("GET / HTTP/1.1", "Host: localhost", "X: a", " Content-Length: 5"),
    "a header without colon": line("GET / HTTP/1.1", "Host: localhost", "nonsense"),
    "NUL in a header": line("GET / HTTP/1.1", "Host: localhost", "X: a\0b"),
    "another host in the line": line("GET http://evil.example/ HTTP/1.1", "Host: localhost"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": line("CONNECT evil.example:443 HTTP/1.1", "Host: evil.example:443"),
    "TRACE": line("TRACE / HTTP/1.1", "Host: localhost"),
    "a method in small letters": line("get / HTTP/1.1", "Host: localhost"),
    "h2c": line(
        "GET / HTTP/1.1", "Host: localhost", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Content-Length: 1"
    ),
}


class HttpTests(AttackTestCase):
    """Over plain HTTP."""

    tls = False

    @property
    def over(self) -> str:
        """The transport."""
        return "https" if self.tls else "http"

    def count_responses(self, requests: Iterable[bytes]) -> Counter[str]:
        """Send each on a connection of its own; the answers, counted. None of them is a file or an exception."""
        victim = target(self.tls)
        found = Counter[str]()
        for data in requests:
            received = exchange(victim, data, source="127.0.8.1", whole=False)
            for secret in SECRETS:
                self.assertNotIn(secret, received)
            self.assertNotIn("location", headers(received))
            found[verdict(received)] += 1
        self.assertEqual(logged_faults(victim.log), [])
        return found

    def row(self, threat: str, sent: str, found: Counter[str]) -> None:
        """Add a row."""
        add_threat(
            threat, self.over, sent, ", ".join(f"{count} times {answer}" for answer, count in found.most_common())
        )

    def test_paths(self) -> None:
        """There is an allow-list of files: everything else is 404, or no request at all; nothing redirects."""
        found = self.count_responses(request(path, {**HOST, "Connection": "close"}) for path in PATHS)
        # Of the page's own path the query is not looked at.
        self.assertEqual(found.pop("200"), 1)
        self.assertLessEqual(set(found), {"404 not-found", "400 bad-request"})
        self.row("path traversal, open redirect", f"{len(PATHS)} odd paths", found)

    def test_operators_pages(self) -> None:
        """Metrics, health and the admin page are not on this port."""
        found = self.count_responses(request(path, {**HOST, "Connection": "close"}) for path in OPERATORS)
        self.assertEqual(set(found), {"404 not-found"})
        self.row("metrics, health, admin from outside", f"{len(OPERATORS)} paths on the public port", found)

    def test_smuggling(self) -> None:
        """An ambiguous request is refused and closes the connection, so that no request behind it is read."""
        hidden = request("/schema/hidden", HOST)
        victim = target(self.tls)
        found = Counter[str]()
        for what, data in SMUGGLED.items():
            received = exchange(victim, data + hidden, source="127.0.8.2")
            answers = received.count(b"HTTP/1.1 ")
            self.assertLessEqual(answers, 1, f"{what}: {received!r}")
            self.assertFalse(received.startswith(b"HTTP/1.1 200"), what)
            found[verdict(received)] += 1
        self.row("request smuggling, Host", f"{len(SMUGGLED)} ambiguous requests with another behind", found)

    def test_cross_site(self) -> None:
        """A page of another site may not open a WebSocket with its visitor's browser."""
        victim = target(self.tls)
        scheme, other = ("https", "http") if self.tls else ("http", "ftp")
        own = f"localhost:{victim.port}"
        origins = [
            "https://evil.example", "null", f"{other}://{own}", f"{scheme}://{own}.evil.example", "file://",
            f"{scheme}://localhost:1", f"{scheme}://evil.example@{own}", f"{scheme}://{own}/", "", f"{scheme}://[::1",
        ]  # fmt: skip
        if not self.tls:
            # Behind a proxy that ends TLS, both schemes are the page's own.
            origins.remove(f"{other}://{own}")
        found = Counter(
            verdict(exchange(victim, upgrade_request(host=own, origin=origin), source="127.0.8.3", whole=False))
            for origin in origins
        )
        self.assertLessEqual(set(found), {"403 bad-origin", "400 bad-request"})
        good = exchange(victim, upgrade_request(host=own, origin=f"{scheme}://{own}"), source="127.0.8.3", whole=False)
        self.assertEqual(verdict(good), "101")
        self.row("cross-site WebSocket hijacking", f"{len(origins)} other origins", found)

    def test_page_headers(self) -> None:
        """The page runs its own scripts alone, in no frame, and tells nobody where it is."""
        victim = target(self.tls)
        for path in ("/", "/no-such-page", "/ws"):
            found = headers(exchange(victim, request(path, {**HOST, "Connection": "close"}), source="127.0.8.4"))
            policy = found["content-security-policy"]
            for part in ("default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
                self.assertIn(part, policy)
            self.assertIsNone(re.search(r"'unsafe-inline'|'unsafe-eval'|\*|https?:", policy))
            self.assertEqual(found["x-content-type-options"], "nosniff")
            self.assertEqual(found["referrer-policy"], "no-referrer")
            self.assertEqual(found["cross-origin-opener-policy"], "same-origin")
            self.assertEqual(found["cross-origin-resource-policy"], "same-origin")
            self.assertIn("camera=(self)", found["permissions-policy"])
            self.assertNotIn("set-cookie", found)
            self.assertEqual(found["server"], "signald")
        self.row("page in a frame, scripts from elsewhere", "the page, a 404, a 426", Counter({"CSP and 5 others": 3}))


class HttpsTests(HttpTests):
    """Over TLS."""

    tls = True
