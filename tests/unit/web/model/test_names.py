"""Tests of the names of people as the page shows them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.names import MAX_CHARACTERS, clean_name
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
        ):
            self.assertEqual(clean_name(name), "")

    def test_direction_and_control(self) -> None:
        """Characters that turn the direction of writing, and control characters, are removed."""
        self.assertEqual(clean_name("\u202eevil\u202c"), "evil")
        self.assertEqual(clean_name("\u200fA\u061cn\u2068n\u2069"), "Ann")
        self.assertEqual(clean_name("A\x00n\x1bn\x9b\ud800\ufeff"), "Ann")

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
