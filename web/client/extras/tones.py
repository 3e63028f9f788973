"""Plays short sounds: the test of the speaker, and the signals of a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.audio_output import set_speaker
from ..browser.bridge import BrowserError, call, construct, get, put, spawn, wait
from ..model.call_news import CHAT, JOINED, KNOCK, LEFT

if TYPE_CHECKING:
    from typing import Any

__all__ = ["SIGNALS", "SPEAKER_TEST", "play"]

SPEAKER_TEST = ((440.0, 0.6),)
"""The sound that tests a speaker. A sound is a tuple of tones, each with its frequency in Hertz and its seconds."""

SIGNALS = {
    JOINED: ((523.0, 0.12), (784.0, 0.2)),
    LEFT: ((784.0, 0.12), (523.0, 0.2)),
    KNOCK: ((659.0, 0.12), (659.0, 0.12), (880.0, 0.2)),
    CHAT: ((988.0, 0.12),),
}
"""The sounds of what others do in a call; who joins goes up, and who leaves goes down."""

VOLUME = 0.2
"""The gain of a tone: clearly softer than speech."""

FADE = 0.03
"""Seconds in which a tone fades in and out, because a sudden begin or end would click."""


def play(tones: tuple[tuple[float, float], ...], speaker: str) -> None:
    """Play a sound through the speaker with this device id; empty for the system's default.

    A browser that has no Web Audio stays silent.
    """
    try:
        context = construct("AudioContext")
        volume = call(context, "createGain")
        target = call(context, "createMediaStreamDestination")
        oscillator = call(context, "createOscillator")
        call(call(oscillator, "connect", volume), "connect", target)
        gain, frequency = get(volume, "gain"), get(oscillator, "frequency")
        begin = float(get(context, "currentTime"))
        call(gain, "setValueAtTime", 0.0, begin)
        time = begin
        for pitch, seconds in tones:
            call(frequency, "setValueAtTime", pitch, time)
            call(gain, "linearRampToValueAtTime", VOLUME, time + FADE)
            call(gain, "setValueAtTime", VOLUME, time + seconds - FADE)
            call(gain, "linearRampToValueAtTime", 0.0, time + seconds)
            time += seconds
        player = construct("Audio")
        put(player, "srcObject", get(target, "stream"))
        call(oscillator, "start", begin)
        call(oscillator, "stop", time)
    except BrowserError:
        return
    set_speaker(player, speaker)
    spawn(_attempt(player, "play"))
    spawn(_close_later(context, time - begin))


async def _attempt(target: Any, method: str) -> None:
    """Call a method that returns a promise, and ignore a failure."""
    try:
        await wait(call(target, method))
    except BrowserError:
        return


async def _close_later(context: Any, seconds: float) -> None:
    await asyncio.sleep(seconds + 0.5)
    await _attempt(context, "close")
