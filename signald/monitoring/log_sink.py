"""Writes log lines to a file descriptor in a thread of its own, so that a slow reader cannot block the reactor."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["MOST_BYTES", "Sink"]

MOST_BYTES = 1 << 20
"""The maximum size of the queue of lines; lines beyond it are dropped and counted."""

RETRY_SECONDS = 0.2
"""Pause after a failed write, as on a full disk or a pipe without a reader."""


class Sink:
    """Queues lines without blocking, and writes them in a thread.

    The descriptor stays blocking or non-blocking, as it was: other processes may share it, such as the shell that
    started signald.

    Attributes:
        written: the number of lines written.
        dropped: the number of lines dropped, since the queue was full or a write failed.

    """

    _queue: deque[bytes]
    _thread: threading.Thread | None
    _changed: threading.Condition

    def __init__(
        self,
        descriptor: int,
        dropped: Callable[[int], bytes],
        *,
        write: Callable[[int, bytes], int] = os.write,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Create a sink for a descriptor.

        Arguments:
            descriptor: the descriptor to write to.
            dropped: returns a line about a number of dropped lines, which is written before the next one.
            write: writes to the descriptor, as `os.write` does.
            most_bytes: the maximum size of the queue.

        """
        self.written = 0
        self.dropped = 0
        self._descriptor = descriptor
        self._write = write
        self._dropped_line = dropped
        self._most_bytes = most_bytes
        self._unreported = 0
        self._is_line_open = False
        self._reset()
        # twistd forks to become a daemon after its first log lines, and a thread does not survive in the child.
        os.register_at_fork(before=lambda: self.flush(1.0), after_in_child=self._reset)

    def put(self, line: bytes) -> None:
        """Queue a line, which includes its line end; callable from any thread."""
        with self._changed:
            if self._queued_bytes + len(line) > self._most_bytes:
                self.dropped += 1
                self._unreported += 1
                return
            self._queue.append(line)
            self._queued_bytes += len(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until the queue is empty, at most for so many seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._writing, seconds)

    def _reset(self) -> None:
        """Start with an empty queue and no thread."""
        self._queue = deque()
        self._queued_bytes = 0
        self._writing = False
        self._thread = None
        self._changed = threading.Condition()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                line = self._queue.popleft()
                unreported, self._unreported = self._unreported, 0
                self._writing = True
            is_lost = self._write_line(line, unreported)
            with self._changed:
                self._queued_bytes -= len(line)
                self._writing = False
                self._changed.notify_all()
            if is_lost:
                # This is not a wait for the condition, since every further line would end that.
                threading.Event().wait(RETRY_SECONDS)

    def _write_line(self, line: bytes, unreported: int) -> bool:
        """Write a line, and before it one about dropped lines; return whether it was lost."""
        try:
            if unreported:
                self._write_all(self._dropped_line(unreported))
                unreported = 0
            self._write_all(line)
        except (OSError, ValueError):
            with self._changed:
                self.dropped += 1
                self._unreported += unreported + 1
            return True
        self.written += 1
        return False

    def _write_all(self, line: bytes) -> None:
        """Write a whole line, after ending one that was written in part.

        Raises:
            OSError: the write failed.

        """
        data = b"\n" + line if self._is_line_open else line
        while data:
            try:
                done = self._write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
                continue
            data = data[done:]
            self._is_line_open = bool(data)
