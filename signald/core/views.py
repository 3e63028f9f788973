"""A session from the viewpoint of one member: the other members, and the events between two versions."""

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
    """Whether `member` is the polite peer towards `other`, which yields in a glare of offers (W3C perfect negotiation).

    The earlier joiner is polite, unless it cannot roll back its offer and the later one can.
    """
    if member.traits.rollback != other.traits.rollback:
        return member.traits.rollback
    return member.seat < other.seat


def negotiation_base(member: Member, other: Member) -> int:
    """The number that precedes the pair's first negotiation; it rises when one of the two starts over."""
    return NEGOTIATIONS_AN_EPOCH * (max(member.epoch, other.epoch) - 1)


def have_connection(member: Member, other: Member) -> bool:
    """Whether two members, who may both have lost their state at the server, still have their peer connection.

    Both have to say so. One that has not come back since a crash of the server is taken to have it: otherwise the first
    to come back would close the connection.
    """
    return member.person.may_be_connected_with(other.person) and other.person.may_be_connected_with(member.person)


def member_view(member: Member, viewer: Member) -> MemberView:
    """Describe a member to `viewer`."""
    return MemberView(
        user=member.user,
        role=member.role,
        polite=is_polite(viewer, member),
        offers_first=viewer.seat > member.seat,
        base=negotiation_base(member, viewer),
        renegotiates=member.traits.renegotiates,
        messages=member.traits.messages,
        away=member.person.away,
        name=member.person.name,
        former=member.person.former,
        connected=have_connection(viewer, member),
    )


def member_views(session: Session, viewer: Member) -> tuple[MemberView, ...]:
    """Describe the other members of a session to `viewer`, in the order in which they joined."""
    return tuple(member_view(other, viewer) for other in session.others(viewer.user))


def lobby_knocks(session: Session) -> list[Knock]:
    """The knocks of all visitors in the lobby, for the host; empty where the session is not open."""
    if session.state is not SessionState.OPEN:
        return []
    return [Knock(session.id, visitor.user, visitor.person.name) for visitor in session.visitors]


def difference_events(known: Session, session: Session, viewer: Member, reason: LeaveReason) -> list[Event]:
    """The events that lead a member from one version of a session to a later one; it is a member in both.

    Arguments:
        known: the earlier version.
        session: the later version.
        viewer: the member that gets the events, as in the later version.
        reason: why the members left that are not in the later version.

    """
    id = session.id
    events: list[Event] = [
        MemberLeft(id, gone.user, reason) for gone in known.members if session.member(gone.user) is None
    ]
    for other in session.others(viewer.user):
        events += _member_events(id, known.member(other.user), other, viewer)
    events += _host_events(known, session)
    if _settings_event(known) != _settings_event(session):
        events.append(_settings_event(session))
    if viewer.role is Role.HOST:
        events += _visitor_events(known, session, viewer.user)
    return events


def _member_events(id: SessionId, old: Member | None, new: Member, viewer: Member) -> list[Event]:
    if old is None:
        return [MemberJoined(id, member_view(new, viewer))]
    if new.epoch != old.epoch:
        return [MemberRenewed(id, member_view(new, viewer))]
    if new.person.away is old.person.away:
        return []
    return [MemberAway(id, new.user) if new.person.away else MemberBack(id, new.user)]


def _host_events(known: Session, session: Session) -> list[Event]:
    old, new = known.host, session.host
    if new is None or (old is not None and old.user == new.user):
        return []
    return [HostChanged(session.id, new.user)]


def _visitor_events(known: Session, session: Session, host: UserId) -> list[Event]:
    was_host = known.host is not None and known.host.user == host
    announced = {visitor.user for visitor in known.visitors} if was_host else set[UserId]()
    now = {visitor.user for visitor in session.visitors}
    events: list[Event] = [KnockOver(session.id, user) for user in sorted(announced - now)]
    return events + [knock for knock in lobby_knocks(session) if knock.user not in announced]


def _settings_event(session: Session) -> Changed:
    return Changed(session.id, session.settings.locked, session.settings.lobby, session.settings.label)
