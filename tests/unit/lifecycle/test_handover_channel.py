"""Tests of `signald.lifecycle.handover_channel`, the channel between a running process and its successor."""

from __future__ import annotations

import os
import socket
import struct

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.handover_channel import (
    MOST_BYTES,
    Accepting,
    Channel,
    FrameReader,
    HandoverError,
    Loaded,
    Message,
    Refused,
    Start,
    State,
    Supervised,
    decode,
    encode,
    receive_start,
    send_start,
)
from tests.support.select_clock import SelectClock

START = Start(1, "0.1.0", [1], ["page", "ws"], True)

MESSAGES: list[Message] = [
    START,
    Loaded("0.1.0", 1),
    Refused("The port is unknown."),
    State(12.5, 0.002),
    Accepting(),
    Supervised(),
]


def frame(payload: bytes) -> bytes:
    """Return a frame with this content."""
    return struct.pack(">I", len(payload)) + payload


class MessageTests(SynchronousTestCase):
    """Tests of the messages and their frames."""

    def test_each_message(self) -> None:
        """Every message is decoded to what was encoded, with the bytes that belong to it, even across line ends."""
        for message in MESSAGES:
            for body in (b"", b"{}\n\x00\xff"):
                (payload,) = FrameReader().receive(encode(message, body))
                self.assertEqual(decode(payload), (message, body))

    def test_cut_anywhere(self) -> None:
        """A stream that arrives byte by byte has the same messages, and none before its last byte."""
        stream = b"".join(encode(message, b"body") for message in MESSAGES)
        reader = FrameReader()
        received = [decode(payload)[0] for byte in stream for payload in reader.receive(bytes([byte]))]
        self.assertEqual(received, MESSAGES)
        self.assertEqual(list(FrameReader().receive(encode(MESSAGES[0])[:-1])), [])

    def test_a_key_of_a_later_version(self) -> None:
        """A key that this version does not know is ignored, so that a later version can add one."""
        self.assertEqual(decode(b'{"type":"Loaded","version":"9","format":1,"mood":"good"}'), (Loaded("9", 1), b""))

    def test_nonsense(self) -> None:
        """An unknown message, and what is no message at all, raises HandoverError."""
        for payload in (b"", b"{}", b"[]", b'{"type":"Loaded"}', b'{"type":"Dance"}', b"\xff", b"null\n"):
            with self.assertRaises(HandoverError):
                decode(payload)

    def test_too_long(self) -> None:
        """A frame that says that it is longer than the bound is refused at its length, before it is stored."""
        with self.assertRaisesRegex(HandoverError, str(MOST_BYTES + 1)):
            list(FrameReader().receive(struct.pack(">I", MOST_BYTES + 1)))


class StartTests(SynchronousTestCase):
    """Tests of the first message, which carries descriptors."""

    def setUp(self) -> None:
        """Create a pair of sockets."""
        self.here, self.there = socket.socketpair()
        self.addCleanup(self.here.close)
        self.addCleanup(self.there.close)

    def test_descriptors(self) -> None:
        """The other process gets copies of the descriptors, which its own children do not inherit."""
        readers, writers = zip(*(os.pipe() for _ in range(2)), strict=True)
        send_start(self.here, START, writers)
        start, copies = receive_start(self.there)
        self.assertEqual(start, START)
        for reader, writer, copy in zip(readers, writers, copies, strict=True):
            self.assertFalse(os.get_inheritable(copy))
            os.close(writer)
            os.write(copy, b"x")
            self.assertEqual(os.read(reader, 2), b"x")
            os.close(copy)
            os.close(reader)

    def test_the_lock(self) -> None:
        """The lock of the data directory follows the sockets; without its descriptor the message is refused."""
        start = evolve(START, has_lock=True)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        send_start(self.here, start, [reader, reader, writer])
        received, copies = receive_start(self.there)
        self.assertEqual(received, start)
        os.write(copies[2], b"x")
        self.assertEqual(os.read(reader, 2), b"x")
        for copy in copies:
            os.close(copy)
        send_start(self.here, start, [reader, reader])
        with self.assertRaises(HandoverError):
            receive_start(self.there)

    def test_no_start(self) -> None:
        """Another message, sockets without descriptors, and a closed connection raise HandoverError."""
        for sent in (encode(Accepting()), encode(START)):
            self.here.sendall(sent)
            with self.assertRaises(HandoverError):
                receive_start(self.there)
        self.here.close()
        with self.assertRaises(HandoverError):
            receive_start(self.there)


class ChannelTests(SynchronousTestCase):
    """Tests of the channel that the reactor reads and writes."""

    def setUp(self) -> None:
        """Connect two channels."""
        self.reactor = SelectClock()
        self.received: list[tuple[Message, bytes]] = []
        self.ends: list[str] = []
        here, self.there = socket.socketpair()
        self.addCleanup(self.there.close)
        self.channel = Channel(
            self.reactor, here, lambda message, body: self.received.append((message, body)), self.ends.append
        )

    def test_a_large_state(self) -> None:
        """A state that is larger than the sockets' buffers arrives whole."""
        body = os.urandom(3 << 20)
        got: list[bytes] = []
        other = Channel(self.reactor, self.there, lambda _, body: got.append(body), lambda _: None)
        self.channel.send(State(0.0, 0.002), body)
        self.reactor.settle()
        self.assertEqual(got, [body])
        other.close()

    def test_the_end(self) -> None:
        """The end of the other process is reported once, and after it messages are dropped."""
        self.there.sendall(encode(Accepting())[:-1])
        self.there.close()
        self.reactor.settle()
        self.assertEqual((self.received, self.ends), ([], ["the other process ended"]))
        self.channel.send(Accepting())
        self.channel.close()
        self.assertEqual(len(self.ends), 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def test_an_end_after_messages(self) -> None:
        """What the other process sent before its end is read first."""
        self.there.sendall(encode(Loaded("1", 1)) + encode(Accepting()))
        self.there.close()
        self.reactor.settle()
        self.assertEqual([message for message, _ in self.received], [Loaded("1", 1), Accepting()])
        self.assertEqual(len(self.ends), 1)

    def test_nonsense(self) -> None:
        """Nonsense ends the channel with a sentence about it."""
        self.there.sendall(frame(b"Hello!"))
        self.reactor.settle()
        self.assertEqual(self.ends, ["the other process sent a message that this version does not know"])

    def test_closing(self) -> None:
        """A channel that is closed here reports no end, even if that happens within a message."""
        self.channel._on_message = lambda *_: self.channel.close()
        self.there.sendall(encode(Accepting()) * 2)
        self.reactor.settle()
        self.assertEqual((self.ends, self.channel.fileno()), ([], -1))
