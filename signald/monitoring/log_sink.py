"""Where lines of the log go: a descriptor that a thread of its own writes to, so that nobody waits for it."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["MOST_BYTES", "Sink"]

MOST_BYTES = 1 << 20
"""Of lines that wait for the descriptor; what comes when there are as many is dropped, and counted."""

AGAIN_SECONDS = 0.2
"""After a failure, until the next try: a disk that is full, a reader that is gone."""


class Sink:
    """Takes lines without waiting, and writes them when the descriptor takes them.

    The descriptor stays as it is, blocking or not: others may have it too, such as the shell that signald was started
    from.

    Attributes:
        written: how many lines were.
        dropped: how many were not, since too many waited or the descriptor took none.

    """

    _waiting: deque[bytes]
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
        """Take over a descriptor.

        Arguments:
            descriptor: where lines go.
            dropped: makes the line that says how many were dropped, written as soon as lines are again.
            write: writes, as `os.write` does.
            most_bytes: that may wait.

        """
        self.written = 0
        self.dropped = 0
        self._descriptor = descriptor
        self._write = write
        self._dropped_line = dropped
        self._most_bytes = most_bytes
        self._untold = 0
        self._cut = False
        self._begin()
        # twistd becomes a daemon after its first lines, and a thread does not live on in a child.
        os.register_at_fork(before=lambda: self.flush(1.0), after_in_child=self._begin)

    def put(self, line: bytes) -> None:
        """Take a line, with its end; from any thread."""
        with self._changed:
            if self._waiting_bytes + len(line) > self._most_bytes:
                self.dropped += 1
                self._untold += 1
                return
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, for so long at most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def _begin(self) -> None:
        """Begin with nothing waiting and no thread."""
        self._waiting = deque()
        self._waiting_bytes = 0
        self._writing = False
        self._thread = None
        self._changed = threading.Condition()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                line = self._waiting.popleft()
                untold, self._untold = self._untold, 0
                self._writing = True
            lost = self._pass_on(line, untold)
            with self._changed:
                self._waiting_bytes -= len(line)
                self._writing = False
                self._changed.notify_all()
            if lost:
                # Not a wait for the condition, which every further line would end.
                threading.Event().wait(AGAIN_SECONDS)

    def _pass_on(self, line: bytes, untold: int) -> bool:
        """Write a line, after one about those that were dropped before it; whether it was lost."""
        try:
            if untold:
                self._write_all(self._dropped_line(untold))
                untold = 0
            self._write_all(line)
        except (OSError, ValueError):
            with self._changed:
                self.dropped += 1
                self._untold += untold + 1
            return True
        self.written += 1
        return False

    def _write_all(self, line: bytes) -> None:
        """Write all of a line, after the end of one that was cut off.

        Raises:
            OSError: the descriptor takes no more.

        """
        data = b"\n" + line if self._cut else line
        while data:
            try:
                done = self._write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
                continue
            data = data[done:]
            self._cut = bool(data)
