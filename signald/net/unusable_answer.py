"""The error of an HTTP response that cannot be used, apart from the HTTP client, whose import takes long."""

from __future__ import annotations

__all__ = ["UnusableAnswerError"]


class UnusableAnswerError(Exception):
    """The service answered, but not with 200 and a body within the bound.

    Attributes:
        status: the status of the response.

    """

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status
