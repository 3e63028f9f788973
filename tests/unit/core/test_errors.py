"""The list of errors."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode, SignalError

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "protocol.md"

DOCUMENTED = re.compile(r"^\| `([a-z-]+)` \| [^|]+\. \| (\d*) ?\| (\d*) ?\|$", re.MULTILINE)
"""A row of the table of errors in the protocol document."""


class ErrorCodeTests(SynchronousTestCase):
    """Every error has a code, a sentence and valid status codes."""

    def test_codes_are_unique_words(self) -> None:
        """Error codes are lower-case words with hyphens, and no two errors have the same code."""
        codes = [code.value for code in ErrorCode]
        self.assertEqual(len(set(codes)), len(codes))
        for code in codes:
            self.assertRegex(code, r"\A[a-z]+(-[a-z]+)*\Z")

    def test_sentences_are_full_sentences(self) -> None:
        """Each sentence begins with a capital letter and ends with a period; none quotes the peer's message."""
        for code in ErrorCode:
            self.assertTrue(re.fullmatch(r"[A-Z][^{}]*\.", code.sentence), code)

    def test_status_codes_are_errors(self) -> None:
        """HTTP statuses are 4xx or 5xx; close codes are registered or private ones (RFC 6455 §7.4.2)."""
        for code in ErrorCode:
            self.assertTrue(code.http_status is None or 400 <= code.http_status < 600, code)
            self.assertTrue(
                code.close_code is None or code.close_code in (*range(1003, 1013), 4001, 4002, 4003, 4004), code
            )

    def test_documented_numbers(self) -> None:
        """The HTTP status and the close code of each error are those by which docs/protocol.md describes it."""
        numbers = {name: (status, close) for name, status, close in DOCUMENTED.findall(DOCUMENT.read_text("utf-8"))}
        for code in ErrorCode:
            self.assertEqual((str(code.http_status or ""), str(code.close_code or "")), numbers[code.value], code)

    def test_an_exception_carries_its_code(self) -> None:
        """The text of the exception is the error code on the wire."""
        error = SignalError(ErrorCode.SESSION_FULL)
        self.assertEqual((error.code, str(error)), (ErrorCode.SESSION_FULL, "session-full"))
