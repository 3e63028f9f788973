"""Generates the Grafana dashboard: rows of panels over signald's metrics."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import frozen

__all__ = ["PATH", "ROWS", "Panel", "Query", "text", "write"]

PATH = Path(__file__).parents[1] / "deploy" / "grafana-dashboard.json"

COLUMNS = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${source}"}
SELECTION = 'instance=~"$instance"'


@frozen
class Query:
    """A query and the legend of its lines; `{}` in the expression marks where the instances are selected."""

    expression: str
    legend: str


@frozen
class Panel:
    """A panel of the dashboard.

    Attributes:
        title: the panel's title.
        unit: the unit of the panel's values, by Grafana's name.
        queries: the panel's queries.
        kind: `timeseries`, or `stat` for a single value.

    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"


def _stat(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, "{{instance}}"),), "stat")


def _lines(title: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(title, unit, tuple(Query(expression, legend) for expression, legend in queries))


def _quantiles(title: str, metric: str) -> Panel:
    queries = [
        (f"histogram_quantile({part}, sum by (le) (rate({metric}_bucket{{}}[$__rate_interval])))", f"p{part * 100:g}")
        for part in (0.5, 0.99)
    ]
    return _lines(title, "s", *queries)


def _rates(title: str, metric: str, label: str) -> Panel:
    query = f"sum by ({label}) (rate({metric}{{}}[$__rate_interval])) > 0"
    return _lines(title, "ops", (query, f"{{{{{label}}}}}"))


ROWS: dict[str, tuple[Panel, ...]] = {
    "At a glance": (
        _stat("Ready", "bool_yes_no", "signald_ready{}"),
        _stat("WebSockets", "short", "sum by (instance) (signald_websockets{})"),
        _stat("Sessions open", "short", 'sum by (instance) (signald_sessions{state="open"})'),
        _stat("Certificate", "s", "signald_certificate_expiry_timestamp_seconds{} - time()"),
    ),
    "Traffic": (
        _lines("WebSockets", "short", ("sum by (dialect, scheme) (signald_websockets{})", "{{dialect}} {{scheme}}")),
        _lines(
            "People",
            "short",
            ("sum by (state) (signald_users{})", "users {{state}}"),
            ("sum(signald_members{})", "members"),
            ("sum(signald_visitors{})", "waiting to join"),
            ("sum by (state) (signald_directory_clients{})", "PeerJS {{state}}"),
            ("sum(signald_rooms{})", "rooms of matchbox"),
        ),
        _lines(
            "Messages",
            "ops",
            ("sum(rate(signald_received_messages_total{}[$__rate_interval]))", "in"),
            ("sum(rate(signald_sent_messages_total{}[$__rate_interval]))", "out"),
            ("sum(rate(signald_unknown_keys_total{}[$__rate_interval]))", "unknown keys"),
        ),
        _lines(
            "Bytes",
            "Bps",
            ("sum(rate(signald_received_bytes_total{}[$__rate_interval]))", "in"),
            ("sum(rate(signald_sent_bytes_total{}[$__rate_interval]))", "out"),
        ),
    ),
    "Latency": (
        _quantiles("Forward", "signald_forward_seconds"),
        _quantiles("WebSocket handshake", "signald_websocket_handshake_seconds"),
        _quantiles("TLS handshake", "signald_tls_handshake_seconds"),
        _quantiles("Reactor lag", "signald_reactor_lag_seconds"),
    ),
    "Refusals": (
        _rates("Limits hit", "signald_limits_hit_total", "limit"),
        _rates("Errors told", "signald_errors_total", "code"),
        _rates("Messages answered with an error", "signald_declined_messages_total", "type"),
        _lines(
            "Stalls and lost lines of the log",
            "short",
            ("sum(increase(signald_reactor_stalls_total{}[$__rate_interval]))", "stalls"),
            ("sum(increase(signald_log_lines_dropped_total{}[$__rate_interval]))", "log lines dropped"),
        ),
    ),
    "Surroundings": (
        _quantiles("Webhook", "signald_webhook_seconds"),
        _rates("Questions to the webhook", "signald_webhook_questions_total", "result"),
        _lines("Questions that wait for the webhook", "short", ("signald_webhook_open_questions{}", "{{instance}}")),
        _lines(
            "Configuration",
            "short",
            ("signald_config_last_reload_successful{}", "last reload applied {{instance}}"),
            (
                "sum by (part) (increase(signald_config_reload_failures_total{}[$__rate_interval])) > 0",
                "refused {{part}}",
            ),
        ),
        _lines(
            "Ages",
            "s",
            ("time() - signald_config_last_reload_success_timestamp_seconds{}", "configuration {{instance}}"),
            ("time() - signald_jwks_modified_timestamp_seconds{}", "JWKS {{instance}}"),
            ("time() - signald_journal_last_write_timestamp_seconds{}", "journal {{instance}}"),
            ("time() - signald_state_last_write_timestamp_seconds{}", "state at the start {{instance}}"),
        ),
        _lines(
            "Token keys",
            "short",
            ("sum by (algorithm) (signald_token_keys{}) > 0", "{{algorithm}}"),
        ),
        _lines(
            "Time until the token keys end",
            "s",
            ("signald_token_keys_expiry_timestamp_seconds{} - time()", "{{instance}}"),
        ),
        _lines(
            "TURN",
            "short",
            ("sum(increase(signald_turn_credentials_total{}[$__rate_interval]))", "credentials made"),
            ("sum(signald_turn_urls{})", "URLs"),
        ),
        _lines(
            "Journal or state degraded",
            "short",
            ("signald_journal_degraded{}", "journal {{instance}}"),
            ("signald_state_degraded{}", "state {{instance}}"),
        ),
    ),
    "Queues and process": (
        _lines(
            "Waiting bytes",
            "bytes",
            ("sum(signald_outbox_bytes{})", "not acknowledged"),
            ("sum(signald_waiting_output_bytes{})", "slow readers"),
            ("sum(signald_directory_waiting_bytes{})", "for PeerJS clients"),
        ),
        _lines("Journal", "bytes", ("signald_journal_bytes{}", "{{instance}}")),
        _lines("Decisions under way", "short", ("signald_pending_decisions{}", "{{instance}}")),
        _lines("Memory", "bytes", ("process_resident_memory_bytes{}", "{{instance}}")),
        _lines("CPU", "percentunit", ("rate(process_cpu_seconds_total{}[$__rate_interval])", "{{instance}}")),
        _lines("Open files", "short", ("process_open_fds{}", "{{instance}}")),
        _lines("Connections by HTTP", "short", ("signald_http_connections{}", "{{instance}}")),
    ),
}
"""The panels of each row, by the row's title."""


def text() -> str:
    """Return the dashboard in the JSON format that Grafana imports."""
    panels: list[dict[str, object]] = []
    top = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place, "panels": []})
        top += 1
        width = COLUMNS // (4 if len(row) == 4 else 3)
        for number, panel in enumerate(row):
            column, line = number % (COLUMNS // width), number // (COLUMNS // width)
            position = {"x": column * width, "y": top + line * HEIGHT, "w": width, "h": HEIGHT}
            panels.append(_panel(len(panels) + 1, panel, position))
        top += HEIGHT * -(-len(row) * width // COLUMNS)
    variables = [
        {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"},
        {
            "name": "instance",
            "type": "query",
            "label": "Instance",
            "datasource": SOURCE,
            "query": "label_values(signald_ready, instance)",
            "refresh": 2,
            "multi": True,
            "includeAll": True,
        },
    ]
    dashboard = {
        "uid": "signald",
        "title": "signald",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": variables},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=2) + "\n"


def write() -> list[Path]:
    """Write the dashboard and return its path."""
    PATH.write_text(text(), "utf-8")
    return [PATH]


def _panel(number: int, panel: Panel, position: dict[str, int]) -> dict[str, object]:
    targets = [
        {"refId": chr(ord("A") + index), "expr": _selected(query.expression), "legendFormat": query.legend}
        for index, query in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def _selected(expression: str) -> str:
    """Return the expression, restricted to the selected instances."""
    return expression.replace("{}", "{" + SELECTION + "}").replace(
        '{state="open"}', '{state="open", ' + SELECTION + "}"
    )
