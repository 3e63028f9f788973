"""Tests of the URLs of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.call_urls import invitation_url, is_loopback, signaling_url


class UrlTests(SynchronousTestCase):
    """The invitation link and the signaling URL follow from the page's URL."""

    def test_invitation_url(self) -> None:
        """The invitation link is the page's URL with the id as its fragment, whatever fragment or query it had."""
        for href in (
            "https://example.org:9000/",
            "https://example.org:9000/#0000000000",
            "https://example.org:9000/?a#b",
        ):
            self.assertEqual(invitation_url(href, "7Q2M9RT6ZC"), "https://example.org:9000/#7Q2M9RT6ZC")

    def test_signaling_url(self) -> None:
        """The WebSocket URL lies beside the page and uses TLS if the page does."""
        for href, url in (
            ("https://example.org:9000/#7Q2M9RT6ZC", "wss://example.org:9000/ws"),
            ("http://[::1]:9000/?a=/b", "ws://[::1]:9000/ws"),
            ("https://example.org/calls/#https://other/", "wss://example.org/calls/ws"),
            ("https://example.org/calls/index.html", "wss://example.org/calls/ws"),
        ):
            self.assertEqual(signaling_url(href), url)

    def test_loopback_names(self) -> None:
        """Loopback names and addresses are recognized, and others are not."""
        for hostname in ("localhost", "signald.localhost", "127.0.0.1", "127.8.0.1", "[::1]"):
            self.assertTrue(is_loopback(hostname), hostname)
        for hostname in ("example.org", "192.168.1.7", "[fd00::2]", "localhost.example.org"):
            self.assertFalse(is_loopback(hostname), hostname)
