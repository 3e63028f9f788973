"""Tests of the doctor's report as text and as JSON."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.findings import failed, failure, ok, skipped, warning
from signald.doctor.report import as_json, as_text

FINDINGS = [
    ok("files", "All is well."),
    warning("clock", "It is late.", "Go to bed."),
    failure("proxy", "It is\x1b[2J wrong.\n", "Mend it."),
    skipped("ice", "Nobody looked."),
]


class ReportTests(SynchronousTestCase):
    """Tests of the report."""

    def test_text(self) -> None:
        """Each finding is a line with its remedy below, the sums are at the end, and no escape code gets through."""
        self.assertEqual(
            as_text(FINDINGS, colour=False),
            "ok       files  All is well.\n"
            "warning  clock  It is late.\n"
            "                → Go to bed.\n"
            "failure  proxy  It is?[2J wrong.?\n"
            "                → Mend it.\n"
            "skipped  ice    Nobody looked.\n"
            "\n"
            "1 failure, 1 warning, 1 ok, 1 not checked.\n",
        )

    def test_colours(self) -> None:
        """Only the marks are coloured."""
        line = as_text(FINDINGS, colour=True).splitlines()[2 + 1]
        self.assertEqual(line, "\x1b[31mfailure\x1b[0m  proxy  It is?[2J wrong.?")

    def test_nothing(self) -> None:
        """A report without findings has sums of zero."""
        self.assertEqual(as_text([], colour=False), "\n0 failures, 0 warnings, 0 ok.\n")

    def test_json(self) -> None:
        """The JSON report has the same findings and sums."""
        document = json.loads(as_json(FINDINGS))
        self.assertEqual(document["sums"], {"ok": 1, "warning": 1, "failure": 1, "skipped": 1})
        self.assertEqual(document["findings"][0], {"topic": "files", "mark": "ok", "text": "All is well."})
        self.assertEqual(document["findings"][1]["remedy"], "Go to bed.")

    def test_only_failures_fail(self) -> None:
        """Only a failure makes the examination fail; a warning does not."""
        self.assertTrue(failed(FINDINGS))
        self.assertFalse(failed([FINDINGS[0], FINDINGS[1], FINDINGS[3]]))
