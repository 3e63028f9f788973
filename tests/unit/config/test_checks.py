"""Tests of `signald.config.checks`: nothing dangerous or impossible passes, and each sentence names its setting."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from signald.config.appearance import MOST_LOGO_BYTES
from signald.config.checks import MESH_MEMBERS, doubts, locate
from signald.config.sources import Effective, load
from signald.config.values import ConfigError

SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"


class ChecksCase(SynchronousTestCase):
    """A base class with a configuration file."""

    def setUp(self) -> None:
        """Create a directory."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.file = self.folder / "signald.toml"

    def load(self, text: str, **environment: str) -> Effective:
        """Return the effective configuration of a file and environment variables."""
        self.file.write_text(dedent(text))
        return load([], self.file, {"XDG_DATA_HOME": str(self.folder), **environment})

    def refusals(self, text: str, **environment: str) -> list[str]:
        """Return the sentences with which a configuration is refused, without the directory of the file."""
        error = self.assertRaises(ConfigError, self.load, text, **environment)
        return str(error).replace(f"{self.folder}/", "").splitlines()

    def doubts(self, text: str, **environment: str) -> list[str]:
        """Return the warnings about a configuration, without the directory of the file."""
        effective = self.load(text, **environment)
        return [str(one).replace(f"{self.folder}/", "") for one in doubts(effective.config, effective.where)]


class RefusalTests(ChecksCase):
    """Tests of what cannot be meant."""

    def test_everybody_a_proxy(self) -> None:
        """Networks that cover all addresses of a family are refused, alone or together, wherever they are set."""
        for networks in (
            '"0.0.0.0/0"',
            '"0.0.0.0/1", "128.0.0.0/1"',
            '"::/0"',
            '"10.0.0.0/8", "::/1", "8000::/1"',
            '"0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", "::1"',
        ):
            [said] = self.refusals(f"trusted_proxies = [{networks}]")
            self.assertRegex(
                said, r"\Asignald.toml, line 1, trusted_proxies: expected the addresses of your proxies, got"
            )
        [said] = self.refusals("", SIGNALD_TRUSTED_PROXIES="0.0.0.0/0")
        self.assertTrue(said.startswith("SIGNALD_TRUSTED_PROXIES: "))
        for networks in ('"0.0.0.0/1"', '"10.0.0.0/8", "fd00::/8"', '"0.0.0.0/1", "8000::/1"'):
            self.load(f"trusted_proxies = [{networks}]")

    def test_path_of_another(self) -> None:
        """A path of PeerJS's clients that is the page's or that of matchbox's clients is refused."""
        for text, sentence in (
            ('key = "ws"', "key: expected a free path, got /ws, which is the page's;"),
            ('path = "/ws"', "path: expected a free path, got /ws/, which is the page's;"),
            ('path = "/client.mjs/a"', "path: expected a free path, got /client.mjs/a/, which is the page's;"),
            ('path = "/schema"', "path: expected a free path, got /schema/, which is the page's;"),
            ('key = "matchbox"', "key: expected a free path, got /matchbox, which is that of matchbox.enabled;"),
            ('path = "/matchbox"', "path: expected a free path, got /matchbox/, which is that of matchbox.enabled;"),
        ):
            [said] = self.refusals(f"matchbox.enabled = true\n[peerjs]\nenabled = true\n{text}")
            self.assertEqual(said, f"signald.toml, line 4, peerjs.{sentence} choose another one.")
            self.load(f"matchbox.enabled = true\n[peerjs]\n{text}")
        for text in ('path = "/schema/a"', 'path = "/a"\nkey = "ws"', 'key = "schema"', 'path = "/matchbox"'):
            self.load(f"[peerjs]\nenabled = true\n{text}")

    def test_one_port_twice(self) -> None:
        """Two listeners on the same address need two ports; 0 is a free one each time."""
        for text, sentence in (
            ("ws_port = 9000", 'line 1, ws_port: port 9000 is already used by the setting "port" (its default);'),
            (
                "port = 80\n[operations]\nport = 80",
                'line 3, operations.port: port 80 is already used by the setting "port";',
            ),
            (
                'interface = "192.0.2.1"\nws_port = 80\n[operations]\nport = 80\ninterface = "0.0.0.0"',
                'line 4, operations.port: port 80 is already used by the setting "ws_port";',
            ),
        ):
            [said] = self.refusals(text)
            self.assertEqual(said, f"signald.toml, {sentence} choose another one.")
        self.load("port = 0\nws_port = 0\n[operations]\nport = 0")
        self.load('interface = "192.0.2.1"\n[operations]\nport = 9000')

    def test_data_directory(self) -> None:
        """A file, and a directory below a file, are refused."""
        (self.folder / "file").touch()
        for name in ("file", "file/below", "file/below/it"):
            said = self.refusals(f'data_dir = "{name}"')
            self.assertEqual(said, ["signald.toml, line 1, data_dir: file is not a directory; name another one."])
        self.load('data_dir = "none/yet"')

    def test_a_secret_in_the_place_of_a_file(self) -> None:
        """The text of a setting that names a secret's file is not repeated while there is no such file."""
        texts = {
            "ice.turn_secret_file": 'turn_urls = ["turn:turn.example"]\nturn_secret_file',
            "tokens.secret_file": "secret_file",
            "webhook.secret_file": 'url = "https://a.example"\nsecret_file',
            "operations.admin_token_file": "admin_token_file",
        }
        for value in (SECRET, SECRET * 20, f"{SECRET}/x"):
            for setting, lines in texts.items():
                said = self.refusals(f'[{setting.partition(".")[0]}]\n{lines} = "{value}"')
                line = 2 + lines.count("\n")
                expected = (
                    f"there is no such file (relative names start from {self.folder}); expected the name of a file, "
                    "and not the secret itself."
                )
                self.assertEqual(said, [f"signald.toml, line {line}, {setting}: {expected}"])
        words = "there is no such file; expected the name of a file, and not the secret itself."
        [sentence] = self.refusals(f'[tokens]\nsecret_file = "/{SECRET}"')
        self.assertEqual(sentence, f"signald.toml, line 2, tokens.secret_file: {words}")
        [sentence] = self.refusals("", SIGNALD_TOKENS_SECRET_FILE=SECRET)
        self.assertEqual(sentence, f"SIGNALD_TOKENS_SECRET_FILE: {words}")
        (self.folder / "cert.pem").touch()
        pem = '"""-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----"""'
        self.assertNotIn("MIGH", "".join(self.refusals(f'certificate = "cert.pem"\nkey = {pem}')))
        [sentence] = self.refusals(f'certificate = {pem}\nkey = "cert.pem"')
        self.assertEqual(
            sentence, "signald.toml, line 1, certificate: expected the name of a file, and there is none of this name."
        )

    def test_other_files(self) -> None:
        """The name of a missing file that holds no secret is repeated."""
        (self.folder / "a.pem").touch()
        [said] = self.refusals('[tokens]\nkey_files = ["a.pem", "b.pem"]')
        sentence = "expected the name of a file, and there is none of this name: b.pem."
        self.assertEqual(said, f"signald.toml, line 2, tokens.key_files: {sentence}")

    def test_a_folder_that_may_not_be_searched(self) -> None:
        """A file of which nothing can be known is left to whoever reads it."""
        stat = Path.stat

        def denied(path: Path) -> os.stat_result:
            if path.name in ("secret", "data"):
                raise PermissionError(13, "Permission denied")
            return stat(path)

        (self.folder / "data").mkdir()
        self.patch(Path, "stat", denied)
        self.load('data_dir = "data"\n[tokens]\nsecret_file = "secret"')

    def test_logo(self) -> None:
        """A file that is no picture, or too large, cannot be the logo."""
        for content, sentence in (
            (b"<html><svg>", "expected a picture in SVG or PNG, got another file."),
            (b"<svg>" + bytes(MOST_LOGO_BYTES), "expected a picture of at most 65536 bytes, got a larger one."),
        ):
            (self.folder / "logo.svg").write_bytes(content)
            [said] = self.refusals(f'[page]\nlogo = "{self.folder}/logo.svg"')
            self.assertEqual(said, f"signald.toml, line 2, page.logo: {sentence}")
        (self.folder / "logo.svg").write_bytes(b"<svg/>".replace(b"/", b" /"))
        self.load(f'[page]\nlogo = "{self.folder}/logo.svg"')

    def test_urls(self) -> None:
        """A URL is refused in the place of a file, and is not repeated, since it may contain a password."""
        url = f"https://user:{SECRET}@id.example/jwks"
        sentence = "expected the name of a file or directory, got a URL; download it, and name the file."
        for setting, text in (
            ("tokens.jwks_file", f'[tokens]\njwks_file = "{url}"'),
            ("tokens.key_files", f'[tokens]\nkey_files = ["{url}"]'),
            ("tokens.secret_file", f'[tokens]\nsecret_file = "{url}"'),
        ):
            self.assertEqual(self.refusals(text), [f"signald.toml, line 2, {setting}: {sentence}"])
        self.assertEqual(self.refusals("", SIGNALD_TOKENS_JWKS_FILE=url), [f"SIGNALD_TOKENS_JWKS_FILE: {sentence}"])


class PositionTests(ChecksCase):
    """Tests of the positions that are put before sentences which name a setting or a file alone."""

    def test_contradictions(self) -> None:
        """A contradiction between settings is told with the position of the first one that is set."""
        for text, sentence in (
            ('key = "a"', "line 1, key: this is set, and certificate (--cert) is not; set both, or neither."),
            ('certificate = "a"', "line 1, certificate: this is set, and key (--key) is not; set both, or neither."),
            (
                'tls = false\ncertificate = "a"\nkey = "a"',
                "line 1, tls: false uses no certificate; delete certificate (--cert) and key (--key), or set",
            ),
            ('allow_origins = ["*"]', "line 1, allow_origins: * is for peerjs.enabled (--peerjs) or matchbox.enabled"),
            ('[ice]\nturn_urls = ["turn:a"]', "line 2, ice.turn_urls: this needs ice.turn_secret_file, the secret"),
            ('[ice]\nturn_secret_file = "a"', "line 2, ice.turn_secret_file: this needs ice.turn_urls, the servers"),
            ("[ice]\nrelay_only = true", "line 2, ice.relay_only: expected a TURN server in ice.servers or"),
            (
                "proxy_protocol = true",
                "line 1, proxy_protocol: this needs trusted_proxies (--trusted-proxy); set it to the addresses of",
            ),
        ):
            [said] = self.refusals(text)
            self.assertTrue(said.startswith(f"signald.toml, {sentence}"), said)
        [said] = self.refusals("", SIGNALD_PROXY_PROTOCOL="yes")
        self.assertTrue(said.startswith("SIGNALD_PROXY_PROTOCOL: this needs trusted_proxies"), said)

    def test_files(self) -> None:
        """What a reader says of a file gets the position of the setting that names the file; other sentences none."""
        (self.folder / "secret").touch()
        effective = self.load('[tokens]\nneed = "everyone"\nsecret_file = "secret"')
        for sentence, expected in (
            (f"The secret {self.folder}/secret is empty.", "line 3, tokens.secret_file: The secret secret is empty."),
            ("tokens.need: everyone needs a key.", "line 2, tokens.need: everyone needs a key."),
        ):
            said = locate(sentence, effective.config, effective.where).replace(f"{self.folder}/", "")
            self.assertEqual(said, f"signald.toml, {expected}")
            self.assertEqual(locate(said, effective.config, effective.where), said)
        for sentence in ("data_dir: another signald uses it.", "The port is in use."):
            self.assertEqual(locate(sentence, effective.config, effective.where), sentence)


class DoubtTests(ChecksCase):
    """Tests of what hardly anybody can want."""

    def test_none(self) -> None:
        """An ordinary configuration has no warnings."""
        self.assertEqual(self.doubts('[operations]\nport = 9090\n[ice]\nservers = ["stun:stun.example"]'), [])

    def test_metrics_for_everybody(self) -> None:
        """The operator's listener on every address is a warning, since a token guards the admin page alone."""
        for address in ("0.0.0.0", "::"):  # noqa: S104 # nothing is bound
            [said] = self.doubts(f'[operations]\nport = 9090\ninterface = "{address}"')
            self.assertRegex(said, rf"\Asignald.toml, line 3, operations.interface: {address} is every address of this")
        (self.folder / "token").touch()
        token = 'port = 9090\ninterface = "::"\nadmin_token_file = "token"'
        [said] = self.doubts(f"[operations]\n{token}")
        self.assertIn("can read the metrics, with or without an admin token. Listen on 127.0.0.1 or", said)
        self.assertEqual(self.doubts('[operations]\ninterface = "::"'), [])

    def test_large_mesh(self) -> None:
        """Sessions of more members than a call of pages has are a warning."""
        self.assertEqual(self.doubts(f"[limits]\nsession_members = {MESH_MEMBERS}"), [])
        [said] = self.doubts("", SIGNALD_LIMITS_SESSION_MEMBERS="50")
        self.assertRegex(said, r"\ASIGNALD_LIMITS_SESSION_MEMBERS: 50 is more than 8\.")

    def test_refused_by_browsers(self) -> None:
        """STUN over TLS is a warning, with what to use."""
        [said] = self.doubts('[ice]\nservers = ["stun:a.example", "stuns:b.example"]')
        self.assertRegex(
            said, r"\Asignald.toml, line 2, ice.servers: stuns:b.example is refused .* Use stun:, or turns:"
        )

    def test_insecure_embedders(self) -> None:
        """A site without TLS is a warning, unless it is this machine: its frames get no camera."""
        trusted = '"https://a.example", "http://localhost:8000", "http://127.0.0.1", "http://app.localhost"'
        self.assertEqual(self.doubts(f"embed_origins = [{trusted}]"), [])
        [said] = self.doubts('embed_origins = ["http://a.example"]')
        self.assertIn("line 1, embed_origins: browsers give the frames of http://a.example neither camera nor", said)

    def test_unreadable_accent(self) -> None:
        """An accent that the light theme has to darken is a warning with its contrast and the colour shown."""
        self.assertEqual(self.doubts('[page]\naccent = "#0B6A58"\ntitle = "Calls"'), [])
        [said] = self.doubts('[page]\naccent = "#ffd000"')
        self.assertRegex(
            said, r"line 2, page.accent: #ffd000 has a contrast of 1\.3 .* the page shows #[0-9a-f]{6} there"
        )

    def test_read_only(self) -> None:
        """A data directory that cannot be written, or made, is a warning."""
        self.patch(os, "access", lambda path, _mode: path != self.folder)
        for name in (".", "not/there"):
            [said] = self.doubts(f'data_dir = "{name}"')
            self.assertIn(f"line 1, data_dir: {self.folder} cannot be written", said)

    def test_a_directory_of_which_nothing_is_known(self) -> None:
        """A data directory that cannot be looked at is left to the start."""

        def fails(_path: Path) -> bool:
            raise OSError

        self.load("")
        self.patch(os.path, "lexists", fails)
        self.assertEqual(self.doubts('data_dir = "x"'), [])
