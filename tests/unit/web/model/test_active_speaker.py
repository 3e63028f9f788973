"""Tests of the active speaker detection and of the warning about speech while muted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.active_speaker import (
    HINT,
    HOLD,
    SILENCE,
    SPEECH,
    ActiveSpeaker,
)


class ActiveSpeakerTests(SynchronousTestCase):
    """The active speaker is detected from the levels of the remote participants."""

    def test_speech_level(self) -> None:
        """Noise does not count as speech, and a pause between words does not end it."""
        speech = ActiveSpeaker()
        speech.update({"ann": SPEECH / 2}, 1.0)
        self.assertEqual((speech.is_speaking("ann", 1.0), speech.speaker), (False, ""))
        speech.update({"ann": SPEECH}, 2.0)
        self.assertEqual((speech.is_speaking("ann", 2.0), speech.speaker), (True, "ann"))
        speech.update({"ann": 0.0}, 2.0 + HOLD / 2)
        self.assertTrue(speech.is_speaking("ann", 2.0 + HOLD / 2))
        self.assertFalse(speech.is_speaking("ann", 2.1 + HOLD))

    def test_speaker_changes_after_silence(self) -> None:
        """The active speaker is kept until they are silent. Then the loudest participant who speaks replaces them."""
        speech = ActiveSpeaker()
        speech.update({"ann": 0.1, "bob": 0.0}, 1.0)
        speech.update({"ann": 0.1, "bob": 0.5}, 1.5)
        self.assertEqual(speech.speaker, "ann")
        later = 1.6 + SILENCE
        speech.update({"ann": 0.0, "bob": 0.0, "eve": 0.0}, later)
        self.assertEqual(speech.speaker, "ann")
        speech.update({"ann": 0.0, "bob": 0.2, "eve": 0.3}, later)
        self.assertEqual(speech.speaker, "eve")

    def test_participant_who_left(self) -> None:
        """A participant who left is neither speaking nor the active speaker."""
        speech = ActiveSpeaker()
        speech.update({"ann": 0.1}, 1.0)
        speech.update({}, 1.1)
        self.assertEqual((speech.speaker, speech.is_speaking("ann", 1.1)), ("", False))


class TalkingMutedTests(SynchronousTestCase):
    """The local person is warned when they talk while muted."""

    def talk(self, speech: ActiveSpeaker, start: float, times: int, level: float = 0.1, muted: bool = True) -> float:
        """Feed a level for some quarters of a second, and return the time at the end."""
        for _ in range(times):
            start += 0.25
            speech.update_own(level, muted, 0.25, start)
        return start

    def test_warning_while_muted(self) -> None:
        """The warning starts after a moment of speech, and ends after some seconds."""
        speech = ActiveSpeaker()
        end = self.talk(speech, 0.0, 3)
        self.assertTrue(speech.talking_muted)
        end = self.talk(speech, end, int(HINT / 0.25) + 8, level=0.0)
        self.assertFalse(speech.talking_muted)

    def test_short_noise(self) -> None:
        """Short noise does not start the warning, even if it repeats later."""
        speech = ActiveSpeaker()
        for minute in range(5):
            self.talk(speech, minute * 60.0, 2)
            self.assertFalse(speech.talking_muted)

    def test_no_warning_while_unmuted(self) -> None:
        """There is no warning while the microphone is on, and unmuting ends a warning at once."""
        speech = ActiveSpeaker()
        end = self.talk(speech, 0.0, 10, muted=False)
        self.assertFalse(speech.talking_muted)
        end = self.talk(speech, end, 4)
        self.assertTrue(speech.talking_muted)
        self.talk(speech, end, 1, muted=False)
        self.assertFalse(speech.talking_muted)
