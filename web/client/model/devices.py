"""The camera and the microphone: what they do now, and why one does not work."""

from __future__ import annotations

__all__ = ["AUDIO", "MUTED", "OFF", "ON", "REQUESTED", "VIDEO", "Device", "browser_family", "problem_code"]

# Kinds, as WebRTC names them.
AUDIO = "audio"
VIDEO = "video"

# What a device does.
OFF = "off"
REQUESTED = "requested"
ON = "on"
MUTED = "muted"

ERRORS = {
    "NotAllowedError": "refused",
    "SecurityError": "refused",
    "NotFoundError": "missing",
    "OverconstrainedError": "missing",
    "NotReadableError": "busy",
    "AbortError": "busy",
    "InvalidStateError": "busy",
}
"""Why there is no device, by the error of `getUserMedia` (Media Capture and Streams §10.2)."""


class Device:
    """The camera or the microphone.

    Attributes:
        kind: `audio` or `video`.
        wanted: whether the person wants to be heard, or seen: what they said last, also before it runs.
        status: `off`, `asking`, `on`, or `muted` (it runs, and sends silence).
        problem: why it does not work: `refused`, `missing`, `busy`, `lost` (unplugged), `insecure` (the page came over
            http), `unsupported`; empty while nothing is wrong.

    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.wanted = True
        self.status = OFF
        self.problem = ""

    def requested(self) -> None:
        """The browser was asked for it."""
        self.status = REQUESTED
        self.problem = ""

    def started(self) -> None:
        """It runs."""
        self.status = ON
        self.problem = ""

    def stopped(self, problem: str = "") -> None:
        """It does not run: the person wished so, or there is a problem."""
        self.status = OFF
        self.problem = problem


def problem_code(error_name: str) -> str:
    """Return why there is no device, from the name of the browser's error."""
    return ERRORS.get(error_name, "unsupported")


def browser_family(agent: str) -> str:
    """Return `firefox`, `safari` or `chromium`, from `navigator.userAgent`: they ask for devices in different words."""
    if "Firefox/" in agent or "FxiOS/" in agent:
        return "firefox"
    if "Safari/" in agent and "Chrome/" not in agent and "Chromium/" not in agent:
        return "safari"
    return "chromium"
