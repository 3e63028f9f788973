"""Tests of the screen of the connectivity test."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import checks, extra_texts
from signald_page.client.extras.check_view import view
from signald_page.client.extras.checks import Checks
from tests.unit.web.extras.test_checks import run


class ViewTests(SynchronousTestCase):
    """`view` maps the checks to the screen."""

    def test_before_the_test(self) -> None:
        """Before the test the screen shows the names of the checks and a start button."""
        shown = view(Checks(), "")
        self.assertEqual(shown["test-start", "text"], extra_texts.TEST_START)
        self.assertTrue(shown["test-copy", "hidden"])
        self.assertEqual(shown["test-status", "text"], "")
        self.assertEqual(shown["test-turn-name", "text"], extra_texts.TEST_NAMES["turn"])
        for name in checks.ORDER:
            self.assertEqual(shown[f"test-{name}", "className"], "waiting")
            self.assertEqual(shown[f"test-{name}-state", "text"], "")

    def test_during_the_test(self) -> None:
        """During the test the screen describes the current check, and the button stops the test."""
        test = Checks()
        test.begin()
        test.start(checks.CAMERA, 0.0)
        shown = view(test, "")
        self.assertEqual((shown["test-video", "hidden"], shown["test-level", "hidden"]), (False, True))
        self.assertEqual(shown["test-status", "text"], extra_texts.TEST_DOING["camera"])
        self.assertEqual(shown["test-start", "text"], extra_texts.TEST_STOP)
        self.assertEqual(shown["test-camera", "className"], "running")
        self.assertEqual(shown["test-camera-state", "text"], "")
        test.finish(checks.CAMERA, "refused")
        test.start(checks.MICROPHONE, 1.0)
        shown = view(test, "")
        self.assertEqual((shown["test-video", "hidden"], shown["test-level", "hidden"]), (True, False))
        self.assertEqual(shown["test-camera-state", "text"], extra_texts.TEST_STATES["failed"])
        self.assertEqual(shown["test-camera-remedy", "text"], extra_texts.TEST_REMEDIES["camera"]["refused"])

    def test_after_the_test(self) -> None:
        """After the test the screen shows the verdict, a copy button, and a button to test again."""
        shown = view(run(), "")
        self.assertEqual(shown["test-status", "text"], extra_texts.TEST_VERDICTS["ready"])
        self.assertEqual(shown["test-status", "className"], "ready")
        self.assertEqual(shown["test-start", "text"], extra_texts.TEST_AGAIN)
        self.assertFalse(shown["test-copy", "hidden"])
        self.assertEqual(shown["test-copy", "text"], extra_texts.TEST_COPY)
        self.assertEqual(view(run(), extra_texts.TEST_COPIED)["test-copy", "text"], extra_texts.TEST_COPIED)
