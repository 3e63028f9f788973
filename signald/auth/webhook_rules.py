"""Checks the settings of the webhook, and signs its requests, without the HTTP client, whose import takes long."""

from __future__ import annotations

import base64
import hmac

from attrs import field, frozen

from signald.config.secret_files import read_secret
from signald.config.settings import Webhook
from signald.config.values import ConfigError
from signald.net.request_urls import url_fault

__all__ = ["WebhookRules", "check_webhook", "signed_headers"]

_LEAST_SECRET_BYTES = 32
"""The minimum size of the signing secret, that of the hash (RFC 2104 §3)."""


@frozen
class WebhookRules:
    """Checked settings of the webhook.

    Attributes:
        url: where questions are posted to.
        secret: signs them.
        timeout: seconds for an answer.
        cache: seconds for which an answer is used again.

    """

    url: str
    secret: bytes = field(repr=False)
    timeout: float
    cache: float

    @classmethod
    def of(cls, settings: Webhook) -> WebhookRules | None:
        """Read and check the settings; None if there is no webhook.

        Raises:
            ConfigError: they cannot be used.

        """
        if settings.url is None:
            return None
        fault = url_fault(settings.url)
        if fault is not None:
            raise ConfigError(
                "webhook.url: expected an https:// URL, or http:// on a loopback address, without user and fragment; "
                f"found {fault}."
            )
        if settings.secret_file is None:
            raise ConfigError(
                f"webhook.url: this needs webhook.secret_file, a file of at least {_LEAST_SECRET_BYTES} bytes with "
                "mode 0600, whose secret signs the questions."
            )
        secret = read_secret(settings.secret_file)
        if len(secret) < _LEAST_SECRET_BYTES:
            raise ConfigError(
                f"{settings.secret_file}: expected a secret of at least {_LEAST_SECRET_BYTES} bytes, "
                f"found {len(secret)} bytes."
            )
        return cls(settings.url, secret, settings.timeout_seconds, settings.cache_seconds)


def check_webhook(settings: Webhook) -> None:
    """Check whether these settings can be used; no request is sent.

    Raises:
        ConfigError: they cannot be used.

    """
    WebhookRules.of(settings)


def signed_headers(secret: bytes, id: str, now: float, body: bytes) -> dict[str, str]:
    """Return the headers of a question by the specification of Standard Webhooks, which sign its id, time and body.

    Arguments:
        secret: the secret that the service shares with signald.
        id: random text that identifies the request.
        now: the wall time in seconds since the epoch.
        body: the question.

    """
    time = str(int(now))
    digest = hmac.digest(secret, b".".join((id.encode(), time.encode(), body)), "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
