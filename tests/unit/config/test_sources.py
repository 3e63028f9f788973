"""The configuration's layers: which wins, and what is said of mistakes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from signald.cli.options import Options
from signald.config.settings import settings
from signald.config.sources import Effective, combine, from_environment, from_file
from signald.config.toml_lines import lines_of
from signald.config.tree import LogLevel, TokenNeed
from signald.config.values import ConfigError

HOME = {"XDG_DATA_HOME": "/data"}


class LayersTests(SynchronousTestCase):
    """Files, variables and options."""

    def setUp(self) -> None:
        """Make a folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "signald.toml"

    def write(self, text: str) -> None:
        """Write the file."""
        self.file.write_text(dedent(text), "utf-8")

    def effective(self, *arguments: str, **environment: str) -> Effective:
        """What holds with the file, some options and some variables."""
        options = Options()
        options.parseOptions(["--config", str(self.file), *arguments])
        return options.effective({**HOME, **environment})

    def refused(self, text: str, **environment: str) -> list[str]:
        """The sentences about a file or variables that cannot be used, without the file's folder."""
        self.write(text)
        error = self.assertRaises(ConfigError, self.effective, **environment)
        return str(error).replace(f"{self.folder}/", "").splitlines()

    def test_each_over_the_one_before(self) -> None:
        """The file over the defaults, variables over the file, options over variables; it is told which."""
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

    def test_the_variable_names_the_file(self) -> None:
        """Unless an option does."""
        self.write("port = 5")
        options = Options()
        options.parseOptions([])
        self.assertEqual(options.effective({**HOME, "SIGNALD_CONFIG": str(self.file)}).config.port, 5)

    def test_every_kind_of_value(self) -> None:
        """In a file as in a variable."""
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
        file = self.effective().config
        self.assertEqual((file.certificate, file.key), (self.folder / "cert.pem", Path.home() / "key.pem"))
        self.assertEqual(file.tokens.key_files, (self.folder / "a.pem", Path("/b.pem")))
        self.write("")
        variables = self.effective(
            SIGNALD_TRUSTED_PROXIES="10.0.0.0/8 ::1",
            SIGNALD_CERTIFICATE=str(self.folder / "cert.pem"),
            SIGNALD_KEY="~/key.pem",
            SIGNALD_TOKENS_NEED="everyone",
            SIGNALD_TOKENS_KEY_FILES=f"{self.folder / 'a.pem'} /b.pem",
            SIGNALD_ICE_SERVERS="stun:stun.example.org",
            SIGNALD_LIMITS_MESSAGE_RATE="5",
            SIGNALD_INTERFACE="",
        ).config
        self.assertEqual(variables, file)
        self.assertIs(file.tokens.need, TokenNeed.EVERYONE)

    def test_an_unknown_key_is_told_with_its_line_and_the_nearest(self) -> None:
        """And all others as well."""
        said = self.refused("""\
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
                "signald.toml, line 7: there is no setting nothing.",
            ],
        )

    def test_a_wrong_value_is_told_with_its_line(self) -> None:
        """A text is no number, a number no text, and `yes` no truth value in TOML."""
        said = self.refused("""\
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
                "signald.toml, line 1, port: 70000 is not a port number (0 to 65535).",
                'signald.toml, line 2, tls: "yes" is no truth value (true or false).',
                'signald.toml, line 3, allow_origins: "https://a.example" is no list.',
                "signald.toml, line 4, trusted_proxies: 3 is no text.",
                "signald.toml, line 6, log.level: loud is not one of debug, info, warn, error.",
                "signald.toml, line 8, limits.message_bytes: 1 is out of range: 1024 or more bytes.",
                'signald.toml, line 9, limits.message_rate: "3" is no number.',
                "signald.toml, line 10, limits.message_burst: 1.5 is no whole number.",
            ],
        )

    def test_what_may_hold_a_secret_is_not_shown(self) -> None:
        """A TURN server in a form that it does not have is told by its key: what is said goes into the log."""
        for servers in ('"turn:t,user,hush"', '[["turn:t", "user", "hush"]]', '{secret = "hush"}'):
            said = self.refused(f"[ice]\nservers = {servers}")
            self.assertRegex(said[0], r"^signald.toml, line 2, ice.servers: What is given is no (list|text)\.$")

    def test_numbers_that_are_too_large(self) -> None:
        """Python makes neither a float nor digits of any number, and raises."""
        for digits in ("9" * 400, f"0x{'f' * 5000}"):
            said = self.refused(f"port = {digits}\ndrain_seconds = {digits}\n[limits]\nmessage_bytes = {digits}")
            self.assertEqual([line.rpartition(": ")[2] for line in said], ["The number is out of range."] * 3)
        self.assertRegex(self.refused(f"port = {'9' * 5000}")[0], "^signald.toml is no TOML: ")

    def test_paths_and_keys_that_are_none(self) -> None:
        """A null character in a path, and a key with thousands of parts."""
        said = self.refused('data_dir = "a\\u0000b"')
        self.assertEqual(said, ["signald.toml, line 1, data_dir: There is a null character in the path."])
        self.assertEqual(len(self.refused(f"a{'.a' * 1000} = 1")), 1)

    def test_a_wrong_variable_is_told(self) -> None:
        """By its name, with the nearest one."""
        said = self.refused("", SIGNALD_PROT="1", SIGNALD_TLS="maybe", SIGNALD_PORT="x")
        self.assertEqual(
            said,
            [
                "SIGNALD_PORT: x is not a port number (0 to 65535).",
                "SIGNALD_PROT: there is no such setting; did you mean SIGNALD_PORT?",
                "SIGNALD_TLS: maybe is neither true nor false.",
            ],
        )

    def test_other_variables_are_not_looked_at(self) -> None:
        """Only those with the prefix."""
        self.assertEqual(from_environment({"PORT": "x", "signald_port": "y"}), [])

    def test_a_file_that_cannot_be_read(self) -> None:
        """Missing, a pipe, no text, no TOML, or much too large."""
        self.assertIn("cannot be read: No such file", str(self.assertRaises(ConfigError, from_file, self.file)))
        os.mkfifo(self.file)
        self.assertIn("no regular file", str(self.assertRaises(ConfigError, from_file, self.file)))
        self.file.unlink()
        self.file.write_bytes(b"\xff")
        self.assertIn("is not UTF-8", str(self.assertRaises(ConfigError, from_file, self.file)))
        self.file.write_bytes(b"a" * (1 << 20) + b"b")
        self.assertIn("larger than", str(self.assertRaises(ConfigError, from_file, self.file)))
        for text in ("port = ", "port = 1\nport = 2", "a = " + "[" * 100_000):
            self.write(text)
            self.assertIn("is no TOML", str(self.assertRaises(ConfigError, from_file, self.file)))

    def test_values_that_do_not_fit_each_other(self) -> None:
        """A sentence of the tree's own."""
        [said] = self.refused('certificate = "a.pem"')
        self.assertIn("given together", said)

    def test_nothing_given(self) -> None:
        """Defaults, and a data directory from the surroundings."""
        self.assertEqual(combine([], HOME).config.data_dir, Path("/data/signald"))


class SettingsTests(SynchronousTestCase):
    """The tree's leaves."""

    def test_names_are_unique(self) -> None:
        """As options and as variables."""
        found = settings().values()
        self.assertEqual(len({setting.option for setting in found}), len(found))
        self.assertEqual(len({setting.variable for setting in found}), len(found))

    def test_defaults_can_be_written_and_read(self) -> None:
        """What `signald config` shows of them can stand in a file."""
        for setting in settings().values():
            shown = setting.shown(None if setting.path == ("data_dir",) else setting.default)
            if shown:
                self.assertEqual(setting.read(tomllib.loads(f"x = {shown}")["x"]), setting.default, setting.key)

    def test_a_credential_is_hidden(self) -> None:
        """The user is shown."""
        servers = settings()["ice", "servers"]
        shown = servers.shown(servers.read(["turn:turn.example.org,ann,secret"]))
        self.assertEqual(shown, '["turn:turn.example.org,ann,(hidden)"]')

    def test_what_may_be_a_credential_in_a_web_address_is_hidden(self) -> None:
        """User, password and query; a transport of TURN is none."""
        url, turn = settings()["webhook", "url"], settings()["ice", "turn_urls"]
        self.assertEqual(
            url.shown("https://ann:hush@app.example/may?key=hush"), '"https://(hidden)@app.example/may?(hidden)"'
        )
        self.assertEqual(url.shown("https://app.example/may"), '"https://app.example/may"')
        self.assertEqual(turn.shown(("turn:t.example?transport=udp",)), '["turn:t.example?transport=udp"]')


class LinesTests(SynchronousTestCase):
    """Where keys stand."""

    def test_tables_and_keys(self) -> None:
        """Bare, quoted, dotted and inline."""
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
        """It has no lines, rather than wrong ones."""
        self.assertEqual(lines_of("[[a]]\n[[b]]\n[a.c]\nd = 1\n"), {})
        self.assertEqual(lines_of("a." * 300 + "b = 1\n"), {})
