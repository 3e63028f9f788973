"""Tests of the Host and Origin headers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.net.origins import (
    EVERY_ORIGIN,
    Host,
    Origin,
    OriginRule,
    host_name_from,
    origin_from,
    read_host,
    read_origin,
)

HOST = Host("signald.example", 9000)


class HostTests(SynchronousTestCase):
    """`read_host` parses the Host header."""

    def test_forms(self) -> None:
        """Names, addresses and ports are parsed into their canonical form."""
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

    def test_invalid(self) -> None:
        """No header, several headers, and invalid values are rejected."""
        self.assertIsNone(read_host([]))
        self.assertIsNone(read_host(["a.example", "a.example"]))
        for text in (
            "", ".", "a..b", ".a", ":9000", "a:port", "a:0", "a:65536", "a:123456", "a:-1", "a:9:9", "a b", "a,b",
            "a/b", "user@a", "b\u00fccher.example", "a%2eb", "[::1", "::1", "[fe80::1%25eth0]", "[1.2.3.4]", "[v1.x]",
            "a\x00", "a\n", "a\u0660:\u0661", "*", "[::1]9000",
        ):  # fmt: skip
            self.assertIsNone(read_host([text]), text)

    def test_rebinding(self) -> None:
        """Only localhost and IP addresses are safe from DNS rebinding."""
        for text, is_fixed in {
            "localhost": True,
            "app.localhost:9000": True,
            "127.0.0.1": True,
            "[::1]:9000": True,
            "signald.example": False,
            "localhost.example": False,
        }.items():
            host = read_host([text])
            assert host is not None
            self.assertIs(host.is_fixed, is_fixed, text)

    def test_names_in_the_configuration(self) -> None:
        """A host name of the configuration gets the form that a Host header's name has."""
        for text, name in {
            "Calls.Example.": "calls.example",
            "b\u00fccher.example": "xn--bcher-kva.example",
            "signald_1": "signald_1",
        }.items():
            self.assertEqual(host_name_from(text), name)
        for text in ("", "a:9000", "a:", "https://a", "a b", "\u2488.example", "x" * 300):
            self.assertRaises(ValueError, host_name_from, text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is rejected, or has a canonical form that parses to the same host."""
        host = read_host([text])
        if host is not None:
            name = f"[{host.name}]" if ":" in host.name else host.name
            self.assertEqual(read_host([name if host.port is None else f"{name}:{host.port}"]), host)


class OriginTests(SynchronousTestCase):
    """`read_origin` and `origin_from` parse origins."""

    def test_forms(self) -> None:
        """Origins become canonical, with the default port of their scheme."""
        for text, origin in {
            "https://signald.example": Origin("https", "signald.example", 443),
            "http://signald.example": Origin("http", "signald.example", 80),
            "HTTPS://Signald.Example.:9000": Origin("https", "signald.example", 9000),
            "https://[2001:DB8::1]": Origin("https", "2001:db8::1", 443),
            "chrome-extension://abcdef": Origin("chrome-extension", "abcdef", None),
        }.items():
            self.assertEqual(read_origin(text), origin, text)
            self.assertEqual(read_origin(str(origin)), origin)

    def test_invalid(self) -> None:
        """Lists, URLs with a path and other invalid values are rejected."""
        for text in (
            "NULL", "", "*", "file:///", "https://", "https://a/", "https://a/b", "https://a?b", "https://a#b",
            "https://u@a", "https://a https://b", "https://a, https://b", "https://a,https://a", "//a", "a.example",
            "https://b\u00fccher.example", "https:a", "https://a:b", "data:text/html,x",
        ):  # fmt: skip
            self.assertIsNone(read_origin(text), text)

    def test_configured(self) -> None:
        """In the configuration, Unicode names are encoded as browsers do (RFC 5891), and a final slash is ignored."""
        bucher = Origin("https", "xn--bcher-kva.example", 443)
        self.assertEqual(origin_from("https://B\u00fccher.example/"), bucher)
        self.assertEqual(origin_from("https://b\u00fccher.example:443"), bucher)
        self.assertEqual(origin_from("https://b\u00fccher\u3002example"), bucher)
        self.assertEqual(origin_from("http://[::1]:8080"), Origin("http", "::1", 8080))
        self.assertEqual(origin_from("http://[::1]"), Origin("http", "::1", 80))

    def test_invalid_in_the_configuration(self) -> None:
        """An invalid origin in the configuration is an error that says what was expected."""
        for text in ("example.org", "https://", "https://u@a/b", "null/", "file:///tmp", "https://a b", "*:80"):
            error = self.assertRaises(ValueError, origin_from, text)
            self.assertEqual(str(error), f"expected an origin such as https://app.example.org, got {text}")
        for site, rest in (("https://a", "/b"), ("https://a", "?b"), ("https://b\u00fccher.example:8443", "/b/#c")):
            error = self.assertRaises(ValueError, origin_from, site + rest)
            self.assertEqual(str(error), f"expected {site} without path and query, got {site}{rest}")
        error = self.assertRaises(ValueError, origin_from, "https://\u00fc..example")
        self.assertEqual(str(error), "expected an origin with a valid host name, got https://\u00fc..example")


class SerializedTests(SynchronousTestCase):
    """The serialization that browsers compare with."""

    def test_default_ports(self) -> None:
        """The default port is left out, and no other (RFC 6454 §6.2)."""
        for text in ("https://a.example", "http://a.example:443", "https://a.example:8443", "null", "file://"):
            self.assertEqual(origin_from(text).serialized, text)
        self.assertEqual(origin_from("HTTPS://A.example:443/").serialized, "https://a.example")


class RuleTests(SynchronousTestCase):
    """`OriginRule` decides who may connect."""

    def test_without_a_host(self) -> None:
        """Files and opaque origins are refused, also where every site is allowed, unless the operator names them."""
        nobody, every = (frozenset[Origin](), frozenset({EVERY_ORIGIN}))
        for others in (nobody, every):
            self.check(OriginRule.of(tls=True, others=others, every=True), [], ["null", "file://", "file:///x"])
        for text, other in (("null", "file://"), ("file://", "null"), ("file:///", "null")):
            rule = OriginRule.of(tls=True, others=[origin_from(text)])
            self.check(rule, [text.removesuffix("/") if text == "file:///" else text], [other, "https://evil.example"])
        for text in ("null", "file://"):
            self.assertEqual(str(origin_from(text)), text)

    def check(self, rule: OriginRule, allowed: list[str], refused: list[str], host: Host = HOST) -> None:
        """Assert which origins the rule allows and refuses."""
        for origin in allowed:
            self.assertTrue(rule.allows(origin, host), origin)
        for origin in refused:
            self.assertFalse(rule.allows(origin, host), origin)

    def test_own_origin(self) -> None:
        """With TLS, only pages with https, the same host and the same port are allowed."""
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
        """A Host or Origin without a port has the default port of the page's scheme."""
        standard = Host("signald.example")
        self.check(
            OriginRule.of(tls=True),
            ["https://signald.example", "https://signald.example:443"],
            ["https://signald.example:80", "http://signald.example"],
            standard,
        )
        self.check(OriginRule.of(tls=True), ["https://signald.example"], [], Host("signald.example", 443))

    def test_behind_a_proxy(self) -> None:
        """Without TLS, pages of either scheme are allowed, from the host and port that the proxy passes on."""
        self.check(
            OriginRule.of(tls=False),
            ["http://signald.example", "https://signald.example"],
            ["https://signald.example:80", "http://signald.example:443", "ftp://signald.example"],
            Host("signald.example"),
        )

    def test_bare_port(self) -> None:
        """On the bare port, pages of the same host are allowed with any port."""
        self.check(
            OriginRule.bare(),
            ["http://signald.example", "https://signald.example:9000", "http://signald.example:2794"],
            ["http://evil.example:9000", "null", "file://signald.example"],
        )

    def test_ipv6(self) -> None:
        """IPv6 addresses are compared in canonical form."""
        self.check(OriginRule.of(tls=True), ["https://[2001:DB8:0::1]:9"], [], Host("2001:db8::1", 9))

    def test_others(self) -> None:
        """Further origins are compared by scheme, host and port."""
        app = origin_from("https://app.example.org")
        for rule in (OriginRule.of(tls=True, others=[app]), OriginRule.bare(others=[app])):
            self.check(
                rule,
                ["https://app.example.org", "https://APP.example.org:443", "https://signald.example:9000"],
                ["http://app.example.org", "https://app.example.org:444", "https://x.app.example.org", "null"],
            )

    def test_every_origin(self) -> None:
        """A `*` allows all origins where the rule says that it does, and none otherwise; `null` is never allowed."""
        every = origin_from("*")
        self.assertEqual((every, str(every)), (EVERY_ORIGIN, "*"))
        others = ["https://app.example.org", "http://a.example:81", "capacitor://localhost"]
        self.check(OriginRule.of(tls=True, others=[every], every=True), others, ["null", "*", "*://"])
        self.check(OriginRule.of(tls=True, others=[every]), ["https://signald.example:9000"], [*others, "null", "*"])
        self.check(OriginRule.of(tls=True, every=True), ["https://signald.example:9000"], others)

    def test_missing(self) -> None:
        """A client without Origin, which is not a browser, may connect unless that is switched off."""
        self.assertTrue(OriginRule.of(tls=True).allows(None, HOST))
        self.assertTrue(OriginRule.bare().allows(None, HOST))
        self.assertFalse(OriginRule.of(tls=True, missing=False).allows(None, HOST))
        self.assertFalse(OriginRule.bare(missing=False).allows(None, HOST))
