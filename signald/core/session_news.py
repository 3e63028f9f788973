"""What a change of a session means for its people, in the words of the log: pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import frozen

from signald.core.decisions import Change, SessionChanged
from signald.core.members import Member
from signald.core.messages import RefusalReason, Role, UserId
from signald.core.sessions import Session, SessionState

__all__ = ["News", "NewsKind", "session_news"]


class NewsKind(Enum):
    """What happened to a session or to one of its people."""

    OPENED = "opened"
    JOINED = "joined"
    BECAME_HOST = "became host"
    AWAY = "away"
    BACK = "back"
    LEFT = "left"
    WAITS = "waits"
    NOT_ADMITTED = "not admitted"
    ENDED = "ended"


@frozen
class News:
    """One thing that happened.

    Attributes:
        kind: what it was.
        session: the session's new version.
        user: whom it concerns; None where a session ended.
        reason: why, as the protocol calls it (`LeaveReason`, `EndReason`, `RefusalReason`, `WaitReason`); empty where
            there is no other reason than the request.

    """

    kind: NewsKind
    session: Session
    user: UserId | None = None
    reason: str = ""


def session_news(known: Session | None, change: Change) -> list[News]:
    """Return what a change brought about.

    Arguments:
        known: the version before the change; None where there was none.
        change: the change.

    """
    was_open = known is not None and known.state is SessionState.OPEN
    is_open = change.session.state is SessionState.OPEN
    news = list(_arrivals(known, change.session, opens=is_open and not was_open))
    if known is not None:
        news += _departures(known, change)
        news += _visitors_gone(known, change)
    if was_open and not is_open:
        news.append(News(NewsKind.ENDED, change.session, None, change.reason.value))
    return news


def _arrivals(known: Session | None, session: Session, *, opens: bool) -> Iterator[News]:
    """Yield the new members and visitors, and what is new about the other members; the host of a new session first."""
    host = session.host
    if opens and host is not None:
        yield News(NewsKind.OPENED, session, host.user)
    for member in session.members:
        before = None if known is None else known.member(member.user)
        if before is not None:
            yield from _changes(before, member, session)
        elif not opens or member is not host:
            yield News(NewsKind.JOINED, session, member.user)
            if not opens and member.role is Role.HOST:
                yield News(NewsKind.BECAME_HOST, session, member.user)
    for visitor in session.visitors:
        if known is None or known.visitor(visitor.user) is None:
            yield News(NewsKind.WAITS, session, visitor.user, session.wait_reason.value)


def _changes(before: Member, member: Member, session: Session) -> Iterator[News]:
    if member.person.away != before.person.away:
        yield News(NewsKind.AWAY if member.person.away else NewsKind.BACK, session, member.user)
    if member.role is Role.HOST and before.role is not Role.HOST:
        yield News(NewsKind.BECAME_HOST, session, member.user)


def _departures(known: Session, change: Change) -> Iterator[News]:
    for member in known.members:
        if change.session.member(member.user) is None:
            yield News(NewsKind.LEFT, change.session, member.user, change.reason.value)


def _visitors_gone(known: Session, change: Change) -> Iterator[News]:
    session, reason = change.session, change.reason.value
    if isinstance(change, SessionChanged) and change.turned_away is not RefusalReason.ENDED:
        reason = change.turned_away.value
    for visitor in known.visitors:
        if session.visitor(visitor.user) is None and session.member(visitor.user) is None:
            yield News(NewsKind.NOT_ADMITTED, session, visitor.user, reason)
