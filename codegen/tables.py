"""Writes the tables and diagrams of docs/protocol.md and docs/limits.md, which are generated from the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import fields

from codegen import state_diagrams
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.sessions import SESSION_TRANSITIONS
from signald.core.users import PEER_TRANSITIONS, USER_TRANSITIONS
from signald.monitoring.metrics import LIMIT_OF
from signald_client.signaling import connection, negotiation

PATH = Path(__file__).parents[1] / "docs" / "protocol.md"
LIMITS_PATH = PATH.with_name("limits.md")
PICTURES = PATH.with_name("diagrams")

Transitions = Mapping[tuple[Any, Any], Any]
"""A transition table: (state, event) to next state, each as an enum member or a text."""

DIAGRAMS: dict[str, Transitions] = {
    "PEER_TRANSITIONS in signald/core/users.py": PEER_TRANSITIONS,
    "USER_TRANSITIONS in signald/core/users.py": USER_TRANSITIONS,
    "SESSION_TRANSITIONS in signald/core/sessions.py": SESSION_TRANSITIONS,
    "TRANSITIONS in clients/signaling/connection.py": connection.TRANSITIONS,
    "TRANSITIONS in clients/signaling/negotiation.py": negotiation.TRANSITIONS,
}


def errors_table() -> str:
    """Return the table of errors: code, sentence, HTTP status and close code."""
    rows = ["| code | message | HTTP | close |", "| --- | --- | --- | --- |"]
    for code in ErrorCode:
        rows.append(f"| `{code.value}` | {code.sentence} | {code.http_status or ''} | {code.close_code or ''} |")
    return "\n".join(rows)


def limits_table() -> str:
    """Return the table of limits: name, default, unit and meaning."""
    rows = ["| name | default | unit | bounds |", "| --- | --- | --- | --- |"]
    for limit in fields(Limits):
        name = limit.name.replace("_", "-")
        rows.append(f"| `{name}` | {limit.default:.12g} | {limit.metadata['unit']} | {limit.metadata['meaning']} |")
    return "\n".join(rows)


def refusals_table() -> str:
    """Return the table of the errors that clients get when they exceed a limit, in the order of the limits."""
    rows = ["| limit | error | HTTP | close |", "| --- | --- | --- | --- |"]
    errors = {limit: code for code, limit in LIMIT_OF.items()}
    for limit in (limit.name for limit in fields(Limits) if limit.name in errors):
        code = errors[limit]
        name = limit.replace("_", "-")
        rows.append(f"| `{name}` | `{code.value}` | {code.http_status or ''} | {code.close_code or ''} |")
    return "\n".join(rows)


def picture_name(name: str) -> str:
    """Return the file name of a diagram's picture, derived from the diagram's name: `TABLE in path/to/module.py`."""
    table, _, module = name.partition(" in ")
    stem = f"{Path(module).stem}-{table.lower()}".replace("_", "-")
    return f"{stem.removesuffix('-transitions')}.svg"


def diagram(name: str, transitions: Transitions) -> str:
    """Return a state diagram as Markdown: its picture, and the same as a table.

    The first state is the initial state.
    """
    rows = [f"![State diagram; the table below says the same](diagrams/{picture_name(name)})", ""]
    rows += ["| state | event | next state |", "| --- | --- | --- |"]
    rows += [f"| {_text(state)} | {_text(event)} | {_text(after)} |" for (state, event), after in transitions.items()]
    return "\n".join(rows)


def pictures() -> dict[Path, str]:
    """Return the picture of each diagram, by its path."""
    found: dict[Path, str] = {}
    for name, transitions in DIAGRAMS.items():
        texts = {(_text(state), _text(event)): _text(after) for (state, event), after in transitions.items()}
        found[PICTURES / picture_name(name)] = state_diagrams.svg(name, texts)
    return found


def filled(text: str) -> str:
    """Return the text of docs/protocol.md with its tables and diagrams replaced by current ones."""
    for name, table in (("errors", errors_table()), ("limits", limits_table())):
        text = between(
            text, f"<!-- {name}: generated from signald/core/{name}.py -->", f"<!-- end of {name} -->", table
        )
    for name, transitions in DIAGRAMS.items():
        text = between(text, f"<!-- diagram of {name} -->", "<!-- end of diagram -->", diagram(name, transitions))
    return text


def filled_limits(text: str) -> str:
    """Return the text of docs/limits.md with its table replaced by a current one."""
    return between(
        text,
        "<!-- refusals: generated from signald/monitoring/metrics.py -->",
        "<!-- end of refusals -->",
        refusals_table(),
    )


def between(text: str, begin: str, end: str, content: str) -> str:
    """Return the text with the content between two marks replaced."""
    before, mark, rest = text.partition(begin)
    _, end_mark, after = rest.partition(end)
    if not mark or not end_mark:
        raise LookupError(f"The document has no mark {begin} or {end}; add them around the generated text.")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def write() -> Iterable[Path]:
    """Write both documents and yield their paths."""
    for path, fill in ((PATH, filled), (LIMITS_PATH, filled_limits)):
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield path
    PICTURES.mkdir(exist_ok=True)
    for path, picture in pictures().items():
        path.write_text(picture, encoding="utf-8")
        yield path
