"""Hands users and sessions over from one process to the next: through the state file, or after a crash the journal."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.logger import Logger

from signald.core.journal_records import rebuild
from signald.core.snapshot import Snapshot, aged, without_users
from signald.lifecycle.journal import Journal
from signald.lifecycle.journal_file import DamagedJournalError
from signald.lifecycle.state_file import DamagedStateError, StateFile
from signald.monitoring.metrics import Metrics
from signald.server.switchboard import Switchboard

__all__ = ["Handover"]

_log = Logger()


@frozen
class Handover:
    """Restores the state when the daemon starts, and saves it when the daemon stops.

    The state file wins over the journal, since it is written by an orderly stop and contains more. A failure to restore
    or save is logged and prevents neither the start nor the stop.

    Attributes:
        switchboard: the switchboard, which holds the users and sessions.
        file: the state file, which holds the users and sessions between two processes.
        journal: records their changes between a start and a stop.
        most_seconds: the time after the end of a process within which users can reconnect; kept sessions are restored
            even later.
        metrics: gets the time at which the state was written that is restored, and whether some cannot be restored.

    """

    switchboard: Switchboard
    file: StateFile
    journal: Journal
    most_seconds: float
    metrics: Metrics

    def save(self, now: float) -> None:
        """Suspend the switchboard, write the state, and remove the journal; `now` is wall time in seconds.

        If the state cannot be written, the journal stays for the next process: what clients have not acknowledged is
        lost, and their memberships are not.
        """
        try:
            snapshot = self.switchboard.suspend()
            self.journal.close()
            self.file.write(snapshot, now)
        except OSError as error:
            _log.warn(
                "undelivered messages end with this process; users and sessions are left in the journal, if it is "
                "there: {reason}",
                event="state-lost",
                reason=error.strerror,
            )
            return
        except Exception:  # noqa: BLE001 # no error may keep the process from stopping in order
            _log.failure(
                "undelivered messages end with this process; users and sessions are left in the journal",
                event="state-failed",
            )
            return
        self._clean_up(self.journal.remove)
        _log.info(
            "left to the next process: {users} users, {sessions} sessions",
            event="state-written",
            users=len(snapshot.users),
            sessions=len(snapshot.sessions),
        )

    def restore(self, now: float) -> None:
        """Restore what the previous process left, if there is anything, and start the journal of this one.

        Arguments:
            now: wall time in seconds since the epoch.

        """
        clean_up: list[Callable[[], object]] = []
        if not self._restore_state(now, clean_up):
            self._restore_journal(now, clean_up)
        self.journal.start()
        # The journal of this process contains what was restored, so that a crash from now on loses nothing of it.
        for call in (*clean_up, self.journal.file.forget):
            self._clean_up(call)

    def _restore_state(self, now: float, clean_up: list[Callable[[], object]]) -> bool:
        """Restore the state from its file, and return whether it is restored.

        Arguments:
            now: the wall time in seconds since the epoch.
            clean_up: receives the call that deletes the file, or sets it aside, once the journal has the state.

        """
        try:
            state = self.file.take(now)
        except OSError as error:
            self.metrics.state_degraded = True
            _log.warn("the state cannot be read: {reason}", event="state-unreadable", reason=error.strerror)
            return False
        except DamagedStateError as error:
            self.metrics.state_degraded = True
            _log.warn("the state cannot be used: {reason}", event="state-damaged", reason=str(error))
            return False
        if state is None:
            return False
        try:
            users = self._apply(state.snapshot, state.age, now)
        except Exception:  # noqa: BLE001 # after any error, a start without the state is better than no start
            self.metrics.state_degraded = True
            _log.failure("the state cannot be restored; it is kept, and nothing of it used", event="state-unusable")
            clean_up.append(self.file.set_aside)
            return False
        _log.info(
            "taken up: {users} users, {sessions} sessions",
            event="state-restored",
            users=users,
            sessions=len(self.switchboard.registry.sessions),
        )
        clean_up.append(self.file.forget)
        return True

    def _restore_journal(self, now: float, clean_up: list[Callable[[], object]]) -> None:
        """Restore the journal of a process that crashed, if there is one; add to `clean_up` what to do with it."""
        journal = self.journal.file
        try:
            contents = journal.take()
        except OSError as error:
            self.metrics.state_degraded = True
            _log.warn("the journal cannot be read: {reason}", event="journal-unreadable", reason=error.strerror)
            return
        except DamagedJournalError as error:
            self.metrics.state_degraded = True
            _log.warn("the journal cannot be used: {reason}", event="journal-refused", reason=str(error))
            return
        if contents is None:
            return
        try:
            rebuilt = rebuild(contents.bodies)
            age = now - rebuilt.wall if rebuilt.wall <= now else None
            users = self._apply(rebuilt.snapshot, age, now)
        except Exception:  # noqa: BLE001 # after any error, a start without the journal is better than no start
            self.metrics.state_degraded = True
            _log.failure("the journal cannot be restored; it is kept, and nothing of it used", event="journal-unusable")
            clean_up.append(journal.set_aside)
            return
        _log.info(
            "restored after a crash: {users} users, {sessions} sessions",
            event="journal-restored",
            users=users,
            sessions=len(self.switchboard.registry.sessions),
            age=age,
            unused=contents.unused,
        )
        dropped = contents.dropped | rebuilt.unreadable
        if not contents.damaged and not dropped:
            return
        self.metrics.state_degraded = True
        _log.warn(
            "the journal was damaged in {damaged} places; {dropped} users and sessions were dropped, whose latest "
            "record is damaged or may be; it is kept for a diagnosis",
            event="journal-damaged",
            damaged=contents.damaged,
            dropped=len(dropped),
        )
        clean_up.append(journal.set_aside)

    def _apply(self, snapshot: Snapshot, age: float | None, now: float) -> int:
        """Restore a snapshot, and return the number of its users; if that raises, the switchboard is unchanged."""
        snapshot = aged(snapshot, age or 0.0)
        if age is None or age > self.most_seconds:
            # The age is unknown if the wall clock was set back since the state was saved.
            _log.info("the state is too old for users to come back; kept sessions stay", event="state-old")
            snapshot = without_users(snapshot)
        self.switchboard.restore(snapshot)
        self.metrics.state_written = None if age is None else now - age
        return len(snapshot.users)

    def _clean_up(self, call: Callable[[], object]) -> None:
        try:
            call()
        except OSError as error:
            _log.warn("the state stays where it was read: {reason}", event="state-left", reason=error.strerror)
