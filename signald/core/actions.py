"""Actions: what the hub returns for the switchboard to carry out, in order."""

from __future__ import annotations

from attrs import frozen

from signald.core.decisions import Operation
from signald.core.errors import ErrorCode
from signald.core.messages import Event, IceServers, UserId, Welcome
from signald.core.users import DecisionId, PeerId


@frozen
class Send:
    """Send an event to a peer."""

    peer: PeerId
    event: Event


@frozen
class SendCredentials:
    """Send an event to a peer, with the TURN servers and credentials for this user added to its servers."""

    peer: PeerId
    user: UserId
    event: Welcome | IceServers


@frozen
class Close:
    """Close a peer's connection with an error that has a close code."""

    peer: PeerId
    code: ErrorCode


@frozen
class Decide:
    """Have an operation decided, and pass the outcome to `Hub.decided` under this id."""

    id: DecisionId
    operation: Operation


@frozen
class LogCounts:
    """Log the number of users and sessions."""

    users: int
    sessions: int


@frozen
class ReportError:
    """Log an exception in the core, and close the connection that it concerns.

    Attributes:
        peer: the connection; None where the exception concerns none.
        error: the exception.

    """

    peer: PeerId | None
    error: Exception


Action = Send | SendCredentials | Close | Decide | LogCounts | ReportError
