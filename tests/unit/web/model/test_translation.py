"""Which language the page speaks, and how its sentences are exchanged."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.translation import choose, offer, speak


class ChoiceTests(SynchronousTestCase):
    """`choose`."""

    def test_browser(self) -> None:
        """The first of the browser's languages that there is, in whichever country."""
        self.assertEqual(choose("", ["de-DE", "ar-EG", "en"]), "ar")
        self.assertEqual(choose("", ["en-GB", "ar"]), "en")
        self.assertEqual(choose("", ["AR"]), "ar")

    def test_none(self) -> None:
        """English, where there is none of them."""
        self.assertEqual(choose("", ["de", "arn"]), "en")
        self.assertEqual(choose("", []), "en")

    def test_kept(self) -> None:
        """The person's choice comes first, as long as there is that language."""
        self.assertEqual(choose("en", ["ar"]), "en")
        self.assertEqual(choose("ar", ["en"]), "ar")
        self.assertEqual(choose("tlh", ["ar"]), "ar")


class ExchangeTests(SynchronousTestCase):
    """`offer` and `speak`."""

    def setUp(self) -> None:
        """A module with sentences."""
        self.module = ModuleType("sentences")
        vars(self.module).update(HELLO="Hello", WHY={"a": "First", "b": "Second"}, KEPT="Kept")
        self.arabic = {"ours": {"HELLO": "مرحبا", "WHY": {"a": "أولا", "b": "ثانيا"}}}
        self.addCleanup(speak, {})

    def test_there_and_back(self) -> None:
        """Constants are those of the language, then the English ones again."""
        offer("ours", self.module)
        speak(self.arabic)
        self.assertEqual(self.module.HELLO, "مرحبا")
        self.assertEqual(self.module.WHY["b"], "ثانيا")
        self.assertEqual(self.module.KEPT, "Kept")
        speak({"ours": {"HELLO": "Hallo"}})
        self.assertEqual((self.module.HELLO, self.module.WHY["a"]), ("Hallo", "First"))
        speak({})
        self.assertEqual(self.module.HELLO, "Hello")

    def test_loaded_later(self) -> None:
        """A module that comes when another language is spoken already speaks it at once."""
        speak({"later": {"HELLO": "مرحبا"}})
        offer("later", self.module)
        self.assertEqual(self.module.HELLO, "مرحبا")
        offer("later", self.module)
        speak({})
        self.assertEqual(self.module.HELLO, "Hello")
