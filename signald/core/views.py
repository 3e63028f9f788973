"""What a member is told of a session: views of the others, and the difference between two records."""

from __future__ import annotations

from signald.core.members import Member
from signald.core.messages import (
    Changed,
    Event,
    HostChanged,
    Knock,
    KnockOver,
    LeaveReason,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    MemberView,
    Role,
    SessionId,
    UserId,
)
from signald.core.sessions import NEGOTIATIONS_AN_EPOCH, Session, SessionState


def is_polite(member: Member, other: Member) -> bool:
    """Whether `member` yields to `other` in a collision of offers (W3C perfect negotiation).

    The earlier one is polite, unless it cannot roll back and the later one can.
    """
    if member.traits.rollback != other.traits.rollback:
        return member.traits.rollback
    return member.seat < other.seat


def base(member: Member, other: Member) -> int:
    """What the numbers of this pair's negotiations are greater than: it rises when one of the two begins anew."""
    return NEGOTIATIONS_AN_EPOCH * (max(member.epoch, other.epoch) - 1)


def view(member: Member, viewer: Member) -> MemberView:
    """A member as `viewer` is told of it."""
    return MemberView(
        user=member.user,
        role=member.role,
        polite=is_polite(viewer, member),
        offers_first=viewer.seat > member.seat,
        base=base(member, viewer),
        renegotiates=member.traits.renegotiates,
        messages=member.traits.messages,
        away=member.person.away,
        name=member.person.name,
    )


def views(session: Session, viewer: Member) -> tuple[MemberView, ...]:
    """The others in a session as `viewer` is told of them, in the order in which they came."""
    return tuple(view(other, viewer) for other in session.others(viewer.user))


def knocks(session: Session) -> list[Knock]:
    """What the host is told of those who wait in the lobby."""
    if session.state is not SessionState.OPEN:
        return []
    return [Knock(session.id, visitor.user, visitor.person.name) for visitor in session.visitors]


def news(known: Session, session: Session, viewer: Member, reason: LeaveReason) -> list[Event]:
    """What is told to one who is a member in both records.

    Args:
        known: the earlier record.
        session: the later one.
        viewer: the one who is told, as in the later record.
        reason: why those who are no longer in it left.

    """
    id = session.id
    events: list[Event] = [
        MemberLeft(id, gone.user, reason) for gone in known.members if session.member(gone.user) is None
    ]
    for other in session.others(viewer.user):
        events += _of_member(id, known.member(other.user), other, viewer)
    events += _of_host(known, session)
    if _settings(known) != _settings(session):
        events.append(_settings(session))
    if viewer.role is Role.HOST:
        events += _of_visitors(known, session, viewer.user)
    return events


def _of_member(id: SessionId, old: Member | None, new: Member, viewer: Member) -> list[Event]:
    if old is None:
        return [MemberJoined(id, view(new, viewer))]
    if new.epoch != old.epoch:
        return [MemberRenewed(id, view(new, viewer))]
    if new.person.away is old.person.away:
        return []
    return [MemberAway(id, new.user) if new.person.away else MemberBack(id, new.user)]


def _of_host(known: Session, session: Session) -> list[Event]:
    old, new = known.host, session.host
    if new is None or (old is not None and old.user == new.user):
        return []
    return [HostChanged(session.id, new.user)]


def _of_visitors(known: Session, session: Session, host: UserId) -> list[Event]:
    was_host = known.host is not None and known.host.user == host
    told = {visitor.user for visitor in known.visitors} if was_host else set[UserId]()
    now = {visitor.user for visitor in session.visitors}
    events: list[Event] = [KnockOver(session.id, user) for user in sorted(told - now)]
    return events + [knock for knock in knocks(session) if knock.user not in told]


def _settings(session: Session) -> Changed:
    return Changed(session.id, session.settings.locked, session.settings.lobby, session.settings.label)
