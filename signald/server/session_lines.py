"""The lines of the log about sessions and the people in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from twisted.logger import Logger

from signald.core.session_news import NewsKind

__all__ = ["write_news"]

_log = Logger()


def write_news(kind: NewsKind, values: Mapping[str, str | int]) -> None:
    """Write the line about one thing that happened.

    Arguments:
        kind: what happened.
        values: `session` and `user` by their references, `connection`, `reason`, and the numbers `members`, `capacity`,
            `visitors` and `sessions`; each line has all of them, for readers of JSON.

    """
    match kind:
        case NewsKind.OPENED:
            _log.info(
                "session {session}: opened by user {user}, connection {connection}; {sessions} sessions are open",
                event="session-opened",
                **values,
            )
        case NewsKind.JOINED:
            _log.info(
                "session {session}: user {user}, connection {connection}, joined; {members} of {capacity}",
                event="member-joined",
                **values,
            )
        case NewsKind.LEFT:
            _log.info(
                "session {session}: user {user}, connection {connection}, left, reason {reason};"
                " {members} of {capacity}",
                event="member-left",
                **values,
            )
        case NewsKind.AWAY:
            _log.info("session {session}: user {user}, connection {connection}, is away", event="member-away", **values)
        case NewsKind.BACK:
            _log.info("session {session}: user {user} is back, connection {connection}", event="member-back", **values)
        case NewsKind.BECAME_HOST:
            _log.info(
                "session {session}: user {user}, connection {connection}, is the host now",
                event="host-changed",
                **values,
            )
        case NewsKind.WAITS:
            _log.info(
                "session {session}: user {user}, connection {connection}, waits for the {reason}; {visitors} wait",
                event="visitor-waits",
                **values,
            )
        case NewsKind.NOT_ADMITTED:
            _log.info(
                "session {session}: user {user}, connection {connection}, was not admitted, reason {reason};"
                " {visitors} wait",
                event="visitor-not-admitted",
                **values,
            )
        case NewsKind.ENDED:
            _log.info(
                "session {session}: ended, reason {reason}; {sessions} sessions are open",
                event="session-ended",
                **values,
            )
        case _ as never:
            assert_never(never)
