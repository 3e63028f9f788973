"""Tests of writing log lines in a thread. They wait for events, and never sleep."""

from __future__ import annotations

import errno
import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.log_sink import Sink

SECONDS = 20.0
"""The maximum time to wait for a thread."""


class Descriptor:
    """A fake descriptor that can block, be full, or be slow.

    Attributes:
        data: all bytes written.
        open: set while writes do not block.
        waits: set when a write was started.
        failed: set when a write has failed.
        most: the maximum number of bytes per write.
        fails: the error of each write; None for none.

    """

    def __init__(self) -> None:
        self.data = b""
        self.open = threading.Event()
        self.open.set()
        self.waits = threading.Event()
        self.failed = threading.Event()
        self.most = 10**9
        self.fails: OSError | None = None

    def write(self, descriptor: int, data: bytes) -> int:
        """Write as `os.write` does."""
        self.waits.set()
        if not self.open.wait(SECONDS):
            raise AssertionError("the test did not let the write go on")
        if self.fails is not None:
            self.failed.set()
            raise self.fails
        self.data += data[: self.most]
        return min(len(data), self.most)


class SinkTests(SynchronousTestCase):
    """`Sink` writes lines to a descriptor."""

    def setUp(self) -> None:
        """Create a sink with a queue of 100 bytes for a fake descriptor."""
        self.descriptor = Descriptor()
        self.sink = Sink(-1, lambda count: b"lost %d\n" % count, write=self.descriptor.write, most_bytes=100)

    def flush(self) -> bytes:
        """Wait until the queue is empty, and return what was written."""
        self.assertTrue(self.sink.flush(SECONDS))
        return self.descriptor.data

    def test_order(self) -> None:
        """Lines are written whole and in order."""
        for number in range(5):
            self.sink.put(b"line %d\n" % number)
        self.assertEqual(self.flush(), b"".join(b"line %d\n" % number for number in range(5)))
        self.assertEqual((self.sink.written, self.sink.dropped), (5, 0))

    def test_partial_writes(self) -> None:
        """The rest of a line follows a partial write."""
        self.descriptor.most = 3
        self.sink.put(b"0123456789\n")
        self.assertEqual(self.flush(), b"0123456789\n")

    def test_blocked_descriptor(self) -> None:
        """While a write blocks, lines are queued up to the bound and then dropped, which is logged afterwards."""
        self.descriptor.open.clear()
        self.sink.put(b"first\n")
        self.assertTrue(self.descriptor.waits.wait(SECONDS))
        for _ in range(1000):
            self.sink.put(b"123456789\n")
        self.assertEqual(self.sink.dropped, 991)
        self.assertFalse(self.sink.flush(0.01))
        self.descriptor.open.set()
        self.flush()
        lines = self.descriptor.data.splitlines()
        self.assertEqual(lines[:2], [b"first", b"lost 991"])
        self.assertEqual(lines[2:], [b"123456789"] * 9)
        self.assertEqual((self.sink.written, self.sink.dropped), (10, 991))

    def test_full_disk(self) -> None:
        """A line that cannot be written is dropped. The next line follows a line with the number of dropped lines."""
        self.descriptor.fails = OSError(errno.ENOSPC, "full")
        self.sink.put(b"lost one\n")
        self.assertTrue(self.descriptor.failed.wait(SECONDS))
        self.assertTrue(self.sink.flush(SECONDS))
        self.descriptor.fails = None
        self.sink.put(b"again\n")
        self.assertEqual(self.flush(), b"lost 1\nagain\n")
        self.assertEqual((self.sink.written, self.sink.dropped), (1, 1))

    def test_truncated_line(self) -> None:
        """A line that was written in part is ended before the next one."""
        taken = [4]

        def write(descriptor: int, data: bytes) -> int:
            if taken[0] == 0:
                self.descriptor.failed.set()
                raise OSError(errno.ENOSPC, "full")
            done = min(len(data), taken[0])
            taken[0] -= done
            self.descriptor.data += data[:done]
            return done

        sink = Sink(-1, lambda count: b"lost %d\n" % count, write=write)
        sink.put(b"whole line\n")
        self.assertTrue(self.descriptor.failed.wait(SECONDS))
        self.assertTrue(sink.flush(SECONDS))
        taken[0] = 10**6
        sink.put(b"again\n")
        self.assertTrue(sink.flush(SECONDS))
        self.assertEqual(self.descriptor.data, b"whol\nlost 1\nagain\n")

    def test_pipe(self) -> None:
        """Lines for a full pipe, blocking or not, are dropped; once it is read, every line is whole or counted."""
        for blocking in (True, False):
            reader, writer = os.pipe()
            self.addCleanup(os.close, writer)
            os.set_blocking(writer, blocking)
            sink = Sink(writer, lambda count: b"lost %d\n" % count)
            line = b"x" * 999 + b"\n"
            for _ in range(3000):
                sink.put(line)
            self.assertGreater(sink.dropped, 1500)
            whole = lost = 0
            with os.fdopen(reader, "rb") as pipe:
                while whole < 3000 - sink.dropped:
                    read = pipe.readline()
                    if read == line:
                        whole += 1
                    else:
                        # The count is greater than one if the thread started late.
                        lost += int(read.removeprefix(b"lost "))
            self.assertEqual(lost, sink.dropped)

    def test_fork(self) -> None:
        """A child process, such as the daemon of twistd, continues to log."""
        reader, writer = os.pipe()
        sink = Sink(writer, lambda count: b"lost\n")
        sink.put(b"parent\n")
        child = os.fork()
        if child == 0:
            try:
                sink.put(b"child\n")
                sink.flush(SECONDS)
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as pipe:
            self.assertEqual(pipe.read(), b"parent\nchild\n")
