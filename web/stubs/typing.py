"""Lets `from typing import TYPE_CHECKING` work on MicroPython."""

TYPE_CHECKING = False
