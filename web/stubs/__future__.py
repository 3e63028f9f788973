"""Lets `from __future__ import annotations` work on MicroPython, which never evaluates annotations."""

annotations = None
