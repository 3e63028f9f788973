"""Checks the keys that verify tokens: whether they can be read, and whether they have ended by what the JWKS says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from signald.auth.token_keys import keys_end, load_keys
from signald.config.settings import Tokens
from signald.config.values import ConfigError
from signald.doctor.findings import UNUSABLE_SECTION, Finding, failure, ok, warning

__all__ = ["SOON", "TOPIC", "check_token_keys"]

TOPIC = "tokens"

SOON = timedelta(days=7)
"""The keys should have been replaced at least this long before the last of them ends."""

_REMEDY = (
    "Fetch the JWKS of the identity provider again, replace the file, and reload signald (systemctl reload signald); "
    "let a timer do so."
)


def check_token_keys(settings: Tokens, now: float) -> list[Finding]:
    """Return findings about the keys; none where no key is configured.

    Arguments:
        settings: the section `tokens`.
        now: the wall time in seconds since the epoch.

    """
    try:
        keys = load_keys(settings)
    except ConfigError as error:
        return [failure(TOPIC, str(error), UNUSABLE_SECTION)]
    if not keys:
        return []
    count = "One key verifies" if len(keys) == 1 else f"{len(keys)} keys verify"
    end = keys_end(keys)
    if end is None:
        return [ok(TOPIC, f"{count} tokens.")]
    last, time = datetime.fromtimestamp(end, UTC), datetime.fromtimestamp(now, UTC)
    if last <= time:
        which = "The key in {} has" if len(keys) == 1 else f"All {len(keys)} keys in {{}} have"
        return [
            failure(
                TOPIC,
                f"{which.format(settings.jwks_file)} ended by what the file says, on {last:%Y-%m-%d}: the provider "
                "signs with newer ones, whose tokens signald refuses.",
                _REMEDY,
            )
        ]
    days = (last - time).days
    text = f"{count} tokens, the last until {last:%Y-%m-%d} ({days} days)."
    return [warning(TOPIC, text, _REMEDY) if last - time < SOON else ok(TOPIC, text)]
