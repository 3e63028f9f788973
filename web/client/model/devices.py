"""The states of a camera or a microphone, and why a device does not work."""

from __future__ import annotations

__all__ = ["AUDIO", "MUTED", "OFF", "ON", "REQUESTED", "VIDEO", "Device", "browser_family", "problem_code"]

# These are the track kinds of WebRTC.
AUDIO = "audio"
VIDEO = "video"

# These are the states of a device.
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
"""The problem codes by the error names of `getUserMedia` (Media Capture and Streams §10.2)."""


class Device:
    """The state of the camera or of the microphone.

    Attributes:
        kind: `audio` or `video`.
        wanted: whether the person wants the device on; set also before it runs.
        status: `off`, `requested`, `on`, or `muted` (the device runs and the track sends silence).
        problem: why it does not work: `refused`, `missing`, `busy`, `lost` (unplugged), `insecure` (the page was loaded
            over http), `unsupported`; empty while nothing is wrong.

    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.wanted = True
        self.status = OFF
        self.problem = ""

    @property
    def is_on(self) -> bool:
        """Whether the device sends, or will as soon as the browser grants it."""
        return self.wanted if self.status == REQUESTED else self.status == ON

    def requested(self) -> None:
        """Note that the browser was asked for the device."""
        self.status = REQUESTED
        self.problem = ""

    def started(self) -> None:
        """Note that the device runs."""
        self.status = ON
        self.problem = ""

    def stopped(self, problem: str = "") -> None:
        """Note that the device does not run, by the person's wish or because of a problem."""
        self.status = OFF
        self.problem = problem


def problem_code(error_name: str) -> str:
    """Return the problem code for the name of a `getUserMedia` error."""
    return ERRORS.get(error_name, "unsupported")


def browser_family(agent: str) -> str:
    """Return `firefox`, `safari` or `chromium`, from `navigator.userAgent`.

    The family decides in which words the page explains permission prompts.
    """
    if "Firefox/" in agent or "FxiOS/" in agent:
        return "firefox"
    if "Safari/" in agent and "Chrome/" not in agent and "Chromium/" not in agent:
        return "safari"
    return "chromium"
