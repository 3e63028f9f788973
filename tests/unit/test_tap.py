"""Tests of `signald.tap`, which creates the daemon from its parts."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from signald.cli.options import Options
from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.tap import hold_signals, make_daemon, makeService, stop
from signald.tls.certificates import CertificateError


class PluginTests(SynchronousTestCase):
    """Tests of the plugin for `twistd signald`."""

    def test_twistd_finds_the_plugin(self) -> None:
        """Twisted finds the plugin by the name `signald`."""
        [maker] = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "signald"]
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, makeService)


class WiringTests(SynchronousTestCase):
    """Tests of the service that is created from a configuration."""

    def setUp(self) -> None:
        """Choose a new data directory."""
        self.data = Path(self.mktemp())

    def test_a_port_in_use_is_told(self) -> None:
        """A port in use raises ConfigError with one sentence."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        error = self.assertRaises(
            ConfigError, make_daemon, Config(self.data, port=port, interface="127.0.0.1"), MemoryReactorClock()
        )
        self.assertEqual(str(error), f"Cannot listen on port {port} of 127.0.0.1: Address already in use.")

    def test_a_second_port_in_use_frees_the_first(self) -> None:
        """If the second port is in use, the socket of the first port is closed."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = Config(self.data, port=port, interface="127.0.0.1", ws_port=taken.getsockname()[1])
        self.assertRaises(ConfigError, make_daemon, config, MemoryReactorClock())
        socket.create_server(("127.0.0.1", port)).close()

    def test_an_unusable_certificate_is_told(self) -> None:
        """A certificate that cannot be read raises CertificateError."""
        config = Config(self.data, port=0, certificate=self.data / "no.pem", key=self.data / "no.key")
        self.assertRaises(CertificateError, make_daemon, config, MemoryReactorClock())

    def make_service(self) -> SystemExit:
        """Create a service whose certificate is missing, and return its SystemExit."""
        from twisted.internet import reactor

        self.patch(reactor, "seconds", IReactorTime(reactor).seconds)
        options = Options()
        options.parseOptions(["--cert", "no.pem", "--key", "no.key"])
        error: SystemExit = self.assertRaises(SystemExit, makeService, options)
        return error

    def test_deadlines_do_not_follow_the_wall_clock(self) -> None:
        """The reactor uses the monotonic clock, so that setting the wall clock does not move deadlines."""
        from twisted.internet import reactor

        self.make_service()
        before = time.monotonic()
        now = IReactorTime(reactor).seconds()
        self.assertTrue(before <= now <= time.monotonic())
        call = IReactorTime(reactor).callLater(60.0, self.fail)
        self.addCleanup(call.cancel)
        self.assertTrue(before + 60.0 <= call.getTime() <= time.monotonic() + 60.0)

    def test_signals_wait_until_the_reactor_runs(self) -> None:
        """SIGINT and SIGTERM stay blocked until the reactor runs, so that the restored state cannot be lost."""
        both, before = {signal.SIGINT, signal.SIGTERM}, signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        reactor = MemoryReactorClock()
        hold_signals(reactor)
        self.assertLessEqual(both, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        reactor.run()
        self.assertTrue(both.isdisjoint(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    def test_to_stop_twice_is_to_stop(self) -> None:
        """`stop` raises no exception if the reactor is already stopping, as after a signal."""
        calls = list[str]()

        class Stopped(MemoryReactorClock):
            def stop(self) -> None:
                calls.append("stop")
                raise ReactorNotRunning

        stop(IReactorTime(Stopped()))
        self.assertEqual(calls, ["stop"])

    def test_make_service_exits_with_a_sentence(self) -> None:
        """`makeService` exits with a sentence, because twistd shows a traceback for every other exception."""
        error = self.make_service()
        self.assertIn(f"signald: {Path.cwd() / 'no.pem'}", str(error.code))
