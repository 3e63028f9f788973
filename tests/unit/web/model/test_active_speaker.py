"""Who speaks, from the loudness of everybody."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.active_speaker import (
    HINT_SECONDS,
    HOLD_SECONDS,
    SILENT_AFTER,
    SPEECH_LEVEL,
    ActiveSpeaker,
)


class SpeakerTests(SynchronousTestCase):
    """The others."""

    def test_loud_enough(self) -> None:
        """Noise is no speech, and a pause between words does not end it."""
        speech = ActiveSpeaker()
        speech.update_levels({"ann": SPEECH_LEVEL / 2}, 1.0)
        self.assertEqual((speech.is_speaking("ann", 1.0), speech.speaker), (False, ""))
        speech.update_levels({"ann": SPEECH_LEVEL}, 2.0)
        self.assertEqual((speech.is_speaking("ann", 2.0), speech.speaker), (True, "ann"))
        speech.update_levels({"ann": 0.0}, 2.0 + HOLD_SECONDS / 2)
        self.assertTrue(speech.is_speaking("ann", 2.0 + HOLD_SECONDS / 2))
        self.assertFalse(speech.is_speaking("ann", 2.1 + HOLD_SECONDS))

    def test_the_speaker_changes_after_a_silence(self) -> None:
        """Nobody takes the large place from somebody who still speaks; the loudest of those who speak then gets it."""
        speech = ActiveSpeaker()
        speech.update_levels({"ann": 0.1, "bob": 0.0}, 1.0)
        speech.update_levels({"ann": 0.1, "bob": 0.5}, 1.5)
        self.assertEqual(speech.speaker, "ann")
        later = 1.6 + SILENT_AFTER
        speech.update_levels({"ann": 0.0, "bob": 0.0, "eve": 0.0}, later)
        self.assertEqual(speech.speaker, "ann")
        speech.update_levels({"ann": 0.0, "bob": 0.2, "eve": 0.3}, later)
        self.assertEqual(speech.speaker, "eve")

    def test_who_is_gone_does_not_speak(self) -> None:
        """Somebody who left is forgotten."""
        speech = ActiveSpeaker()
        speech.update_levels({"ann": 0.1}, 1.0)
        speech.update_levels({}, 1.1)
        self.assertEqual((speech.speaker, speech.is_speaking("ann", 1.1)), ("", False))


class MutedTests(SynchronousTestCase):
    """The person themselves."""

    def talk(self, speech: ActiveSpeaker, begin: float, times: int, level: float = 0.1, muted: bool = True) -> float:
        """Be so loud for some quarters of a second; return when it ends."""
        for _ in range(times):
            begin += 0.25
            speech.update_own_level(level, muted, 0.25, begin)
        return begin

    def test_told_when_talking_while_muted(self) -> None:
        """After a moment of speech the person is told, for some seconds."""
        speech = ActiveSpeaker()
        end = self.talk(speech, 0.0, 3)
        self.assertTrue(speech.talking_muted)
        end = self.talk(speech, end, int(HINT_SECONDS / 0.25) + 8, level=0.0)
        self.assertFalse(speech.talking_muted)

    def test_a_cough_is_not_talking(self) -> None:
        """Short noise is left alone, also when it comes again later."""
        speech = ActiveSpeaker()
        for minute in range(5):
            self.talk(speech, minute * 60.0, 2)
            self.assertFalse(speech.talking_muted)

    def test_not_told_while_heard(self) -> None:
        """Whoever is heard need not be told; unmuting ends it at once."""
        speech = ActiveSpeaker()
        end = self.talk(speech, 0.0, 10, muted=False)
        self.assertFalse(speech.talking_muted)
        end = self.talk(speech, end, 4)
        self.assertTrue(speech.talking_muted)
        self.talk(speech, end, 1, muted=False)
        self.assertFalse(speech.talking_muted)
