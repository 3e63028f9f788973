"""Maps the connectivity test to what its screen shows. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import checks, extra_texts

if TYPE_CHECKING:
    from ..model.view_model import View
    from .checks import Checks

__all__ = ["view"]


def view(test: Checks, copied: str) -> View:
    """Return the value of each (element id, property), as `view_model.view` does.

    A row has the id `test-NAME`, its state as a class, and texts `test-NAME-name`, `-state`, `-found` and `-remedy`.

    Arguments:
        test: the checks.
        copied: what the copy button says about its last press; empty for nothing.

    """
    start = extra_texts.TEST_AGAIN if test.verdict else extra_texts.TEST_START
    values: View = {
        ("test-video", "hidden"): not test.running(checks.CAMERA),
        ("test-level", "hidden"): not test.running(checks.MICROPHONE),
        ("test-start", "text"): extra_texts.TEST_STOP if test.active else start,
        ("test-copy", "text"): copied or extra_texts.TEST_COPY,
        ("test-copy", "hidden"): not test.verdict,
        ("test-status", "text"): extra_texts.TEST_VERDICTS.get(test.verdict, ""),
        ("test-status", "className"): test.verdict,
    }
    for check in test.checks:
        row = f"test-{check.name}"
        values[row, "className"] = check.state
        values[row + "-name", "text"] = extra_texts.TEST_NAMES[check.name]
        # A screen reader reads this aloud once, when there is an outcome.
        over = check.state not in (checks.WAITING, checks.RUNNING)
        values[row + "-state", "text"] = extra_texts.TEST_STATES[check.state] if over else ""
        values[row + "-found", "text"] = check.found
        values[row + "-remedy", "text"] = check.remedy
    if test.active and test.current is not None:
        values["test-status", "text"] = extra_texts.TEST_DOING[test.current.name]
    return values
