"""The journal: writes each change of users and sessions into a file before the answer that depends on it is sent.

A process that is killed loses nothing that a client was answered, since the kernel has the lines. They are synced in a
thread, so that a power failure loses `SYNC_SECONDS` and the time of one sync at most. While the file cannot be written
there is none: a stale one would bring back members who left and secrets that were replaced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.journal_records import Record, Recorder
from signald.lifecycle.journal_file import MOST_BYTES, JournalFile, JournalWriter
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.server.switchboard import Switchboard

__all__ = [
    "CLOCK_SECONDS",
    "GROWTH",
    "LEAST_BYTES",
    "PROBLEM",
    "RETRY_SECONDS",
    "SETTLE_POLL_SECONDS",
    "SLICE",
    "SYNC_SECONDS",
    "Journal",
    "RunInThread",
]

RunInThread = Callable[[Callable[[], None]], "Deferred[None]"]
"""Calls a function in a thread; the Deferred fires when it is done."""

SYNC_SECONDS = 0.05
"""The time for which lines are collected before they are synced together."""

CLOCK_SECONDS = 10.0
"""The interval at which a journal without changes notes the time, from which the next start computes how long ago this
process ended."""

RETRY_SECONDS = 10.0
"""The time between two attempts to write a new file where the last one failed."""

SETTLE_POLL_SECONDS = 0.01
"""The interval at which `Journal.settle` checks whether a compaction is still under way."""

GROWTH = 2
"""The file is compacted when it has grown to this multiple of the size of the live records."""

LEAST_BYTES = 1 << 20
"""The file is not compacted below this size, so that a small server does not compact after every call."""

SLICE = 32
"""The number of records that a compaction writes in one iteration of the reactor: about a millisecond."""

PROBLEM = "journal-degraded"
"""The name of the warning while the journal cannot be written."""

_log = Logger()


@define(eq=False)
class _Compaction:
    """A new file that is being written.

    Attributes:
        writer: the new file; changes go into it as well as into the one in use.
        keys: what is still to be written.
        timer: the call that writes the next slice; None when all are written.

    """

    writer: JournalWriter
    keys: deque[str]
    timer: IDelayedCall | None = None


@define
class Journal:
    """Records the changes of a switchboard's users and sessions.

    Attributes:
        switchboard: calls the journal after each change and before the answer.
        file: the file in the data directory.
        clock: gives monotonic seconds and schedules syncs.
        wall: gives seconds since the epoch.
        run_in_thread: calls a function that waits for the disk.
        readiness: gets a warning while the journal cannot be written.
        metrics: gets the size of the file, the time of the last write, and whether it cannot be written.

    """

    switchboard: Switchboard
    file: JournalFile
    clock: IReactorTime
    wall: Callable[[], float]
    run_in_thread: RunInThread
    readiness: Readiness
    metrics: Metrics
    _recorder: Recorder = field(init=False)
    _is_open: bool = field(init=False, default=False)
    _is_removed: bool = field(init=False, default=False)
    _writer: JournalWriter | None = field(init=False, default=None)
    """The file in use; None while it cannot be written."""

    _compaction: _Compaction | None = field(init=False, default=None)
    _sizes: dict[str, int] = field(init=False, factory=dict)
    """The size of the body of each live record, by key."""

    _live_bytes: int = field(init=False, default=0)
    _is_sync_due: bool = field(init=False, default=False)
    """Whether a sync is scheduled or under way."""

    _sync_timer: IDelayedCall | None = field(init=False, default=None)

    _thread: DeferredLock = field(init=False, factory=DeferredLock)
    """Held while a thread uses a file, so that no descriptor is closed meanwhile."""

    _compact_after: float = field(init=False, default=float("-inf"))
    _clock_due: float = field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        """Create the recorder of the switchboard's users and sessions."""
        self._recorder = Recorder(self.switchboard.hub, self.switchboard.registry)

    # Life

    def start(self) -> None:
        """Write a new journal of all users and sessions in the place of any earlier one, and record changes from now.

        This waits for the disk, which is acceptable since nobody is connected yet. It raises nothing: a journal that
        cannot be written is reported as degraded.
        """
        self._is_open = True
        self._sizes.clear()
        self._live_bytes = 0
        self.switchboard.record_changes = self.write_changes
        self.switchboard.registry.changes.take()
        now, wall = self.clock.seconds(), self.wall()
        try:
            writer = self.file.begin()
            try:
                self._append(writer, [self._recorder.of_key(key, now, wall) for key in self._recorder.subjects()])
                self.file.publish(writer)
            except BaseException:
                writer.close()
                raise
        except OSError as error:
            self._degrade(_reason(error))
        except Exception:  # noqa: BLE001 # after any error, serving without a journal is better than not serving
            _log.failure("users and sessions cannot be recorded", event="journal-failed")
            self._degrade("a record cannot be encoded")
        else:
            self._use(writer)

    async def settle(self) -> None:
        """Wait until no compaction is under way and no thread uses a file.

        If `close` is called at once after that, this process renames and deletes nothing more, and its successor may.
        """
        while self._compaction is not None or self._thread.locked:
            if self._compaction is not None:
                await deferLater(self.clock, SETTLE_POLL_SECONDS)
            else:
                await self._thread.acquire()
                self._thread.release()

    def close(self) -> None:
        """Record nothing more, and leave the file to the next process, which replaces it when it starts its own.

        `start` may be called again, if there is no next process after all.
        """
        self._is_open = False
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer, self._is_sync_due = None, False
        self._drop_compaction()
        self._retire()

    def remove(self) -> None:
        """Close the journal and delete its file, since the state is stored elsewhere.

        Raises:
            OSError: the file cannot be deleted.

        """
        self._is_removed = True
        self.close()
        self.file.remove()

    def tick(self) -> None:
        """Do what is due; to be called about every second."""
        now = self.clock.seconds()
        if not self._is_open:
            return
        if self._writer is None:
            self._compact()
        elif now >= self._clock_due:
            self._clock_due = now + CLOCK_SECONDS
            if self._sizes:
                self._write([self._recorder.clock(now, self.wall())])
            elif self._writer.size:
                # Nobody is left, so nothing about anybody stays on the disk.
                self._compact()

    # Writing

    def write_changes(self) -> None:
        """Write the records of everything that has changed since the last call. It raises nothing."""
        changes = self.switchboard.registry.changes
        if not changes:
            return
        users, sessions = changes.take()
        if not self._is_open or (self._writer is None and self._compaction is None):
            return
        recorder, now, wall = self._recorder, self.clock.seconds(), self.wall()
        try:
            records = [recorder.user(id, now, wall) for id in users]
            records += [recorder.session(id, now, wall) for id in sessions]
        except Exception:  # noqa: BLE001 # after any error, serving without a journal is better than not serving
            _log.failure("a change cannot be recorded", event="journal-failed")
            self._degrade("a record cannot be encoded")
            return
        # What has no record needs none of its end: a client that cannot resume never had one.
        if records := [record for record in records if record.is_live or record.key in self._sizes]:
            self._write(records)
            self._schedule_sync()

    def _write(self, records: list[Record]) -> None:
        """Append records to the file in use, and to the one that replaces it."""
        self._clock_due = self.clock.seconds() + CLOCK_SECONDS
        if self._compaction is not None:
            try:
                self._append(self._compaction.writer, records)
            except OSError:
                self._drop_compaction()
        if self._writer is None:
            return
        try:
            self._append(self._writer, records)
        except OSError as error:
            self._degrade(_reason(error))
            return
        self._note_write(self._writer)
        if self._writer.size >= max(LEAST_BYTES, GROWTH * self._live_bytes):
            self._compact()

    def _append(self, writer: JournalWriter, records: Iterable[Record]) -> None:
        """Append records to a file, and note the sizes of the live ones.

        Raises:
            OSError: they cannot be written.

        """
        for record in records:
            self._live_bytes -= self._sizes.pop(record.key, 0)
            if record.is_live:
                self._sizes[record.key] = len(record.body)
                self._live_bytes += len(record.body)
        writer.append([(record.key, record.body) for record in records])
        if writer.size > MOST_BYTES:
            raise OSError(0, f"the file would exceed {MOST_BYTES} bytes")

    def _use(self, writer: JournalWriter) -> None:
        """Write into this file from now on."""
        self._writer = writer
        self._note_write(writer)
        if self.metrics.journal_degraded:
            self.metrics.journal_degraded = False
            self.readiness.clear_warning(PROBLEM)
            _log.info("the journal is written again", event="journal-recovered")
        if writer.size > writer.synced:
            self._schedule_sync()

    def _note_write(self, writer: JournalWriter) -> None:
        self.metrics.journal_bytes = writer.size
        self.metrics.journal_written = self.wall()

    def _degrade(self, reason: str) -> None:
        """Stop using the file, which is behind from now on, and delete it; `tick` tries to write a new one."""
        self._retire()
        with suppress(OSError):
            self.file.remove()
        self.metrics.journal_bytes = 0
        if not self.metrics.journal_degraded:
            self.metrics.journal_degraded = True
            self.readiness.set_warning(PROBLEM, "The journal cannot be written; a crash would end all sessions.")
            _log.warn(
                "the journal cannot be written, so that a crash would end all sessions: {reason}",
                event="journal-degraded",
                reason=reason,
            )

    def _retire(self) -> None:
        """Close the file in use as soon as no thread uses it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._thread.run(_close, writer)

    # Syncing

    def _schedule_sync(self) -> None:
        if not self._is_sync_due:
            self._is_sync_due = True
            self._sync_timer = self.clock.callLater(SYNC_SECONDS, self._sync)

    def _sync(self) -> None:
        self._sync_timer = None
        writer = self._writer
        if writer is None:
            self._is_sync_due = False
            return
        syncing = self._thread.run(self.run_in_thread, writer.sync)
        syncing.addErrback(self._not_synced, writer).addCallback(self._synced)

    def _not_synced(self, failure: Failure, writer: JournalWriter) -> None:
        # After a failed fsync(2) the kernel may have dropped the data, and a second one would succeed.
        if writer is self._writer:
            self._degrade(_reason(failure.value))

    def _synced(self, _: None) -> None:
        self._is_sync_due = False
        if self._writer is not None and self._writer.size > self._writer.synced:
            self._schedule_sync()

    # Compaction

    def _compact(self) -> None:
        """Begin to write all users and sessions into a new file, some of them in each iteration of the reactor."""
        now = self.clock.seconds()
        if self._compaction is not None or now < self._compact_after:
            return
        try:
            writer = self.file.begin()
        except OSError:
            self._compact_after = now + RETRY_SECONDS
            return
        if self._writer is None:
            # The last file was given up, and nothing recorded since: the sizes are still those of its records.
            self._sizes.clear()
            self._live_bytes = 0
        self._compaction = _Compaction(writer, deque(self._recorder.subjects()))
        self._schedule_slice(self._compaction)

    def _schedule_slice(self, compaction: _Compaction) -> None:
        compaction.timer = self.clock.callLater(0, self._write_slice, compaction)

    def _write_slice(self, compaction: _Compaction) -> None:
        compaction.timer = None
        now, wall, keys = self.clock.seconds(), self.wall(), compaction.keys
        try:
            records = [self._recorder.of_key(keys.popleft(), now, wall) for _ in range(min(SLICE, len(keys)))]
            # A subject that is over by now needs no record in a file that has no older one.
            self._append(compaction.writer, [record for record in records if record.is_live])
        except Exception:  # noqa: BLE001 # whatever it is, the file in use is still good, and it is tried again later
            self._drop_compaction()
            return
        if keys:
            self._schedule_slice(compaction)
            return
        publishing = self._thread.run(self.run_in_thread, partial(self.file.publish, compaction.writer))
        publishing.addCallbacks(
            self._published, self._not_published, callbackArgs=(compaction,), errbackArgs=(compaction,)
        )

    def _published(self, _: None, compaction: _Compaction) -> None:
        if compaction is self._compaction:
            self._compaction = None
            self._retire()
            self._use(compaction.writer)
        elif self._is_open:
            # A write into it failed while the thread renamed it, so that it lacks a change.
            self._degrade("a change was not written")
        elif self._is_removed:
            with suppress(OSError):
                self.file.remove()

    def _not_published(self, failure: Failure, compaction: _Compaction) -> None:
        # It may have been renamed before the error, so that the file in use has no name any more.
        if compaction is self._compaction:
            self._drop_compaction()
            self._degrade(_reason(failure.value))

    def _drop_compaction(self) -> None:
        """Give up the new file, and try again later."""
        compaction, self._compaction = self._compaction, None
        if compaction is not None:
            if compaction.timer is not None:
                compaction.timer.cancel()
            self._compact_after = self.clock.seconds() + RETRY_SECONDS
            self._thread.run(self._discard, compaction.writer)

    def _discard(self, writer: JournalWriter) -> None:
        _close(writer)
        with suppress(OSError):
            self.file.abandon()


def _close(writer: JournalWriter) -> None:
    with suppress(OSError):
        writer.close()


def _reason(error: BaseException | None) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
