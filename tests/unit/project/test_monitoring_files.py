"""Tests that metrics and log events in the operator's files and documents exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from codegen import dashboard
from codegen.events import logged_events
from signald.operations.prometheus import OWN_METRICS, Kind
from tests.support.operations_world import OperationsWorld

ROOT = Path(__file__).resolve().parents[3]

RULES = ROOT / "deploy" / "prometheus-rules.yml"

NAME = re.compile(r"\b(?:signald|process)_[a-z_]+")


def exposed() -> set[str]:
    """Return the names of all samples of a scrape, including the certificate's, which needs TLS."""
    text = OperationsWorld().ask("/metrics")[2].decode()
    found = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    return found | {"signald_certificate_days_left"}


class MetricsTests(SynchronousTestCase):
    """Metrics are declared, exposed and named consistently."""

    def test_declared_and_exposed(self) -> None:
        """Every declared metric is exposed with values for its labels from the start, and no other is."""
        text = OperationsWorld().ask("/metrics")[2].decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        declared = {metric.name: metric for metric in OWN_METRICS}
        ours = {name for name in families if name.startswith("signald_")}
        self.assertEqual(ours, set(declared) - {"signald_certificate_days_left"})
        for name in ours:
            self.assertEqual(families[name].type, declared[name].kind.value, name)
            self.assertEqual(families[name].documentation, declared[name].help)
            self.assertTrue(families[name].samples, name)
            for sample in families[name].samples:
                self.assertEqual(set(sample.labels) - {"le"}, set(declared[name].labels), name)

    def test_units_in_names(self) -> None:
        """Names follow Prometheus' rules: base units, and `total` for counters alone."""
        for metric in OWN_METRICS:
            self.assertRegex(metric.name, r"^signald_[a-z_]+$")
            self.assertFalse(metric.name.endswith("_total"), metric.name)
            if metric.kind is Kind.HISTOGRAM:
                self.assertTrue(metric.name.endswith("_seconds"), metric.name)

    def test_alerting_rules(self) -> None:
        """The expression of every alert uses existing metrics."""
        expressions = re.findall(r"expr: (.*)", RULES.read_text())
        self.assertGreater(len(expressions), 5)
        for expression in expressions:
            self.assertLessEqual(set(NAME.findall(expression)), exposed(), expression)


class DashboardTests(SynchronousTestCase):
    """The dashboard, deploy/grafana-dashboard.json."""

    def setUp(self) -> None:
        """Read the dashboard."""
        self.dashboard: dict[str, Any] = json.loads(dashboard.PATH.read_text("utf-8"))

    def test_up_to_date(self) -> None:
        """The committed dashboard equals the one that `make generate` writes."""
        self.assertEqual(dashboard.PATH.read_text("utf-8"), dashboard.text())

    def test_queries(self) -> None:
        """Queries use existing metrics, select the chosen instances, and have balanced brackets."""
        queries = [target["expr"] for panel in self.dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 20)
        names = exposed()
        for query in queries:
            asked = set(NAME.findall(query))
            self.assertTrue(asked, query)
            self.assertLessEqual(asked, names, query)
            self.assertIn('instance=~"$instance"', query)
            for opening, closing in ("()", "{}", "[]"):
                self.assertEqual(query.count(opening), query.count(closing), query)

    def test_positions(self) -> None:
        """Panels lie within the grid's 24 columns, do not overlap, and have unique ids."""
        taken = set[tuple[int, int]]()
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertLessEqual(max(x for x, _ in cells), 23, panel["title"])
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(set(ids)), len(ids))

    def test_metrics_without_a_panel(self) -> None:
        """Every metric is on the dashboard, except the version, parts of other rates, and the reason of readiness."""
        text = dashboard.PATH.read_text("utf-8")
        missing = {metric.name for metric in OWN_METRICS if metric.name not in text}
        left_out = {"signald_build_info", "signald_draining", "signald_websockets_opened", "signald_log_lines"}
        self.assertLessEqual(missing, left_out)


class EventTests(SynchronousTestCase):
    """Log events have names, constant sentences and one level."""

    def test_names(self) -> None:
        """Every log call has a name in kebab-case."""
        events = logged_events()
        self.assertGreater(len(events), 20)
        for event in events:
            self.assertRegex(event.name or f"none at {event.where}", r"^[a-z]+(-[a-z]+)*$", event.where)

    def test_constant_sentences(self) -> None:
        """Every sentence is constant; values are passed separately, so that they are escaped and bounded."""
        for event in logged_events():
            self.assertTrue(event.sentence, event.where)

    def test_levels(self) -> None:
        """All events of one name have the same level, so that an alert on it is unambiguous."""
        levels: dict[str | None, set[str]] = {}
        for event in logged_events():
            levels.setdefault(event.name, set()).add(event.level)
        self.assertEqual([name for name, found in levels.items() if len(found) > 1], [])
