"""Tests of the choice of a language and of the replacement of texts."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.translation import apply, choose, register


class ChooseLanguageTests(SynchronousTestCase):
    """`choose_language` picks the page's language."""

    def test_browser_languages(self) -> None:
        """The first supported language of the browser is chosen, of any country."""
        self.assertEqual(choose([""], ["de-DE", "ar-EG", "en"]), "ar")
        self.assertEqual(choose([""], ["en-GB", "ar"]), "en")
        self.assertEqual(choose([""], ["AR"]), "ar")

    def test_unsupported_languages(self) -> None:
        """English is chosen if none of the browser's languages is supported."""
        self.assertEqual(choose([""], ["de", "arn"]), "en")
        self.assertEqual(choose([""], []), "en")

    def test_stored_choice(self) -> None:
        """The stored choice of the person comes first if that language is supported."""
        self.assertEqual(choose(["en"], ["ar"]), "en")
        self.assertEqual(choose(["ar"], ["en"]), "ar")
        self.assertEqual(choose(["tlh"], ["ar"]), "ar")
        self.assertEqual(choose(["", "ar"], ["en"]), "ar")
        self.assertEqual(choose(["en", "ar"], ["ar"]), "en")
        self.assertEqual(choose(["tlh", "ar"], ["en"]), "ar")


class ApplyTests(SynchronousTestCase):
    """`register` and `apply` replace the constants of modules."""

    def setUp(self) -> None:
        """Create a module with texts."""
        self.module = ModuleType("sentences")
        vars(self.module).update(HELLO="Hello", WHY={"a": "First", "b": "Second"}, KEPT="Kept")
        self.arabic = {"ours": {"HELLO": "مرحبا", "WHY": {"a": "أولا", "b": "ثانيا"}}}
        self.addCleanup(apply, {})

    def test_apply_and_restore(self) -> None:
        """Constants are translated, and English again afterwards."""
        register("ours", self.module)
        apply(self.arabic)
        self.assertEqual(self.module.HELLO, "مرحبا")
        self.assertEqual(self.module.WHY["b"], "ثانيا")
        self.assertEqual(self.module.KEPT, "Kept")
        apply({"ours": {"HELLO": "Hallo"}})
        self.assertEqual((self.module.HELLO, self.module.WHY["a"]), ("Hallo", "First"))
        apply({})
        self.assertEqual(self.module.HELLO, "Hello")

    def test_registered_later(self) -> None:
        """A module that is registered later is translated at once."""
        apply({"later": {"HELLO": "مرحبا"}})
        register("later", self.module)
        self.assertEqual(self.module.HELLO, "مرحبا")
        register("later", self.module)
        apply({})
        self.assertEqual(self.module.HELLO, "Hello")
