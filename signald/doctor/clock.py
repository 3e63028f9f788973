"""Checks that this machine's clock is right, because certificates and TURN credentials depend on the time."""

from __future__ import annotations

import ctypes
import struct
from email.utils import parsedate_to_datetime

from signald.doctor.findings import Finding, failure, ok, skipped, warning

__all__ = ["judge_clock", "judge_date", "kernel_synchronised"]

TOPIC = "clock"

_REMEDY = "Run a time service (systemd-timesyncd, chrony), and look at it with timedatectl."

WRONG_SECONDS = 60.0
"""The largest clock error that the doctor accepts; a larger error makes TURN credentials and tokens fail."""

_TIMEX = "@Illlli"
"""The format of the first fields of struct timex (adjtimex(2)): modes, offset, freq, maxerror, esterror, status."""

_TIMEX_BYTES = 256
"""The size of the buffer for adjtimex(2), which is larger than struct timex on every architecture."""

_WORST_MICROSECONDS = 16_000_000
"""The maximum error that the kernel reports for a clock that has not been corrected for long.

It is NTP's MAXDISPERSE (RFC 5905 §7.2).
"""


def kernel_synchronised() -> bool | None:
    """Return whether a time service corrects the system clock; None if the kernel does not report it."""
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
    """Return a finding about whether a time service synchronizes the system clock."""
    if synchronised is None:
        return skipped(TOPIC, "This system does not tell whether a time service keeps its clock right.")
    if synchronised:
        return ok(TOPIC, "A time service keeps this machine's clock right.")
    return warning(TOPIC, "No time service keeps this machine's clock right.", _REMEDY)


def judge_date(date: str, now: float, where: str) -> Finding:
    """Compare this machine's clock with the Date header of a server (RFC 9110 §6.6.1).

    Arguments:
        date: the value of the header.
        now: this machine's wall time when the header arrived, in seconds since the epoch.
        where: the server that sent the header.

    """
    try:
        skew = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return warning(TOPIC, f"{where} sends a Date header that is no date.", "Look at the proxy's configuration.")
    if abs(skew) <= WRONG_SECONDS:
        return ok(TOPIC, f"This clock and that of {where} differ by less than {WRONG_SECONDS:.0f} s.")
    ahead = "ahead of" if skew > 0 else "behind"
    return failure(TOPIC, f"This machine's clock is {abs(skew):.0f} s {ahead} that of {where}.", _REMEDY)
