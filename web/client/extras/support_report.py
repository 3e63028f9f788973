"""The report that a person can save for whoever helps them, without names and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.quality import INTERVAL, SERIES

if TYPE_CHECKING:
    from typing import Any

    from ..model.event_log import EventLog

__all__ = ["report", "without_addresses"]

MAX_LINES = 100
MAX_CHARACTERS = 300
"""The largest number of lines of the log, and of characters of a line."""

HIDDEN = "[hidden]"

HEXADECIMAL = "0123456789abcdefABCDEF"


def report(event_log: EventLog, facts: dict[str, Any], log: list[str], hidden: list[str]) -> dict[str, Any]:
    """Return the report as JSON values.

    Arguments:
        event_log: the page's event log.
        facts: facts about the page as a whole: the time, the browser, the server.
        log: lines about faults.
        hidden: words that must not appear: the server's host name, the session id, names.

    """
    values = dict(facts)
    values["seconds-between-samples"] = INTERVAL
    values["columns"] = list(SERIES) + ["bars"]  # noqa: RUF005 - MicroPython has no unpacking here
    values["events"] = [list(event) for event in event_log.events]
    values["log"] = [without_addresses(line[:MAX_CHARACTERS], hidden) for line in log[-MAX_LINES:]]
    people = []
    for known in event_log.people:
        quality = known.member.quality
        person: dict[str, Any] = {"number": known.number, "here": known.present, "bars": quality.bars}
        person["now"] = {name: _plain(value) for name, value in quality.values.items()}
        person["samples"] = [list(sample) for sample in quality.history]
        people.append(person)
    values["people"] = people
    return values


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def without_addresses(line: str, hidden: list[str]) -> str:
    """Return a line without IP addresses, host names in URLs, mDNS names, and the `hidden` words."""
    for word in hidden:
        if len(word) > 2:
            line = line.replace(word, HIDDEN)
    words = []
    for word in line.split(" "):
        bare = word.strip("()[]<>{}\"',;")
        at = bare.find("://")
        telling = at > 0 or ".local" in bare or bare.count(".") >= 3 or "candidate:" in bare or bare.startswith("a=")
        words.append(HIDDEN if telling or _is_ipv6(bare) else word)
    return " ".join(words)


def _is_ipv6(word: str) -> bool:
    """Return whether a word may be an IPv6 address, or begin with one (RFC 4291 §2.2)."""
    return word.count(":") >= 2 and all(part.strip(HEXADECIMAL + "%./") == "" for part in word.split(":")[:2])
