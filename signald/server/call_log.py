"""Logs what happens to connections, users and sessions, so that the lines of a failed call explain it.

Each line has the number of a connection and the references of a user and a session, as far as there are any. None has
an address, a name, a token or anything else that a client sent. The lines about an address and about all are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from signald.config.settings import LogLevel
from signald.core.claim_mismatch import ClaimMismatch
from signald.core.decisions import (
    Decided,
    EndSession,
    Identified,
    Identify,
    JoinSession,
    NotResumed,
    OpenSession,
    Outcome,
    Refused,
    Resumed,
)
from signald.core.errors import ErrorCode
from signald.core.forwarding import find_receivers
from signald.core.hub import Hub
from signald.core.limits import AddressKey
from signald.core.messages import Error, IceError, Request, SessionId, UserId, Welcome
from signald.core.session_news import News, session_news
from signald.core.users import DecisionId, PeerId
from signald.monitoring.line_budget import LineBudget
from signald.monitoring.metrics import LIMIT_OF, message_label
from signald.server.session_lines import write_news

__all__ = ["UNKNOWN", "CallLog", "Ending"]

UNKNOWN = "-"
"""Stands in the place of a value that a line has not got."""

_PRUNE_SECONDS = 60.0
"""The interval at which the connections of users that have ended are forgotten."""

_log = Logger()


@frozen
class Ending:
    """How a connection ended.

    Attributes:
        seconds: how long it was open.
        by: `client` or `server`, whichever began the closing handshake; `nobody` where it broke without one.
        code: the close code (RFC 6455 §7.4); None without a close frame.
        reason: the code of the error or the name of the limit for which the server closed it; empty for none.

    """

    seconds: float
    by: str
    code: int | None = None
    reason: str = ""


@frozen
class _Speaker:
    """The latest connection of a user, and its address."""

    connection: PeerId
    address: AddressKey


@frozen
class _Refusal:
    """What is known about a refused request beside its error.

    Attributes:
        session: the session that it names, which the error names to members alone.
        by_webhook: whether the operator's own service refused it.

    """

    session: SessionId | None
    by_webhook: bool = False


@frozen
class _Report:
    """What a decision's outcome brought about, until it is written.

    Attributes:
        connection: the connection that asked; None for an outcome that concerns a welcomed one.
        user: the user that it is about to speak for; None where it has no identity yet.
        address: the address that the lines are charged to.
        refused: the refusal of a token; None for every other outcome.
        news: the news about sessions.

    """

    connection: PeerId | None
    user: UserId | None
    address: AddressKey | None
    refused: Refused | None = None
    news: Sequence[News] = ()


@define
class CallLog:
    """Writes the lines at the levels `info` and `debug`.

    Below the level of the log nothing is computed, not even by a call: callers read `is_on` or `is_detailed` first.

    Attributes:
        hub: knows which connection speaks for which user, and the versions of sessions before a change.
        clock: gives monotonic seconds, for the bounds.
        numbers: numbers connections from 1, since the start of the process.
        is_on: whether lines about sessions and members are written.
        is_detailed: whether lines about connections and refusals are written too.

    """

    hub: Hub
    clock: IReactorTime
    numbers: Iterator[int]
    is_on: bool = False
    is_detailed: bool = False
    _budget: LineBudget = field(init=False, factory=LineBudget)
    _latest: dict[UserId, _Speaker] = field(init=False, factory=dict)
    """The latest connection of each user, also of one that is away or has just ended."""

    _refusals: dict[PeerId, _Refusal] = field(init=False, factory=dict)
    """What the error to a connection does not say, until it is sent."""

    _prune_due: float = field(init=False, default=0.0)

    def set_level(self, level: LogLevel) -> None:
        """Write the lines from this level on, at the start and after a reload."""
        self.is_detailed = level is LogLevel.DEBUG
        self.is_on = self.is_detailed or level is LogLevel.INFO

    # Connections

    def log_opened(self, connection: PeerId, address: AddressKey, dialect: str, scheme: str) -> None:
        """Log an open WebSocket."""
        if self._allows(address):
            _log.debug(
                "connection {connection}: opened, {dialect} over {scheme}",
                event="connection-opened",
                connection=connection,
                dialect=dialect,
                scheme=scheme,
            )

    def log_handshake_refused(self, address: AddressKey, code: ErrorCode) -> None:
        """Log a refused opening handshake, whose connection gets a number for this line."""
        if self._allows(address):
            _log.debug(
                "connection {connection}: refused with {code}, limit {limit}",
                event="connection-refused",
                connection=next(self.numbers),
                code=code.value,
                limit=_limit(code),
            )

    def log_closed(self, connection: PeerId, address: AddressKey, ending: Ending) -> None:
        """Log the end of a connection; to be called before its user is told of it."""
        self._refusals.pop(connection, None)
        peer = self.hub.peers.get(connection)
        if self._allows(address):
            _log.debug(
                "connection {connection}, user {user}: closed after {seconds:.1f} s by {by}, code {code},"
                " reason {reason}",
                event="connection-closed",
                connection=connection,
                user=self._user(None if peer is None else peer.user),
                seconds=round(ending.seconds, 3),
                by=ending.by,
                code=ending.code or UNKNOWN,
                reason=ending.reason or UNKNOWN,
            )

    def log_unknown_keys(self, connection: PeerId, address: AddressKey, class_: type[Request], count: int) -> None:
        """Log how many keys of a request were ignored, and nothing of their text."""
        if self._allows(address):
            _log.debug(
                "connection {connection}: {count} unknown keys were ignored in a message of type {type}",
                event="unknown-keys",
                connection=connection,
                count=count,
                type=message_label(class_),
            )

    # Users

    def log_welcome(self, connection: PeerId, address: AddressKey, welcome: Welcome) -> None:
        """Note which connection speaks for a user from now on, and log it."""
        self._latest[welcome.user] = _Speaker(connection, address)
        if self.is_detailed and self._allows(address):
            _log.debug(
                "connection {connection}: user {user} was welcomed, resumed {resumed}, role {role}",
                event="user-welcomed",
                connection=connection,
                user=self._user(welcome.user),
                resumed=UNKNOWN if welcome.resumed is None else welcome.resumed.value,
                role=UNKNOWN if welcome.role is None else welcome.role.value,
            )

    def log_refusal(self, connection: PeerId, address: AddressKey, error: Error) -> None:
        """Log that a request was answered with an error."""
        refusal = self._refusals.pop(connection, _Refusal(error.session))
        peer = self.hub.peers.get(connection)
        if self._allows(address):
            _log.debug(
                "connection {connection}, user {user}, session {session}: {request} was refused with {code},"
                " limit {limit}, webhook {webhook}",
                event="request-refused",
                connection=connection,
                user=self._user(None if peer is None else peer.user),
                session=self._session(refusal.session),
                webhook="yes" if refusal.by_webhook else "no",
                request=message_label(error.about or type(None)),
                code=error.code.value,
                limit=_limit(error.code),
            )

    def log_token_refused(
        self,
        connection: PeerId | None,
        address: AddressKey | None,
        code: ErrorCode,
        mismatch: ClaimMismatch,
        user: UserId | None = None,
    ) -> None:
        """Log which claim of a token is wrong, or does not allow what its holder asks for."""
        if self._allows(address):
            _log.info(
                "connection {connection}, user {user}: the token was refused with {code}; {claim}: expected {expected},"
                " found {found}",
                event="token-refused",
                connection=connection or UNKNOWN,
                user=self._user(user),
                code=code.value,
                claim=mismatch.claim,
                expected=mismatch.expected,
                found=mismatch.found,
            )

    # Sessions

    def log_ice_error(self, connection: PeerId, address: AddressKey, request: IceError) -> None:
        """Log that a member has no connection to another one, as its program says; what it says is not logged."""
        peer, session = self.hub.peers.get(connection), self.hub.sessions.get(request.session)
        if peer is None or peer.user is None or session is None:
            return
        member = session.member(peer.user)
        # The hub refuses an error that names nobody else of the session, so it says nothing about a peer connection.
        receivers = () if member is None else find_receivers(request, session, member)
        if receivers and self._allows(address):
            _log.info(
                "session {session}: user {user}, connection {connection}, has no peer connection to {other}",
                event="peer-connection-failed",
                session=self._session(session.id),
                user=self._user(peer.user),
                connection=connection,
                other=self._user(receivers[0].user),
            )

    def read_outcome(self, id: DecisionId, outcome: Outcome) -> _Report | None:
        """Return what an outcome brings about, before it is applied; None where there is nothing to log."""
        pending = self.hub.decisions.by_id.get(id)
        if pending is None:
            return None
        operation, address = pending.operation, pending.address
        user = None if isinstance(operation, Identify | EndSession) else operation.user
        speaker = None if user is None else self._latest.get(user)
        if address is None and speaker is not None:
            address = speaker.address
        match outcome:
            case Refused():
                if isinstance(operation, OpenSession | JoinSession):
                    self._note_refusal(speaker, _Refusal(operation.session, outcome.by_webhook))
                connection = pending.peer if speaker is None else speaker.connection
                return None if outcome.mismatch is None else _Report(connection, user, address, refused=outcome)
            case Decided() | Resumed() | NotResumed():
                known = self.hub.sessions
                news = [item for each in outcome.changes for item in session_news(known.get(each.session.id), each)]
                return _Report(pending.peer, user, address, news=news) if news else None
            case Identified():
                return None
            case _ as never:
                assert_never(never)

    def _note_refusal(self, speaker: _Speaker | None, refusal: _Refusal) -> None:
        if speaker is not None and speaker.connection in self.hub.peers and self.is_detailed:
            self._refusals[speaker.connection] = refusal

    def write(self, report: _Report) -> None:
        """Write the lines about an outcome, after it was applied."""
        refused = report.refused
        if refused is not None and refused.mismatch is not None:
            self.log_token_refused(report.connection, report.address, refused.code, refused.mismatch, report.user)
        if report.news and report.user is not None and report.connection is not None and report.address is not None:
            # The welcome of a resumed user follows.
            self._latest[report.user] = _Speaker(report.connection, report.address)
        for item in report.news:
            if self._allows(report.address):
                self._write_news(item)

    def tick(self) -> None:
        """Report the lines that were not written, and forget users that have ended; to be called every second."""
        now = self.clock.seconds()
        count = self._budget.take_report(now)
        if count:
            _log.warn(
                "{count} lines about clients were not written, since there were too many",
                event="client-lines-dropped",
                count=count,
            )
        if now >= self._prune_due:
            self._prune_due = now + _PRUNE_SECONDS
            users = self.hub.users
            self._latest = {user: connection for user, connection in self._latest.items() if user in users}

    def _write_news(self, news: News) -> None:
        session = news.session
        speaker = None if news.user is None else self._latest.get(news.user)
        values: dict[str, str | int] = {
            "session": self._session(session.id),
            "user": self._user(news.user),
            "connection": UNKNOWN if speaker is None else speaker.connection,
            "reason": news.reason or UNKNOWN,
            "members": len(session.members),
            "capacity": session.settings.capacity,
            "visitors": len(session.visitors),
            "sessions": len(self.hub.lifetimes.expires),
        }
        write_news(news.kind, values)

    def _user(self, user: UserId | None) -> str:
        return UNKNOWN if user is None else self.hub.references.of_user(user)

    def _session(self, session: SessionId | None) -> str:
        return UNKNOWN if session is None else self.hub.references.of_session(session)

    def _allows(self, address: AddressKey | None) -> bool:
        return self._budget.allows(address, self.clock.seconds())


def _limit(code: ErrorCode) -> str:
    """Return the name of the limit behind an error, as it is configured; a hyphen where there is none."""
    return LIMIT_OF.get(code, UNKNOWN).replace("_", "-")
