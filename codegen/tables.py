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
"""(state, event) to state; each an enum member or a text."""

DIAGRAMS: dict[str, Transitions] = {
    "PEER_TRANSITIONS in signald/core/users.py": PEER_TRANSITIONS,
    "USER_TRANSITIONS in signald/core/users.py": USER_TRANSITIONS,
    "SESSION_TRANSITIONS in signald/core/sessions.py": SESSION_TRANSITIONS,
    "TRANSITIONS in clients/signaling/connection.py": connection.TRANSITIONS,
    "TRANSITIONS in clients/signaling/negotiation.py": negotiation.TRANSITIONS,
}


def errors_table() -> str:
    """Every error: code, sentence, HTTP status, close code."""
    rows = ["| code | message | HTTP | close |", "| --- | --- | --- | --- |"]
    for code in ErrorCode:
        rows.append(f"| `{code.value}` | {code.sentence} | {code.http_status or ''} | {code.close_code or ''} |")
    return "\n".join(rows)


def limits_table() -> str:
    """Every limit: name, default, unit, meaning."""
    rows = ["| name | default | unit | bounds |", "| --- | --- | --- | --- |"]
    for limit in fields(Limits):
        name = limit.name.replace("_", "-")
        rows.append(f"| `{name}` | {limit.default:.12g} | {limit.metadata['unit']} | {limit.metadata['meaning']} |")
    return "\n".join(rows)


def refusals_table() -> str:
    """What a client hears when a limit refuses it, in the limits' order."""
    rows = ["| limit | what the client hears | HTTP | close |", "| --- | --- | --- | --- |"]
    errors = {limit: code for code, limit in LIMIT_OF.items()}
    for limit in (limit.name for limit in fields(Limits) if limit.name in errors):
        code = errors[limit]
        name = limit.replace("_", "-")
        rows.append(f"| `{name}` | `{code.value}` | {code.http_status or ''} | {code.close_code or ''} |")
    return "\n".join(rows)


def picture_name(name: str) -> str:
    """Return the file name of a diagram's picture, out of the diagram's name: `TABLE in path/to/module.py`."""
    table, _, module = name.partition(" in ")
    stem = f"{Path(module).stem}-{table.lower()}".replace("_", "-")
    return f"{stem.removesuffix('-transitions')}.svg"


def diagram(name: str, transitions: Transitions) -> str:
    """Return a state diagram as Markdown: its picture, and the same as a table; the first state is the initial one."""
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
    """The document with its tables and diagrams as the code has them now."""
    for name, table in (("errors", errors_table()), ("limits", limits_table())):
        text = between(
            text, f"<!-- {name}: generated from signald/core/{name}.py -->", f"<!-- end of {name} -->", table
        )
    for name, transitions in DIAGRAMS.items():
        text = between(text, f"<!-- diagram of {name} -->", "<!-- end of diagram -->", diagram(name, transitions))
    return text


def filled_limits(text: str) -> str:
    """The document on limits with its table as the code has it now."""
    return between(
        text,
        "<!-- refusals: generated from signald/monitoring/metrics.py -->",
        "<!-- end of refusals -->",
        refusals_table(),
    )


def between(text: str, begin: str, end: str, content: str) -> str:
    """The text with other content between two marks."""
    before, mark, rest = text.partition(begin)
    _, end_mark, after = rest.partition(end)
    if not mark or not end_mark:
        raise LookupError(f"A document lacks {begin} or its end.")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def write() -> Iterable[Path]:
    """Fill the documents, and name them."""
    for path, fill in ((PATH, filled), (LIMITS_PATH, filled_limits)):
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield path
    PICTURES.mkdir(exist_ok=True)
    for path, picture in pictures().items():
        path.write_text(picture, encoding="utf-8")
        yield path
