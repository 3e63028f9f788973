"""Asks the webhook a question as signald does, and judges its answer and its certificate."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from OpenSSL import crypto
from twisted.web.client import ResponseFailed

from signald.auth.webhook_failures import classify_failure
from signald.auth.webhook_rules import WebhookRules, signed_headers
from signald.config.settings import Webhook
from signald.config.values import ConfigError
from signald.core.ids import IdSource
from signald.core.webhook_messages import JOIN, Question, read_answer
from signald.core.webhook_results import WebhookResult
from signald.doctor.chain import judge_chain
from signald.doctor.findings import UNUSABLE_SECTION, Finding, failure, ok
from signald.doctor.http_exchange import UnreachableError, read_chain, unreachable
from signald.doctor.targets import NO_ADDRESS, Target, address_remedy
from signald.net.http_client import make_client, post
from signald.net.unusable_answer import UnusableAnswerError

__all__ = ["TOPIC", "check_webhook_answer"]

TOPIC = "webhook"

_CONSEQUENCE = "until then signald refuses everybody who opens or joins."


async def check_webhook_answer(reactor: Any, settings: Webhook, store: crypto.X509Store, now: float) -> list[Finding]:
    """Ask whether somebody without a token may join a session that does not exist, which changes nothing anywhere.

    signald asks such questions too, so that a service is ready for them (docs/tokens.md).

    Arguments:
        reactor: the reactor, which opens the TCP connections.
        settings: the section `webhook`.
        store: the authorities that the system trusts, which are those that signald trusts.
        now: the wall time in seconds since the epoch.

    """
    try:
        rules = WebhookRules.of(settings)
    except ConfigError as error:
        return [failure(TOPIC, str(error), UNUSABLE_SECTION)]
    if rules is None:
        return []
    question = Question(JOIN, IdSource(secrets.token_bytes).new_session_id(), None, None)
    body, asked = question.body(), reactor.seconds()
    headers = signed_headers(rules.secret, secrets.token_urlsafe(16), now, body)
    try:
        answer = post(make_client(reactor), rules.url, headers, body).addTimeout(rules.timeout, reactor)
        read_answer(await answer, question)
    except Exception as error:  # noqa: BLE001 # each kind of error becomes a finding
        findings = [_judge_failure(rules, error)]
    else:
        findings = [ok(TOPIC, f"{rules.url} answers within {max(1, round((reactor.seconds() - asked) * 1000))} ms.")]
    target = _target(rules.url)
    if not target.tls:
        return findings
    try:
        chain = await read_chain(reactor, target)
    except UnreachableError:
        return findings
    return findings + judge_chain(TOPIC, rules.url, chain, target.host, store, now)


def _target(url: str) -> Target:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Target(parts.hostname or "", parts.port or (443 if tls else 80), tls)


def _judge_failure(rules: WebhookRules, error: Exception) -> Finding:
    """Return the finding about an error, by its kind, as the metric of the daemon has it."""
    url = rules.url
    match classify_failure(error):
        case WebhookResult.UNREACHABLE:
            reason = _unreachable(error)
            remedy = "Start the service, or correct webhook.url"
            if reason == NO_ADDRESS:
                remedy = address_remedy(_target(url).host, "webhook.url").removesuffix(".")
            return failure(TOPIC, f"{url} cannot be reached: {reason}.", f"{remedy}; {_CONSEQUENCE}")
        case WebhookResult.TIMEOUT:
            return failure(
                TOPIC,
                f"{url} does not answer within {rules.timeout:g} s.",
                f"Look at the service's own latency, or raise webhook.timeout_seconds; {_CONSEQUENCE}",
            )
        case WebhookResult.TLS:
            return failure(
                TOPIC,
                f"TLS cannot be agreed on with {url}, or its certificate is not valid.",
                f"Give it a certificate of an authority that this system trusts; {_CONSEQUENCE}",
            )
        case WebhookResult.STATUS if isinstance(error, UnusableAnswerError):
            return _judge_status(url, error.status)
        case WebhookResult.BAD_ANSWER:
            return failure(
                TOPIC,
                f"{url} answers with 200, and its body is no answer.",
                f'Let it send {{"allow": true}} or {{"allow": false}} (docs/tokens.md); {_CONSEQUENCE}',
            )
        case _:
            return failure(
                TOPIC,
                f"The question to {url} ended with {type(error).__name__}.",
                f"Please report it, with what is above; {_CONSEQUENCE}",
            )


def _unreachable(error: Exception) -> str:
    if isinstance(error, ResponseFailed):
        return "the connection is closed without an answer"
    return unreachable(error)


def _judge_status(url: str, status: int) -> Finding:
    if status == 200:
        return failure(TOPIC, f"{url} answers with more than 16 KiB.", f"Let it send an answer alone; {_CONSEQUENCE}")
    if status in (401, 403):
        remedy = "Compare the secret in webhook.secret_file with the service's, and the clocks of the two machines"
    elif 300 <= status < 400:
        remedy = "Name the final address in webhook.url, since signald follows no redirect"
    elif status in (404, 405):
        remedy = "Correct the path in webhook.url; the service has to take POST there"
    else:
        remedy = "Look at the log of the service"
    return failure(TOPIC, f"{url} answers with status {status}.", f"{remedy}; {_CONSEQUENCE}")
