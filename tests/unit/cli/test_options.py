"""Tests of `signald.cli.options`, which parses the command line."""

from __future__ import annotations

from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from signald.cli.commands import COMMANDS
from signald.cli.options import Options
from signald.config.setting_names import settings
from signald.config.settings import Config, Ice, TokenNeed
from signald.core.ice_server import IceServer
from signald.core.limits import Limits


class OptionsTests(SynchronousTestCase):
    """Tests of the options and of the help text."""

    def parse(self, *arguments: str) -> Config:
        """Return the configuration of a command line."""
        options = Options()
        options.parseOptions(list(arguments))
        return options.effective({"XDG_DATA_HOME": "/data"}).config

    def test_defaults(self) -> None:
        """A command line without options results in the default configuration."""
        self.assertEqual(self.parse(), Config(data_dir=Path("/data/signald")))

    def test_everything_can_be_set(self) -> None:
        """An option of each kind sets its value in the configuration."""
        config = self.parse(
            "--port", "1", "--interface", "::1", "--ws-port", "2794", "--no-tls", "--data-dir", "/here",
            "--allow-origin", "https://a.example", "--allow-origin", "https://b.example:8443", "--ice-relay-only",
            "--trusted-proxy", "10.0.0.0/8", "--limit", "message-bytes=4096",
            "--ice-server", "stun:stun.example.org", "--ice-server", "turn:turn.example.org,ann,secret",
            "--tokens-need", "hosts", "--drain-seconds", "2",
        )  # fmt: skip
        self.assertEqual((config.port, config.interface, config.ws_port, config.tls), (1, "::1", 2794, False))
        self.assertEqual(
            (config.data_dir, len(config.allow_origins), len(config.trusted_proxies)), (Path("/here"), 2, 1)
        )
        turn = IceServer(("turn:turn.example.org",), "ann", "secret")
        self.assertEqual(config.ice, Ice(servers=(IceServer(("stun:stun.example.org",)), turn), relay_only=True))
        self.assertEqual(config.limits, Limits(message_bytes=4096))
        self.assertEqual((config.tokens.need, config.drain_seconds), (TokenNeed.HOSTS, 2.0))

    def test_a_wrong_option_is_told(self) -> None:
        """The parser raises UsageError for an invalid option, and the message names the option or suggests another."""
        for arguments, words in (
            (["--ice-sever", "x"], "There is no option --ice-sever; did you mean --ice-server?"),
            (["chek-config"], "There is no command chek-config; did you mean check-config?"),
            (
                ["start"],
                "There is no command start; `signald` alone starts the daemon, `signald --help` lists the commands.",
            ),
            (["--port", "1", "doctor"], "A command stands before all options: signald doctor …"),
            (["--allow-origin", "x"], "--allow-origin: "),
            (["--trusted-proxy", "x"], "--trusted-proxy: "),
            (["--ice-server", "x"], "--ice-server: "),
            (["--limit", "message-bytes"], "NAME=VALUE"),
            (["--limit", "Message-Byte=1"], "There is no limit called Message-Byte; did you mean message-bytes?"),
            (["--limit", "message-bytes=1"], "--limit message-bytes: expected 1024 or more bytes, got 1."),
            (["--port", "x"], "--port: expected a port number"),
            (["--log-level", "loud"], "--log-level: expected one of debug, info, warn, error, got loud."),
            (["--drain-seconds", "1e9"], "--drain-seconds: expected 0.1 to 600 seconds, got 1000000000.0."),
            (["--drain-seconds", "soon"], "--drain-seconds: expected a number, got soon."),
        ):
            error = self.assertRaises(UsageError, Options().parseOptions, arguments)
            self.assertIn(words, str(error))

    def test_all_problems_at_once(self) -> None:
        """If several options are invalid, the message has a line for each."""
        error = self.assertRaises(UsageError, Options().parseOptions, ["--port", "x", "--ws-port", "y"])
        self.assertEqual(len(str(error).splitlines()), 2)

    def test_relative_paths_begin_where_the_command_was_given(self) -> None:
        """A relative path is resolved against the working directory of the command while the options are parsed."""
        options = Options()
        options.parseOptions(["--data-dir", "data", "--config", "signald.toml"])
        self.assertEqual((options.given[0].value, options.file), (Path.cwd() / "data", Path.cwd() / "signald.toml"))

    def test_the_version(self) -> None:
        """`--version` exits with status 0."""
        error = self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertEqual(error.code, 0)

    def test_the_help_names_every_setting(self) -> None:
        """The help text names every setting and every command, and it shows defaults and units."""
        text = str(Options())
        for setting in settings().values():
            if setting.path[0] != "limits":
                self.assertIn(f"--{setting.option}", text)
        for command, does in COMMANDS.items():
            self.assertIn(f"{command:<14}{does}", text)
        for words in (
            "human or json",
            "kept-seconds=2592000 ",
            "--no-tls",
            "--limit",
            "--config",
            "--version",
            "message-bytes=65536  bytes",
            "[default: 9000]",
        ):
            self.assertIn(words, text)

    def test_the_help_of_a_command(self) -> None:
        """The help text of a command has its name and its purpose, and not those of the other commands."""
        text = str(Options("config"))
        self.assertTrue(text.startswith("Usage: signald config [options]\n"))
        self.assertIn(COMMANDS["config"], text)
        self.assertNotIn(COMMANDS["doctor"], text)
