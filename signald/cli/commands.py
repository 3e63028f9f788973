"""Lists the commands `signald NAME …`; the function `main` of each command's module returns the exit status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

__all__ = ["COMMANDS", "Main", "find_command"]

Main = Callable[[Sequence[str], Mapping[str, str]], int]

COMMANDS = {
    "bench": "put a bounded load on a signaling server of your own, and print throughput and latency",
    "check-config": "tell whether the configuration can be used, and what is wrong with it",
    "config": "print the effective configuration, with secrets hidden",
    "doctor": "check certificates, ports, proxies, STUN and TURN servers, clock and files, and say what to do",
    "upgrade": "have the running daemon replaced by the installed version, without dropping a call",
    "token": "mint a token that lets somebody open or join sessions, or say what is wrong with one",
}
"""The commands by name, each with its phrase for the help text."""


def find_command(name: str) -> Main | None:
    """Import the module of a command and return its `main`; None if there is no command of that name."""
    if name not in COMMANDS:
        return None
    return cast(Main, import_module(f"signald.cli.{name.replace('-', '_')}").main)
