"""Whole WebSocket text messages in one frame, as clients send nearly all (RFC 6455 §5.2): how they are read and made.

Everything else, such as fragments, control frames and whatever is invalid, is left to Autobahn, which takes five times
as long for the same frame.
"""

from __future__ import annotations

__all__ = ["read_text_frame", "text_frame"]

_FINAL_TEXT = 0x81
"""The first byte of the frame: FIN, no extension bits, opcode text."""

_MASKED = 0x80
"""The mask bit in the second byte."""

_LENGTH_16 = 126
"""The length in the second byte that announces two bytes with the real one, which is no less; 127 announces eight."""

_MOST_BYTES = 0xFFFF
"""The greatest length in two bytes."""


def read_text_frame(data: bytes, start: int, most: int) -> tuple[bytes, int] | None:
    """Read the masked text frame that begins at `start`, if it is whole and valid.

    Arguments:
        data: what was received.
        start: where the frame begins.
        most: the greatest size of a payload in bytes.

    Returns:
        The unmasked payload, which is UTF-8, and where the frame ends; None where Autobahn has to look at it.

    """
    size = len(data)
    if size - start < 6 or data[start] != _FINAL_TEXT:
        return None
    length = data[start + 1] - _MASKED
    if length == _LENGTH_16 and size - start >= 8:
        length = data[start + 2] << 8 | data[start + 3]
        if length < _LENGTH_16:  # the shortest form is mandatory
            return None
        begin = start + 8
    elif 0 <= length < _LENGTH_16:
        begin = start + 6
    else:
        return None
    end = begin + length
    if end > size or length > most:
        return None
    mask = data[begin - 4 : begin] * ((length + 3) >> 2)
    payload = (int.from_bytes(data[begin:end], "little") ^ int.from_bytes(mask[:length], "little")).to_bytes(
        length, "little"
    )
    return (payload, end) if payload.isascii() or _is_utf8(payload) else None


def text_frame(payload: bytes) -> bytes:
    """Make the unmasked frame of a text message."""
    length = len(payload)
    if length < _LENGTH_16:
        return b"\x81%c%b" % (length, payload)
    if length <= _MOST_BYTES:
        return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (length.to_bytes(8, "big"), payload)


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
