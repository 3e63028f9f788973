"""Tests the signaling socket: the client over real WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald_client.errors import UnreachableError
from signald_client.server import Address, Trust
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.connection import OPEN_TIMEOUT, RESTART_TIMEOUT
from signald_client.signaling.events import Disconnected, Interrupted, Resumed
from signald_client.signaling.messages import GoingAway, Welcome
from signald_client.signaling.wire import Value
from signald_client.transport import SignalingSocket, _Factory
from tests.suites.peer.case import AsyncCase, asynchronous
from tests.suites.peer.fake_server import FakeServer

reactor: Any = installed


class AddressTests(SynchronousTestCase):
    """Tests of `Address`."""

    def test_addresses(self) -> None:
        """URLs of the WebSocket and of the page are parsed as the same address; ports default by scheme."""
        cases = {
            "wss://localhost:9000/ws": (True, "localhost", 9000, "/ws"),
            "wss://localhost:9000": (True, "localhost", 9000, "/ws"),
            "wss://localhost:9000/calls/ws": (True, "localhost", 9000, "/calls/ws"),
            "https://example.org": (True, "example.org", 443, "/ws"),
            "https://example.org/calls/": (True, "example.org", 443, "/calls/ws"),
            "https://example.org/calls": (True, "example.org", 443, "/calls/ws"),
            "https://example.org/calls#7Q2M9RT6ZC": (True, "example.org", 443, "/calls/ws"),
            "https://example.org/calls/index.html": (True, "example.org", 443, "/calls/ws"),
            "HTTPS://Example.org/index.html": (True, "example.org", 443, "/ws"),
            "http://192.0.2.7/": (False, "192.0.2.7", 80, "/ws"),
            "ws://[2001:db8::1]:9000/": (False, "2001:db8::1", 9000, "/ws"),
        }
        for text, parts in cases.items():
            self.assertEqual(Address.parse(text), Address(*parts), text)

    def test_invalid_addresses(self) -> None:
        """A text that is not a server's address is refused with an error message."""
        for text in ("", "localhost:9000", "ftp://example.org", "wss://", "wss://example.org:99999", "wss://[::1"):
            error = self.assertRaises(ValueError, Address.parse, text)
            self.assertEqual(str(error), f"{text!r} is not the address of a server, like wss://localhost:9000/ws.")

    def test_url_and_link(self) -> None:
        """The URL and the link are parsed as the same address."""
        for text, url, link in (
            ("https://example.org/", "wss://example.org:443/ws", "https://example.org:443/#7Q2M9RT6ZC"),
            ("ws://[::1]:9000/a/ws", "ws://[::1]:9000/a/ws", "http://[::1]:9000/a/#7Q2M9RT6ZC"),
        ):
            address = Address.parse(text)
            self.assertEqual((address.url, address.link("7Q2M9RT6ZC")), (url, link))
            self.assertEqual(Address.parse(url), address)
            self.assertEqual(Address.parse(link), address)


class TrustTests(SynchronousTestCase):
    """Tests of `Trust`."""

    def test_no_certificate(self) -> None:
        """A CA file without a certificate, or with an invalid certificate, is refused with an error message."""
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for content in (b"", b"no certificate", broken):
            error = self.assertRaises(ValueError, Trust(content).tls_options, "localhost")
            self.assertEqual(str(error), "The CA file holds no certificate in PEM form.")


@implementer(IHostResolution)
class Resolution:
    """The name resolution of `EmptyResolver`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Do nothing: the resolution is complete."""


@implementer(IHostnameResolver)
class EmptyResolver:
    """A resolver that finds no address."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Complete the resolution without an address."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.resolutionComplete()
        return resolution


class ConnectTests(AsyncCase):
    """Tests of connecting and reconnecting."""

    def setUp(self) -> None:
        """Create the queue of events."""
        self.events: asyncio.Queue[Value] = asyncio.Queue()

    def make_socket(self, address: Address, trust: Trust | None = None) -> SignalingSocket:
        """Return a signaling socket that queues its events, and reconnects within a tenth of a second."""
        client = SignalingClient(json, lambda: 0.01, "INSTANCE")
        return SignalingSocket(client, self.events.put_nowait, address, trust or Trust(), "test", reactor)

    def start_server(self, subprotocol: str | None = "signald.1") -> FakeServer:
        """Start a fake server that stops with the test."""
        server = FakeServer(reactor, subprotocol)
        self.addCleanup(server.stop)
        return server

    async def connect_error(self, address: Address, trust: Trust | None = None) -> str:
        """Try to connect, and return the sentence of the error."""
        with self.assertRaises(UnreachableError) as context:
            await self.make_socket(address, trust).connect()
        self.assertTrue(self.events.empty())
        return str(context.exception)

    @asynchronous
    async def test_real_daemon(self) -> None:
        """The client connects to the real daemon, trusts the daemon's authority, receives the welcome, and closes."""
        daemon = self.start_daemon()
        socket = self.make_socket(self.address(daemon), self.trust())
        await socket.connect()
        self.assertIsInstance(await self.events.get(), Welcome)
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))
        await socket.close()

    @asynchronous
    async def test_untrusted(self) -> None:
        """A certificate of an untrusted authority, and a certificate for another name, are reported."""
        address = self.address(self.start_daemon())
        sentence = f"The certificate of {address.authority} is not trusted; name its authority with --ca FILE."
        self.assertEqual(await self.connect_error(address), sentence)
        trust = self.trust()
        port = reactor.listenTCP(0, Forwarder(address.port), interface="127.0.0.2")
        self.addCleanup(port.stopListening)
        other = Address(True, "127.0.0.2", port.getHost().port, "/ws")
        self.assertEqual(
            await self.connect_error(other, trust),
            f"The certificate of {other.authority} is not trusted; name its authority with --ca FILE.",
        )

    @asynchronous
    async def test_insecure(self) -> None:
        """Without verification any certificate is accepted, for a name and for an address."""
        port = self.start_daemon().page.port
        for host in ("127.0.0.1", "localhost"):
            socket = self.make_socket(Address(True, host, port, "/ws"), Trust(verify=False))
            await socket.connect()
            await socket.close()

    @asynchronous
    async def test_closed_port(self) -> None:
        """`connect` raises an error when the server's port is closed."""
        server = self.start_server()
        address = server.address
        await server.stop().asFuture(asyncio.get_running_loop())
        self.assertEqual(await self.connect_error(address), f"No server answers at {address.authority}.")

    @asynchronous
    async def test_unknown_host(self) -> None:
        """`connect` raises an error when the server's name has no address."""
        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(EmptyResolver()))
        self.assertEqual(
            await self.connect_error(Address.parse("ws://nobody.example/")), "There is no host named nobody.example."
        )

    @asynchronous
    async def test_other_protocol(self) -> None:
        """`connect` raises an error when the server does not implement the protocol."""
        daemon = self.start_daemon("--no-tls")
        nowhere = Address(False, "127.0.0.1", daemon.page.port, "/nowhere")
        sentence = f"{nowhere.url} is not a signaling server that speaks signald.1."
        self.assertEqual(await self.connect_error(nowhere), sentence)
        address = self.start_server(None).address
        self.assertEqual(
            await self.connect_error(address), f"{address.url} is not a signaling server that speaks signald.1."
        )

    @asynchronous
    async def test_connection_lost(self) -> None:
        """A lost WebSocket is resumed, and requests made meanwhile are sent after the resume."""
        server = self.start_server()
        socket = self.make_socket(server.address)
        await socket.connect()
        await self.events.get()
        server.connections[0].dropConnection(abort=True)
        self.assertIsInstance(await self.events.get(), Interrupted)
        socket.perform(socket.client.open_session())
        self.assertIsInstance(await self.events.get(), Welcome)
        self.assertEqual(await self.events.get(), Resumed("everything"))
        await server.wait_for_message("open")
        self.assertEqual(server.types(), ["hello", "resume", "ack", "open"])
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))

    @asynchronous
    async def test_request_before_the_welcome(self) -> None:
        """A request made after `connect` and before the welcome is sent after the welcome, and is not refused."""
        server = self.start_server()
        server.script = lambda message: None
        socket = self.make_socket(server.address)
        await socket.connect()
        await server.wait_for_message("hello")
        socket.perform(socket.client.open_session())
        self.assertTrue(self.events.empty())
        server.welcome(server.messages[0])
        self.assertIsInstance(await self.events.get(), Welcome)
        await server.wait_for_message("open")
        self.assertEqual(server.types(), ["hello", "open"])
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))

    @asynchronous
    async def test_server_restarts(self) -> None:
        """The client continues its attempts to reconnect while no server responds."""
        server = self.start_server()
        socket = self.make_socket(server.address)
        await socket.connect()
        await self.events.get()
        port = server.port.getHost().port
        await server.stop().asFuture(asyncio.get_running_loop())
        for _ in range(3):
            self.assertIsInstance(await self.events.get(), Interrupted)
        again = FakeServer(reactor, port=port)
        self.addCleanup(again.stop)
        while not isinstance(event := await self.events.get(), Welcome):
            self.assertIsInstance(event, Interrupted)
        await socket.close()

    @asynchronous
    async def test_restart_in_the_queue(self) -> None:
        """After the server said that it restarts, an attempt whose TCP connection stands is not given up after 10 s."""
        server = self.start_server()
        socket = self.make_socket(server.address)
        await socket.connect()
        await self.events.get()
        server.send_message({"type": "going-away", "after": 0.0, "hold": 300.0})
        self.assertIsInstance(await self.events.get(), GoingAway)
        server.port.stopReading()
        server.connections[0].sendClose(3012, "going-away")
        self.assertIsInstance(await self.events.get(), Interrupted)
        self.assertEqual(_Factory(socket, server.address, "test", reactor).openHandshakeTimeout, RESTART_TIMEOUT)
        server.port.startReading()
        self.assertIsInstance(await self.events.get(), Welcome)
        self.assertEqual(_Factory(socket, server.address, "test", reactor).openHandshakeTimeout, OPEN_TIMEOUT)
        await socket.close()

    @asynchronous
    async def test_close_while_reconnecting(self) -> None:
        """Closing while the WebSocket is lost, or while a new WebSocket is being opened, leaves no task behind."""
        server = self.start_server()
        for refuse in (False, True):
            socket = self.make_socket(server.address)
            await socket.connect()
            if refuse:
                await server.stop().asFuture(asyncio.get_running_loop())
            else:
                server.connections[0].dropConnection(abort=True)
            while not isinstance(await self.events.get(), Interrupted):
                pass
            await asyncio.sleep(0)
            await socket.close()
        socket.abort()

    @asynchronous
    async def test_abort(self) -> None:
        """`abort` drops the TCP connection without a close frame."""
        server = self.start_server()
        socket = self.make_socket(server.address)
        await socket.connect()
        await self.events.get()
        socket.abort()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))
        socket.perform(socket.client.open_session())
        await socket.close()

    @asynchronous
    async def test_binary_message(self) -> None:
        """A binary message, which no signald sends, is ignored."""
        server = self.start_server()
        socket = self.make_socket(server.address)
        await socket.connect()
        server.connections[0].sendMessage(b"\xff", isBinary=True)
        self.assertIsInstance(await self.events.get(), Welcome)
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))

    @asynchronous
    async def test_cancelled_connect(self) -> None:
        """Cancelling `connect` leaves no task behind, before and after the TCP connection."""
        listener = SilentListener()
        port = reactor.listenTCP(0, listener, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        address = Address(False, "127.0.0.1", port.getHost().port, "/ws")
        for accepted in (False, True):
            listener.called = asyncio.Event()
            attempt = asyncio.ensure_future(self.make_socket(address).connect())
            if accepted:
                await listener.called.wait()
            await asyncio.sleep(0)
            attempt.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await attempt
        self.assertTrue(self.events.empty())


class SilentListener(Factory):
    """Accepts TCP connections and never sends a response.

    Attributes:
        called: set when bytes were received.

    """

    noisy = False
    called: asyncio.Event

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol that sets `called`."""
        protocol = Protocol()
        protocol.dataReceived = lambda data: self.called.set()  # type: ignore[method-assign] # shorter than a class
        return protocol


class Forwarder(Factory):
    """Forwards each TCP connection to a port of 127.0.0.1."""

    noisy = False

    def __init__(self, port: int) -> None:
        self.port = port

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return a protocol that forwards to the port."""
        from twisted.protocols.portforward import ProxyFactory

        factory = ProxyFactory("127.0.0.1", self.port)
        factory.noisy = False
        return factory.buildProtocol(addr)
