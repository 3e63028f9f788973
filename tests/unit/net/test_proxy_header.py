"""The header of the PROXY protocol."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.net.proxy_header import MOST_BYTES, ProxyHeader, ProxyHeaderError, read_proxy_header
from tests.support.proxy_headers import SIGNATURE, binary, line

PORTS = st.integers(0, 65535)
HEADERS = st.one_of(
    st.builds(line, st.ip_addresses(v=4), st.ip_addresses(v=4), PORTS, PORTS),
    st.builds(line, st.ip_addresses(v=6), st.ip_addresses(v=6), PORTS, PORTS),
    st.builds(binary, st.ip_addresses(v=4), st.ip_addresses(v=4), PORTS, PORTS, st.binary(max_size=300)),
    st.builds(binary, st.ip_addresses(v=6), st.ip_addresses(v=6), PORTS, PORTS, st.binary(max_size=300)),
)


class HeaderTests(SynchronousTestCase):
    """Headers that are right."""

    @given(st.booleans(), st.data(), PORTS, PORTS, st.binary(max_size=50), st.booleans())
    def test_both_versions(
        self, newest: bool, data: st.DataObject, port: int, other: int, rest: bytes, old: bool
    ) -> None:
        """Say whose the connection is, and where the client's own bytes begin."""
        source, destination = (data.draw(st.ip_addresses(v=6 if newest else 4)) for _ in range(2))
        head = (line if old else binary)(source, destination, port, other)
        header = read_proxy_header(head + rest)
        assert header is not None
        assert header.client is not None
        self.assertEqual((header.size, ip_address(header.client[0]), header.client[1]), (len(head), source, port))

    @given(HEADERS)
    def test_pieces(self, head: bytes) -> None:
        """Whatever is missing of it at the end is waited for."""
        whole = read_proxy_header(head)
        for size in range(len(head)):
            self.assertIsNone(read_proxy_header(head[:size]))
        self.assertEqual(read_proxy_header(head + b"\r\n\r\n"), whole)

    def test_nobody(self) -> None:
        """A proxy that speaks for itself, or does not say for whom."""
        local = SIGNATURE + b"\x20\x00\x00\x00"
        for head in (
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN ffff::1 whatever this is\r\n",
            local,
            SIGNATURE + b"\x20\x11\x00\x0c" + b"x" * 12,
            SIGNATURE + b"\x21\x00\x00\x00",
            SIGNATURE + b"\x21\x00\x00\x03abc",
            SIGNATURE + b"\x21\x31\x00\xd8" + b"x" * 216,
        ):
            self.assertEqual(read_proxy_header(head + b"GET"), ProxyHeader(len(head), None))

    def test_longest(self) -> None:
        """Up to the bounds of either version."""
        head = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
        self.assertEqual(read_proxy_header(head), ProxyHeader(107, None))
        size = MOST_BYTES - 16
        self.assertEqual(
            read_proxy_header(SIGNATURE + b"\x20\x00" + size.to_bytes(2, "big") + b"x" * size),
            ProxyHeader(MOST_BYTES, None),
        )


class WrongTests(SynchronousTestCase):
    """What is no header, or a wrong one."""

    def refused(self, data: bytes) -> None:
        """Assert that it is."""
        self.assertRaises(ProxyHeaderError, read_proxy_header, data)

    def test_something_else(self) -> None:
        """At its first byte that is wrong."""
        for data in (
            b"G",
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"PROXX",
            b"proxy ",
            b"PROXY\t",
            b"\r\n\r\n\0\r\nQUIX",
        ):
            self.refused(data)

    def test_lines(self) -> None:
        """Version 1 in another form than its own."""
        for text in (
            "",
            "TCP4",
            "TCP5 192.0.2.1 192.0.2.2 1 2",
            "UNKNOWNx",
            "TCP4 192.0.2.1 192.0.2.2 1",
            "TCP4 192.0.2.1 192.0.2.2 1 2 3",
            "TCP4  192.0.2.1 192.0.2.2 1 2",
            "TCP4 192.0.2.1 192.0.2.2 1 2 ",
            "TCP4 192.0.2.1 192.0.2.2 x 2",
            "TCP4 192.0.2.1 192.0.2.2 -1 2",
            "TCP4 192.0.2.1 192.0.2.2 1 65536",
            "TCP4 192.0.2.1 192.0.2.2 01 2",
            "TCP4 192.0.2.1 192.0.2.2 +1 2",
            "TCP4 192.0.2.01 192.0.2.2 1 2",
            "TCP4 192.0.2 192.0.2.2 1 2",
            "TCP4 192.0.2.1 somewhere 1 2",
            "TCP4 2001:db8::1 2001:db8::2 1 2",
            "TCP6 192.0.2.1 192.0.2.2 1 2",
            "TCP6 fe80::1%eth0 2001:db8::2 1 2",
            "TCP6 [2001:db8::1] 2001:db8::2 1 2",
            "TCP4 192.0.2.\u0661 192.0.2.2 1 2",
            "TCP4 192.0.2.1 192.0.2.2 1 2\n",
        ):
            self.refused(f"PROXY {text}\r\n".encode())

    def test_too_long(self) -> None:
        """Before its end is there."""
        self.assertIsNone(read_proxy_header(b"PROXY UNKNOWN " + b"x" * 92))
        self.refused(b"PROXY UNKNOWN " + b"x" * 93)
        self.refused(b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n")
        self.refused(SIGNATURE + b"\x20\x00" + (MOST_BYTES - 15).to_bytes(2, "big"))

    def test_binary(self) -> None:
        """Version 2 with another version, command, family or transport, or too short for its addresses."""
        for start in (b"\x11\x11\x00\x0c", b"\x31\x11\x00\x0c", b"\x22\x11\x00\x0c", b"\x2f\x11\x00\x0c"):
            self.refused(SIGNATURE + start + b"x" * 12)
        for family in (0x01, 0x10, 0x12, 0x13, 0x20, 0x22, 0x32, 0x41, 0xFF):
            self.refused(SIGNATURE + bytes([0x21, family, 1, 0]) + b"x" * 256)
        for family, size in ((0x11, 11), (0x21, 35), (0x31, 215)):
            self.refused(SIGNATURE + bytes([0x21, family, 0, size]) + b"x" * size)

    @given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: SIGNATURE + tail)))
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is a header, the beginning of one, or refused; and a header says an address or nothing."""
        try:
            header = read_proxy_header(data)
        except ProxyHeaderError:
            return
        if header is None:
            self.assertLess(len(data), MOST_BYTES)
            return
        self.assertLessEqual(header.size, len(data))
        if header.client is not None:
            self.assertIsInstance(ip_address(header.client[0]), IPv4Address | IPv6Address)

    @given(HEADERS, st.data())
    def test_one_byte_wrong(self, head: bytes, data: st.DataObject) -> None:
        """It is no other error than its own."""
        at = data.draw(st.integers(0, len(head) - 1))
        changed = head[:at] + bytes([data.draw(st.integers(0, 255))]) + head[at + 1 :]
        try:
            read_proxy_header(changed)
        except ProxyHeaderError:
            return
