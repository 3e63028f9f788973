"""Which language the page speaks, and how its sentences are exchanged."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.translation import apply, choose_language, register


class ChoiceTests(SynchronousTestCase):
    """`choose`."""

    def test_browser(self) -> None:
        """The first of the browser's languages that there is, in whichever country."""
        self.assertEqual(choose_language("", ["de-DE", "ar-EG", "en"]), "ar")
        self.assertEqual(choose_language("", ["en-GB", "ar"]), "en")
        self.assertEqual(choose_language("", ["AR"]), "ar")

    def test_none(self) -> None:
        """English, where there is none of them."""
        self.assertEqual(choose_language("", ["de", "arn"]), "en")
        self.assertEqual(choose_language("", []), "en")

    def test_kept(self) -> None:
        """The person's choice comes first, as long as there is that language."""
        self.assertEqual(choose_language("en", ["ar"]), "en")
        self.assertEqual(choose_language("ar", ["en"]), "ar")
        self.assertEqual(choose_language("tlh", ["ar"]), "ar")


class ExchangeTests(SynchronousTestCase):
    """`offer` and `speak`."""

    def setUp(self) -> None:
        """A module with sentences."""
        self.module = ModuleType("sentences")
        vars(self.module).update(HELLO="Hello", WHY={"a": "First", "b": "Second"}, KEPT="Kept")
        self.arabic = {"ours": {"HELLO": "مرحبا", "WHY": {"a": "أولا", "b": "ثانيا"}}}
        self.addCleanup(apply, {})

    def test_there_and_back(self) -> None:
        """Constants are those of the language, then the English ones again."""
        register("ours", self.module)
        apply(self.arabic)
        self.assertEqual(self.module.HELLO, "مرحبا")
        self.assertEqual(self.module.WHY["b"], "ثانيا")
        self.assertEqual(self.module.KEPT, "Kept")
        apply({"ours": {"HELLO": "Hallo"}})
        self.assertEqual((self.module.HELLO, self.module.WHY["a"]), ("Hallo", "First"))
        apply({})
        self.assertEqual(self.module.HELLO, "Hello")

    def test_loaded_later(self) -> None:
        """A module that comes when another language is spoken already speaks it at once."""
        apply({"later": {"HELLO": "مرحبا"}})
        register("later", self.module)
        self.assertEqual(self.module.HELLO, "مرحبا")
        register("later", self.module)
        apply({})
        self.assertEqual(self.module.HELLO, "Hello")
