"""The rules of this computer's user about remote control, and the control code."""

from __future__ import annotations

from hmac import compare_digest

from attrs import frozen

__all__ = ["ASK", "CODE", "MIN_CODE_SYMBOLS", "NEVER", "ControlCode", "Rules", "normal_code"]

NEVER = "never"
ASK = "ask"
CODE = "code"
"""The ways to decide about a request for control."""

MIN_CODE_SYMBOLS = 8
"""Fewest symbols of a control code."""

CODE_TRIES = 3
"""Wrong codes, of all viewers together, after which nobody can get control with a code any more."""


@frozen
class Rules:
    """How requests for control are decided.

    Attributes:
        mode: `NEVER`, `ASK` or `CODE`.
        code: the control code in its normal form; empty unless the mode is `CODE`.
        allow_unverified: whether a viewer may control whose connection is not verified.
        clipboard: whether a viewer in control may read and write the clipboard's text.

    """

    mode: str = NEVER
    code: str = ""
    allow_unverified: bool = False
    clipboard: bool = False


class ControlCode:
    """The control code, and the tries that are left."""

    def __init__(self, code: str) -> None:
        """Create it for a code in its normal form."""
        self._code = code.encode()
        self._tries_left = CODE_TRIES

    def switch_off(self) -> None:
        """Accept no code any more."""
        self._tries_left = 0

    def check(self, code: str) -> str:
        """Return why a code is refused; empty when it is the right one."""
        if not self._tries_left:
            return "code-off"
        if not code:
            return "code-needed"
        if compare_digest(normal_code(code).encode(), self._code):
            return ""
        self._tries_left -= 1
        return "wrong-code" if self._tries_left else "code-off"


def normal_code(code: str) -> str:
    """Return a control code without spaces and hyphens, in upper case; O is read as 0, and I and L as 1."""
    kept = "".join(code.split()).replace("-", "").upper()
    return kept.replace("O", "0").replace("I", "1").replace("L", "1")
