"""Tests of invitations for calendars."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.calendar_file import LINE_BYTES, calendar_file

LINK = "https://example.org/#7Q2M9RT6ZC"


def file_of(summary: str = "Call", description: str = "Join.") -> str:
    """Return the file of a call at nine o'clock."""
    return calendar_file(
        ident="1f",
        created="2026-11-29T08:01:02.345Z",
        begins="2026-11-30T09:00:00.000Z",
        minutes=30,
        summary=summary,
        description=description,
        link=LINK,
    )


def unfold(text: str) -> list[str]:
    """Return the content lines of a file (RFC 5545 §3.1)."""
    assert text.endswith("\r\n")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


class CalendarTests(SynchronousTestCase):
    """`calendar_file` writes what RFC 5545 asks for."""

    def test_event(self) -> None:
        """A file has one event, with what a calendar needs."""
        self.assertEqual(
            unfold(file_of()),
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//signald//call-page//EN",
                "BEGIN:VEVENT",
                "UID:1f",
                "DTSTAMP:20261129T080102Z",
                "DTSTART:20261130T090000Z",
                "DURATION:PT30M",
                "SUMMARY:Call",
                "DESCRIPTION:Join.",
                f"LOCATION:{LINK}",
                f"URL:{LINK}",
                "END:VEVENT",
                "END:VCALENDAR",
            ],
        )

    def test_escapes(self) -> None:
        """Commas, semicolons, backslashes and line ends are escaped, so that no text adds a line of its own."""
        text = file_of(summary="a, b; c\\d\r\nEND:VEVENT")
        self.assertIn("SUMMARY:a\\, b\\; c\\\\d\\nEND:VEVENT", unfold(text))

    def test_long_lines(self) -> None:
        """Lines are folded at 75 bytes, and never within a character."""
        for text in ("x" * 400, "ü" * 200, "李" * 100, "👩" * 60):
            folded = file_of(description=text)
            self.assertLessEqual(max(len(line.encode()) for line in folded.split("\r\n")), LINE_BYTES)
            self.assertIn(f"DESCRIPTION:{text}", unfold(folded))
