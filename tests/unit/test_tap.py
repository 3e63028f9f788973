"""The command line and the wiring."""

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
    """`twistd signald`."""

    def test_twistd_finds_the_plugin(self) -> None:
        """Under the name `signald`."""
        [maker] = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "signald"]
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, makeService)


class WiringTests(SynchronousTestCase):
    """The service that comes of a configuration."""

    def setUp(self) -> None:
        """A data directory of the test's own."""
        self.data = Path(self.mktemp())

    def test_a_port_in_use_is_told(self) -> None:
        """In one sentence, before anything runs."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        error = self.assertRaises(
            ConfigError, make_daemon, Config(self.data, port=port, interface="127.0.0.1"), MemoryReactorClock()
        )
        self.assertEqual(str(error), f"Cannot listen on port {port} of 127.0.0.1: Address already in use.")

    def test_a_second_port_in_use_frees_the_first(self) -> None:
        """Nothing stays bound when the service cannot be made."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        free = socket.create_server(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = Config(self.data, port=port, interface="127.0.0.1", ws_port=taken.getsockname()[1])
        self.assertRaises(ConfigError, make_daemon, config, MemoryReactorClock())
        socket.create_server(("127.0.0.1", port)).close()

    def test_an_unusable_certificate_is_told(self) -> None:
        """Before any port is bound."""
        config = Config(self.data, port=0, certificate=self.data / "no.pem", key=self.data / "no.key")
        self.assertRaises(CertificateError, make_daemon, config, MemoryReactorClock())

    def make_service(self) -> SystemExit:
        """Make a service that has no certificate; what it exits with."""
        from twisted.internet import reactor

        self.patch(reactor, "seconds", IReactorTime(reactor).seconds)
        options = Options()
        options.parseOptions(["--cert", "no.pem", "--key", "no.key"])
        error: SystemExit = self.assertRaises(SystemExit, makeService, options)
        return error

    def test_deadlines_do_not_follow_the_wall_clock(self) -> None:
        """It may be set while the server runs: by hours, or by years where a machine has no clock of its own."""
        from twisted.internet import reactor

        self.make_service()
        before = time.monotonic()
        now = IReactorTime(reactor).seconds()
        self.assertTrue(before <= now <= time.monotonic())
        call = IReactorTime(reactor).callLater(60.0, self.fail)
        self.addCleanup(call.cancel)
        self.assertTrue(before + 60.0 <= call.getTime() <= time.monotonic() + 60.0)

    def test_signals_wait_until_the_reactor_runs(self) -> None:
        """What the process before left has been taken up by then: to end before would lose it."""
        both, before = {signal.SIGINT, signal.SIGTERM}, signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        reactor = MemoryReactorClock()
        hold_signals(reactor)
        self.assertLessEqual(both, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        reactor.run()
        self.assertTrue(both.isdisjoint(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    def test_to_stop_twice_is_to_stop(self) -> None:
        """The page asks for it, and a signal came first: that is no error, which the log would call critical."""
        asked = list[str]()

        class Stopped(MemoryReactorClock):
            def stop(self) -> None:
                asked.append("stop")
                raise ReactorNotRunning

        stop(IReactorTime(Stopped()))
        self.assertEqual(asked, ["stop"])

    def test_make_service_exits_with_a_sentence(self) -> None:
        """Twistd would show a traceback for anything else."""
        error = self.make_service()
        self.assertIn(f"signald: {Path.cwd() / 'no.pem'}", str(error.code))
