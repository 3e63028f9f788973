"""Tests of `signald bench`: clients in memory put a load on a server in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.cli import bench
from signald.cli.bench import main
from signald.cli.bench_client import BenchClient, BenchRefusedError, Target
from signald.cli.bench_load import Load
from signald.cli.bench_summary import LatencyHistogram, Summary, progress_bar
from signald.core.limits import Limits
from signald.dialects.native import Native
from signald.server.factory import SignalingFactory
from signald.server.web import make_site
from tests.support.certificates import write_pair
from tests.support.commands import CommandCase
from tests.support.connections import make_switchboard
from tests.support.memory_network import MemoryNetwork
from tests.support.memory_server import make_port

TARGET = Target(secure=False, host="signald.example", port=80, url="ws://signald.example/ws")


class Reactor(MemoryNetwork):
    """A reactor in memory whose `run` returns when it is stopped, or when SIGINT has stopped it.

    Attributes:
        interrupt_at: the seconds after which SIGINT arrives; None for never.

    """

    interrupt_at: float | None = None

    def run(self) -> None:
        """Run until `stop`, or after SIGINT until all that is called before the shutdown is done."""
        for call, args, keys in self.whenRunningHooks:
            call(*args, **keys)
        while not self.hasStopped:
            self.run_for(0)
            if self.interrupt_at is not None and self.seconds() >= self.interrupt_at:
                waiting = [call() for call, _args, _keys in self.triggers["before"]["shutdown"]]
                while not all(one is None or one.called for one in waiting):
                    self.run_for(0)
                return


class LoadCase(SynchronousTestCase):
    """A test case with a server in memory, a load on it, and one clock for both."""

    def setUp(self) -> None:
        """Start a server with the default limits."""
        self.serve(Limits())

    def serve(self, limits: Limits) -> None:
        """Start a server."""
        self.network = Reactor()
        self.switchboard = make_switchboard(self.network, limits)
        self.port = make_port(self.network, self.switchboard, limits=limits, dialects=(Native,))
        self.network.site = make_site({}, SignalingFactory(self.port), limits, self.network, None, False)
        self.shown: list[int] = []

    def load(self, pairs: int = 2, rate: float = 20.0, seconds: float = 4.0, **changes: Any) -> Deferred[Summary]:
        """Start a load."""
        target = Target(**{name: getattr(TARGET, name) for name in ("secure", "host", "port", "url")} | changes)
        self.running = Load(target, self.network, pairs, rate, seconds, lambda summary: self.shown.append(summary.sent))
        return Deferred.fromCoroutine(self.running.run())

    def refusal(self, load: Deferred[Summary]) -> str:
        """Return the sentence with which a load failed."""
        return str(self.failureResultOf(load, BenchRefusedError).value)


class LoadTests(LoadCase):
    """Tests of a load on a server that lets it be, and of refusals."""

    def test_load(self) -> None:
        """All messages arrive; the summary counts them, the progress is shown, and the sessions are gone afterwards."""
        load = self.load()
        self.network.run_for(10)
        summary = self.successResultOf(load)
        self.assertEqual((summary.sent, summary.latencies.count, summary.clients, summary.failed), (80, 80, 4, False))
        self.assertEqual(summary.server, "signald/test")
        self.assertGreater(len(self.shown), 5)
        self.assertEqual((self.switchboard.hub.peers, self.switchboard.hub.sessions), ({}, {}))

    def test_latency(self) -> None:
        """A latency counts from the time at which a message was due, however long the server hears nothing."""
        load = self.load(pairs=1, rate=10.0, seconds=4.0)
        self.network.run_for(1)
        self.network.advance(1.5)
        self.network.run_for(6)
        summary = self.successResultOf(load)
        self.assertEqual(summary.latencies.count, 40)
        # Fifteen of forty messages were due while nothing happened.
        self.assertGreater(summary.latencies.percentile(0.75), 0.4)

    def test_acknowledgements(self) -> None:
        """Clients acknowledge after 16 messages, and messages that are four seconds old."""
        load = self.load(pairs=1, rate=20.0, seconds=2.0)
        self.network.run_for(2)
        host = max(self.switchboard.hub.users.values(), key=lambda user: user.outbox.sent)
        self.assertGreaterEqual(host.outbox.acknowledged, 32)
        self.network.run_for(2)
        self.successResultOf(load)
        load = self.load(pairs=1, rate=2.0, seconds=8.0)
        self.network.run_for(5.5)
        host = max(self.switchboard.hub.users.values(), key=lambda user: user.outbox.sent)
        self.assertGreaterEqual(host.outbox.acknowledged, 8)
        self.network.run_for(4)
        self.successResultOf(load)

    def test_large_messages(self) -> None:
        """Clients acknowledge after 32 KiB."""
        load = self.load(pairs=1, rate=0.1, seconds=100.0)
        self.network.run_for(1)
        host, guest = self.running._clients
        text = json.loads(self.running._pairs[0].text)
        text["candidates"] = [{"candidate": "c" * 4000}] * 3
        host.on_forwarded = lambda _: None
        for _ in range(3):
            guest.send_text(json.dumps(text).encode())
        self.network.run_for(1)
        user = self.switchboard.hub.users[host.welcome["user"]]
        self.assertEqual(len(user.outbox.unacknowledged), 0)
        self.running._stop("enough")
        self.network.run_for(20)
        self.successResultOf(load)

    def test_end_on_error(self) -> None:
        """The load ends early when the server refuses a message, when it is about to stop, or closes a connection."""

        def refuse(client: BenchClient) -> None:
            client.send("ping", id=5)

        def stop(client: BenchClient) -> None:
            client.onMessage(b'{"type":"going-away","after":1.0}', False)

        def close(client: BenchClient) -> None:
            client.sendMessage(b"", True)

        for cause, words in ((refuse, "bad-message"), (stop, "about to stop"), (close, "unsupported-data")):
            self.serve(Limits())
            load = self.load(seconds=60.0)
            self.network.run_for(3)
            cause(self.running._clients[0])
            self.network.run_for(10)
            summary = self.successResultOf(load)
            self.assertTrue(summary.failed)
            self.assertIn(words, summary.as_text())
            self.assertLess(summary.sent, 200)

    def test_interrupt(self) -> None:
        """An interrupted load closes its connections and returns what was measured, whether or not it has begun."""
        for begun, clients in ((False, 2), (True, 4)):
            self.serve(Limits())
            load = self.load(seconds=60.0)
            if begun:
                self.network.run_for(3)
            self.running.interrupt()
            self.network.run_for(10)
            summary = self.successResultOf(load)
            self.assertEqual((summary.interrupted, summary.clients), (True, clients))
            self.assertEqual(self.switchboard.hub.peers, {})

    def test_lost_messages(self) -> None:
        """Messages that have not arrived after five seconds are counted as lost."""
        load = self.load(seconds=2.0)
        self.network.run_for(1)
        for client in self.running._clients:
            client.on_forwarded = lambda _: None
        self.network.run_for(10)
        summary = self.successResultOf(load)
        self.assertTrue(summary.failed)
        self.assertIn(f"{summary.sent - summary.latencies.count} lost", summary.as_text())

    def test_silent_server_at_the_end(self) -> None:
        """A connection whose close frame is not answered is dropped after two seconds."""
        load = self.load(seconds=1.0)
        while self.running.summary.latencies.count < 20:
            self.network.run_for(0)
        pumps, self.network.pumps = self.network.pumps, []
        self.network.advance(1)
        self.assertNoResult(load)
        for _ in range(30):
            self.network.advance(0.1)
        transports: list[Any] = [client.transport for client in self.running._clients]
        self.assertTrue(all(transport.disconnecting for transport in transports))
        self.network.pumps = pumps
        self.network.run_for(1)
        self.assertFalse(self.successResultOf(load).failed)


class RefusalTests(LoadCase):
    """Tests of refusals before the load begins: each becomes a sentence, and all connections are closed."""

    def test_rate(self) -> None:
        """A rate that the server allows no connection would measure nothing but its limit."""
        load = self.load(pairs=1, rate=101.0)
        self.network.run_for(5)
        self.assertIn("use --pairs 2", self.refusal(load))
        self.assertEqual(self.switchboard.hub.peers, {})

    def test_connections(self) -> None:
        """The server's limit of connections for one address is told with its status."""
        self.serve(Limits(address_connections=3))
        load = self.load()
        self.network.run_for(5)
        self.assertIn("The server refused a connection", refusal := self.refusal(load))
        self.assertIn("429", refusal)
        self.assertEqual(self.switchboard.hub.peers, {})

    def test_request(self) -> None:
        """A refused hello is told with the server's code and sentence."""
        load = self.load(token="not a token")
        self.network.run_for(5)
        self.assertIn("The server refused hello: token-", self.refusal(load))
        self.assertEqual(self.switchboard.hub.peers, {})

    def test_nobody_answers(self) -> None:
        """An address at which no server listens is told."""
        self.network.site = None
        load = self.load()
        self.network.run_for(1)
        self.assertIn("No server answers at signald.example:80", self.refusal(load))

    def test_silence(self) -> None:
        """A server that never answers the opening handshake, or a request, is given up after ten seconds."""
        self.network.site = Factory.forProtocol(Protocol)
        load = self.load()
        self.network.run_for(11)
        self.assertIn("did not answer the opening handshake", self.refusal(load))
        self.serve(Limits())
        self.patch(Native, "decode", lambda *_: [])
        load = self.load()
        self.network.run_for(15)
        self.assertIn("did not answer a request", self.refusal(load))

    def test_connection_lost_in_the_handshake(self) -> None:
        """A pending request fails when the server closes the connection."""
        self.patch(Native, "decode", lambda *_: [])
        load = self.load()
        self.network.run_for(1)
        self.running._clients[0].sendMessage(b"", True)
        self.network.run_for(1)
        self.assertIn("unsupported-data", self.refusal(load))

    def test_certificate(self) -> None:
        """A certificate that is not trusted is named as the reason, with the option that mends it."""
        client = BenchClient()
        client._transport_failure = SSL.Error([("SSL routines", "", "certificate verify failed")])
        client.onClose(False, 1006, "connection was closed uncleanly")
        self.assertIn("--ca FILE", str(self.failureResultOf(client.opened, BenchRefusedError).value))


class ReactorTests(LoadCase):
    """Tests of a load in a reactor of its own."""

    def run_load(self, interrupt_at: float | None = None, rate: float = 20.0) -> Summary:
        """Run a load of five seconds."""
        self.network.interrupt_at = interrupt_at
        return bench.run_in_reactor(lambda reactor: Load(TARGET, reactor, 2, rate, 5.0), self.network)

    def test_run(self) -> None:
        """The reactor stops when the load has ended, and the summary is returned."""
        summary = self.run_load()
        self.assertEqual((summary.sent, summary.failed, summary.interrupted), (100, False, False))

    def test_interrupt(self) -> None:
        """After SIGINT the connections are closed before the reactor stops; after the end nothing is left to do."""
        summary = self.run_load(interrupt_at=2.0)
        self.assertTrue(summary.interrupted)
        self.assertLess(summary.sent, 60)
        self.assertEqual(self.switchboard.hub.peers, {})

    def test_refusal(self) -> None:
        """A refusal ends the reactor too, and is raised; SIGINT that comes with it has nothing left to do."""
        self.assertRaises(BenchRefusedError, self.run_load, rate=1000.0)
        self.serve(Limits())
        self.network.site = None
        self.assertRaises(BenchRefusedError, self.run_load, interrupt_at=0.0)


class TlsTests(CommandCase):
    """Tests of the trust in a server's certificate."""

    def test_endpoint(self) -> None:
        """A secure target is reached over TLS, with the system's authorities or those that were given."""
        certificate, _ = write_pair(self.directory, 1e9)
        authorities = bench._authorities(str(certificate))
        self.assertEqual(len(authorities), 1)
        for chosen in (None, authorities):
            target = Target(True, "signald.example", 443, "wss://signald.example/ws", chosen)
            self.assertIsNot(type(target.endpoint(MemoryNetwork())), HostnameEndpoint)


class SummaryTests(SynchronousTestCase):
    """Tests of the histogram and of the texts."""

    def test_percentiles(self) -> None:
        """Percentiles are right to 2 % and never beyond the greatest latency."""
        histogram = LatencyHistogram()
        self.assertEqual(histogram.percentile(0.5), 0.0)
        for milliseconds in range(1, 1001):
            histogram.add(milliseconds / 1000)
        for part in (0.5, 0.99, 0.999):
            self.assertTrue(part <= histogram.percentile(part) <= 1.02 * part, part)
        self.assertEqual(histogram.percentile(1.0), 1.0)
        histogram.add(0.0)
        self.assertEqual((histogram.count, histogram.greatest), (1001, 1.0))

    def test_texts(self) -> None:
        """The summary of a load on which nothing arrived has no figures that would mislead."""
        summary = Summary(bytes=220)
        self.assertIn("unknown, since nothing arrived", summary.as_text())
        self.assertEqual(progress_bar(summary, 30.0), f"[{'-' * 24}] 0 of 30 s, 0 sent")
        summary.sent, summary.seconds = 100, 15.0
        summary.latencies.add(0.002)
        self.assertEqual(progress_bar(summary, 30.0), f"[{'#' * 12}{'-' * 12}] 15 of 30 s, 100 sent, p99 2.0 ms")


class CommandTests(CommandCase):
    """Tests of the command line."""

    def run_bench(self, *arguments: object, result: Any = None) -> tuple[int, str, str]:
        """Run the command with a load that has this result, or fails with it."""

        def run(make: Callable[[Any], Load]) -> Summary:
            self.made = make(Clock())
            if isinstance(result, Exception):
                raise result
            self.made.show(Summary())
            summary: Summary = result or Summary()
            return summary

        return self.run_command(partial(main, run=run), "--url", "wss://calls.example/ws", *arguments)

    def test_summary(self) -> None:
        """The summary goes to standard output; the status is 1 if something failed, and 130 after SIGINT."""
        good, bad = Summary(server="signald/1"), Summary(sent=1)
        self.assertEqual(self.run_bench(result=good), (0, good.as_text(), ""))
        self.assertEqual(self.run_bench(result=bad), (1, bad.as_text(), ""))
        self.assertEqual(self.run_bench(result=Summary(interrupted=True))[0], 130)

    def test_refusal(self) -> None:
        """A refusal is one line on standard error."""
        self.assertEqual(self.run_bench(result=BenchRefusedError("No.")), (1, "", "No.\n"))

    def test_options(self) -> None:
        """The options become the load; a URL of the page means its socket."""
        self.run_bench("--pairs", 3, "--rate", "7.5", "--seconds", 9, "--token", "abc")
        self.assertEqual((self.made.pairs, self.made.rate, self.made.seconds), (3, 7.5, 9.0))
        self.assertEqual(
            self.made.target, Target(True, "calls.example", 443, "wss://calls.example:443/ws", None, "abc")
        )
        for url, expected in (
            ("https://calls.example/", "wss://calls.example:443/ws"),
            ("http://calls.example:9000/team/", "ws://calls.example:9000/team/ws"),
            ("http://calls.example:9000/team", "ws://calls.example:9000/team/ws"),
            ("https://calls.example/index.html", "wss://calls.example:443/ws"),
            ("ws://[::1]:9000", "ws://[::1]:9000/ws"),
            ("wss://calls.example/other", "wss://calls.example:443/other"),
        ):
            self.run_bench("--url", url)
            self.assertEqual(self.made.target.url, expected)

    def test_invalid_options(self) -> None:
        """Each invalid option causes one line on standard error and the exit status 2."""
        text = self.write_private("text", "no certificate")
        broken = self.write_private("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for arguments in (
            ("--url", "calls.example"),
            ("--url", "ftp://calls.example/"),
            ("--url", "wss://[calls/"),
            ("--pairs", 0),
            ("--pairs", "x"),
            ("--rate", 1e9),
            ("--ca", text),
            ("--ca", broken),
            ("--ca", "/absent"),
            ("--unknown",),
        ):
            status, out, err = self.run_bench(*arguments)
            self.assertEqual((status, out, len(err.splitlines())), (2, "", 1), (arguments, err))

    def test_progress(self) -> None:
        """The progress bar is one line that replaces itself, on a terminal only."""
        terminal = io.StringIO()
        self.patch(terminal, "isatty", lambda: True)
        bench._show(terminal, "half")
        self.assertEqual(terminal.getvalue(), "\r\x1b[Khalf")
