"""Tests of the links in chat messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.linkify import MAX_LENGTH, MAX_LINKS, segments


def links(text: str) -> list[str]:
    """Return the URLs that are found, after checking that the segments add up to the text."""
    found = segments(text)
    assert "".join(shown for shown, _ in found) == text
    assert all(address in ("", shown) for shown, address in found)
    return [address for _, address in found if address]


class SegmentsTests(SynchronousTestCase):
    """`segments` finds the URLs of a text."""

    def test_segments(self) -> None:
        """A text is divided at its URLs."""
        self.assertEqual(
            segments("see https://example.org/a?b=c#d or http://example.org:80"),
            [
                ("see ", ""),
                ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
                (" or ", ""),
                ("http://example.org:80", "http://example.org:80"),
            ],
        )
        self.assertEqual(segments("nothing here"), [("nothing here", "")])
        self.assertEqual(segments(""), [])

    def test_case(self) -> None:
        """The scheme may be in capitals, as phones write the first letter."""
        self.assertEqual(
            links("Https://example.org HTTP://EXAMPLE.ORG/A"), ["Https://example.org", "HTTP://EXAMPLE.ORG/A"]
        )

    def test_trailing_punctuation(self) -> None:
        """Punctuation after a URL is not part of it; punctuation within it is."""
        for text in (
            "https://a.example.",
            "https://a.example!?",
            "“https://a.example”.",
            "https://a.example…",
            "https://a.example,",
            "'https://a.example'",
            "**https://a.example**",
            "https://a.example。",
            "https://a.example\uff0cand",
        ):
            wanted = "https://a.example\uff0cand" if "and" in text else "https://a.example"
            self.assertEqual(links(text), [wanted], text)
        self.assertEqual(links("https://a.example/b.c,d;e:f!g"), ["https://a.example/b.c,d;e:f!g"])

    def test_brackets(self) -> None:
        """A closing bracket belongs to the URL if it was opened in it."""
        self.assertEqual(links("(https://a.example)"), ["https://a.example"])
        self.assertEqual(links("(see https://a.example/b_(c).)"), ["https://a.example/b_(c)"])
        self.assertEqual(links("[https://a.example/?q[]=1]"), ["https://a.example/?q[]=1"])
        self.assertEqual(links("https://[::1]:8443/"), ["https://[::1]:8443/"])
        self.assertEqual(links("https://a.example/(b"), ["https://a.example/(b"])

    def test_terminators(self) -> None:
        """White space, angle brackets, quotation marks, backslashes and invisible characters end a URL."""
        for end in ' \n\t<>"`{}|\\^\u00a0\u200b\u202e\u2028\u2066\u3000\ufeff\x00\x7f':
            self.assertEqual(links(f"https://a.example{end}b"), ["https://a.example"], repr(end))

    def test_only_http(self) -> None:
        """No other scheme becomes a link, nor one that only ends like http."""
        for text in (
            "javascript://a.example/%0Aalert(1)",
            "javascript:alert(1)",
            "JaVaScRiPt:alert('https')",
            "data:text/html,<script>",
            "ftp://a.example",
            "file:///etc/passwd",
            "vbscript://a.example",
            "blob:x",
            "xhttps://a.example",
            "view-source+https://a.example",
            "a.example",
            "www.a.example",
            "//a.example",
            "https:/a.example",
            "https:a.example",
            "://",
            "https://",
            "https://.",
            "https:///a",
            "https://?a",
            "https://@a.example",
            "https://-a.example",
        ):
            self.assertEqual(links(text), [], text)
        # The link target begins with its scheme, so that any text before it is harmless.
        self.assertEqual(links("javascript:https://a.example"), ["https://a.example"])

    def test_user_information(self) -> None:
        """A URL with user information, which looks like another host, is no link."""
        self.assertEqual(links("https://bank.example@evil.example/"), [])
        self.assertEqual(links("https://bank.example:443@evil.example/"), [])
        self.assertEqual(links("https://bank.example\\@evil.example/"), ["https://bank.example"])
        self.assertEqual(links("https://a.example/@name"), ["https://a.example/@name"])

    def test_other_scripts(self) -> None:
        """Host names and paths may be in any script."""
        self.assertEqual(links("انظر https://مثال.example/صفحة."), ["https://مثال.example/صفحة"])
        self.assertEqual(links("看 https://例え.example/日本、"), ["https://例え.example/日本"])

    def test_bounded_segments(self) -> None:
        """A text full of URLs, or of look-alikes, gives a bounded number of segments."""
        self.assertEqual(len(links("https://a.example " * 100)), MAX_LINKS)
        self.assertEqual(links("://" * 1333), [])
        self.assertEqual(links("https://" * 500), [])
        self.assertEqual(links("https://a" + ")" * 1900), ["https://a"])
        self.assertEqual(links("https://a" + ".)" * 900), ["https://a"])

    def test_long_urls(self) -> None:
        """A URL may be long; one beyond the limit stays plain text and is not cut."""
        address = "https://a.example/".ljust(MAX_LENGTH, "x")
        self.assertEqual(links(f"see {address} there"), [address])
        self.assertEqual(links(f"see {address}x there"), [])
