"""Tests of the URLs of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.session_ids import find_session_id
from signald_page.client.model.call_urls import (
    find_inviter,
    invitation_url,
    is_loopback,
    mail_url,
    name_inviter,
    signaling_url,
    storage_prefix,
    unquote,
)


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

    def test_the_person_who_invites(self) -> None:
        """A link can name the person who invites, whatever their name is, and stop naming them."""
        link = "https://example.org/#7Q2M9RT6ZC"
        for name in ("Ann", "Ann & Bob=1#2%", "محمد", "李", "👩\u200d🚀"):
            named = name_inviter(link, name)
            self.assertTrue(named.isascii(), named)
            self.assertEqual(find_session_id(named), "7Q2M9RT6ZC")
            self.assertEqual(find_inviter(named.partition("#")[2]), name)
            self.assertEqual(name_inviter(named, ""), link)
        self.assertEqual(name_inviter(link, "A&B"), link + "&from=A%26B")

    def test_an_invented_person(self) -> None:
        """The name in a link is cleaned, and a malformed one is no name."""
        self.assertEqual(find_inviter("#7Q2M9RT6ZC&from=%E2%80%AEevil&more"), "evil")
        for fragment in ("", "#7Q2M9RT6ZC", "#X&from=", "#X&from=%", "#X&from=%zz", "#X&from=%ff", "#X&from=%E2%80%8B"):
            self.assertEqual(find_inviter(fragment), "", fragment)

    def test_digits(self) -> None:
        """A percent-encoding has two hexadecimal digits of any case, and nothing else that stands for a number."""
        self.assertEqual(unquote("%41%6d%6D%C3%a9 %2525"), "Amm\u00e9 %25")
        for text in ("%", "%1", "a%4", "%+f", "%-1", "% 1", "%1 ", "%1_", "%0x", "%\u0661\u0661", "%41%"):
            self.assertEqual(unquote(text), "", text)

    def test_a_long_name(self) -> None:
        """The longest name that can be typed is read, and a longer one is not decoded at all."""
        longest = "\U0001f680" * 64
        self.assertEqual(find_inviter(name_inviter("#X", longest)), longest)
        self.assertEqual(find_inviter(name_inviter("#X", longest + "a")), "")

    def test_mail(self) -> None:
        """A mail URL has subject and body, with the line breaks of RFC 6068."""
        self.assertEqual(
            mail_url("Our call", "Join:\n\nhttps://example.org/#7Q2M9RT6ZC"),
            "mailto:?subject=Our%20call&body=Join%3A%0D%0A%0D%0Ahttps%3A%2F%2Fexample.org%2F%237Q2M9RT6ZC",
        )

    def test_signaling_url(self) -> None:
        """The WebSocket URL lies beside the page and uses TLS if the page does."""
        for href, url in (
            ("https://example.org:9000/#7Q2M9RT6ZC", "wss://example.org:9000/ws"),
            ("http://[::1]:9000/?a=/b", "ws://[::1]:9000/ws"),
            ("https://example.org/calls/#https://other/", "wss://example.org/calls/ws"),
            ("https://example.org/calls/index.html", "wss://example.org/calls/ws"),
        ):
            self.assertEqual(signaling_url(href), url)

    def test_storage_prefix(self) -> None:
        """Each path of the page has a prefix of its own for storage keys, and no path's keys are those of another."""
        paths = ("/", "/calls/", "/calls/b/", "/calls.name/")
        prefixes = [storage_prefix(path) for path in paths]
        self.assertEqual(prefixes, ["signald.", "signald/calls.", "signald/calls/b.", "signald/calls.name."])
        self.assertEqual(storage_prefix("/calls/index.html"), "signald/calls.")
        names = {prefix + name for prefix in prefixes for name in ("name", "call")}
        self.assertEqual(len(names), 2 * len(paths))

    def test_loopback_names(self) -> None:
        """Loopback names and addresses are recognized, and others are not."""
        for hostname in ("localhost", "signald.localhost", "127.0.0.1", "127.8.0.1", "[::1]"):
            self.assertTrue(is_loopback(hostname), hostname)
        for hostname in ("example.org", "192.168.1.7", "[fd00::2]", "localhost.example.org"):
            self.assertFalse(is_loopback(hostname), hostname)
