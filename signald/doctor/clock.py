"""Whether this machine's clock is right: certificates and TURN credentials go by it."""

from __future__ import annotations

import ctypes
import struct
from email.utils import parsedate_to_datetime

from signald.doctor.findings import Finding, failure, ok, skipped, warning

__all__ = ["judge_clock", "judge_date", "kernel_synchronised"]

TOPIC = "clock"

_REMEDY = "Run a time service (systemd-timesyncd, chrony), and look at it with timedatectl."

WRONG_SECONDS = 60.0
"""By which a clock may be wrong before TURN credentials and tokens feel it."""

_TIMEX = "@Illlli"
"""The beginning of struct timex (adjtimex(2)): modes, offset, freq, maxerror, esterror, status."""

_TIMEX_BYTES = 256
"""More than a struct timex has."""

_WORST_MICROSECONDS = 16_000_000
"""What the kernel says of a clock's error when nobody has corrected it for long (NTP's MAXDISPERSE, RFC 5905 §7.2)."""


def kernel_synchronised() -> bool | None:
    """Whether a time service corrects the system clock; None where the kernel does not tell."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        if libc.adjtimex(buffer) < 0:
            return None
    except (OSError, AttributeError):
        return None
    _modes, _offset, _frequency, most_error, _error, _status = struct.unpack_from(_TIMEX, buffer)
    return bool(most_error < _WORST_MICROSECONDS)


def judge_clock(synchronised: bool | None) -> Finding:
    """Say whether the system keeps its clock right."""
    if synchronised is None:
        return skipped(TOPIC, "This system does not tell whether a time service keeps its clock right.")
    if synchronised:
        return ok(TOPIC, "A time service keeps this machine's clock right.")
    return warning(TOPIC, "No time service keeps this machine's clock right.", _REMEDY)


def judge_date(date: str, now: float, where: str) -> Finding:
    """Compare this machine's clock with the Date header of a server (RFC 9110 §6.6.1).

    Arguments:
        date: the header.
        now: this machine's wall time when it came, seconds since the epoch.
        where: whose header it is.

    """
    try:
        skew = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return warning(TOPIC, f"{where} sends a Date header that is no date.", "Look at the proxy's configuration.")
    if abs(skew) <= WRONG_SECONDS:
        return ok(TOPIC, f"This clock and that of {where} differ by less than {WRONG_SECONDS:.0f} s.")
    ahead = "ahead of" if skew > 0 else "behind"
    return failure(TOPIC, f"This machine's clock is {abs(skew):.0f} s {ahead} that of {where}.", _REMEDY)
