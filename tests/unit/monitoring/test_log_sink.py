"""Where lines of the log go. The threads here wait for events, never for a while."""

from __future__ import annotations

import errno
import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.log_sink import Sink

SECONDS = 20.0
"""To wait for a thread, at most."""


class Descriptor:
    """A descriptor that can be stuck, full, or slow.

    Attributes:
        data: what was written.
        open: set while it takes bytes.
        waits: set when somebody waits for it.
        most: bytes that it takes at once.
        fails: what it fails with.

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
            raise AssertionError("never opened")
        if self.fails is not None:
            self.failed.set()
            raise self.fails
        self.data += data[: self.most]
        return min(len(data), self.most)


class SinkTests(SynchronousTestCase):
    """Lines in, bytes out."""

    def setUp(self) -> None:
        """A sink over a descriptor of ours, for a hundred bytes."""
        self.descriptor = Descriptor()
        self.sink = Sink(-1, lambda count: b"lost %d\n" % count, write=self.descriptor.write, most_bytes=100)

    def flushed(self) -> bytes:
        """What was written, once nothing waits."""
        self.assertTrue(self.sink.flush(SECONDS))
        return self.descriptor.data

    def test_lines_come_in_order(self) -> None:
        """Each whole."""
        for number in range(5):
            self.sink.put(b"line %d\n" % number)
        self.assertEqual(self.flushed(), b"".join(b"line %d\n" % number for number in range(5)))
        self.assertEqual((self.sink.written, self.sink.dropped), (5, 0))

    def test_a_descriptor_that_takes_little_at_a_time(self) -> None:
        """The rest follows."""
        self.descriptor.most = 3
        self.sink.put(b"0123456789\n")
        self.assertEqual(self.flushed(), b"0123456789\n")

    def test_nobody_waits_for_a_stuck_descriptor(self) -> None:
        """Lines wait up to a bound, the rest is dropped and counted, and the log says so when it flows again."""
        self.descriptor.open.clear()
        self.sink.put(b"first\n")
        self.assertTrue(self.descriptor.waits.wait(SECONDS))
        for _ in range(1000):
            self.sink.put(b"123456789\n")
        self.assertEqual(self.sink.dropped, 991)
        self.assertFalse(self.sink.flush(0.01))
        self.descriptor.open.set()
        self.flushed()
        lines = self.descriptor.data.splitlines()
        self.assertEqual(lines[:2], [b"first", b"lost 991"])
        self.assertEqual(lines[2:], [b"123456789"] * 9)
        self.assertEqual((self.sink.written, self.sink.dropped), (10, 991))

    def test_a_full_disk(self) -> None:
        """What could not be written is dropped; the first line that can be follows a line that says how many."""
        self.descriptor.fails = OSError(errno.ENOSPC, "full")
        self.sink.put(b"lost one\n")
        self.assertTrue(self.descriptor.failed.wait(SECONDS))
        self.assertTrue(self.sink.flush(SECONDS))
        self.descriptor.fails = None
        self.sink.put(b"again\n")
        self.assertEqual(self.flushed(), b"lost 1\nagain\n")
        self.assertEqual((self.sink.written, self.sink.dropped), (1, 1))

    def test_a_line_that_was_cut_off_ends_before_the_next(self) -> None:
        """A disk that is full in the middle of a line leaves its beginning."""
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

    def test_a_pipe_without_a_reader(self) -> None:
        """Real descriptors: a pipe that is full and not read, non-blocking or not; then it is read."""
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
                        # More than one, where the thread began late.
                        lost += int(read.removeprefix(b"lost "))
            self.assertEqual(lost, sink.dropped)

    def test_a_child_begins_anew(self) -> None:
        """A process that forks, as twistd does to become a daemon, goes on to log in the child."""
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
