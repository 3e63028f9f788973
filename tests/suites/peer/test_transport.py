"""The signaling client over a real WebSocket."""

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

from signald_client.server import Address, Trust, UnreachableError
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Disconnected, Interrupted, Resumed
from signald_client.signaling.messages import Welcome
from signald_client.signaling.wire import Value
from signald_client.transport import SignalingSocket
from tests.suites.peer.case import AsyncCase, asynchronous
from tests.suites.peer.double import Double

reactor: Any = installed


class AddressTests(SynchronousTestCase):
    """`Address`."""

    def test_addresses(self) -> None:
        """The socket's address and the page's mean the same server; ports have their schemes' defaults."""
        cases = {
            "wss://localhost:9000/ws": (True, "localhost", 9000, "/ws"),
            "wss://localhost:9000": (True, "localhost", 9000, "/ws"),
            "wss://localhost:9000/calls/ws": (True, "localhost", 9000, "/calls/ws"),
            "https://example.org": (True, "example.org", 443, "/ws"),
            "https://example.org/calls/": (True, "example.org", 443, "/calls/ws"),
            "HTTPS://Example.org/index.html": (True, "example.org", 443, "/ws"),
            "http://192.0.2.7/": (False, "192.0.2.7", 80, "/ws"),
            "ws://[2001:db8::1]:9000/": (False, "2001:db8::1", 9000, "/ws"),
        }
        for text, parts in cases.items():
            self.assertEqual(Address.parse(text), Address(*parts), text)

    def test_no_addresses(self) -> None:
        """What is no address of a server is refused with a sentence."""
        for text in ("", "localhost:9000", "ftp://example.org", "wss://", "wss://example.org:99999", "wss://[::1"):
            error = self.assertRaises(ValueError, Address.parse, text)
            self.assertEqual(str(error), f"{text!r} is not the address of a server, like wss://localhost:9000/ws.")

    def test_url_and_link(self) -> None:
        """The URL and the link for people are read back as the same address."""
        for text, url, link in (
            ("https://example.org/", "wss://example.org:443/ws", "https://example.org:443/#7Q2M9RT6ZC"),
            ("ws://[::1]:9000/a/ws", "ws://[::1]:9000/a/ws", "http://[::1]:9000/a/#7Q2M9RT6ZC"),
        ):
            address = Address.parse(text)
            self.assertEqual((address.url, address.link("7Q2M9RT6ZC")), (url, link))
            self.assertEqual(Address.parse(url), address)
            self.assertEqual(Address.parse(link), address)


class TrustTests(SynchronousTestCase):
    """`Trust`."""

    def test_no_certificate(self) -> None:
        """A CA file without a certificate, or with a broken one, is refused with a sentence."""
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for content in (b"", b"no certificate", broken):
            error = self.assertRaises(ValueError, Trust(content).options, "localhost")
            self.assertEqual(str(error), "The CA file holds no certificate in PEM form.")


@implementer(IHostResolution)
class Resolution:
    """A question to `NoNames`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """There is nothing to cancel."""


@implementer(IHostnameResolver)
class NoNames:
    """A name service that knows nobody."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Say so."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.resolutionComplete()
        return resolution


class ConnectTests(AsyncCase):
    """Connecting."""

    def setUp(self) -> None:
        """Make a socket."""
        self.events: asyncio.Queue[Value] = asyncio.Queue()

    def make_socket(self, address: Address, trust: Trust | None = None) -> SignalingSocket:
        """Return a socket whose events are kept; it comes back at once, or at least within a tenth of a second."""
        client = SignalingClient(json, lambda: 0.01, "INSTANCE")
        return SignalingSocket(client, self.events.put_nowait, address, trust or Trust(), "test", reactor)

    def start_double(self, subprotocol: str | None = "signald.1") -> Double:
        """Start a server that ends with the test."""
        double = Double(reactor, subprotocol)
        self.addCleanup(double.stop)
        return double

    async def refused(self, address: Address, trust: Trust | None = None) -> str:
        """Return the sentence with which a connection is refused."""
        with self.assertRaises(UnreachableError) as context:
            await self.make_socket(address, trust).connect()
        self.assertTrue(self.events.empty())
        return str(context.exception)

    @asynchronous
    async def test_real_daemon(self) -> None:
        """The real daemon is trusted by its authority, and welcomes; the socket closes when asked to."""
        daemon = self.start_daemon()
        socket = self.make_socket(self.address(daemon), self.trust())
        await socket.connect()
        self.assertIsInstance(await self.events.get(), Welcome)
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))
        await socket.close()

    @asynchronous
    async def test_untrusted(self) -> None:
        """An authority that is not trusted, and a name that is not the certificate's, are told."""
        address = self.address(self.start_daemon())
        sentence = f"The certificate of {address.authority} is not trusted; name its authority with --ca FILE."
        self.assertEqual(await self.refused(address), sentence)
        trust = self.trust()
        port = reactor.listenTCP(0, Forwarder(address.port), interface="127.0.0.2")
        self.addCleanup(port.stopListening)
        other = Address(True, "127.0.0.2", port.getHost().port, "/ws")
        self.assertEqual(
            await self.refused(other, trust),
            f"The certificate of {other.authority} is not trusted; name its authority with --ca FILE.",
        )

    @asynchronous
    async def test_insecure(self) -> None:
        """Who asks for it believes any certificate, by name and by address."""
        port = self.start_daemon().page.port
        for host in ("127.0.0.1", "localhost"):
            socket = self.make_socket(Address(True, host, port, "/ws"), Trust(verify=False))
            await socket.connect()
            await socket.close()

    @asynchronous
    async def test_nobody(self) -> None:
        """A port that nobody listens on is told."""
        double = self.start_double()
        address = double.address
        await double.stop().asFuture(asyncio.get_running_loop())
        self.assertEqual(await self.refused(address), f"Nothing answers at {address.authority}.")

    @asynchronous
    async def test_no_such_host(self) -> None:
        """A name that nobody has is told."""
        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(NoNames()))
        self.assertEqual(await self.refused(Address.parse("ws://nobody.example/")), "There is no host nobody.example.")

    @asynchronous
    async def test_something_else(self) -> None:
        """A server that does not speak the protocol is told, whatever it speaks."""
        daemon = self.start_daemon("--no-tls")
        nowhere = Address(False, "127.0.0.1", daemon.page.port, "/nowhere")
        sentence = f"{nowhere.url} is not a signaling server that speaks signald.1."
        self.assertEqual(await self.refused(nowhere), sentence)
        address = self.start_double(None).address
        self.assertEqual(await self.refused(address), f"{address.url} is not a signaling server that speaks signald.1.")

    @asynchronous
    async def test_connection_lost(self) -> None:
        """A connection that is lost comes back by itself, and what was said meanwhile is sent then."""
        double = self.start_double()
        socket = self.make_socket(double.address)
        await socket.connect()
        await self.events.get()
        double.connections[0].dropConnection(abort=True)
        self.assertIsInstance(await self.events.get(), Interrupted)
        socket.perform(socket.client.open())
        self.assertIsInstance(await self.events.get(), Welcome)
        self.assertEqual(await self.events.get(), Resumed("everything"))
        await double.heard("open")
        self.assertEqual(double.types(), ["hello", "resume", "ack", "open"])
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))

    @asynchronous
    async def test_server_restarts(self) -> None:
        """While nobody answers the attempts go on."""
        double = self.start_double()
        socket = self.make_socket(double.address)
        await socket.connect()
        await self.events.get()
        port = double.port.getHost().port
        await double.stop().asFuture(asyncio.get_running_loop())
        for _ in range(3):
            self.assertIsInstance(await self.events.get(), Interrupted)
        again = Double(reactor, port=port)
        self.addCleanup(again.stop)
        while not isinstance(event := await self.events.get(), Welcome):
            self.assertIsInstance(event, Interrupted)
        await socket.close()

    @asynchronous
    async def test_given_up(self) -> None:
        """One who ends while there is no connection, or while one is being opened, leaves nothing behind."""
        double = self.start_double()
        for refuse in (False, True):
            socket = self.make_socket(double.address)
            await socket.connect()
            if refuse:
                await double.stop().asFuture(asyncio.get_running_loop())
            else:
                double.connections[0].dropConnection(abort=True)
            while not isinstance(await self.events.get(), Interrupted):
                pass
            await asyncio.sleep(0)
            await socket.close()
        socket.abort()

    @asynchronous
    async def test_aborted(self) -> None:
        """A connection can be dropped without a word."""
        double = self.start_double()
        socket = self.make_socket(double.address)
        await socket.connect()
        await self.events.get()
        socket.abort()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))
        socket.perform(socket.client.open())
        await socket.close()

    @asynchronous
    async def test_binary_message(self) -> None:
        """A binary message, which the server never sends, is ignored."""
        double = self.start_double()
        socket = self.make_socket(double.address)
        await socket.connect()
        double.connections[0].sendMessage(b"\xff", isBinary=True)
        self.assertIsInstance(await self.events.get(), Welcome)
        await socket.close()
        self.assertEqual(await self.events.get(), Disconnected(1000, ""))

    @asynchronous
    async def test_cancelled(self) -> None:
        """A connection that was given up leaves nothing behind, at whatever point that was."""
        greeter = Greeter()
        port = reactor.listenTCP(0, greeter, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        address = Address(False, "127.0.0.1", port.getHost().port, "/ws")
        for accepted in (False, True):
            greeter.called = asyncio.Event()
            attempt = asyncio.ensure_future(self.make_socket(address).connect())
            if accepted:
                await greeter.called.wait()
            await asyncio.sleep(0)
            attempt.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await attempt
        self.assertTrue(self.events.empty())


class Greeter(Factory):
    """Says when it hears something, and does not answer.

    Attributes:
        called: set when it heard something.

    """

    noisy = False
    called: asyncio.Event

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Listen."""
        protocol = Protocol()
        protocol.dataReceived = lambda data: self.called.set()  # type: ignore[method-assign] # all there is to it
        return protocol


class Forwarder(Factory):
    """Forwards each connection to a port of 127.0.0.1."""

    noisy = False

    def __init__(self, port: int) -> None:
        self.port = port

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Connect both ends."""
        from twisted.protocols.portforward import ProxyFactory

        factory = ProxyFactory("127.0.0.1", self.port)
        factory.noisy = False
        return factory.buildProtocol(addr)
