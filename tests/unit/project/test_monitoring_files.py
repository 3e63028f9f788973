"""Tests that metrics and log events in the operator's files and documents exist."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from attrs import define
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from codegen import dashboard
from codegen.events import logged_events
from signald.config.settings import Tokens
from signald.lifecycle.journal import PROBLEM
from signald.operations.declared_metrics import Kind
from signald.operations.degradations import PROBLEMS, WARNINGS
from signald.operations.prometheus import OWN_METRICS
from tests.support.access import jwks
from tests.support.operations_world import FakeCertificate, OperationsWorld

ROOT = Path(__file__).resolve().parents[3]

RULES = ROOT / "deploy" / "prometheus-rules.yml"

NAME = re.compile(r"\b(?:signald|process)_[a-z_]+")


UNITS_OTHER_THAN_BASE = {
    *("minutes", "hours", "days", "weeks", "ms", "milliseconds", "us", "microseconds", "ns", "nanoseconds"),
    *(
        "kb",
        "kilobytes",
        "kib",
        "mb",
        "megabytes",
        "mib",
        "gb",
        "gigabytes",
        "bits",
        "percent",
        "percentage",
        "sec",
        "s",
    ),
}
"""Words that Prometheus' naming rules refuse, since seconds, bytes and ratios are the base units."""

SERVICE_PARTS = {"bucket", "count", "sum", "total", "info"}
"""Last words of names that Prometheus gives a meaning of their own; `info` is for a gauge that is always 1."""

RULES_DOCUMENT = "docs/runbook.md"


@define
class Alert:
    """An alert of the rules.

    Attributes:
        name: its name.
        text: all of its lines.

    """

    name: str
    text: str

    @property
    def expression(self) -> str:
        """The expression, which may be folded over several lines."""
        found = re.search(r"^ +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", self.text, re.MULTILINE)
        assert found is not None, self.name
        return " ".join((found[1] or found[2]).split())


def alerts() -> list[Alert]:
    """Return the alerts of the rules."""
    parts = re.split(r"(?m)^ +- alert: (\w+)\n", RULES.read_text())[1:]
    return [Alert(name, text) for name, text in zip(parts[::2], parts[1::2], strict=True)]


def scrape() -> str:
    """Return a scrape of a daemon with a certificate, a reloader, a JWKS whose keys end, a journal and a state."""
    world = OperationsWorld(FakeCertificate())
    world.metrics.reload_failures["tokens"] = 0
    world.metrics.journal_written = world.metrics.state_written = 5.0
    handle, name = tempfile.mkstemp()
    os.write(handle, jwks(exp=7).encode())
    os.close(handle)
    try:
        world.tokens.prepare(Tokens(jwks_file=Path(name)))()
        return world.ask("/metrics")[2].decode()
    finally:
        os.unlink(name)


def exposed() -> set[str]:
    """Return the names of all samples of such a scrape."""
    return {sample.name for family in text_string_to_metric_families(scrape()) for sample in family.samples}


class MetricsTests(SynchronousTestCase):
    """Metrics are declared, exposed and named consistently."""

    def test_declared_and_exposed(self) -> None:
        """Every declared metric is exposed with values for its labels from the start, and no other is."""
        families = {family.name: family for family in text_string_to_metric_families(scrape())}
        declared = {metric.name: metric for metric in OWN_METRICS}
        ours = {name for name in families if name.startswith("signald_")}
        self.assertEqual(ours, set(declared))
        for name in ours:
            self.assertEqual(families[name].type, declared[name].kind.value, name)
            self.assertEqual(families[name].documentation, declared[name].help)
            self.assertTrue(families[name].samples, name)
            for sample in families[name].samples:
                self.assertEqual(set(sample.labels) - {"le"}, set(declared[name].labels), name)

    def test_names(self) -> None:
        """Names follow the rules that `promtool check metrics` holds: base units at the end, no type in a name."""
        for metric in OWN_METRICS:
            self.assertRegex(metric.name, r"^signald(_[a-z]+)+$")
            words = metric.name.split("_")
            self.assertFalse(UNITS_OTHER_THAN_BASE & set(words), metric.name)
            self.assertFalse({kind.value for kind in Kind} & set(words), metric.name)
            if metric.name != "signald_build_info":
                self.assertNotIn(words[-1], SERVICE_PARTS, metric.name)
            for unit in {"seconds", "bytes"} & set(words):
                self.assertEqual(words[-1], unit, metric.name)
            if "timestamp" in words:
                self.assertEqual((metric.kind, words[-2:]), (Kind.GAUGE, ["timestamp", "seconds"]))
            if metric.kind is Kind.HISTOGRAM:
                self.assertEqual(words[-1], "seconds", metric.name)
            self.assertRegex(metric.help, r"\A[A-Z0-9].*\.\Z")

    def test_alerts(self) -> None:
        """The expression of every alert uses existing metrics, with balanced brackets and label values that exist."""
        self.assertGreater(len(alerts()), 15)
        names, scraped = exposed(), scrape()
        for alert in alerts():
            expression = alert.expression
            self.assertLessEqual(set(NAME.findall(expression)), names, expression)
            for opening, closing in ("()", "{}", "[]"):
                self.assertEqual(expression.count(opening), expression.count(closing), expression)
            for values in re.findall(r'\w+!?=~?"([^"]*)"', expression):
                for value in values.split("|"):
                    self.assertTrue(f'="{value}"' in scraped or value == "signald", expression)

    def test_severities(self) -> None:
        """Every alert has one of two severities, and a sentence."""
        for alert in alerts():
            self.assertRegex(alert.text, r"(?m)^ +labels: \{severity: (critical|warning)\}$", alert.name)
            self.assertRegex(alert.text, r"(?m)^ +summary: [A-Za-z].*[.?]$", alert.name)

    def test_runbook(self) -> None:
        """Every alert names the section of the runbook that has its name, and no section is without an alert."""
        headings = re.findall(r"(?m)^### (.+)$", (ROOT / RULES_DOCUMENT).read_text("utf-8"))
        self.assertEqual(sorted(headings), sorted(alert.name for alert in alerts()))
        for alert in alerts():
            [anchor] = re.findall(r"(?m)^ +runbook: (.*)$", alert.text)
            self.assertEqual(anchor, f"{RULES_DOCUMENT}#{alert.name.lower()}")

    def test_warnings_in_the_document(self) -> None:
        """The document of monitoring lists every problem and every warning of the readiness probe."""
        text = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
        for name in (*PROBLEMS, *WARNINGS, PROBLEM):
            self.assertIn(f"`{name}`", text)


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
