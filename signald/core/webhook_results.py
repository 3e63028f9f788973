"""How a question to the webhook ended: an answer, or one of the kinds of failure that an operator mends differently."""

from __future__ import annotations

from enum import Enum

__all__ = ["WebhookResult"]


class WebhookResult(Enum):
    """The end of a question to the webhook; the values are labels of a metric.

    Attributes:
        ALLOWED: the service permitted the operation.
        REFUSED: the service refused the operation.
        TIMEOUT: no answer came within `webhook.timeout_seconds`, the wait for a turn included.
        UNREACHABLE: no connection could be opened, or it ended without a response.
        TLS: TLS could not be agreed on, or the certificate is not valid for the service.
        STATUS: the response has another status than 200, or is too large.
        BAD_ANSWER: the body of the response is no answer (docs/tokens.md).
        NO_TURN: too many questions waited, so that this one was not asked.
        ERROR: an error within signald.

    """

    ALLOWED = "allowed"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    STATUS = "status"
    BAD_ANSWER = "bad-answer"
    NO_TURN = "no-turn"
    ERROR = "error"

    @property
    def is_answer(self) -> bool:
        """Whether the service gave an answer that decides."""
        return self in (WebhookResult.ALLOWED, WebhookResult.REFUSED)
