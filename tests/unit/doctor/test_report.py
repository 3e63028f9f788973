"""The doctor's findings as text and as JSON."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.descriptors import judge_descriptors
from signald.doctor.findings import Mark, failed, failure, ok, skipped, warning
from signald.doctor.report import as_json, as_text

FINDINGS = [
    ok("files", "All is well."),
    warning("clock", "It is late.", "Go to bed."),
    failure("proxy", "It is\x1b[2J wrong.\n", "Mend it."),
    skipped("ice", "Nobody looked."),
]


class ReportTests(SynchronousTestCase):
    """What an operator sees."""

    def test_text(self) -> None:
        """A line for each, the remedy below it, and the sums; nothing that moves the cursor."""
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
        """They are around the marks alone."""
        line = as_text(FINDINGS, colour=True).splitlines()[2 + 1]
        self.assertEqual(line, "\x1b[31mfailure\x1b[0m  proxy  It is?[2J wrong.?")

    def test_nothing(self) -> None:
        """No findings are no failure."""
        self.assertEqual(as_text([], colour=False), "\n0 failures, 0 warnings, 0 ok.\n")

    def test_json(self) -> None:
        """The same for programs."""
        document = json.loads(as_json(FINDINGS))
        self.assertEqual(document["sums"], {"ok": 1, "warning": 1, "failure": 1, "skipped": 1})
        self.assertEqual(document["findings"][0], {"topic": "files", "mark": "ok", "text": "All is well."})
        self.assertEqual(document["findings"][1]["remedy"], "Go to bed.")

    def test_only_failures_fail(self) -> None:
        """A warning is none."""
        self.assertTrue(failed(FINDINGS))
        self.assertFalse(failed([FINDINGS[0], FINDINGS[1], FINDINGS[3]]))


class DescriptorTests(SynchronousTestCase):
    """Whether open files suffice."""

    def test_limits(self) -> None:
        """Sixty-four are spared; the sentence says how many connections are left."""
        marks = {hard: judge_descriptors(hard, 1000, "It").mark for hard in (None, 1064, 1063, 1)}
        self.assertEqual(marks, {None: Mark.OK, 1064: Mark.OK, 1063: Mark.FAILURE, 1: Mark.FAILURE})
        found = judge_descriptors(1063, 1000, "It")
        self.assertIn("enough for 999 connections only", found.text)
        self.assertIn("1,064", found.remedy or "")
