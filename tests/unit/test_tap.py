"""Tests of `signald.tap`, which creates the daemon from its parts."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

from twisted.application.service import IServiceMaker
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from signald.cli.options import Options, refuse_start
from signald.config.checks import PAGE_FILES
from signald.config.settings import Config, Matchbox, Page, PeerJs, Webhook
from signald.config.values import ConfigError, read_embed_origin
from signald.lifecycle.service import Daemon
from signald.net.origins import EVERY_ORIGIN
from signald.server.proxy_protocol import ProxyProtocolFactory
from signald.server.site import SignalingSite
from signald.server.web import Folder
from signald.tap import hold_signals, make_daemon, makeService, stop
from signald.tls.certificates import CertificateError, SuppliedCertificate
from tests.support.certificates import write_pair
from tests.support.connections import MemoryConnection
from tests.support.endpoints import Endpoint, parse_response, request, upgrade_request
from tests.support.reactors import ThreadlessReactor, install_reactor


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

    def test_supplied_certificate(self) -> None:
        """A daemon with a certificate and a key in its configuration uses that certificate, without an authority."""
        self.data.mkdir()
        certificate, key = write_pair(self.data, time.time())
        config = Config(self.data, port=0, interface="127.0.0.1", certificate=certificate, key=key)
        daemon = make_daemon(config, MemoryReactorClock())
        self.addCleanup(daemon.page.socket.close)
        self.assertIsInstance(daemon.certificate, SuppliedCertificate)
        self.assertFalse((self.data / "ca.pem").exists())
        site = cast(Any, daemon.page.factory).wrappedFactory
        self.assertTrue(site.has_certificate_for("attic.example.org"))

    def test_webhook(self) -> None:
        """With a webhook in the configuration, a client that opens a session causes a request to its server."""
        self.data.mkdir()
        secret = self.data / "secret"
        secret.touch(mode=0o600)
        secret.write_text("s" * 32)
        webhook = Webhook(url="http://127.0.0.1:8700/", secret_file=secret)
        config = Config(self.data, port=0, interface="127.0.0.1", tls=False, webhook=webhook)
        reactor = MemoryReactorClock()
        daemon = make_daemon(config, reactor)
        self.addCleanup(daemon.page.socket.close)
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1)
        self.assertEqual(reactor.tcpClients, [])
        connection.say(type="open")
        self.assertEqual([address[:2] for address in reactor.tcpClients], [("127.0.0.1", 8700)])

    def test_proxy_protocol(self) -> None:
        """With the setting `proxy_protocol`, the public ports expect a PROXY header."""
        for proxy_protocol in (False, True):
            config = Config(
                self.data,
                port=0,
                interface="127.0.0.1",
                tls=False,
                proxy_protocol=proxy_protocol,
                trusted_proxies=(ip_network("127.0.0.1"),),
            )
            daemon = make_daemon(config, MemoryReactorClock())
            self.addCleanup(daemon.page.socket.close)
            daemon._data_directory.release()
            self.assertEqual(isinstance(daemon.page.factory, ProxyProtocolFactory), proxy_protocol)

    def make_peerjs(self, base: str = "/", *, matchbox: bool = False, **settings: Any) -> Daemon:
        """Create a daemon with these settings of the section `peerjs`, whose page has that path.

        It serves clients of matchbox as well, or not.
        """
        config = Config(
            self.data,
            path=base,
            port=0,
            interface="127.0.0.1",
            tls=False,
            peerjs=PeerJs(**settings),
            matchbox=Matchbox(enabled=matchbox),
            allow_origins=(EVERY_ORIGIN,) if settings.get("enabled") or matchbox else (),
        )
        daemon = make_daemon(config, MemoryReactorClock())
        self.addCleanup(daemon.page.socket.close)
        daemon._data_directory.release()
        return daemon

    def test_peerjs(self) -> None:
        """With the setting `peerjs.enabled`, clients of PeerJS get an id, from pages of every allowed origin."""
        for settings, status in (({}, 404), ({"enabled": True}, 101), ({"enabled": True, "path": "/a/"}, 404)):
            daemon = self.make_peerjs(**settings)
            endpoint = Endpoint(daemon.page.factory)
            path = "/peerjs?key=peerjs&id=ann&token=t"
            self.assertEqual(endpoint.upgrade(path, origin="https://app.example"), status)
            self.assertEqual(len(daemon._draining), 4 if settings else 3)
            endpoint.disconnect()

    def test_below_a_path(self) -> None:
        """With the setting `path`, page, WebSocket and clients of PeerJS are below it, and nothing is outside."""
        daemon = self.make_peerjs("/calls/", enabled=True, path="/a/")
        self.assertEqual(daemon.path, "/calls/")
        for base, status in (("/calls", 101), ("", 404)):
            for path in ("/ws", "/a/peerjs?key=peerjs&id=ann&token=t"):
                endpoint = Endpoint(daemon.page.factory)
                self.assertEqual(endpoint.upgrade(base + path), status, path)
                endpoint.disconnect()
        endpoint = Endpoint(daemon.page.factory)
        endpoint.send(request("/calls/", {"Host": "localhost"}))
        self.assertEqual(parse_response(endpoint.answer())[0], 200)

    def test_branded_page(self) -> None:
        """The page has the name, the look and the sites around it that the settings name."""
        logo = self.data.with_suffix(".svg")
        logo.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")
        config = Config(
            self.data,
            port=0,
            interface="127.0.0.1",
            tls=False,
            embed_origins=(read_embed_origin("https://app.example"),),
            page=Page(title="Example calls", accent="#0b6a58", logo=logo),
        )
        daemon = make_daemon(config, MemoryReactorClock())
        self.addCleanup(daemon.page.socket.close)
        daemon._data_directory.release()
        endpoint = Endpoint(daemon.page.factory)
        endpoint.send(request("/", {"Host": "localhost"}))
        status, headers, body = parse_response(endpoint.answer())
        self.assertEqual(status, 200)
        self.assertIn("frame-ancestors https://app.example;", headers["content-security-policy"])
        for part in (b'name="embed-origins" content="https://app.example"', b"Example calls", b"accent.", b"logo."):
            self.assertIn(part, body)

    def test_matchbox(self) -> None:
        """With the setting `matchbox.enabled`, clients of matchbox enter rooms, from pages of every allowed origin."""
        for enabled, status in ((False, 404), (True, 101)):
            daemon = self.make_peerjs(matchbox=enabled)
            endpoint = Endpoint(daemon.page.factory)
            self.assertEqual(endpoint.upgrade("/matchbox/room?next=2", origin="https://app.example"), status)
            self.assertEqual(len(daemon._draining), 4 if enabled else 3)
            endpoint.disconnect()

    def test_rooms_below_a_path(self) -> None:
        """With the setting `path`, the rooms of matchbox's clients are below it as well, and not outside."""
        for path in ("/calls/", "/matchbox/", "/a/matchbox/"):
            daemon = self.make_peerjs(path, matchbox=True, enabled=True, path="/a/")
            for base, status in ((path, 101), ("/", 404), (f"{path}a/", 404)):
                endpoint = Endpoint(daemon.page.factory)
                self.assertEqual(endpoint.upgrade(f"{base}matchbox/room?next=2"), status, base)
                endpoint.disconnect()

    def test_dialects_apart(self) -> None:
        """Each dialect without sessions has a directory of its own, and both have one hand-over."""
        daemon = self.make_peerjs(matchbox=True, enabled=True)
        ann, ben = (Endpoint(daemon.page.factory, address) for address in ("192.0.2.1", "192.0.2.2"))
        ann.upgrade("/matchbox/room")
        ben.upgrade("/peerjs?key=peerjs&id=ben&token=t")
        rooms, directory = daemon._switchboard.rooms, daemon._switchboard.directory
        assert rooms is not None
        assert directory is not None
        self.assertEqual((len(rooms.directory.clients), [*directory.directory.clients]), (1, ["ben"]))
        self.assertIs(rooms.intake, directory.intake)
        ann.disconnect()
        ben.disconnect()

    def test_path_of_the_rooms(self) -> None:
        """A path of PeerJS's clients that is the one of matchbox's is told."""
        error = self.assertRaises(ConfigError, self.make_peerjs, matchbox=True, enabled=True, path="/matchbox/")
        self.assertIn("expected free paths, got /matchbox, which is that of matchbox.enabled (--matchbox).", str(error))

    def test_paths_of_the_page(self) -> None:
        """A path of PeerJS's clients that is the page's is told."""
        error = self.assertRaises(ConfigError, self.make_peerjs, enabled=True, key="ws")
        self.assertIn("peerjs.key (--peerjs-path, --peerjs-key): expected free paths, got /ws", str(error))

    def test_files_of_the_page(self) -> None:
        """The check of a configuration knows every file of the page, and the folder of it that has a content."""
        root = cast(SignalingSite, self.make_peerjs().page.factory).resource
        files = {name.decode() for name, child in root.children.items() if name and not isinstance(child, Folder)}
        # There is no local authority without TLS.
        self.assertEqual(files | {"ca.crt", "ca.pem"}, PAGE_FILES)
        folders = {name: child for name, child in root.children.items() if isinstance(child, Folder)}
        self.assertEqual([name for name, folder in folders.items() if b"" in folder.children], [b"schema"])

    def test_unusable_host_secret(self) -> None:
        """A secret that can be neither read nor stored is replaced by one for this process, and a warning is logged."""
        self.data.write_text("no directory")
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        config = Config(self.data / "below", port=0, interface="127.0.0.1", tls=False)
        daemon = make_daemon(config, MemoryReactorClock())
        self.addCleanup(daemon.page.socket.close)
        names = [event["event"] for event in events if "event" in event]
        self.assertEqual(names, ["data-directory-unlocked", "host-secret-unusable"])

    def make_service(self, *arguments: str) -> tuple[object, str]:
        """Create a service that cannot start, and return the code of its SystemExit and what it printed."""
        from twisted.internet import reactor

        self.patch(reactor, "seconds", IReactorTime(reactor).seconds)
        out = io.StringIO()
        self.patch(sys, "stderr", out)
        options = Options()
        options.parseOptions(["--data-dir", str(self.data), *arguments])
        error: SystemExit = self.assertRaises(SystemExit, makeService, options)
        return error.code, out.getvalue()

    def test_deadlines_do_not_follow_the_wall_clock(self) -> None:
        """The reactor uses the monotonic clock, so that setting the wall clock does not move deadlines."""
        from twisted.internet import reactor

        self.make_service("--cert", "no.pem", "--key", "no.key")
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

    def test_stop_while_stopping(self) -> None:
        """`stop` raises no exception if the reactor is already stopping, as after a signal."""
        calls = list[str]()

        class Stopped(MemoryReactorClock):
            def stop(self) -> None:
                calls.append("stop")
                raise ReactorNotRunning

        stop(IReactorTime(Stopped()))
        self.assertEqual(calls, ["stop"])

    def test_make_service_exits_with_a_sentence(self) -> None:
        """`makeService` exits with a sentence, because twistd shows a traceback for every other exception.

        The status of an error that only the operator can mend is 78, EX_CONFIG of sysexits.h.
        """
        code, said = self.make_service("--cert", "no.pem", "--key", "no.key")
        self.assertEqual(code, 78)
        sentence = "expected the name of a file, and there is none of this name"
        expected = [
            f"signald: {option}: {sentence}: {Path.cwd() / name}."
            for option, name in (("--cert", "no.pem"), ("--key", "no.key"))
        ]
        self.assertEqual(said.splitlines(), expected)

    def test_a_file_that_cannot_be_used(self) -> None:
        """A file that is found to be no certificate when the daemon is made is reported in the same way."""
        file = Path(self.mktemp()).absolute()
        file.write_text("no certificate")
        code, said = self.make_service("--cert", str(file), "--key", str(file))
        self.assertEqual(code, 78)
        sentence = f"{file}: expected a certificate in PEM format (-----BEGIN CERTIFICATE-----), found none."
        self.assertEqual(said, f"signald: --cert: {sentence}\n")

    def test_a_port_in_use_has_another_status(self) -> None:
        """A port in use is reported with status 1, since it may be free soon."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        code, said = self.make_service("--no-tls", "--interface", "127.0.0.1", "--port", str(port))
        self.assertEqual(
            (code, said), (f"signald: Cannot listen on port {port} of 127.0.0.1: Address already in use.", "")
        )

    def test_nowhere_to_write(self) -> None:
        """A standard error that is closed, or on a full disk, changes nothing of the status."""

        class FullDisk(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(28, "No space left on device")

        for err in (None, FullDisk()):
            self.patch(sys, "stderr", err)
            error: SystemExit = self.assertRaises(SystemExit, refuse_start, ConfigError("sentence"))
            self.assertEqual(error.code, 78)


class MakeServiceTests(SynchronousTestCase):
    """Tests of `makeService` with a reactor in memory in place of the reactor of the process."""

    def setUp(self) -> None:
        """Install the reactor, write a configuration file, and restore the signals at the end of the test."""
        self.reactor = ThreadlessReactor()
        install_reactor(self, self.reactor)
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "signald.toml"
        self.configure()

    def configure(self, settings: str = "") -> None:
        """Write the configuration file, with additional settings."""
        self.file.write_text(f'port = 0\ninterface = "127.0.0.1"\ntls = false\n{settings}')

    def make(self, **twistd: object) -> Daemon:
        """Create the daemon; under twistd if there are options of twistd."""
        options = Options()
        options.parent = cast(Any, twistd or None)
        options.parseOptions(["--config", str(self.file), "--data-dir", str(self.directory / "data")])
        daemon = makeService(options)
        self.addCleanup(daemon.page.socket.close)
        return daemon

    def upgrade(self, daemon: Daemon, origin: str) -> int:
        """Send the opening handshake of a page of this origin, and return the status of the response."""
        endpoint = Endpoint(daemon.page.factory)
        status = endpoint.upgrade(origin=origin)
        endpoint.disconnect()
        return status

    def hang_up(self) -> None:
        """Call the handler of SIGHUP."""
        handler = signal.getsignal(signal.SIGHUP)
        assert callable(handler)
        handler(signal.SIGHUP, None)

    def test_reload(self) -> None:
        """SIGHUP applies the changed configuration: a page of an origin that is now allowed may connect."""
        daemon = self.make()
        self.assertEqual(self.upgrade(daemon, "https://app.example"), 403)
        self.configure('allow_origins = ["https://app.example"]\n')
        self.hang_up()
        self.assertEqual(self.upgrade(daemon, "https://app.example"), 101)
        self.assertFalse(self.reactor.hasStopped)

    def test_doubtful_settings(self) -> None:
        """The start warns of what hardly anybody can want, with its line in the file."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.configure("[limits]\nsession_members = 50\n")
        self.make()
        [problem] = [event["problem"] for event in events if event.get("event") == "configuration-doubtful"]
        self.assertIn("signald.toml, line 5, limits.session_members: 50 is more than 8.", problem)

    def test_hosts(self) -> None:
        """Listed host names are answered and no others, for the page and its sockets, also after a reload."""
        self.configure('hosts = ["calls.example"]\n')
        daemon = self.make()

        def answers(host: str) -> tuple[int, int, int]:
            line, socket, in_pieces = (Endpoint(daemon.page.factory, clock=self.reactor) for _ in range(3))
            line.send(request("/", {"Host": host, "Connection": "close"}))
            data = upgrade_request(host=host)
            in_pieces.send(data[:9], data[9:])
            found = line.response()[0], socket.upgrade(host=host), in_pieces.response()[0]
            for endpoint in (line, socket, in_pieces):
                endpoint.disconnect()
            return found

        self.assertEqual(answers("calls.example"), (200, 101, 101))
        self.assertEqual(answers("127.0.0.1"), (200, 101, 101))
        self.assertEqual(answers("evil.example"), (400, 400, 400))
        self.configure('hosts = ["calls.example", "evil.example"]\n')
        self.hang_up()
        self.assertEqual(answers("evil.example"), (200, 101, 101))

    def test_closed_terminal(self) -> None:
        """SIGHUP stops a daemon whose terminal has been closed, and reloads one whose terminal is still open."""
        terminals = [True]
        self.patch(os, "isatty", lambda _descriptor: terminals[-1])
        self.make()
        self.hang_up()
        self.assertFalse(self.reactor.hasStopped)
        terminals.append(False)
        self.hang_up()
        self.assertTrue(self.reactor.hasStopped)

    def test_log_of_twistd(self) -> None:
        """Under twistd, the daemon writes its own log to twistd's file, and flushes it after the shutdown."""
        path = self.directory / "twistd.log"
        daemon = self.make(nodaemon=True, logfile=str(path))
        log = daemon.twistd_log
        self.assertIs(log, daemon.operations_service.log)
        assert log is not None
        log({"log_format": "a line", "event": "stopped", "log_time": 0.0, "log_namespace": "signald"})
        self.reactor.fire_shutdown("after")
        self.assertIn("a line", path.read_text())

    def test_options_of_another_plugin_host(self) -> None:
        """Under a program other than twistd, whose options have no `nodaemon`, the program keeps its own log."""
        self.assertIsNone(self.make(reactor="poll").twistd_log)

    def test_unwritable_log(self) -> None:
        """If twistd's log cannot be opened, the process exits with one sentence."""
        error = self.assertRaises(SystemExit, self.make, nodaemon=True, logfile=str(self.directory / "no" / "log"))
        self.assertEqual(error.code, "signald: The log cannot be written: No such file or directory.")
