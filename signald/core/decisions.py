"""What is decided outside the hub, by whoever knows: operations on identities and membership, and their outcomes."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import (
    EndReason,
    HostRequest,
    Instance,
    LeaveReason,
    RefusalReason,
    RequestId,
    Secret,
    SessionId,
    Traits,
    UserId,
)
from signald.core.sessions import Session, Settings


@frozen
class Identify:
    """Make a new identity; its outcome is `Identified`.

    Attributes:
        instance: of the client; with one, it can resume.
        token: what the client has shown, as long as it is not checked.
        grant: what the token says.

    """

    instance: Instance | None
    token: str | None = field(default=None, repr=False)
    grant: Grant | None = None


@frozen
class ResumeUser:
    """Give an identity back to one who knows its secret; its outcome is `Resumed` or `NotResumed`.

    Attributes:
        user: the identity.
        secret: what the client knows.
        instance: of the client.
        traits: of the client's program; they count where everybody begins anew.
        whole: whether all messages that it has not yet received are here.

    """

    user: UserId
    secret: Secret = field(repr=False)
    instance: Instance
    traits: Traits
    whole: bool


@frozen
class RenewUser:
    """Make everybody negotiate anew with this user, whose program has these traits; its outcome is `Decided`."""

    user: UserId
    traits: Traits


@frozen
class ConfirmSecret:
    """The client has this secret: the one before it is spent; its outcome is `Decided`."""

    user: UserId
    rotation: int


@frozen
class MarkAway:
    """The user's connection is lost; its outcome is `Decided`."""

    user: UserId


@frozen
class Forget:
    """End an identity and all its memberships; its outcome is `Decided`."""

    user: UserId
    reason: LeaveReason


@frozen
class OpenSession:
    """Open a session with this user as its host; its outcome is `Decided`.

    Attributes:
        user: the host.
        traits: of the host's program.
        name: what the host calls itself.
        settings: of the session; `settings.password` is a hash.
        password: the password itself, as long as it is not hashed.
        session: the one that is to be opened, or opened again; None for a new one.
        host_key: of that session.
        grant: what lets the host open the session without a host key, where it is that of the grant.

    """

    user: UserId
    traits: Traits
    name: str | None
    settings: Settings
    password: str | None = field(default=None, repr=False)
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    grant: Grant | None = None


@frozen
class JoinSession:
    """Make this user a guest or a visitor; its outcome is `Decided`.

    Attributes:
        user: the guest.
        traits: of the guest's program.
        session: which.
        name: what the guest calls itself.
        request: what the guest called its request.
        password: the password that was given, as long as it is not checked.
        proof: the hash that it fits; empty where it does not fit; None where none was given.

    """

    user: UserId
    traits: Traits
    session: SessionId
    name: str | None = None
    request: RequestId | None = None
    password: str | None = field(default=None, repr=False)
    proof: str | None = field(default=None, repr=False)


@frozen
class LeaveSession:
    """End this user's membership, or its waiting; its outcome is `Decided`."""

    user: UserId
    session: SessionId


@frozen
class HostCommand:
    """Do what a host asks for; its outcome is `Decided`."""

    user: UserId
    request: HostRequest


@frozen
class EndSession:
    """End a session; its outcome is `Decided`."""

    session: SessionId
    reason: EndReason


Operation = (
    Identify
    | ResumeUser
    | RenewUser
    | ConfirmSecret
    | MarkAway
    | Forget
    | OpenSession
    | JoinSession
    | LeaveSession
    | HostCommand
    | EndSession
)


@frozen
class SessionChanged:
    """A session is now like this.

    Attributes:
        session: its record.
        reason: why those who are no longer in it left.
        turned_away: why those who waited and are neither members nor wait now do not.

    """

    session: Session
    reason: LeaveReason = LeaveReason.LEFT
    turned_away: RefusalReason = RefusalReason.ENDED


@frozen
class SessionEnded:
    """A session is no more for its members; `session` is its record, which is kept or over."""

    session: Session
    reason: EndReason


Change = SessionChanged | SessionEnded


@frozen
class Identified:
    """There is a new identity; with a secret if it can resume, and with a grant if its token gives one."""

    user: UserId
    secret: Secret | None = field(repr=False)
    grant: Grant | None = None


@frozen
class Resumed:
    """The identity is this client's.

    Attributes:
        secret: the new one.
        newest: whether the client had the newest one, so that it has heard the last welcome.
        rotation: counts the secrets of this identity.
        whole: whether nothing has to be negotiated anew.
        changes: of its sessions.
        grant: of the identity.

    """

    secret: Secret = field(repr=False)
    newest: bool
    rotation: int
    whole: bool
    changes: tuple[Change, ...]
    grant: Grant | None = None


@frozen
class NotResumed:
    """There is nothing to resume; `ended` says that there was, until its secret was used twice."""

    ended: bool = False
    changes: tuple[Change, ...] = ()


@frozen
class Decided:
    """It is so.

    Attributes:
        changes: of sessions.
        session: the one that was opened or joined, by its canonical id.
        host_key: of a session that was opened to be kept.

    """

    changes: tuple[Change, ...] = ()
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)


@frozen
class Refused:
    """Nothing has changed."""

    code: ErrorCode


Outcome = Identified | Resumed | NotResumed | Decided | Refused
"""Any operation may also be `Refused`."""
