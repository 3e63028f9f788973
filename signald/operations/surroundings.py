"""Metrics of what the daemon depends on: certificate, configuration, token keys, webhook, TURN, journal and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from signald.auth.token_keys import ALGORITHMS, keys_end
from signald.operations.declared_metrics import Declared, Family, Kind
from signald.operations.metric_sources import Sources

__all__ = ["SURROUNDINGS", "surrounding_metrics"]

_CERTIFICATE = Declared(
    "signald_certificate_expiry_timestamp_seconds",
    Kind.GAUGE,
    "When the certificate ends, or its local authority before it. Only with TLS.",
)
_RELOADED = Declared(
    "signald_config_last_reload_successful",
    Kind.GAUGE,
    "Whether the last reload was applied as a whole: 1 or 0; 1 before the first one.",
)
_RELOAD_TIME = Declared(
    "signald_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    "When the configuration in force was read, with the files that it names.",
)
_RELOAD_FAILURES = Declared(
    "signald_config_reload_failures",
    Kind.COUNTER,
    "Reloads that were refused or not applied as a whole, by the section that was to blame.",
    ("part",),
)
_KEYS = Declared("signald_token_keys", Kind.GAUGE, "Keys that verify tokens.", ("algorithm",))
_KEYS_EXPIRY = Declared(
    "signald_token_keys_expiry_timestamp_seconds",
    Kind.GAUGE,
    "When the last of the keys that verify tokens ends. Only where the JWKS says so of each key.",
)
_JWKS_MODIFIED = Declared(
    "signald_jwks_modified_timestamp_seconds",
    Kind.GAUGE,
    "When the file of tokens.jwks_file was last written, whether it was read since or not. Only with such a file.",
)
_WEBHOOK = Declared(
    "signald_webhook_seconds",
    Kind.HISTOGRAM,
    "From a question to the webhook, its wait for a turn included, to its answer or failure.",
)
_WEBHOOK_QUESTIONS = Declared(
    "signald_webhook_questions",
    Kind.COUNTER,
    "Questions to the webhook that were not answered from the cache, by their end.",
    ("result",),
)
_WEBHOOK_OPEN = Declared("signald_webhook_open_questions", Kind.GAUGE, "Questions that wait for the webhook's answer.")
_TURN_URLS = Declared("signald_turn_urls", Kind.GAUGE, "TURN URLs for which credentials are made.")
_TURN_CREDENTIALS = Declared("signald_turn_credentials", Kind.COUNTER, "TURN credentials that were made for members.")
_JOURNAL = Declared("signald_journal_bytes", Kind.GAUGE, "The size of the journal of users and sessions.")
_JOURNAL_WRITTEN = Declared(
    "signald_journal_last_write_timestamp_seconds",
    Kind.GAUGE,
    "When the journal was last written: every 10 s while it has a user or a session, and at each change.",
)
_JOURNAL_DEGRADED = Declared(
    "signald_journal_degraded",
    Kind.GAUGE,
    "Whether the journal cannot be written, so that a crash would end all sessions: 1 or 0.",
)
_STATE_WRITTEN = Declared(
    "signald_state_last_write_timestamp_seconds",
    Kind.GAUGE,
    "When the process before wrote the users and sessions that this one took up. Only if it took up any from a file.",
)
_STATE_DEGRADED = Declared(
    "signald_state_degraded",
    Kind.GAUGE,
    "Whether this process could not take up all that the one before had left in the data directory: 1 or 0.",
)

SURROUNDINGS = tuple(value for value in list(globals().values()) if isinstance(value, Declared))
"""Every metric of the surroundings."""


def surrounding_metrics(sources: Sources) -> Iterator[Family]:
    """Read the metrics of the surroundings."""
    metrics = sources.metrics
    if sources.certificate is not None:
        yield _CERTIFICATE.with_value(sources.certificate.expires)
    yield _RELOADED.with_value(metrics.reload_succeeded)
    yield _RELOAD_TIME.with_value(metrics.configuration_read)
    yield _RELOAD_FAILURES.with_values({(part,): count for part, count in metrics.reload_failures.items()})
    yield from _tokens(sources)
    yield _WEBHOOK.with_histogram(metrics.webhook)
    yield _WEBHOOK_QUESTIONS.with_values({(result.value,): count for result, count in metrics.webhook_results.items()})
    yield _WEBHOOK_OPEN.with_value(sources.webhook.open_questions)
    urls, credentials = sources.turn()
    yield _TURN_URLS.with_value(urls)
    yield _TURN_CREDENTIALS.with_value(credentials)
    yield _JOURNAL.with_value(metrics.journal_bytes)
    if metrics.journal_written is not None:
        yield _JOURNAL_WRITTEN.with_value(metrics.journal_written)
    yield _JOURNAL_DEGRADED.with_value(metrics.journal_degraded)
    if metrics.state_written is not None:
        yield _STATE_WRITTEN.with_value(metrics.state_written)
    yield _STATE_DEGRADED.with_value(metrics.state_degraded)


def _tokens(sources: Sources) -> Iterator[Family]:
    keys = sources.tokens.keys
    counts = Counter(key.algorithm for key in keys)
    yield _KEYS.with_values({(algorithm,): counts[algorithm] for algorithm in ALGORITHMS})
    end = keys_end(keys)
    if end is not None:
        yield _KEYS_EXPIRY.with_value(end)
    path = sources.tokens.settings.jwks_file
    if path is None:
        return
    try:
        modified = path.stat().st_mtime
    except OSError:
        # The keys that were read from it stay in force, and the missing sample says that the file cannot be found.
        return
    yield _JWKS_MODIFIED.with_value(modified)
