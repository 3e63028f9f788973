"""Session ids as people type and paste them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.session_ids import (
    find_session_id,
    find_token,
    group_session_id,
    normalise_session_id,
)


class NormaliseTests(SynchronousTestCase):
    """`normalise_session_id`."""

    def test_canonical(self) -> None:
        """A canonical id is returned unchanged."""
        self.assertEqual(normalise_session_id("7Q2M9RT6ZC"), "7Q2M9RT6ZC")

    def test_case_hyphens_and_similar_symbols(self) -> None:
        """Any case is accepted, hyphens and spaces are dropped, and I, L and O are read as digits."""
        self.assertEqual(normalise_session_id(" ilo-abcd efg\n"), "110ABCDEFG")

    def test_wrong_length(self) -> None:
        """Fewer or more than ten symbols are refused with a sentence that gives their number."""
        for text, count in (("", 0), ("ABC-DEFG-HJ", 9), ("ABC-DEFG-HJKM", 11)):
            error = self.assertRaises(ValueError, normalise_session_id, text)
            self.assertEqual(
                str(error),
                f"A session ID has ten letters and digits, like ABC-DEFG-HJK; this has {count}.",
            )

    def test_symbols_outside_the_alphabet(self) -> None:
        """U, punctuation and letters of other alphabets are refused."""
        for text in ("ABCDEFGHJU", "ABCDEFGHJ!", "ABCDEFGHJ\u00c9", "ABCDEFGHJ\u0663"):
            error = self.assertRaises(ValueError, normalise_session_id, text)
            self.assertEqual(str(error), "A session ID has letters and digits only, and no letter U.")


class GroupTests(SynchronousTestCase):
    """`group_session_id`."""

    def test_grouped_for_people(self) -> None:
        """An id is grouped by three, four and three symbols, and the groups are read back as the same id."""
        self.assertEqual(group_session_id("7Q2M9RT6ZC"), "7Q2-M9RT-6ZC")
        self.assertEqual(normalise_session_id("7Q2-M9RT-6ZC"), "7Q2M9RT6ZC")


class FindTests(SynchronousTestCase):
    """`find_session_id`."""

    def test_bare_id(self) -> None:
        """A bare id is found, with or without surrounding white space."""
        self.assertEqual(find_session_id("  7q2-m9rt-6zc\n"), "7Q2M9RT6ZC")

    def test_link(self) -> None:
        """The id in a link is the part after its last # sign."""
        self.assertEqual(find_session_id("https://192.0.2.7:9000/#7Q2M9RT6ZC"), "7Q2M9RT6ZC")
        self.assertEqual(find_session_id("https://example.org/a#b#7q2-m9rt-6zc "), "7Q2M9RT6ZC")

    def test_link_without_id(self) -> None:
        """A link without an id is refused with a sentence, even when its host name looks like an id."""
        error = self.assertRaises(ValueError, find_session_id, "https://example.org/")
        self.assertEqual(str(error), "This link names no session: the session ID stands after a # sign.")
        self.assertRaises(ValueError, find_session_id, "https://example.org/#")

    def test_a_token(self) -> None:
        """A link holds an id followed by a token, or a token alone; the token is never read as a part of the id."""
        link = "https://192.0.2.7:9000/#7Q2M9RT6ZC&token=eyJ.a-_.b\n"
        self.assertEqual((find_session_id(link), find_token(link)), ("7Q2M9RT6ZC", "eyJ.a-_.b"))
        self.assertEqual(find_token("https://192.0.2.7:9000/#&token=eyJ"), "eyJ")
        for link in ("#7Q2M9RT6ZC&token=eyJ.a-_.b&camera=off", "#&name=Ann&token=eyJ.a-_.b &from=Bob"):
            self.assertEqual(find_token(link), "eyJ.a-_.b")
        for text in (
            "",
            "7Q2M9RT6ZC",
            "https://192.0.2.7/?a=b&token=eyJ",
            "https://192.0.2.7/#7Q2M9RT6ZC",
            "&token=eyJ",
        ):
            self.assertEqual(find_token(text), "")
