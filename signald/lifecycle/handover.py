"""Hands users and sessions over from a stopping process to the next process, through the state file."""

from __future__ import annotations

from attrs import frozen
from twisted.logger import Logger

from signald.core.snapshot import aged, without_users
from signald.lifecycle.state_file import DamagedStateError, State, StateFile
from signald.server.switchboard import Switchboard

__all__ = ["Handover"]

_log = Logger()


@frozen
class Handover:
    """Restores the state when the daemon starts and saves it when the daemon stops.

    A failure to restore or save the state is logged and prevents neither the start nor the stop.

    Attributes:
        switchboard: the switchboard, which holds the users and sessions.
        file: the state file, which holds the users and sessions between two processes.
        most_seconds: the time after the save within which users can reconnect; kept sessions are restored even later.

    """

    switchboard: Switchboard
    file: StateFile
    most_seconds: float

    def save(self, now: float) -> None:
        """Suspend the switchboard and write the state; `now` is wall time in seconds."""
        try:
            snapshot = self.switchboard.suspend()
            self.file.write(snapshot, now)
        except OSError as error:
            _log.warn("users and sessions end with this process: {reason}", event="state-lost", reason=error.strerror)
            return
        except Exception:  # noqa: BLE001 # no error may keep the process from stopping in order
            _log.failure("users and sessions end with this process", event="state-failed")
            return
        _log.info(
            "left to the next process: {users} users, {sessions} sessions",
            event="state-written",
            users=len(snapshot.users),
            sessions=len(snapshot.sessions),
        )

    def restore(self, now: float) -> None:
        """Restore the state that the previous process saved, if there is one; `now` is wall time in seconds."""
        try:
            state = self.file.take(now)
        except OSError as error:
            _log.warn("the state cannot be read: {reason}", event="state-unreadable", reason=error.strerror)
            return
        except DamagedStateError as error:
            _log.warn("the state cannot be used: {reason}", event="state-damaged", reason=str(error))
            return
        if state is None:
            return
        is_restored = False
        try:
            self._apply(state)
            is_restored = True
        except Exception:  # noqa: BLE001 # after any error, a start without the state is better than no start
            _log.failure("the state cannot be restored; it is kept, and nothing of it used", event="state-unusable")
        try:
            if is_restored:
                self.file.forget()
            else:
                self.file.set_aside()
        except OSError as error:
            _log.warn("the state stays where it was read: {reason}", event="state-left", reason=error.strerror)

    def _apply(self, state: State) -> None:
        """Restore a state; if that raises an exception, the switchboard is unchanged."""
        snapshot = aged(state.snapshot, state.age or 0.0)
        if state.age is None or state.age > self.most_seconds:
            # The age is unknown if the wall clock was set back since the state was saved.
            _log.info("the state is too old for users to come back; kept sessions stay", event="state-old")
            snapshot = without_users(snapshot)
        self.switchboard.restore(snapshot)
        _log.info(
            "taken up: {users} users, {sessions} sessions",
            event="state-restored",
            users=len(snapshot.users),
            sessions=len(self.switchboard.registry.sessions),
        )
