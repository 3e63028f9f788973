"""The sentences of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.messages import EndReason
from signald_page.client.model import devices, texts
from signald_page.client.model.devices import Device

PAGES_OWN = {"not-connected", "server-silent"}
"""Reasons that the page's signaling client makes up itself."""


class DeviceTests(SynchronousTestCase):
    """`devices_problem`."""

    def problem(self, microphone: str, camera: str, browser: str = "chromium") -> str:
        """What the page says for these two problems."""
        first, second = Device(devices.AUDIO), Device(devices.VIDEO)
        first.stopped(microphone)
        second.stopped(camera)
        return texts.devices_problem(first, second, browser)

    def test_none(self) -> None:
        """Devices that were not asked for are no problem."""
        self.assertEqual(self.problem("", ""), "")

    def test_one(self) -> None:
        """Only the one that does not work is named."""
        self.assertEqual(self.problem("missing", ""), "No microphone was found.")
        self.assertEqual(self.problem("", "lost"), "The camera was disconnected.")

    def test_the_way_out(self) -> None:
        """Whoever refused is told how to allow it, in the words of their browser."""
        for browser, words in (("chromium", "View site information"), ("firefox", "Blocked"), ("safari", "Website")):
            self.assertIn(words, self.problem("", "refused", browser))
            self.assertIn(words, self.problem("refused", "refused", browser))
        self.assertNotIn("To allow it", self.problem("busy", "missing"))

    def test_two(self) -> None:
        """Two different problems are two sentences."""
        self.assertEqual(
            self.problem("missing", "busy"),
            "The camera could not be started. Perhaps another program is using it. No microphone was found.",
        )

    def test_the_same_for_both(self) -> None:
        """One problem of both is told once, with the comfort that the call works without them."""
        for problem in {*devices.ERRORS.values(), "lost", "insecure", "unsupported"}:
            sentence = self.problem(problem, problem)
            self.assertTrue(sentence.endswith(texts.TAKE_PART), sentence)

    def test_every_problem_has_words(self) -> None:
        """No combination is left without a sentence, and no placeholder is left in one."""
        problems = {*devices.ERRORS.values(), "lost", "insecure", "unsupported"}
        self.assertEqual(problems, texts.CAMERA_NOTES.keys())
        for microphone in ("", *problems):
            for camera in ("", *problems):
                self.assertNotIn("{", self.problem(microphone, camera))


class ServerTests(SynchronousTestCase):
    """What the server says."""

    def test_codes_exist(self) -> None:
        """Each error with words of the page's own is one that the server knows."""
        self.assertEqual(texts.REFUSALS.keys() - {code.value for code in ErrorCode} - PAGES_OWN, set())

    def test_other_errors(self) -> None:
        """An error without words of the page's own is told in the server's."""
        self.assertEqual(texts.refusal("session-full", "Full."), texts.REFUSALS["session-full"])
        self.assertEqual(texts.refusal("brand-new", "Something new."), "Something new.")

    def test_every_end_has_words(self) -> None:
        """Each reason for a session's end has its sentence."""
        self.assertEqual(texts.ENDED.keys(), {reason.value for reason in EndReason})
