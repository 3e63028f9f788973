"""Classifies the errors with which a question to the webhook can end."""

from __future__ import annotations

from collections.abc import Iterator

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure

from signald.auth.fair_turns import NoTurnError
from signald.core.webhook_results import WebhookResult
from signald.net.unusable_answer import UnusableAnswerError

__all__ = ["classify_failure"]


def classify_failure(error: BaseException | None) -> WebhookResult:
    """Return the kind of an error; for one that wraps others, the most specific kind among them."""
    kinds = {kind for one in _with_reasons(error) for types, kind in _KINDS if isinstance(one, types)}
    return next((kind for _, kind in _KINDS if kind in kinds), WebhookResult.ERROR)


_KINDS: tuple[tuple[tuple[type[BaseException], ...], WebhookResult], ...] = (
    ((NoTurnError,), WebhookResult.NO_TURN),
    ((DeferredTimeoutError, CancelledError), WebhookResult.TIMEOUT),
    ((SSL.Error, VerificationError, CertificateError), WebhookResult.TLS),
    ((UnusableAnswerError,), WebhookResult.STATUS),
    ((ConnectError, DNSLookupError, ConnectionClosed, OSError), WebhookResult.UNREACHABLE),
    ((ValueError,), WebhookResult.BAD_ANSWER),
)
"""The kinds by the types of errors, the most specific first. `webhook_messages.read_answer` raises ValueError.

The bounds of the HTTP client close a connection, which is reported as a connection that ended (ConnectionClosed).
"""


def _with_reasons(error: BaseException | None) -> Iterator[BaseException | None]:
    """Yield an error and those that it wraps: Twisted's agent gives a lost connection with the list `reasons`."""
    yield error
    for reason in getattr(error, "reasons", ()):
        if isinstance(reason, Failure):
            yield from _with_reasons(reason.value)
