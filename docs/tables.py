"""Writes the tables of protocol.md that are drawn from the code: `python docs/tables.py`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from attrs import fields

from signald.errors import ErrorCode
from signald.limits import Limits

DOCUMENT = Path(__file__).with_name("protocol.md")


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
        rows.append(f"| `{name}` | {limit.default:g} | {limit.metadata['unit']} | {limit.metadata['meaning']} |")
    return "\n".join(rows)


def filled(text: str) -> str:
    """The document with its tables as the code has them now."""
    for name, table in (("errors", errors_table()), ("limits", limits_table())):
        pattern = rf"(?<=<!-- {name}: generated from signald/{name}.py -->\n).*?(?=<!-- end of {name} -->)"
        text = re.sub(pattern, f"\n{table}\n\n", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
    sys.stdout.write(f"{DOCUMENT.name} is up to date.\n")
