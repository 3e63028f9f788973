"""The Host and Origin rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.net.origins import Host, Origin, OriginRule, origin_from, read_host, read_origin

HOST = Host("signald.example", 9000)


class HostTests(SynchronousTestCase):
    """What a Host header names."""

    def test_forms(self) -> None:
        """Names, addresses and ports, in canonical form."""
        for text, host in {
            "signald.example": Host("signald.example"),
            "Signald.EXAMPLE:9000": HOST,
            "signald.example.:9000": HOST,
            "signald.example:": Host("signald.example"),
            " signald.example:9000\t": HOST,
            "my_container:80": Host("my_container", 80),
            "192.0.2.1:9000": Host("192.0.2.1", 9000),
            "[2001:DB8:0:0::1]:9000": Host("2001:db8::1", 9000),
            "[::1]": Host("::1"),
            "xn--bcher-kva.example": Host("xn--bcher-kva.example"),
        }.items():
            self.assertEqual(read_host([text]), host, text)

    def test_refused(self) -> None:
        """Nothing, several, and what is no host and port."""
        self.assertIsNone(read_host([]))
        self.assertIsNone(read_host(["a.example", "a.example"]))
        for text in (
            "", ".", "a..b", ".a", ":9000", "a:port", "a:0", "a:65536", "a:123456", "a:-1", "a:9:9", "a b", "a,b",
            "a/b", "user@a", "b\u00fccher.example", "a%2eb", "[::1", "::1", "[fe80::1%25eth0]", "[1.2.3.4]", "[v1.x]",
            "a\x00", "a\n", "a\u0660:\u0661", "*", "[::1]9000",
        ):  # fmt: skip
            self.assertIsNone(read_host([text]), text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """No text is too strange to be refused; what is read is read the same again."""
        host = read_host([text])
        if host is not None:
            name = f"[{host.name}]" if ":" in host.name else host.name
            self.assertEqual(read_host([name if host.port is None else f"{name}:{host.port}"]), host)


class OriginTests(SynchronousTestCase):
    """What an Origin header names."""

    def test_forms(self) -> None:
        """The default port of the scheme is filled in."""
        for text, origin in {
            "https://signald.example": Origin("https", "signald.example", 443),
            "http://signald.example": Origin("http", "signald.example", 80),
            "HTTPS://Signald.Example.:9000": Origin("https", "signald.example", 9000),
            "https://[2001:DB8::1]": Origin("https", "2001:db8::1", 443),
            "chrome-extension://abcdef": Origin("chrome-extension", "abcdef", None),
        }.items():
            self.assertEqual(read_origin(text), origin, text)

    def test_refused(self) -> None:
        """`null`, lists, paths and everything else that is no origin."""
        for text in (
            "null", "NULL", "", "file://", "https://", "https://a/", "https://a/b", "https://a?b", "https://a#b",
            "https://u@a", "https://a https://b", "https://a, https://b", "https://a,https://a", "//a", "a.example",
            "https://b\u00fccher.example", "https:a", "https://a:b", "data:text/html,x",
        ):  # fmt: skip
            self.assertIsNone(read_origin(text), text)

    def test_written_by_an_operator(self) -> None:
        """Unicode names become what browsers send (RFC 5891), a final slash is let go."""
        bucher = Origin("https", "xn--bcher-kva.example", 443)
        self.assertEqual(origin_from("https://B\u00fccher.example/"), bucher)
        self.assertEqual(origin_from("https://b\u00fccher.example:443"), bucher)
        self.assertEqual(origin_from("https://b\u00fccher\u3002example"), bucher)
        self.assertEqual(origin_from("http://[::1]:8080"), Origin("http", "::1", 8080))
        self.assertEqual(origin_from("http://[::1]"), Origin("http", "::1", 80))

    def test_not_an_origin(self) -> None:
        """The operator is told in one sentence."""
        for text in ("example.org", "https://", "https://a/b", "null", "https://a b", "https://a:99999", "*"):
            error = self.assertRaises(ValueError, origin_from, text)
            self.assertEqual(str(error), f"{text} is no origin; one looks like https://app.example.org")
        error = self.assertRaises(ValueError, origin_from, "https://\u00fc..example")
        self.assertEqual(str(error), "https://\u00fc..example has no valid host name")


class RuleTests(SynchronousTestCase):
    """Who may connect."""

    def check(self, rule: OriginRule, allowed: list[str], refused: list[str], host: Host = HOST) -> None:
        """Assert what the rule says of each."""
        for origin in allowed:
            self.assertTrue(rule.allows(origin, host), origin)
        for origin in refused:
            self.assertFalse(rule.allows(origin, host), origin)

    def test_own_origin(self) -> None:
        """With TLS: https, the same host, the same port."""
        self.check(
            OriginRule.of(tls=True),
            ["https://signald.example:9000", "https://SIGNALD.example.:9000"],
            [
                "http://signald.example:9000", "https://signald.example", "https://signald.example:9001", "null",
                "https://evil.example:9000", "https://signald.example.evil:9000", "https://notsignald.example:9000", "",
                "https://signald.example:9000,https://signald.example:9000", "wss://signald.example:9000",
            ],
        )  # fmt: skip

    def test_default_port(self) -> None:
        """A Host without a port means the default one of the page's scheme, and so does an Origin without one."""
        standard = Host("signald.example")
        self.check(
            OriginRule.of(tls=True),
            ["https://signald.example", "https://signald.example:443"],
            ["https://signald.example:80", "http://signald.example"],
            standard,
        )
        self.check(OriginRule.of(tls=True), ["https://signald.example"], [], Host("signald.example", 443))

    def test_behind_a_proxy(self) -> None:
        """Without TLS here, the page may come by either scheme, from the host and port that the proxy passes on."""
        self.check(
            OriginRule.of(tls=False),
            ["http://signald.example", "https://signald.example"],
            ["https://signald.example:80", "http://signald.example:443", "ftp://signald.example"],
            Host("signald.example"),
        )

    def test_bare_port(self) -> None:
        """Pages of the same host may come from any port."""
        self.check(
            OriginRule.bare(),
            ["http://signald.example", "https://signald.example:9000", "http://signald.example:2794"],
            ["http://evil.example:9000", "null", "file://signald.example"],
        )

    def test_ipv6(self) -> None:
        """However the address is written."""
        self.check(OriginRule.of(tls=True), ["https://[2001:DB8:0::1]:9"], [], Host("2001:db8::1", 9))

    def test_others(self) -> None:
        """Further origins are exact: scheme, host and port."""
        app = origin_from("https://app.example.org")
        for rule in (OriginRule.of(tls=True, others=[app]), OriginRule.bare(others=[app])):
            self.check(
                rule,
                ["https://app.example.org", "https://APP.example.org:443", "https://signald.example:9000"],
                ["http://app.example.org", "https://app.example.org:444", "https://x.app.example.org", "null"],
            )

    def test_missing(self) -> None:
        """A client that sends none is no browser, and may connect unless that is switched off."""
        self.assertTrue(OriginRule.of(tls=True).allows(None, HOST))
        self.assertTrue(OriginRule.bare().allows(None, HOST))
        self.assertFalse(OriginRule.of(tls=True, missing=False).allows(None, HOST))
        self.assertFalse(OriginRule.bare(missing=False).allows(None, HOST))
