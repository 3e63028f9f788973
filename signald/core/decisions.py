"""Operations on identities and memberships, which are decided outside the hub, and the outcomes of these decisions.

The hub never changes a session itself: the authorization chain and the registry decide, perhaps on another node, and
the outcome carries the new versions of the sessions.
"""

from __future__ import annotations

from attrs import field, frozen

from signald.core.claim_mismatch import ClaimMismatch
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.limits import AddressKey
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
from signald.core.session_settings import Settings
from signald.core.sessions import Session


@frozen
class Identify:
    """Create a new identity; the outcome is `Identified`.

    Attributes:
        instance: the id of the client's run; a client with one can resume.
        token: the client's token, until it is verified.
        grant: what the verified token grants.

    """

    instance: Instance | None
    token: str | None = field(default=None, repr=False)
    grant: Grant | None = None


@frozen
class ResumeUser:
    """Resume an identity with its secret; the outcome is `Resumed` or `NotResumed`.

    Attributes:
        user: the identity.
        secret: the secret that the client gave.
        instance: the id of the client's run.
        traits: the capabilities of the client's program, for the case that all negotiations start over.
        can_replay: whether every event that the client has not received is in the outbox.
        connected: the users with whom the client still has its peer connections.

    """

    user: UserId
    secret: Secret = field(repr=False)
    instance: Instance
    traits: Traits
    can_replay: bool
    connected: tuple[UserId, ...] = ()


@frozen
class RenewUser:
    """Have every other member restart its negotiation with this user. The operation's outcome is `Decided`.

    Members with whom it still has its peer connections (`connected`), and who have said the same, do not restart.
    """

    user: UserId
    traits: Traits
    connected: tuple[UserId, ...] = ()


@frozen
class ConfirmSecret:
    """Invalidate the previous secret, since the client has this one; the outcome is `Decided`."""

    user: UserId
    rotation: int


@frozen
class MarkAway:
    """Mark a user whose connection is lost as away; the outcome is `Decided`."""

    user: UserId


@frozen
class EndIdentity:
    """End an identity and all its memberships; the outcome is `Decided`."""

    user: UserId
    reason: LeaveReason


@frozen
class OpenSession:
    """Open or reopen a session with this user as its host; the outcome is `Decided`.

    Attributes:
        user: the host.
        traits: the capabilities of the host's program.
        name: the host's display name.
        settings: the session's settings; `settings.password` is a hash.
        password: the password in clear text, until it is hashed.
        session: the session to open under this id or to reopen; None for a new one.
        host_key: the host key of that session.
        grant: a grant for that session, which replaces the host key.
        address: the address of the client, by which checks of passwords and questions to the webhook take turns.
        reopens: whether the host has shown the rejoin ticket of a host of that session, which replaces the host key
            where the session is not open.
        former: the host's earlier identity, according to its rejoin ticket.
        connected: the users with whom the host still has its peer connections.

    """

    user: UserId
    traits: Traits
    name: str | None
    settings: Settings
    password: str | None = field(default=None, repr=False)
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    grant: Grant | None = None
    address: AddressKey = field(default=AddressKey(""), repr=False)
    reopens: bool = False
    former: UserId | None = None
    connected: tuple[UserId, ...] = ()


@frozen
class JoinSession:
    """Make this user a guest of a session, or a visitor that waits; the outcome is `Decided`.

    Attributes:
        user: the guest.
        traits: the capabilities of the guest's program.
        session: the session to join.
        name: the guest's display name.
        request: the id of the guest's request.
        password: the password in clear text, until it is checked.
        proof: the session's password hash where the password was right; empty where it was wrong; None without one.
        address: the address of the client, to which wrong guesses are charged, and by which checks take turns.
        former: the guest's earlier identity, according to its rejoin ticket; a guest with one may wait for the host of
            a session that the registry does not know.
        connected: the users with whom the guest still has its peer connections.

    """

    user: UserId
    traits: Traits
    session: SessionId
    name: str | None = None
    request: RequestId | None = None
    password: str | None = field(default=None, repr=False)
    proof: str | None = field(default=None, repr=False)
    address: AddressKey = field(default=AddressKey(""), repr=False)
    former: UserId | None = None
    connected: tuple[UserId, ...] = ()


@frozen
class LeaveSession:
    """End a user's membership, or its waiting for admission; the outcome is `Decided`."""

    user: UserId
    session: SessionId


@frozen
class HostCommand:
    """Carry out a request that only the host may make; the outcome is `Decided`."""

    user: UserId
    request: HostRequest


@frozen
class EndSession:
    """End a session; the outcome is `Decided`."""

    session: SessionId
    reason: EndReason


Operation = (
    Identify
    | ResumeUser
    | RenewUser
    | ConfirmSecret
    | MarkAway
    | EndIdentity
    | OpenSession
    | JoinSession
    | LeaveSession
    | HostCommand
    | EndSession
)


@frozen
class SessionChanged:
    """A session has a new version.

    Attributes:
        session: the new version.
        reason: why the members left that are not in the new version.
        turned_away: why the visitors were not admitted that are neither visitors nor members in the new version.

    """

    session: Session
    reason: LeaveReason = LeaveReason.LEFT
    turned_away: RefusalReason = RefusalReason.ENDED


@frozen
class SessionEnded:
    """A session has ended for its members; its new version is kept for a host key, or over."""

    session: Session
    reason: EndReason


Change = SessionChanged | SessionEnded


@frozen
class Identified:
    """A new identity, with a secret if it can resume, and with a grant if it has a token."""

    user: UserId
    secret: Secret | None = field(repr=False)
    grant: Grant | None = None


@frozen
class Resumed:
    """The client has resumed its identity.

    Attributes:
        secret: the new secret.
        had_newest_secret: whether the client had the newest secret, which means that it received the last welcome.
        rotation: the number of the new secret.
        complete: whether no state is lost, so that negotiations go on.
        changes: the changes of its sessions.
        grant: the identity's grant.

    """

    secret: Secret = field(repr=False)
    had_newest_secret: bool
    rotation: int
    complete: bool
    changes: tuple[Change, ...]
    grant: Grant | None = None


@frozen
class NotResumed:
    """There is nothing to resume; `reused` means that the identity has ended because a spent secret was used."""

    reused: bool = False
    changes: tuple[Change, ...] = ()


@frozen
class Decided:
    """The operation is carried out.

    Attributes:
        changes: the changes of sessions.
        session: the canonical id of the session that was opened or joined.
        host_key: the host key of a session that was opened to be kept.

    """

    changes: tuple[Change, ...] = ()
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)


@frozen
class Refused:
    """The operation is refused and changed nothing.

    Attributes:
        code: the error for the client that asked.
        is_guess: whether the signature of its token is wrong, which may be a guess.
        mismatch: what is wrong with its token, for the operator.
        by_webhook: whether the operator's own service refused it, or did not answer.

    """

    code: ErrorCode
    is_guess: bool = False
    mismatch: ClaimMismatch | None = None
    by_webhook: bool = False


Outcome = Identified | Resumed | NotResumed | Decided | Refused
"""The outcome of a decision; every operation may also be `Refused`."""
