"""Tests of the names of people as the page shows them."""

from __future__ import annotations

import unicodedata

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.names import MAX_CHARACTERS, clean_name
from signald_page.client.model.participants import Participants
from signald_page.client.model.remote_peer import RemotePeer


class NameTests(SynchronousTestCase):
    """`clean_name` keeps what people can see."""

    def test_ordinary_names(self) -> None:
        """Names of all scripts stay as they are, with emoji of several characters."""
        for name in (
            "Ann",
            "José",
            "محمد علي",
            "李小龙",
            "O'Neil-Smith, Jr.",
            "मीरा",
            "👩\u200d🚀 Eve",
            "❤\ufe0f",
            "लक्\u200cष",
            "e\u0301",
            "ำ",
        ):
            self.assertEqual(clean_name(name), name)

    def test_nothing_to_see(self) -> None:
        """A name without a visible character is no name."""
        for name in (
            "",
            "   ",
            "\u200b\u200b",
            "\u3164",
            "\u2800",
            "\u200d\ufe0f",
            "\n\t",
            "\u2066\u2069",
            "\U000e0041",
            "\u0301\u20e3",
            "\u094d",
            "\ufe00\ufe01\ufe0e",
            "\U000e01ef",
            "\u0300 \u200c",
            "\ufffc",
            "\U0001d173\U0001d17a",
            "\U0001bca0\U0001bca3",
        ):
            self.assertEqual(clean_name(name), "")

    def test_marks(self) -> None:
        """No mark that is drawn on another character is a name, and every letter, digit, sign or symbol is."""
        # Beyond the Basic Multilingual Plane the table has no marks, and one character of sixteen is tried.
        codes = (*range(0x300, 0x10000), *range(0x10000, 0x110000, 16))
        assigned = {character: unicodedata.category(character) for character in map(chr, codes)}
        marks = [chr(code) for code in range(0x300, 0x10000) if assigned[chr(code)] in ("Mn", "Me")]
        # Later versions of Unicode have further marks.
        known = [character for character in marks if unicodedata.ucd_3_2_0.category(character) in ("Mn", "Me")]
        self.assertGreater(len(known), 500)
        self.assertEqual([hex(ord(character)) for character in known if clean_name(character)], [])
        kinds = ("L", "N", "P", "S")
        visible = [character for character, category in assigned.items() if category[0] in kinds]
        hidden = [character for character in visible if not clean_name(character)]
        self.assertEqual(hidden, ["\u115f", "\u1160", "\u2800", "\u3164", "\uffa0", "\ufffc"])

    def test_direction_and_control(self) -> None:
        """Characters that turn the direction of writing, and control characters, are removed."""
        self.assertEqual(clean_name("\u202eevil\u202c"), "evil")
        self.assertEqual(clean_name("\u200fA\u061cn\u2068n\u2069"), "Ann")
        self.assertEqual(clean_name("A\x00n\x1bn\x9b\ud800\ufeff"), "Ann")
        self.assertEqual(clean_name("\ufffcA\U000e0100n\U0001d173n\U0001bca0"), "Ann")

    def test_spaces(self) -> None:
        """White space of every kind becomes one space, and none remains at the ends."""
        self.assertEqual(clean_name("\u3000 Ann\r\n\u2028\u00a0\tB\u2003"), "Ann B")

    def test_length(self) -> None:
        """A long name is cut."""
        self.assertEqual(clean_name("a" * 1000), "a" * MAX_CHARACTERS)
        self.assertEqual(clean_name("a" * (MAX_CHARACTERS - 1) + " b"), "a" * (MAX_CHARACTERS - 1))

    def test_names_of_others(self) -> None:
        """The names of participants, and of those who wait in the lobby, are clean wherever they are shown."""
        self.assertEqual(RemotePeer("bob", "\u202eBob").name, "Bob")
        participants = Participants()
        participants.knocked("cat", "\u200b")
        self.assertEqual(participants.knocks, {"cat": ""})
