"""An open WebSocket keeps only what differs from the others."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol

from signald.core.limits import Limits
from signald.server.autobahn_options import options
from signald.server.compaction import HANDSHAKE_NAMES, INITIAL_VALUES, with_shared_attributes
from tests.support.endpoints import CLOSE, TEXT, Endpoint, close_payload, frame
from tests.support.memory_server import ServerCase


class CompactionTests(ServerCase):
    """The attributes of a connection before and after its opening handshake."""

    bare = True

    def open(self) -> tuple[Endpoint, Any]:
        """Open a WebSocket, and return the client's side and the server's protocol."""
        endpoint = self.dial()
        self.assertEqual(endpoint.upgrade(), 101)
        return endpoint, endpoint.transport.protocol

    def test_initial_values(self) -> None:
        """The values are those that Autobahn gives to a connection, so that to drop them changes nothing.

        Two objects that signald does not use are different, and the deadline of the handshake is over by then.
        """
        protocol = self.dial().transport.protocol
        seen = dict(vars(protocol))
        later = {"websocket_version", "_isMessageCompressed", "inside_message", "current_frame"}
        for name in INITIAL_VALUES.keys() - later - {"send_queue", "trafficStats", "openHandshakeTimeoutCall"}:
            self.assertIs(seen[name], INITIAL_VALUES[name], name)

    def test_open_connection(self) -> None:
        """An open connection has neither an option of its own, nor an initial value, nor a name of the handshake."""
        _, protocol = self.open()
        names = vars(protocol).keys()
        self.assertEqual(names & HANDSHAKE_NAMES, set())
        self.assertEqual(names & set(WebSocketServerProtocol.CONFIG_ATTRS), set())
        same = [name for name in names & INITIAL_VALUES.keys() if vars(protocol)[name] is INITIAL_VALUES[name]]
        # Autobahn sets these again after the handshake, and they are few.
        self.assertLessEqual(set(same), {"inside_message", "current_frame", "data"})
        self.assertLess(len(names), 40)

    def test_after_a_message(self) -> None:
        """A message leaves a bounded number of attributes, and the connection works to its end."""
        endpoint, protocol = self.open()
        endpoint.send(frame(TEXT, b"one"), frame(TEXT, b"two"))
        self.assertEqual([payload for _, payload in self.record.heard], [b"one", b"two"])
        self.assertLess(len(vars(protocol)), 45)
        endpoint.send(frame(CLOSE, close_payload(1000)))
        self.assertEqual(endpoint.frames(), [(CLOSE, close_payload(1000))])
        endpoint.disconnect()
        self.nothing_left()

    def test_own_state(self) -> None:
        """Connections share values that do not change, and nothing else."""
        (one, first), (_, second) = self.open(), self.open()
        one.send(frame(TEXT, b"unfinished", fin=False))
        self.assertTrue(first.inside_message)
        self.assertFalse(second.inside_message)
        first.close(1001, "")
        self.assertTrue(first.closedByMe)
        self.assertFalse(second.closedByMe)

    def test_options(self) -> None:
        """The class has the options, functions among them; other options make another class for later connections."""
        _, old = self.open()
        self.factory.reload_limits(Limits(message_bytes=2048))
        _, new = self.open()
        self.assertEqual((old.maxMessagePayloadSize, new.maxMessagePayloadSize), (65536, 2048))
        self.assertIsNone(new.perMessageCompressionAccept([]))
        self.assertIs(type(new).__mro__[1], type(old).__mro__[1])

    def test_class(self) -> None:
        """The class has the name and module of the one that it is made from."""
        made = with_shared_attributes(WebSocketServerProtocol, options(Limits()))
        self.assertEqual(
            (made.__name__, made.__module__), (WebSocketServerProtocol.__name__, WebSocketServerProtocol.__module__)
        )
