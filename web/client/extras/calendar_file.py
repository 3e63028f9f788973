"""Writes an invitation as an iCalendar file (RFC 5545). It does not touch the browser."""

from __future__ import annotations

__all__ = ["calendar_file"]

LINE_BYTES = 75
"""The longest line in bytes, without its end (RFC 5545 §3.1)."""


def calendar_file(
    *, ident: str, created: str, begins: str, minutes: int, summary: str, description: str, link: str
) -> str:
    """Return the text of an iCalendar file with one event.

    Arguments:
        ident: the globally unique id of the event.
        created: the present time, as JavaScript's `Date.toISOString` writes it.
        begins: the begin of the call, in the same form.
        minutes: the planned duration of the call.
        summary: the title.
        description: a text for the person who is invited.
        link: the invitation link.

    """
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//signald//call-page//EN",
        "BEGIN:VEVENT",
        "UID:" + _escape(ident),
        "DTSTAMP:" + _time(created),
        "DTSTART:" + _time(begins),
        f"DURATION:PT{minutes}M",
        "SUMMARY:" + _escape(summary),
        "DESCRIPTION:" + _escape(description),
        "LOCATION:" + _escape(link),
        "URL:" + link,
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join([_fold(line) + "\r\n" for line in lines])


def _time(text: str) -> str:
    """Return the UTC form of a date with time (RFC 5545 §3.3.5) of `2026-11-30T09:00:00.000Z`."""
    return text.split(".")[0].replace("-", "").replace(":", "") + "Z"


def _escape(text: str) -> str:
    """Escape a value of the type TEXT (RFC 5545 §3.3.11)."""
    for character in "\\;,":
        text = text.replace(character, "\\" + character)
    return text.replace("\r", "").replace("\n", "\\n")


def _fold(line: str) -> str:
    """Break a line into lines of up to `LINE_BYTES` bytes, each but the first after a space (RFC 5545 §3.1)."""
    folded, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > LINE_BYTES:
            folded += "\r\n "
            size = 1
        folded += character
        size += width
    return folded
