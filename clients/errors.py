"""Errors of the Python client; the text of each is a sentence for people."""

from __future__ import annotations

__all__ = ["ControlError", "MediaError", "RefusedError", "UnreachableError"]


class ControlError(Exception):
    """The screen of this computer cannot be shared or controlled."""


class MediaError(Exception):
    """A media file cannot be played or recorded."""


class RefusedError(Exception):
    """The server refused a request, or the host whom it lets decide.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors"), or `not-admitted`.
        sentence: the reason, as a sentence for people.

    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class UnreachableError(Exception):
    """There is no server at the address, or none that is trusted, or the connection to it is lost for good."""
