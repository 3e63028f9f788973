"""The command line and the wiring."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from signald.certificates import CertificateError
from signald.config import Config
from signald.limits import Limits
from signald.messages import IceServer
from signald.tap import Options, make_daemon, makeService
from signald.values import ConfigError


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def parse(self, *arguments: str) -> Config:
        """The configuration of a command line."""
        options = Options()
        options.parseOptions(list(arguments))
        return options.config({"XDG_DATA_HOME": "/data"})

    def test_defaults(self) -> None:
        """Without options: TLS on port 9000 of every address, and no bare port."""
        self.assertEqual(self.parse(), Config(data_dir=Path("/data/signald")))

    def test_everything_can_be_set(self) -> None:
        """Each option arrives."""
        config = self.parse(
            "--port", "1", "--interface", "::1", "--ws-port", "2794", "--no-tls", "--data-dir", "/here",
            "--allow-origin", "https://a.example", "--allow-origin", "https://b.example:8443",
            "--trusted-proxy", "10.0.0.0/8", "--ice-server", "stun:stun.example.org", "--limit", "message-bytes=4096",
        )  # fmt: skip
        self.assertEqual((config.port, config.interface, config.ws_port, config.tls), (1, "::1", 2794, False))
        self.assertEqual(
            (config.data_dir, len(config.allow_origins), len(config.trusted_proxies)), (Path("/here"), 2, 1)
        )
        self.assertEqual(config.ice.servers, (IceServer(("stun:stun.example.org",)),))
        self.assertEqual(config.limits, Limits(message_bytes=4096))

    def test_a_wrong_option_is_told(self) -> None:
        """While the command line is parsed, or when the configuration is made of it."""
        for arguments in (
            ["--unknown"],
            ["extra"],
            ["--allow-origin", "*"],
            ["--trusted-proxy", "x"],
            ["--ice-server", "x"],
            ["--limit", "message-bytes"],
        ):
            self.assertRaises(UsageError, Options().parseOptions, arguments)
        for option, value in (("--port", "x"), ("--interface", "x"), ("--ws-port", "x"), ("--limit", "x=1")):
            self.assertRaises(ConfigError, self.parse, option, value)

    def test_a_wrong_limit_is_quoted(self) -> None:
        """As it was given."""
        error = self.assertRaises(ConfigError, self.parse, "--limit", "Message-Bytes=1")
        self.assertIn("There is no limit called Message-Bytes", str(error))

    def test_the_version(self) -> None:
        """Its number, and success."""
        error = self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertEqual(error.code, 0)

    def test_the_help_names_every_option_with_its_default(self) -> None:
        """And every limit with its unit."""
        text = str(Options())
        for option in (
            "--port", "--interface", "--ws-port", "--no-tls", "--cert", "--key", "--data-dir", "--allow-origin",
            "--trusted-proxy", "--ice-server", "--limit", "--version", "message-bytes=65536  bytes",
        ):  # fmt: skip
            self.assertIn(option, text)

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

    def test_make_service_exits_with_a_sentence(self) -> None:
        """Twistd would show a traceback for anything else."""
        error = self.make_service()
        self.assertIn(f"signald: {Path.cwd() / 'no.pem'}", str(error.code))
