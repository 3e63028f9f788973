"""What the hub wants done; the switchboard does it, in order."""

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
    """Ask the registry, and tell the hub the outcome under this id."""

    id: DecisionId
    operation: Operation


@frozen
class LogCounts:
    """Write the number of users and sessions into the log."""

    users: int
    sessions: int


Action = Send | SendCredentials | Close | Decide | LogCounts
