"""The screen that `signald-peer screen` shares: its capture, its control, and the terminal."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from signald_client.control.console import Console, print_line
from signald_client.control.control_rules import CODE, MIN_CODE_SYMBOLS, NEVER, Rules, normal_code
from signald_client.control.injector_process import InjectorProcess
from signald_client.control.screen_capture import ScreenCapture, ScreenMedia, find_display
from signald_client.control.screen_control import ScreenControl

__all__ = ["ScreenShare"]

CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: each symbol has five bits."""

CODE_SYMBOLS = 10
"""Symbols of a code that is made here: 50 bits, of which nobody guesses one in three tries."""


class ScreenShare:
    """The shared screen of this computer.

    Attributes:
        control: who controls it.

    """

    def __init__(self, capture: ScreenCapture, control: ScreenControl, injector: InjectorProcess | None) -> None:
        self.control = control
        self._capture = capture
        self._injector = injector
        self._console = Console(control.command)

    @classmethod
    async def start(cls, options: argparse.Namespace) -> ScreenShare:
        """Start to capture the screen, and the process that controls it where that is wanted.

        Raises:
            ControlError: this computer's screen cannot be shared or controlled.
            OSError: the file with the code cannot be read.
            ValueError: the code is too short.

        """
        display = find_display(options.display)
        code = _read_code(options.control_code_file) if options.control == CODE else ""
        rules = Rules(options.control, normal_code(code), options.unverified, options.clipboard)
        injector = None
        if options.control != NEVER:
            injector = InjectorProcess(display, options.emergency_key, lambda report: control.injector_report(report))
            await injector.start()
        try:
            capture = ScreenCapture(display, options.rate)
        except BaseException:
            if injector is not None:
                await injector.close()
            raise
        control = ScreenControl(rules, injector, print_line)
        if code and options.control_code_file is None:
            print_line(f"The code for control is {code[:5]}-{code[5:]}. Three wrong ones switch it off.")
        return cls(capture, control, injector)

    def make_media(self) -> ScreenMedia:
        """Return the media of one connection."""
        return ScreenMedia(self._capture)

    async def close(self) -> None:
        """End control and capture."""
        self._console.close()
        self.control.close()
        if self._injector is not None:
            await self._injector.close()
        await self._capture.close()


def _read_code(path: Path | None) -> str:
    """Return the code in a file, or a new one.

    Raises:
        OSError: the file cannot be read.
        ValueError: the code is too short; the argument is a sentence for people.

    """
    if path is None:
        return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_SYMBOLS))
    code = path.read_text().strip()
    if len(normal_code(code)) < MIN_CODE_SYMBOLS:
        raise ValueError(f"The control code in {path} is too short: at least {MIN_CODE_SYMBOLS} symbols are needed.")
    return code
