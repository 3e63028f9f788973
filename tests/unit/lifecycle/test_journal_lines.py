"""Tests of `signald.lifecycle.journal_lines`: what can still be read of a journal that is cut or damaged."""

from __future__ import annotations

import random
from typing import Any, cast
from zlib import crc32

from twisted.trial.unittest import SynchronousTestCase

from signald.core.hub import Hub
from signald.core.journal_records import Recorder
from signald.core.limits import Limits
from signald.lifecycle.journal_lines import MOST_HEAD_BYTES, Contents, OtherVersionError, encode_line, read_lines
from tests.support.world import TICKETS

USERS = [f"user:{number:026}" for number in range(8)]
SESSIONS = [f"session:{number:010}" for number in range(4)]
KEYS = [*USERS, *SESSIONS]

GROUP = 5
"""The number of lines between two syncs."""


def body_of(key: str, number: int) -> bytes:
    """Return a body of the form that records have."""
    return b'{"key":"%s","at":%d.5,"wall":1800000000.25,"record":{"name":"M\xc3\xbcller"}}' % (key.encode(), number)


class JournalText:
    """A journal that is written line by line.

    Attributes:
        lines: the lines.
        keys: the key of each line.
        content: all lines.
        ends: the position behind each line.

    """

    def __init__(self, keys: list[str]) -> None:
        self.lines: list[bytes] = []
        self.keys = keys
        self.content = b""
        self.ends: list[int] = []
        synced = 0
        for number, key in enumerate(keys):
            if number % GROUP == 0:
                synced = len(self.content)
            self.lines.append(encode_line(key, body_of(key, number), synced))
            self.content += self.lines[-1]
            self.ends.append(len(self.content))
        self.synced = synced

    def line_at(self, position: int) -> int:
        """Return the number of the line that contains this byte."""
        return next(number for number, end in enumerate(self.ends) if position < end)

    def bodies(self, count: int | None = None, without: tuple[int, ...] = ()) -> dict[str, bytes]:
        """Return the newest body of each key in the first lines; a line that is left out takes its key with it."""
        bodies: dict[str, bytes] = {}
        for number, key in enumerate(self.keys[:count]):
            bodies.pop(key, None)
            if number not in without:
                bodies[key] = body_of(key, number)
        return bodies


class LinesTests(SynchronousTestCase):
    """A journal of forty lines about twelve subjects, of which all but the last group is synced."""

    def setUp(self) -> None:
        """Write the journal."""
        chance = random.Random(7)
        self.text = JournalText([*KEYS, *(chance.choice(KEYS) for _ in range(28))])
        self.content = self.text.content

    def test_the_newest_body_of_each_key_is_read(self) -> None:
        """An undamaged journal gives the newest body of each key, and nothing is dropped."""
        self.assertEqual(read_lines(self.content), Contents(self.text.bodies(), 0, frozenset(), 0))
        self.assertEqual(read_lines(b""), Contents({}, 0, frozenset(), 0))

    def test_cut_at_any_byte(self) -> None:
        """A journal that ends anywhere gives what was whole before that place."""
        for length in range(len(self.content)):
            whole = sum(end <= length for end in self.text.ends)
            contents = read_lines(self.content[:length])
            self.assertEqual(contents.bodies, self.text.bodies(whole), length)
            begin = self.text.ends[whole - 1] if whole else 0
            self.assertEqual((contents.damaged, contents.dropped), (0, frozenset()))
            self.assertEqual(contents.unused, length - begin)

    def test_any_changed_byte_in_what_is_synced(self) -> None:
        """It is found, and costs at most the subject of its line, unless a later line has a newer record of that."""
        for position in range(self.text.synced):
            for value in (0x0A, self.content[position] ^ 1):
                if value != self.content[position]:
                    self.check_change(position, value)

    def check_change(self, position: int, value: int) -> None:
        """Change one byte, and compare what is read."""
        changed = bytearray(self.content)
        changed[position] = value
        contents = read_lines(bytes(changed))
        line = self.text.line_at(position)
        self.assertGreaterEqual(contents.damaged, 1, (position, value))
        self.assertEqual(contents.unused, 0, (position, value))
        lost, kept = self.text.bodies(without=(line,)), self.text.bodies()
        self.assertIn(contents.bodies, (lost, kept), (position, value))
        self.assertEqual(contents.dropped, kept.keys() - contents.bodies.keys())

    def test_any_changed_byte_in_what_may_not_be_synced(self) -> None:
        """Nothing from the damaged line on is used: a power failure may have left anything there."""
        for position in range(self.text.synced, len(self.content)):
            changed = bytearray(self.content)
            changed[position] ^= 1
            contents = read_lines(bytes(changed))
            line = self.text.line_at(position)
            begin = self.text.ends[line - 1]
            kept, all_of_them = self.text.bodies(line), self.text.bodies()
            self.assertIn(contents.bodies, (kept, all_of_them), position)
            if contents.bodies != all_of_them:
                self.assertEqual(contents.unused, len(changed) - begin)
            else:
                # A whole body was found behind its damaged head, or the newline behind it is the damage.
                self.assertEqual((contents.unused, contents.damaged), (0, 1))

    def test_zeros_after_a_power_failure(self) -> None:
        """Blocks that were never written cost what is behind their beginning, and nothing that was synced."""
        for begin in range(self.text.synced, len(self.content), 7):
            for end in (begin + 40, begin + 400, len(self.content)):
                zeros = self.content[:begin] + bytes(min(end, len(self.content)) - begin) + self.content[end:]
                contents = read_lines(zeros)
                whole = sum(position <= begin for position in self.text.ends)
                older = self.text.bodies(whole)
                for key, body in contents.bodies.items():
                    self.assertIn(body, (older.get(key), self.text.bodies().get(key)))
                self.assertGreaterEqual(contents.bodies.keys(), older.keys())
                self.assertEqual(contents.dropped, frozenset())

    def test_a_large_damage_in_what_is_synced(self) -> None:
        """Every subject without a record behind it is dropped: its newest record may have been there."""
        first, last = 16, 25
        begin, end = self.text.ends[first - 1] + 5, self.text.ends[last] - 5
        contents = read_lines(self.content[:begin] + b"\xff" * (end - begin) + self.content[end:])
        later = {key: body_of(key, number) for number, key in enumerate(self.text.keys) if number > last}
        self.assertEqual(contents.bodies, later)
        before = set(self.text.keys[:first]) - later.keys()
        self.assertTrue(before)
        self.assertEqual(contents.dropped, before)
        self.assertGreaterEqual(contents.damaged, 1)

    def test_a_damaged_line_before_a_damaged_head(self) -> None:
        """A whole body behind the damage is used, and does not hide that the line before it is lost."""
        first = 16
        begin, end = self.text.ends[first - 1], self.text.ends[first] + 20
        contents = read_lines(self.content[:begin] + b"\xff" * (end - begin) + self.content[end:])
        later = {key: body_of(key, number) for number, key in enumerate(self.text.keys) if number > first}
        self.assertEqual(contents.bodies, later)
        self.assertEqual(contents.dropped, set(self.text.keys[:first]) - later.keys())

    def test_a_removed_block(self) -> None:
        """Two lines that are joined by the loss of what was between them are not mistaken for one."""
        begin, end = self.text.ends[16] + 60, self.text.ends[22] + 30
        contents = read_lines(self.content[:begin] + self.content[end:])
        for key, body in contents.bodies.items():
            self.assertEqual(body, self.text.bodies()[key])

    def test_a_line_of_another_version(self) -> None:
        """A journal of another version is refused as a whole."""
        head = b"2 user: 2 0"
        line = b"%08x %s {} %08x\n" % (crc32(head), head, crc32(b"{}"))
        self.assertRaises(OtherVersionError, read_lines, self.content + line)

    def test_a_head_of_another_version_with_a_wrong_checksum_is_damage(self) -> None:
        """The version counts only where the checksum of the head is right."""
        self.assertEqual(read_lines(b"00000000 2 user: 2 0 {} 00000000\n").unused, 33)

    def test_a_damaged_head_hides_no_line(self) -> None:
        """The longest head is shorter than the shortest line, so that the two are told apart by their size."""
        longest = encode_line(f"sessions:{'Z' * 26}"[1:], b"x" * 10**3, 10**15 - 1)
        head = len(longest) - 10**3 - 10 + len("0000000")
        self.assertLessEqual(head, MOST_HEAD_BYTES)
        clock = Recorder(Hub(Limits(), "", TICKETS), cast(Any, None)).clock(1.0, 1_800_000_000.0)
        self.assertGreater(len(encode_line(clock.key, clock.body, 0)), MOST_HEAD_BYTES)

    def test_other_content(self) -> None:
        """What is no journal gives nothing."""
        for content in (b"\n" * 100, b"{" * 100, bytes(1000), b'{"key":"user:' * 10, random.Random(1).randbytes(5000)):
            self.assertEqual(read_lines(content), Contents({}, 0, frozenset(), len(content)))
