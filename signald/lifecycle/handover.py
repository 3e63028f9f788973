"""Hands users and sessions over from a process that stops to the next one, by way of the state file."""

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
    """Both ends of it: what a process does first, and what it does last. Neither keeps it from starting or ending.

    Attributes:
        switchboard: has the users and sessions.
        file: where they are in between.
        most_seconds: for which users can come back; kept sessions outlast that.

    """

    switchboard: Switchboard
    file: StateFile
    most_seconds: float

    def leave(self, now: float) -> None:
        """Let the switchboard take no more facts, and write the state; `now` is wall time in seconds."""
        try:
            snapshot = self.switchboard.suspend()
            self.file.write(snapshot, now)
        except OSError as error:
            _log.warn("users and sessions end with this process: {reason}", event="state-lost", reason=error.strerror)
            return
        except Exception:  # noqa: BLE001 # whatever it is, the clients are to be told, and the process to end in order
            _log.failure("users and sessions end with this process", event="state-failed")
            return
        _log.info(
            "left to the next process: {users} users, {sessions} sessions",
            event="state-written",
            users=len(snapshot.users),
            sessions=len(snapshot.sessions),
        )

    def take_up(self, now: float) -> None:
        """Go on with the state that the process before left, if it left one; `now` is wall time in seconds."""
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
            self._restore(state)
            is_restored = True
        except Exception:  # noqa: BLE001 # whatever it is, a start with nothing is better than none
            _log.failure("the state cannot be restored; it is kept, and nothing of it used", event="state-unusable")
        try:
            if is_restored:
                self.file.forget()
            else:
                self.file.set_aside()
        except OSError as error:
            _log.warn("the state stays where it was read: {reason}", event="state-left", reason=error.strerror)

    def _restore(self, state: State) -> None:
        """Go on with a state, or raise whatever it is, with nothing changed."""
        snapshot = aged(state.snapshot, state.age or 0.0)
        if state.age is None or state.age > self.most_seconds:
            # By a clock that was set meanwhile it may be any age.
            _log.info("the state is too old for users to come back; kept sessions stay", event="state-old")
            snapshot = without_users(snapshot)
        self.switchboard.restore(snapshot)
        _log.info(
            "taken up: {users} users, {sessions} sessions",
            event="state-restored",
            users=len(snapshot.users),
            sessions=len(self.switchboard.registry.sessions),
        )
