"""The lines of the journal: how a record is framed, and what of a damaged file can still be trusted.

A line is `HEAD-CRC VERSION KEY LENGTH SYNCED BODY BODY-CRC`, with a newline at its end:

- The head's checksum covers the version, the key, the length of the body in bytes, and `SYNCED`. So a body that is
  damaged can be attributed to its subject, and the next line be found without looking for a newline.
- The body is JSON with its key at the front and a checksum behind it. So a body whose head is damaged is still whole.
- `SYNCED` is the number of bytes of the file that were known to be on the disk when the line was written.

A process that is killed leaves the lines that it wrote, the last of them perhaps cut. A power failure leaves what was
synced, and anything in place of the rest. A changed byte in the synced part is a fault of the medium. Checksums are
CRC-32, which finds every change of up to 32 neighbouring bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

from attrs import frozen

__all__ = ["MOST_HEAD_BYTES", "Contents", "OtherVersionError", "encode_line", "read_lines"]

_VERSION = 1

_HEAD = re.compile(rb"([0-9a-f]{8}) ((\d{1,6}) ([a-z]{1,8}:[0-9A-Z]{0,26}) (\d{1,10}) (\d{1,15})) ")

_BODY = re.compile(rb'\{"key":"([a-z]{1,8}:[0-9A-Z]{0,26})"')

_TRAILER_BYTES = 10
"""The size of what follows a body: a space, eight digits and a newline."""

MOST_HEAD_BYTES = 80
"""A head takes 79 bytes at most, and a whole line at least 83: a damaged part that is shorter contains no line."""


class OtherVersionError(Exception):
    """The journal was written by a version of signald with other lines."""


@frozen
class Contents:
    """The records of a journal and the damage that was found.

    Attributes:
        bodies: the newest body of each key.
        damaged: how many damaged parts were found before the end.
        dropped: the keys that were dropped, since their newest record is damaged or may be.
        unused: how many bytes at the end were not used: a line that was cut, or what a power failure left.

    """

    bodies: dict[str, bytes]
    damaged: int
    dropped: frozenset[str]
    unused: int


@frozen
class _Part:
    """A part of the file.

    Attributes:
        position: where it begins.
        key: the subject; None where that cannot be told.
        body: the body; None where it is damaged.
        intact: whether every byte of the part is as it was written.

    """

    position: int
    key: str | None = None
    body: bytes | None = None
    intact: bool = False


def encode_line(key: str, body: bytes, synced: int) -> bytes:
    """Frame a body; `synced` is how many bytes of the file are on the disk."""
    head = b"%d %s %d %d" % (_VERSION, key.encode(), len(body), synced)
    return b"%08x %s %s %08x\n" % (crc32(head), head, body, crc32(body))


def read_lines(content: bytes) -> Contents:
    """Read a journal, which may be cut or damaged anywhere.

    From the first damaged part on that was not synced for certain, nothing is used: what was whole before it is
    returned. A damaged part before that drops the subject of its line. Where the damage is so large that the subjects
    cannot be told, every subject without a later record is dropped, since its newest record may have been there: a
    removed guest must not come back because the record of its removal is lost.

    Raises:
        OtherVersionError: another version of signald wrote the file.

    """
    parts, synced = _split(content)
    bodies: dict[str, bytes] = {}
    doubtful: set[str] = set()
    dropped: set[str] = set()
    damaged = unused = 0
    for part in parts:
        if part.body is None and part.position >= synced:
            unused = len(content) - part.position
            break
        damaged += not part.intact
        if part.key is None:
            doubtful.update(bodies)
        elif part.body is None:
            bodies.pop(part.key, None)
            dropped.add(part.key)
        else:
            bodies[part.key] = part.body
            doubtful.discard(part.key)
            dropped.discard(part.key)
    for key in doubtful & bodies.keys():
        del bodies[key]
    return Contents(bodies, damaged, frozenset(doubtful | dropped), unused)


def _split(content: bytes) -> tuple[list[_Part], int]:
    """Split a journal into its parts, and return with them how many of its bytes were synced for certain."""
    parts: list[_Part] = []
    position = synced = 0
    while position < len(content):
        head = _head_at(content, position)
        if head is None:
            found = list(_skip_damage(content, position))
            parts += [part for part, _ in found]
            position = found[-1][1]
            continue
        key, end = head[4].decode(), head.end() + int(head[5])
        synced = max(synced, int(head[6]))
        body, trailer = content[head.end() : end], content[end : end + _TRAILER_BYTES]
        expected = b" %08x\n" % crc32(body)
        is_whole = trailer[:-1] == expected[:-1]
        parts.append(_Part(position, key, body if is_whole else None, trailer == expected))
        position = end + _TRAILER_BYTES
    return parts, synced


def _head_at(content: bytes, position: int) -> re.Match[bytes] | None:
    """Return the head of the line at this position; None where it is damaged or cut.

    Raises:
        OtherVersionError: the head is that of another version.

    """
    head = _HEAD.match(content, position)
    if head is None or int(head[1], 16) != crc32(head[2]):
        return None
    if int(head[3]) != _VERSION:
        raise OtherVersionError
    return head


def _skip_damage(content: bytes, begin: int) -> Iterator[tuple[_Part, int]]:
    """Yield the damaged part at this position, and a whole body where one follows, each with the position behind it.

    A part that is no longer than a head, before a whole body, is the head of that body; any other part may have
    contained whole lines of unknown subjects.
    """
    position = begin
    while True:
        newline = content.find(b"\n", position)
        end = len(content) if newline < 0 else newline + 1
        found = _BODY.search(content, position, end)
        if found is not None and content[end - _TRAILER_BYTES : end] == b" %08x\n" % crc32(
            body := content[found.start() : end - _TRAILER_BYTES]
        ):
            if found.start() - begin > MOST_HEAD_BYTES:
                yield _Part(begin), found.start()
            yield _Part(found.start(), found[1].decode(), body), end
            return
        position = end
        if position == len(content) or _head_at(content, position) is not None:
            yield _Part(begin), position
            return
