"""Tests of parsing the values of settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.values import (
    ConfigError,
    read_application_key,
    read_base_path,
    read_ice_server,
    read_interface,
    read_network,
    read_origin,
    read_path,
    read_port,
    read_turn_url,
)
from signald.core.ice_server import IceServer
from signald.net.origins import Origin


class ReadTests(SynchronousTestCase):
    """Each parser accepts valid text and raises ConfigError for others."""

    def assert_rejected(self, read: Callable[[str], object], *texts: str) -> None:
        """Assert that each text is rejected with one sentence."""
        for text in texts:
            error = self.assertRaises(ConfigError, read, text)
            self.assertTrue(str(error).endswith("."), str(error))
            self.assertNotIn("\n", str(error))

    def test_ports(self) -> None:
        """Ports are numbers from 0, any free port, to 65535."""
        self.assertEqual([read_port(text) for text in ("0", "443", "65535")], [0, 443, 65535])
        self.assert_rejected(read_port, "65536", "-1", "", "http", "1.0", "²", "1_0", "9" * 5000)

    def test_interfaces(self) -> None:
        """Interfaces are IP addresses, which become canonical."""
        self.assertEqual([read_interface(text, "") for text in ("127.0.0.1", "0:0::1")], ["127.0.0.1", "::1"])
        self.assert_rejected(partial(read_interface, default="127.0.0.1"), "localhost", "", "eth0", "10.0.0.0/8")
        error = self.assertRaises(ConfigError, read_interface, "0.0.0.0:80", "every address")
        self.assertTrue(str(error).endswith("got 0.0.0.0:80; leave the setting out for every address."))

    def test_networks(self) -> None:
        """Networks in CIDR notation and single addresses are accepted."""
        self.assertEqual(read_network("10.0.0.0/8"), ip_network("10.0.0.0/8"))
        self.assertEqual(read_network("::1"), ip_network("::1/128"))
        self.assert_rejected(read_network, "10.0.0.1/99", "proxy", "")
        error = self.assertRaises(ConfigError, read_network, "10.0.0.1/8")
        self.assertTrue(str(error).endswith("got 10.0.0.1/8; did you mean 10.0.0.0/8?"))

    def test_paths(self) -> None:
        """Paths become absolute, and `~` is replaced; an unknown home directory is an error."""
        self.assertEqual(read_path("data"), Path.cwd() / "data")
        self.assertEqual(read_path("~/data"), Path.home() / "data")
        self.assert_rejected(read_path, "~nobody-of-this-name/data")

    def test_origins(self) -> None:
        """An origin consists of scheme, host and port."""
        self.assertEqual(read_origin("https://app.example.org"), Origin("https", "app.example.org", 443))
        self.assert_rejected(read_origin, "app.example.org", "null/", "**", "https://app.example.org/path", "")

    def test_base_paths(self) -> None:
        """A base path has slashes at both ends, and nothing that clients and proxies may write in another way."""
        for text, expected in (("/", "/"), ("/a", "/a/"), ("/a/b-1._~/", "/a/b-1._~/")):
            self.assertEqual(read_base_path(text), expected)
        self.assert_rejected(read_base_path, "a", "a/", "//", "/a//b", "/../", "/a/./", "/a b", "/%20", "/?", "/é")
        self.assert_rejected(read_base_path, f"/{'a' * 256}")

    def test_keys(self) -> None:
        """The key of an application stands in URLs."""
        for text in ("peerjs", "a-B_1", "x" * 64):
            self.assertEqual(read_application_key(text), text)
        self.assert_rejected(read_application_key, "", "a b", "a/b", "é", "x" * 65)

    def test_ice_servers(self) -> None:
        """STUN servers have no credentials, TURN servers have them; the secret may contain commas."""
        self.assertEqual(read_ice_server("stun:stun.example.org"), IceServer(("stun:stun.example.org",)))
        self.assertEqual(read_ice_server("stuns:[2001:db8::1]:5349"), IceServer(("stuns:[2001:db8::1]:5349",)))
        self.assertEqual(
            read_ice_server("turn:turn.example.org:3478?transport=tcp,ann,a,b"),
            IceServer(("turn:turn.example.org:3478?transport=tcp",), "ann", "a,b"),
        )
        self.assert_rejected(
            read_ice_server,
            "stun.example.org",
            "stun:",
            "stun://stun.example.org",
            "stun:stun.example.org,ann,secret",
            "stun:stun.example.org?transport=udp",
            "turn:turn.example.org",
            "turn:turn.example.org,ann",
            "turn:turn.example.org,ann,",
            "turn:turn.example.org?transport=sctp,ann,secret",
            "turn:ann@turn.example.org,ann,secret",
            "turn:turn.example.org:x,ann,secret",
            "turn:turn.example.org:0,ann,secret",
            "turn:turn.example.org:65536,ann,secret",
            "turn:turn.example.org:,ann,secret",
            "turn:turn.example.org?transport=udp&x=1,ann,secret",
            "turn:turn.example.org/,ann,secret",
            "turn:turn.example.org#x,ann,secret",
            "turn:192.0.2.256,ann,secret",
            "turn:1.2.3,ann,secret",
            "turn:-a.example,ann,secret",
            "turn:a..example,ann,secret",
            f"turn:{'a' * 64}.example,ann,secret",
            f"turn:{'a.' * 127}example,ann,secret",
            "turn:[::1,ann,secret",
            "turn:[::g],ann,secret",
            "turn:[fe80::1%eth0],ann,secret",
            "turn:2001:db8::1,ann,secret",
            "turn:tu\nrn.example.org,ann,secret",
            " turn:turn.example.org,ann,secret",
            "TURN:turn.example.org,ann,secret",
            "turn:türn.example.org,ann,secret",
            "turn:turn.example.org,ann,sec\nret",
            f"turn:turn.example.org,{'a' * 509},secret",
            "stun:stun.example.org\n",
            "http://turn.example.org",
        )

    def test_turn_urls(self) -> None:
        """Only URLs of TURN servers without credentials are accepted."""
        for url in ("turn:turn.example.org", "turns:192.0.2.1:443?transport=tcp", "turn:[2001:db8::1]:3478", "turn:t"):
            self.assertEqual(read_turn_url(url), url)
        self.assert_rejected(read_turn_url, "stun:stun.example.org", "turn:turn.example.org,ann,secret", "turn:", "")
        for text, words in (
            ("turn:turn.example.org,ann,hidden", "got turn:turn.example.org with a user or a secret;"),
            ("turn:turn.example.org?transport=tls", "or turns:HOST?transport=tcp for TLS, got"),
            ("turn.example.org,ann,hidden", "got turn.example.org."),
        ):
            error = self.assertRaises(ConfigError, read_turn_url, text)
            self.assertIn(words, str(error))
            self.assertNotIn("hidden", str(error))

    def test_secrets_are_hidden(self) -> None:
        """Neither the repr of a server nor an error contains the secret."""
        self.assertNotIn("hidden", repr(read_ice_server("turn:turn.example.org,ann,hidden")))
        error = self.assertRaises(ConfigError, read_ice_server, "turn:turn.example.org/x,ann,hidden")
        self.assertNotIn("hidden", str(error))
