"""What `from typing import TYPE_CHECKING` needs on MicroPython."""

TYPE_CHECKING = False
