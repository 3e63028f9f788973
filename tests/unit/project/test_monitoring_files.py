"""What the operator's files and documents name is there: metrics, events."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from codegen import dashboard
from codegen.events import logged_events
from signald.operations.exposition import OWN_METRICS, Kind
from tests.support.operations_world import OperationsWorld

ROOT = Path(__file__).resolve().parents[3]

RULES = ROOT / "deploy" / "prometheus-rules.yml"

NAME = re.compile(r"\b(?:signald|process)_[a-z_]+")


def exposed() -> set[str]:
    """The names of all samples that a scrape has, with the certificate's, which needs TLS."""
    text = OperationsWorld().ask("/metrics")[2].decode()
    found = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    return found | {"signald_certificate_days_left"}


class MetricsTests(SynchronousTestCase):
    """Names of metrics."""

    def test_what_is_declared_is_exposed(self) -> None:
        """Each with its labels, of which there are values from the start, and nothing of ours that is not declared."""
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

    def test_names_have_their_units(self) -> None:
        """As Prometheus advises: seconds and bytes, and no `total` but of counters."""
        for metric in OWN_METRICS:
            self.assertRegex(metric.name, r"^signald_[a-z_]+$")
            self.assertFalse(metric.name.endswith("_total"), metric.name)
            if metric.kind is Kind.HISTOGRAM:
                self.assertTrue(metric.name.endswith("_seconds"), metric.name)

    def test_the_rules_ask_for_what_there_is(self) -> None:
        """Every alert's expression."""
        expressions = re.findall(r"expr: (.*)", RULES.read_text())
        self.assertGreater(len(expressions), 5)
        for expression in expressions:
            self.assertLessEqual(set(NAME.findall(expression)), exposed(), expression)


class DashboardTests(SynchronousTestCase):
    """deploy/grafana-dashboard.json."""

    def setUp(self) -> None:
        """Read it."""
        self.dashboard: dict[str, Any] = json.loads(dashboard.PATH.read_text("utf-8"))

    def test_it_is_as_the_code_says(self) -> None:
        """`make generate` writes it."""
        self.assertEqual(dashboard.PATH.read_text("utf-8"), dashboard.text())

    def test_each_query_asks_for_what_there_is(self) -> None:
        """For the chosen instances, with balanced brackets."""
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

    def test_panels_have_places_of_their_own(self) -> None:
        """Within the grid's 24 columns, none over another, each with its own id."""
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

    def test_every_metric_is_on_it_or_left_out_on_purpose(self) -> None:
        """What is not: the version, what is in another panel's rate, and the readiness' reason."""
        text = dashboard.PATH.read_text("utf-8")
        missing = {metric.name for metric in OWN_METRICS if metric.name not in text}
        left_out = {"signald_build_info", "signald_draining", "signald_websockets_opened", "signald_log_lines"}
        self.assertLessEqual(missing, left_out)


class EventTests(SynchronousTestCase):
    """Names of the log's events."""

    def test_every_call_has_a_name(self) -> None:
        """In kebab-case."""
        events = logged_events()
        self.assertGreater(len(events), 20)
        for event in events:
            self.assertRegex(event.name or f"none at {event.where}", r"^[a-z]+(-[a-z]+)*$", event.where)

    def test_every_sentence_is_constant(self) -> None:
        """Values are passed beside it, where they are escaped and bounded."""
        for event in logged_events():
            self.assertTrue(event.sentence, event.where)

    def test_a_name_has_one_level(self) -> None:
        """So that an alert on it means one thing."""
        levels: dict[str | None, set[str]] = {}
        for event in logged_events():
            levels.setdefault(event.name, set()).add(event.level)
        self.assertEqual([name for name, found in levels.items() if len(found) > 1], [])
