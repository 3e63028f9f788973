"""Parts of the program of which one method raises, to test what becomes of everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FailingPart:
    """Replaces a part of the switchboard or the hub: one method raises, and all else is delegated to the part.

    Attributes:
        failures: how often the method has raised.

    """

    def __init__(self, part: object, fails: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
        """Replace a part.

        Arguments:
            part: the part.
            fails: the name of the method that raises ArithmeticError.
            when: tells from the arguments whether the method raises; otherwise it is called.

        """
        self.failures = 0
        self._part = part
        self._fails = fails
        self._when = when

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the part, or the method that fails."""
        return self._fail if name == self._fails else getattr(self._part, name)

    def _fail(self, *arguments: Any, **named: Any) -> Any:
        if self._when(*arguments, **named):
            self.failures += 1
            raise ArithmeticError(self._fails)
        return getattr(self._part, self._fails)(*arguments, **named)
