"""What `from __future__ import annotations` needs on MicroPython, which never evaluates annotations."""

annotations = None
