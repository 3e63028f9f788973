"""Tests of the configuration's sources: precedence, error messages and line numbers."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from signald.cli.options import Options
from signald.config.setting_names import settings
from signald.config.settings import LogLevel, TokenNeed
from signald.config.sources import Effective, combine, from_environment, from_file
from signald.config.toml_lines import lines_of
from signald.config.values import ConfigError

HOME = {"XDG_DATA_HOME": "/data"}


class SourcesTests(SynchronousTestCase):
    """A file, environment variables and options are combined."""

    def setUp(self) -> None:
        """Create a directory."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "signald.toml"

    def write(self, text: str) -> None:
        """Write the configuration file."""
        self.file.write_text(dedent(text), "utf-8")

    def effective(self, *arguments: str, **environment: str) -> Effective:
        """Return the effective configuration of the file, options and environment variables."""
        options = Options()
        options.parseOptions(["--config", str(self.file), *arguments])
        return options.effective({**HOME, **environment})

    def errors(self, text: str, **environment: str) -> list[str]:
        """Return the errors of a file and environment variables, without the directory of the file."""
        self.write(text)
        error = self.assertRaises(ConfigError, self.effective, **environment)
        return str(error).replace(f"{self.folder}/", "").splitlines()

    def test_precedence(self) -> None:
        """Options override variables, variables the file, and the file the defaults; each value's source is known."""
        self.write("""\
            port = 1
            interface = "::1"
            drain_seconds = 3
            [ice]
            relay_only = true
            [log]
            level = "warn"
        """)
        found = self.effective("--port", "3", "--no-ice-relay-only", SIGNALD_PORT="2", SIGNALD_INTERFACE="127.0.0.1")
        config = found.config
        self.assertEqual((config.port, config.interface, config.drain_seconds), (3, "127.0.0.1", 3.0))
        self.assertEqual((config.ice.relay_only, config.log.level), (False, LogLevel.WARN))
        self.assertEqual(
            {".".join(path): str(where).replace(f"{self.folder}/", "") for path, where in found.where.items()},
            {
                "port": "--port",
                "interface": "SIGNALD_INTERFACE",
                "drain_seconds": "signald.toml, line 3, drain_seconds",
                "ice.relay_only": "--no-ice-relay-only",
                "log.level": "signald.toml, line 7, log.level",
            },
        )

    def test_file_from_the_environment(self) -> None:
        """`SIGNALD_CONFIG` names the file."""
        self.write("port = 5")
        options = Options()
        options.parseOptions([])
        self.assertEqual(options.effective({**HOME, "SIGNALD_CONFIG": str(self.file)}).config.port, 5)

    def test_types_of_values(self) -> None:
        """Each type of value can be set in a file and in a variable."""
        self.write("""\
            trusted_proxies = ["10.0.0.0/8", "::1"]
            certificate = "cert.pem"
            key = "~/key.pem"
            [tokens]
            need = "everyone"
            key_files = ["a.pem", "/b.pem"]
            [ice]
            servers = ["stun:stun.example.org"]
            [limits]
            message_rate = 5
        """)
        file = combine([from_file(self.file)], HOME).config
        self.assertEqual((file.certificate, file.key), (self.folder / "cert.pem", Path.home() / "key.pem"))
        self.assertEqual(file.tokens.key_files, (self.folder / "a.pem", Path("/b.pem")))
        variables = {
            "SIGNALD_TRUSTED_PROXIES": "10.0.0.0/8 ::1",
            "SIGNALD_CERTIFICATE": str(self.folder / "cert.pem"),
            "SIGNALD_KEY": "~/key.pem",
            "SIGNALD_TOKENS_NEED": "everyone",
            "SIGNALD_TOKENS_KEY_FILES": f"{self.folder / 'a.pem'} /b.pem",
            "SIGNALD_ICE_SERVERS": "stun:stun.example.org",
            "SIGNALD_LIMITS_MESSAGE_RATE": "5",
            "SIGNALD_INTERFACE": "",
        }
        self.assertEqual(combine([from_environment(variables)], HOME).config, file)
        self.assertIs(file.tokens.need, TokenNeed.EVERYONE)

    def test_unknown_keys(self) -> None:
        """Every unknown key is reported with its line and the nearest known key."""
        said = self.errors("""\
            # a comment
            prot = 1
            zzz = 1
            [ice]
            secret_file = "x"
            turn = { secret = "x" }
            [nothing]
        """)
        self.assertEqual(
            said,
            [
                "signald.toml, line 2: there is no setting prot; did you mean port?",
                "signald.toml, line 3: there is no setting zzz.",
                "signald.toml, line 5: there is no setting ice.secret_file; did you mean ice.turn_secret_file?",
                "signald.toml, line 6: there is no setting ice.turn; did you mean ice.turn_urls?",
                "signald.toml, line 7: there is no section [nothing].",
            ],
        )

    def test_unknown_sections(self) -> None:
        """An unknown section is reported once, in its own line, and not again for each of its settings."""
        said = self.errors("""\
            [limit]
            message_rate = 5
            session_members = 4
            [port]
            page = 9000
        """)
        self.assertEqual(
            said,
            [
                "signald.toml, line 1: there is no section [limit]; did you mean [limits]?",
                "signald.toml, line 4: there is no section [port], since port is a setting; "
                "write port = VALUE before all sections.",
            ],
        )

    def test_settings_without_their_section(self) -> None:
        """A setting outside its section, or in another one, is reported with every section that has one of its name."""
        said = self.errors("""\
            secret_file = "x"
            message_rate = 5
            [log]
            url = "https://hooks.example.org"
            drain_seconds = 3
            zzz = 1
        """)
        self.assertEqual(
            said,
            [
                "signald.toml, line 1: there is no setting secret_file outside a section; it belongs in [tokens] or "
                "[webhook].",
                "signald.toml, line 2: there is no setting message_rate outside a section; it belongs in [limits].",
                "signald.toml, line 4: there is no setting log.url; did you mean webhook.url?",
                "signald.toml, line 5: there is no setting log.drain_seconds; "
                "drain_seconds belongs before all sections.",
                "signald.toml, line 6: there is no setting log.zzz.",
            ],
        )

    def test_invalid_values(self) -> None:
        """Every value of the wrong type or out of range is reported with its line; types are not converted."""
        said = self.errors("""\
            port = 70000
            tls = "yes"
            allow_origins = "https://a.example"
            trusted_proxies = [3]
            [log]
            level = "loud"
            [limits]
            message_bytes = 1
            message_rate = "3"
            message_burst = 1.5
        """)
        self.assertEqual(
            said,
            [
                "signald.toml, line 1, port: expected a port number (0 to 65535), got 70000.",
                'signald.toml, line 2, tls: expected true or false, got "yes".',
                'signald.toml, line 3, allow_origins: expected a list in square brackets, got "https://a.example".',
                "signald.toml, line 4, trusted_proxies: expected a string, got 3.",
                "signald.toml, line 6, log.level: expected one of debug, info, warn, error, got loud.",
                "signald.toml, line 8, limits.message_bytes: expected 1024 or more bytes, got 1.",
                'signald.toml, line 9, limits.message_rate: expected a number, got "3".',
                "signald.toml, line 10, limits.message_burst: expected an integer, got 1.5.",
            ],
        )

    def test_secrets_are_hidden(self) -> None:
        """The error about a malformed TURN server does not contain the value, since it is logged."""
        expected_list = 'a list in square brackets, such as ["stun:HOST"]'
        for servers, expected, found in (
            ('"turn:t,user,hush"', expected_list, "a text"),
            ('[["turn:t", "user", "hush"]]', "a string", "a list"),
            ('{secret = "hush"}', expected_list, "a table"),
            ("2026-11-28", expected_list, "a value of another type"),
        ):
            [said] = self.errors(f"[ice]\nservers = {servers}")
            self.assertEqual(said, f"signald.toml, line 2, ice.servers: expected {expected}, got {found}.")

    def test_no_limit(self) -> None:
        """A limit of zero, by which an operator may mean none, is refused with what to do."""
        said = self.errors("state_seconds = -1\n[limits]\nmessage_rate = 0\nmessage_bytes = 1")
        self.assertEqual(
            [line.rpartition(": ")[2] for line in said],
            [
                "expected 0 to 86400 seconds, got -1.",
                "expected 1 or more per second, got 0; a limit cannot be switched off, so set a high number.",
                "expected 1024 or more bytes, got 1.",
            ],
        )

    def test_large_numbers(self) -> None:
        """A number that Python cannot convert is reported like any other."""
        for digits in ("9" * 400, f"0x{'f' * 5000}"):
            said = self.errors(f"port = {digits}\ndrain_seconds = {digits}\n[limits]\nmessage_bytes = {digits}")
            self.assertEqual(
                [line.rpartition(": ")[2] for line in said],
                ["expected a number of at most 2^53, got a larger one."] * 3,
            )
        self.assertRegex(self.errors(f"port = {'9' * 5000}")[0], "^signald.toml is not valid TOML: ")

    def test_unusable_paths_and_keys(self) -> None:
        """A path with a null character and a key with a thousand parts are reported."""
        said = self.errors('data_dir = "a\\u0000b"')
        self.assertEqual(said, ["signald.toml, line 1, data_dir: expected a path, got one with a null character."])
        self.assertEqual(len(self.errors(f"a{'.a' * 1000} = 1")), 1)
        for text in ("calls", "/a/../b", "//calls", "/calls?a", "/c%61lls", "/" + "a" * 300):
            (error,) = self.errors(f'path = "{text}"')
            self.assertIn("signald.toml, line 1, path: expected a path such as / or /calls/, of letters", error)
            self.assertIn(f"got {text:.40}.", error)

    def test_invalid_variables(self) -> None:
        """Every unknown or invalid variable is reported by name."""
        said = self.errors("", SIGNALD_PROT="1", SIGNALD_TLS="maybe", SIGNALD_PORT="x")
        self.assertEqual(
            said,
            [
                "SIGNALD_PORT: expected a port number (0 to 65535), got x.",
                "SIGNALD_PROT: there is no such setting; did you mean SIGNALD_PORT?",
                "SIGNALD_TLS: expected true or false, got maybe.",
            ],
        )

    def test_files_of_editors(self) -> None:
        """A byte order mark and the line ends of Windows and of old editors are read."""
        for content in (
            b"\xef\xbb\xbfport = 9001\ntls = false",
            b"port = 9001\r\ntls = false\r\n",
            b"port = 9001\rtls = false\r",
        ):
            self.file.write_bytes(content)
            config = self.effective().config
            self.assertEqual((config.port, config.tls), (9001, False))
        self.file.write_bytes("port = 9001".encode("utf-16"))
        error = self.assertRaises(ConfigError, self.effective)
        self.assertEqual(str(error), f"{self.file}: expected UTF-8, found another encoding; save the file as UTF-8.")

    def test_values_of_other_languages(self) -> None:
        """What a switch, a port and a path are written as elsewhere is taken, or refused with what was expected."""
        self.write("")
        config = self.effective(SIGNALD_TLS="False", SIGNALD_PORT="9001\r", SIGNALD_DATA_DIR="/data\r").config
        self.assertEqual((config.tls, config.port, str(config.data_dir)), (False, 9001, "/data"))
        self.assertTrue(self.effective(SIGNALD_TLS="ON", SIGNALD_PROXY_PROTOCOL="off").config.tls)
        for text, sentence in (
            (
                "tls = False",
                "line 1, tls: expected true or false in lower case, or a text in quotation marks, got False.",
            ),
            ("port = 9001.0", "line 1, port: expected a port number (0 to 65535), got 9001.0."),
            ("port = true", "line 1, port: expected a port number (0 to 65535), got true."),
            (
                "[operations]\ninterface = 1.5",
                "line 2, operations.interface: expected an IP address without a port, such as 127.0.0.1, "
                "got 1.5; leave the setting out for 127.0.0.1.",
            ),
        ):
            self.assertEqual(self.errors(text), [f"signald.toml, {sentence}"])

    def test_other_variables(self) -> None:
        """Variables without the prefix are ignored."""
        self.assertEqual(from_environment({"PORT": "x", "signald_port": "y"}), [])

    def test_unreadable_files(self) -> None:
        """A file that is missing, a FIFO, not UTF-8, not TOML or too large is an error."""
        self.assertIn("cannot be read: No such file", str(self.assertRaises(ConfigError, from_file, self.file)))
        os.mkfifo(self.file)
        self.assertIn(
            "expected a regular file, found a FIFO", str(self.assertRaises(ConfigError, from_file, self.file))
        )
        self.file.unlink()
        self.file.write_bytes(b"\xff")
        self.assertIn("expected UTF-8", str(self.assertRaises(ConfigError, from_file, self.file)))
        self.file.write_bytes(b"a" * (1 << 20) + b"b")
        self.assertIn("larger than", str(self.assertRaises(ConfigError, from_file, self.file)))
        for text in ('a = "\\x"', "a = " + "[" * 100_000):
            self.write(text)
            self.assertIn("is not valid TOML", str(self.assertRaises(ConfigError, from_file, self.file)))

    def test_contradictory_values(self) -> None:
        """A check of the tree across settings is reported."""
        [said] = self.errors('certificate = "a.pem"')
        self.assertIn("set both, or neither", said)

    def test_defaults(self) -> None:
        """Without sources all settings have their defaults, and the environment determines the data directory."""
        self.assertEqual(combine([], HOME).config.data_dir, Path("/data/signald"))


class SettingsTests(SynchronousTestCase):
    """`settings()` and the formatting of values."""

    def test_names_are_unique(self) -> None:
        """No two settings have the same option or variable."""
        found = settings().values()
        self.assertEqual(len({setting.option for setting in found}), len(found))
        self.assertEqual(len({setting.variable for setting in found}), len(found))

    def test_defaults_round_trip(self) -> None:
        """A default that `signald config` prints can be read from a file."""
        for setting in settings().values():
            shown = setting.shown(None if setting.path == ("data_dir",) else setting.default)
            if shown:
                self.assertEqual(setting.read(tomllib.loads(f"x = {shown}")["x"]), setting.default, setting.key)

    def test_credentials_of_turn_servers(self) -> None:
        """The secret of a TURN server is hidden, and its user is shown."""
        servers = settings()["ice", "servers"]
        shown = servers.shown(servers.read(["turn:turn.example.org,ann,secret"]))
        self.assertEqual(shown, '["turn:turn.example.org,ann,(hidden)"]')

    def test_credentials_in_urls(self) -> None:
        """User information and query of a URL are hidden, but not the transport of a TURN server."""
        url, turn = settings()["webhook", "url"], settings()["ice", "turn_urls"]
        self.assertEqual(
            url.shown("https://ann:hush@app.example/may?key=hush"), '"https://(hidden)@app.example/may?(hidden)"'
        )
        self.assertEqual(url.shown("https://app.example/may"), '"https://app.example/may"')
        self.assertEqual(turn.shown(("turn:t.example?transport=udp",)), '["turn:t.example?transport=udp"]')


class LinesTests(SynchronousTestCase):
    """`lines_of` finds the line of each key."""

    def test_tables_and_keys(self) -> None:
        """Bare, quoted, dotted and inline keys and tables are found."""
        text = 'a = 1\n\n[b] # x\nc.d = 2\n"e" = { f = 1, g = 2 }\n[[h]]\ni = """\nj\n"""\n'
        self.assertEqual(
            lines_of(text),
            {
                ("a",): 1, ("b",): 3, ("b", "c"): 4, ("b", "c", "d"): 4, ("b", "e"): 5, ("b", "e", "f"): 5,
                ("b", "e", "g"): 5, ("h",): 6, ("h", "i"): 7,
            },
        )  # fmt: skip

    def test_text_that_looks_like_keys(self) -> None:
        """Strings and arrays that span several lines contain no keys, and what follows them has its own line."""
        text = 'a = """\nb = 1\n[c]\n"""\nd = { e = [1,\n2], f = 3 }\n\'g.h\' . "i\\u006A" = "\u2028"\nk = true\n'
        self.assertEqual(
            lines_of(text),
            {("a",): 1, ("d",): 5, ("d", "e"): 5, ("d", "f"): 6, ("g.h",): 7, ("g.h", "ij"): 7, ("k",): 8},
        )

    def test_tables_out_of_order(self) -> None:
        """A table that continues after others keeps its line, and one without a header has that of its first key."""
        text = "[a.b]\nc = 1\n[d]\n[a]\ne = 1\n[d.f]\n"
        self.assertEqual(
            lines_of(text),
            {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 2, ("d",): 3, ("a", "e"): 5, ("d", "f"): 6},
        )

    def test_a_document_that_cannot_be_reproduced(self) -> None:
        """A document that tomlkit reorders has no line numbers, rather than wrong line numbers."""
        self.assertEqual(lines_of("[[a]]\n[[b]]\n[a.c]\nd = 1\n"), {})
        self.assertEqual(lines_of("a." * 300 + "b = 1\n"), {})
