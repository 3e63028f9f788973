"""Whole text frames are read as RFC 6455 §5.2 says, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.server.text_frames import read_text_frame, text_frame
from tests.support.endpoints import BINARY, CONTINUATION, PING, TEXT, frame, parse_frames

MOST = 70_000


class ReadTests(SynchronousTestCase):
    """Reading a frame."""

    @given(st.text(max_size=300), st.binary(min_size=4, max_size=4), st.binary(max_size=9), st.binary(max_size=9))
    def test_payload(self, text: str, mask: bytes, before: bytes, after: bytes) -> None:
        """The payload is unmasked, whatever stands before and behind the frame."""
        payload = text.encode()
        data = frame(TEXT, payload, mask=mask)
        self.assertEqual(read_text_frame(before + data + after, len(before), MOST), (payload, len(before) + len(data)))

    def test_lengths(self) -> None:
        """Lengths up to 65,535 bytes are read; longer ones, which take eight bytes, are left to Autobahn."""
        for length in (0, 1, 125, 126, 127, 65535):
            data = frame(TEXT, b"x" * length)
            self.assertEqual(read_text_frame(data, 0, MOST), (b"x" * length, len(data)))
        self.assertIsNone(read_text_frame(frame(TEXT, b"x" * 65536), 0, MOST))

    def test_too_long(self) -> None:
        """A payload beyond the bound is left to Autobahn."""
        self.assertIsNotNone(read_text_frame(frame(TEXT, b"x" * 100), 0, 100))
        self.assertIsNone(read_text_frame(frame(TEXT, b"x" * 101), 0, 100))

    def test_incomplete(self) -> None:
        """A frame that is cut off anywhere is left to Autobahn."""
        for length in (1, 200):
            data = frame(TEXT, b"x" * length)
            for end in range(len(data)):
                self.assertIsNone(read_text_frame(data[:end], 0, MOST), end)

    def test_other_frames(self) -> None:
        """Frames of other kinds are left to Autobahn, and so are invalid ones."""
        longer_form = b"\x81\xfe\x00\x05mask12345"
        for data in (
            frame(BINARY, b"x"),
            frame(CONTINUATION, b"x"),
            frame(PING, b"x"),
            frame(TEXT, b"x", fin=False),
            frame(TEXT, b"x", rsv=4),
            frame(TEXT, b"x" * 10, mask=None),
            frame(TEXT, b"\xff"),
            frame(TEXT, b"\xed\xa0\x80"),
            longer_form,
        ):
            self.assertIsNone(read_text_frame(data, 0, MOST), data)


class WriteTests(SynchronousTestCase):
    """Making a frame."""

    def test_lengths(self) -> None:
        """Each length is written in its shortest form."""
        for length in (0, 1, 125, 126, 65535, 65536):
            data = text_frame(b"x" * length)
            self.assertEqual(parse_frames(data), [(TEXT, b"x" * length)])
            self.assertEqual(len(data) - length, 2 if length < 126 else 4 if length < 65536 else 10)
