"""Tests of the metrics of what the daemon depends on."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Tokens
from signald.core.webhook_results import WebhookResult
from tests.support.access import SECRET, jwks
from tests.support.operations_world import FakeCertificate, OperationsWorld

JWKS_TIME = "signald_jwks_modified_timestamp_seconds"


class SurroundingTests(SynchronousTestCase):
    """Values come from the parts of the daemon, and what does not exist has no sample."""

    def setUp(self) -> None:
        """Create a daemon's parts, and choose the name of a JWKS."""
        self.world = OperationsWorld(FakeCertificate(expires=5.0))
        self.path = Path(self.mktemp()).resolve()

    def scrape(self) -> dict[tuple[str, ...], float]:
        """Return the values of a scrape by the names of samples and the values of their labels."""
        self.world.clock.advance(1.0)
        text = self.world.ask("/metrics")[2].decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def test_certificate(self) -> None:
        """The certificate has its end."""
        self.assertEqual(self.scrape()["signald_certificate_expiry_timestamp_seconds",], 5.0)

    def test_webhook(self) -> None:
        """Each end of a question is counted with its kind, and its time is in the histogram."""
        self.world.metrics.observe_webhook(WebhookResult.ALLOWED, 0.3)
        self.world.metrics.observe_webhook(WebhookResult.TLS, 3.0)
        found = self.scrape()
        results = {result: found["signald_webhook_questions_total", result.value] for result in WebhookResult}
        self.assertEqual(
            {result for result, count in results.items() if count}, {WebhookResult.ALLOWED, WebhookResult.TLS}
        )
        self.assertEqual(found["signald_webhook_seconds_bucket", "0.5"], 1)
        self.assertEqual((found["signald_webhook_seconds_count",], found["signald_webhook_seconds_sum",]), (2, 3.3))
        self.assertEqual(found["signald_webhook_open_questions",], 0)

    def test_token_keys(self) -> None:
        """Keys are counted by algorithm; the end and the time of the JWKS are there where they are known."""
        secret = Path(self.mktemp()).resolve()
        secret.touch(mode=0o600)
        secret.write_bytes(SECRET)
        self.path.write_text(jwks(exp=7))
        os.utime(self.path, (11, 11))
        self.world.tokens.prepare(Tokens(jwks_file=self.path))()
        found = self.scrape()
        self.assertEqual(found["signald_token_keys_expiry_timestamp_seconds",], 7)
        self.assertEqual(found[JWKS_TIME,], 11)
        self.world.tokens.prepare(Tokens(jwks_file=self.path, secret_file=secret))()
        found = self.scrape()
        keys = [found["signald_token_keys", algorithm] for algorithm in ("EdDSA", "HS256", "RS256")]
        self.assertEqual(keys, [1, 1, 0])
        self.assertNotIn(("signald_token_keys_expiry_timestamp_seconds",), found)

    def test_missing_jwks(self) -> None:
        """A file that is gone has no time, and its keys stay; without a JWKS there is none either."""
        self.assertNotIn((JWKS_TIME,), self.scrape())
        self.path.write_text(jwks())
        self.world.tokens.prepare(Tokens(jwks_file=self.path))()
        self.path.unlink()
        found = self.scrape()
        self.assertNotIn((JWKS_TIME,), found)
        self.assertEqual(found["signald_token_keys", "EdDSA"], 1)

    def test_reload_turn_and_state(self) -> None:
        """Reloads, TURN, journal and state have their values; times that are not known have no sample."""
        metrics = self.world.metrics
        found = self.scrape()
        self.assertEqual(found["signald_config_last_reload_successful",], 1)
        for part in ("journal", "state"):
            self.assertNotIn((f"signald_{part}_last_write_timestamp_seconds",), found)
            self.assertEqual(found[f"signald_{part}_degraded",], 0)
        metrics.reload_succeeded, metrics.configuration_read, metrics.reload_failures = False, 3.0, {"tokens": 2}
        metrics.journal_written, metrics.state_written, metrics.state_degraded = 8.0, 9.0, True
        found = self.scrape()
        self.assertEqual(found["signald_config_last_reload_successful",], 0)
        self.assertEqual(found["signald_config_last_reload_success_timestamp_seconds",], 3)
        self.assertEqual(found["signald_config_reload_failures_total", "tokens"], 2)
        self.assertEqual(found["signald_journal_last_write_timestamp_seconds",], 8)
        self.assertEqual(found["signald_state_last_write_timestamp_seconds",], 9)
        self.assertEqual(found["signald_state_degraded",], 1)
        self.assertEqual((found["signald_turn_urls",], found["signald_turn_credentials_total",]), (1, 2))
