"""Tests of the sentences of the call page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.messages import EndReason
from signald_page.client.model import devices, texts
from signald_page.client.model.devices import Device

CLIENT_CODES = {"not-connected", "server-silent"}
"""Error codes that the page's signaling client creates itself."""


class DeviceTests(SynchronousTestCase):
    """`devices_problem` describes what is wrong with the devices."""

    def problem(self, microphone: str, camera: str, browser: str = "chromium") -> str:
        """Return the sentence for these two problem codes."""
        first, second = Device(devices.AUDIO), Device(devices.VIDEO)
        first.stopped(microphone)
        second.stopped(camera)
        return texts.devices_problem(first, second, browser)

    def test_no_problem(self) -> None:
        """Devices that were not requested are no problem."""
        self.assertEqual(self.problem("", ""), "")

    def test_one_problem(self) -> None:
        """Only the device that does not work is named."""
        self.assertEqual(self.problem("missing", ""), "No microphone was found.")
        self.assertEqual(self.problem("", "lost"), "The camera was disconnected.")

    def test_how_to_grant_permission(self) -> None:
        """For a person who refused permission the sentence explains how to grant it in their browser."""
        for browser, words in (("chromium", "View site information"), ("firefox", "Blocked"), ("safari", "Website")):
            self.assertIn(words, self.problem("", "refused", browser))
            self.assertIn(words, self.problem("refused", "refused", browser))
        self.assertNotIn("To allow it", self.problem("busy", "missing"))

    def test_two_problems(self) -> None:
        """Two different problems make two sentences."""
        self.assertEqual(
            self.problem("missing", "busy"),
            "The camera could not be started. Perhaps another program is using it. No microphone was found.",
        )

    def test_same_problem_of_both(self) -> None:
        """A problem of both devices is described once, with the remark that the call works without them."""
        for problem in {*devices.ERRORS.values(), "lost", "insecure", "unsupported"}:
            sentence = self.problem(problem, problem)
            self.assertTrue(sentence.endswith(texts.TAKE_PART), sentence)

    def test_every_problem_has_words(self) -> None:
        """Every combination of problems has a sentence without placeholders."""
        problems = {*devices.ERRORS.values(), "lost", "insecure", "unsupported"}
        self.assertEqual(problems, texts.CAMERA_NOTES.keys())
        for microphone in ("", *problems):
            for camera in ("", *problems):
                self.assertNotIn("{", self.problem(microphone, camera))


class ServerCodeTests(SynchronousTestCase):
    """Codes of the server have sentences."""

    def test_codes_exist(self) -> None:
        """Each error code with a sentence is one that the server or the signaling client knows."""
        self.assertEqual(texts.REFUSALS.keys() - {code.value for code in ErrorCode} - CLIENT_CODES, set())

    def test_other_errors(self) -> None:
        """An error without a sentence of the page is shown in the server's words."""
        self.assertEqual(texts.refusal("session-full", "Full."), texts.REFUSALS["session-full"])
        self.assertEqual(texts.refusal("brand-new", "Something new."), "Something new.")

    def test_every_end_has_words(self) -> None:
        """Each reason for the end of a session has a sentence."""
        self.assertEqual(texts.ENDED.keys(), {reason.value for reason in EndReason})


class QualityTests(SynchronousTestCase):
    """`quality` describes a connection."""

    def test_unknown(self) -> None:
        """Before the first sample the text is empty."""
        self.assertEqual(texts.quality("Ann", None, ""), "")

    def test_every_fault(self) -> None:
        """The bars are put into words, with the fault if there is one; a participant without a name has a stand-in."""
        self.assertEqual(texts.quality("Ann", 4, ""), "Connection with Ann: good")
        self.assertEqual(texts.quality("", 2, "yours"), f"Connection with {texts.THE_OTHER}: weak (your network)")
        for fault, words in texts.FAULTS.items():
            self.assertIn(words, texts.quality("Ann", 1, fault))
