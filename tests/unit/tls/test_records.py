"""Tests of how a stream of TLS records is cut into pieces."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from signald.tls.records import RECORDS_PER_PIECE, RecordCutter


def record(length: int) -> bytes:
    """Return a record with a content of zeros."""
    return b"\x17\x03\x03" + length.to_bytes(2, "big") + bytes(length)


class CutTests(SynchronousTestCase):
    """Pieces end where records end."""

    def test_whole_records(self) -> None:
        """Whole records are one piece if they are few, and several if they are many."""
        cutter = RecordCutter()
        few, many = record(3) + record(300), record(1) * (2 * RECORDS_PER_PIECE + 1)
        self.assertEqual(cutter.cut(few), [(few, 2, True)])
        self.assertEqual([(len(piece), ends, whole) for piece, ends, whole in cutter.cut(many)], [
            (6 * RECORDS_PER_PIECE, RECORDS_PER_PIECE, True), (6 * RECORDS_PER_PIECE, RECORDS_PER_PIECE, True),
            (6, 1, True),
        ])  # fmt: skip
        exact = record(1) * RECORDS_PER_PIECE
        self.assertEqual(cutter.cut(exact), [(exact, RECORDS_PER_PIECE, True)])

    def test_one_record(self) -> None:
        """A read that is one whole record needs no cut, and nothing else is taken for one."""
        cutter, one = RecordCutter(), record(20)
        self.assertTrue(cutter.is_record(one))
        for other in (one[:-1], one + b"\x17", one + one, b"\x17\x03\x03\x00", b""):
            self.assertFalse(cutter.is_record(other))
        for cut in (3, 10):
            cutter.cut(one[:cut])
            self.assertFalse(cutter.is_record(one))
            cutter.cut(one[cut:])
            self.assertTrue(cutter.is_record(one))

    def test_cut_anywhere(self) -> None:
        """Wherever reads cut the stream, no byte is lost, each record is counted where it ends, and whole is whole."""
        rng = random.Random(3)
        lengths = [rng.choice((0, 1, 17, 300)) for _ in range(400)]
        stream = b"".join(map(record, lengths))
        ends = {0}
        for length in lengths:
            ends.add(max(ends) + 5 + length)
        for longest in (1, 2, 6, 40, 5000):
            cutter, at, cuts = RecordCutter(), 0, b""
            while at < len(stream):
                data = stream[at : at + rng.randint(1, longest)]
                at += len(data)
                for piece, count, whole in cutter.cut(data):
                    start, end = len(cuts), len(cuts) + len(piece)
                    cuts += piece
                    self.assertEqual(count, sum(start < one <= end for one in ends))
                    self.assertLessEqual(count, RECORDS_PER_PIECE)
                    self.assertEqual(whole, start in ends and end in ends)
            self.assertEqual(cuts, stream)
