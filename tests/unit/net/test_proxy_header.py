"""Tests of parsing the header of the PROXY protocol."""

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


class ValidHeaderTests(SynchronousTestCase):
    """Valid headers are parsed."""

    @given(st.booleans(), st.data(), PORTS, PORTS, st.binary(max_size=50), st.booleans())
    def test_both_versions(
        self, newest: bool, data: st.DataObject, port: int, other: int, rest: bytes, old: bool
    ) -> None:
        """Both versions contain the client's address, and end where the client's data begins."""
        source, destination = (data.draw(st.ip_addresses(v=6 if newest else 4)) for _ in range(2))
        head = (line if old else binary)(source, destination, port, other)
        header = read_proxy_header(head + rest)
        assert header is not None
        assert header.client is not None
        self.assertEqual((header.size, ip_address(header.client[0]), header.client[1]), (len(head), source, port))

    @given(HEADERS)
    def test_incomplete(self, head: bytes) -> None:
        """A header of which any part is missing is incomplete."""
        whole = read_proxy_header(head)
        for size in range(len(head)):
            self.assertIsNone(read_proxy_header(head[:size]))
        self.assertEqual(read_proxy_header(head + b"\r\n\r\n"), whole)

    def test_without_a_client(self) -> None:
        """LOCAL and UNKNOWN headers, and families without an IP address, name no client."""
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
        """Headers of the maximum size of each version are accepted."""
        head = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
        self.assertEqual(read_proxy_header(head), ProxyHeader(107, None))
        size = MOST_BYTES - 16
        self.assertEqual(
            read_proxy_header(SIGNATURE + b"\x20\x00" + size.to_bytes(2, "big") + b"x" * size),
            ProxyHeader(MOST_BYTES, None),
        )


class InvalidHeaderTests(SynchronousTestCase):
    """Invalid headers are rejected."""

    def assert_rejected(self, data: bytes) -> None:
        """Assert that the data is rejected."""
        self.assertRaises(ProxyHeaderError, read_proxy_header, data)

    def test_other_protocols(self) -> None:
        """Other data is rejected at the first byte that differs."""
        for data in (
            b"G",
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"PROXX",
            b"proxy ",
            b"PROXY\t",
            b"\r\n\r\n\0\r\nQUIX",
        ):
            self.assert_rejected(data)

    def test_lines(self) -> None:
        """Malformed lines of version 1 are rejected."""
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
            self.assert_rejected(f"PROXY {text}\r\n".encode())

    def test_too_long(self) -> None:
        """A header above the maximum size is rejected before it is complete."""
        self.assertIsNone(read_proxy_header(b"PROXY UNKNOWN " + b"x" * 92))
        self.assert_rejected(b"PROXY UNKNOWN " + b"x" * 93)
        self.assert_rejected(b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n")
        self.assert_rejected(SIGNATURE + b"\x20\x00" + (MOST_BYTES - 15).to_bytes(2, "big"))

    def test_binary(self) -> None:
        """Version 2 is rejected with an unknown version, command, family or transport, or too few address bytes."""
        for start in (b"\x11\x11\x00\x0c", b"\x31\x11\x00\x0c", b"\x22\x11\x00\x0c", b"\x2f\x11\x00\x0c"):
            self.assert_rejected(SIGNATURE + start + b"x" * 12)
        for family in (0x01, 0x10, 0x12, 0x13, 0x20, 0x22, 0x32, 0x41, 0xFF):
            self.assert_rejected(SIGNATURE + bytes([0x21, family, 1, 0]) + b"x" * 256)
        for family, size in ((0x11, 11), (0x21, 35), (0x31, 215)):
            self.assert_rejected(SIGNATURE + bytes([0x21, family, 0, size]) + b"x" * size)

    @given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: SIGNATURE + tail)))
    def test_anything(self, data: bytes) -> None:
        """Any data is a header, incomplete or rejected; the client of a header has a valid address."""
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
    def test_changed_byte(self, head: bytes, data: st.DataObject) -> None:
        """A header with a changed byte raises nothing but ProxyHeaderError."""
        at = data.draw(st.integers(0, len(head) - 1))
        changed = head[:at] + bytes([data.draw(st.integers(0, 255))]) + head[at + 1 :]
        try:
            read_proxy_header(changed)
        except ProxyHeaderError:
            return
