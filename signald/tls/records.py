"""Follows the headers of TLS records in a stream of bytes (RFC 8446 §5.1), and cuts it into pieces of a few records."""

from __future__ import annotations

__all__ = ["RECORDS_PER_PIECE", "RecordCutter"]

RECORDS_PER_PIECE = 16
"""Records of a piece, at most."""

_HEADER_BYTES = 5
"""The size of a record's header, whose last two bytes are the length of the rest."""


class RecordCutter:
    """Knows where the records of a stream end."""

    __slots__ = ("_header", "_missing_bytes")

    def __init__(self) -> None:
        """Start where a record begins."""
        # The beginning of the header of the record that is arriving.
        self._header = b""
        # Bytes that are still to come of the record that is arriving, if its header has arrived.
        self._missing_bytes = 0

    def is_record(self, data: bytes) -> bool:
        """Whether the next bytes of the stream are one whole record, which need not be cut then."""
        return (
            not self._missing_bytes
            and not self._header
            and len(data) > _HEADER_BYTES
            and _HEADER_BYTES + (data[3] << 8 | data[4]) == len(data)
        )

    def cut(self, data: bytes) -> list[tuple[bytes, int, bool]]:
        """Cut the next bytes of the stream.

        Returns:
            pieces: the bytes, the number of records that end in them, and whether they consist of whole records.

        """
        pieces = []
        start, end, ends, size, is_whole = 0, self._missing_bytes, 0, len(data), True
        if end or self._header:
            is_whole = False
            if self._header:
                header = self._header + data[: _HEADER_BYTES - len(self._header)]
                if len(header) < _HEADER_BYTES:
                    self._header = header
                    return [(data, 0, False)]
                end = _HEADER_BYTES - len(self._header) + (header[3] << 8 | header[4])
                self._header = b""
            if end > size:
                self._missing_bytes = end - size
                return [(data, 0, False)]
            self._missing_bytes, ends = 0, 1
        while end + _HEADER_BYTES <= size:
            after = end + _HEADER_BYTES + (data[end + 3] << 8 | data[end + 4])
            if after > size:
                self._missing_bytes = after - size
                break
            end = after
            ends += 1
            if ends == RECORDS_PER_PIECE and end < size:
                pieces.append((data[start:end], ends, is_whole))
                start, ends, is_whole = end, 0, True
        else:
            self._header = data[end:]
        pieces.append((data[start:], ends, is_whole and end == size))
        return pieces
