"""Tests of checks across settings, and of the default data directory."""

from __future__ import annotations

import os
import pwd
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice, Matchbox, PeerJs, default_data_dir
from signald.config.sources import combine
from signald.config.values import ConfigError, read_embed_origin
from signald.core.messages import IceServer
from signald.net.origins import EVERY_ORIGIN


class ConfigTests(SynchronousTestCase):
    """The tree and its defaults."""

    def test_certificate_and_key(self) -> None:
        """A certificate and its key are set together, and only with TLS."""
        here = Path("data")
        file = Path("file.pem")
        self.assertRaises(ConfigError, Config, here, certificate=file)
        self.assertRaises(ConfigError, Config, here, key=file)
        self.assertRaises(ConfigError, Config, here, certificate=file, key=file, tls=False)
        Config(here, certificate=file, key=file)

    def test_turn(self) -> None:
        """TURN URLs and their secret are set together, and relaying all media needs a TURN server."""
        urls, file = ("turn:turn.example.org",), Path("secret")
        self.assertRaises(ConfigError, Ice, turn_urls=urls)
        self.assertRaises(ConfigError, Ice, turn_secret_file=file)
        self.assertRaises(ConfigError, Ice, relay_only=True)
        Ice(turn_urls=urls, turn_secret_file=file, relay_only=True)
        Ice(servers=(IceServer(urls, "ann", "secret"),), relay_only=True)

    def test_proxy_protocol(self) -> None:
        """The PROXY protocol needs trusted proxies."""
        self.assertRaises(ConfigError, Config, Path("data"), proxy_protocol=True)
        Config(Path("data"), proxy_protocol=True, trusted_proxies=(ip_network("10.0.0.0/8"),))

    def test_every_origin(self) -> None:
        """All origins can be allowed for clients of PeerJS alone."""
        self.assertRaises(ConfigError, Config, Path("data"), allow_origins=(EVERY_ORIGIN,))
        Config(Path("data"), allow_origins=(EVERY_ORIGIN,), peerjs=PeerJs(enabled=True))
        Config(Path("data"), allow_origins=(EVERY_ORIGIN,), matchbox=Matchbox(enabled=True))

    def test_embed_origins(self) -> None:
        """Pages of the web alone can have the page in a frame: no file, no opaque origin, not every site, no path."""
        self.assertEqual(str(read_embed_origin("https://App.example.org/")), "https://app.example.org:443")
        for text in ("null", "file://", "*", "https://a.example/call", "app://a.example", "https://[::1]", "a.example"):
            error = self.assertRaises(ConfigError, read_embed_origin, text)
            self.assertRegex(
                str(error), "such as https://app.example.org|expected https://a.example without path and query"
            )

    def test_data_directory(self) -> None:
        """The data directory is systemd's state directory, else in the user's data directory."""
        self.assertEqual(default_data_dir({"STATE_DIRECTORY": "/a:/b", "XDG_DATA_HOME": "/c"}), Path("/a"))
        self.assertEqual(default_data_dir({"XDG_DATA_HOME": "/c"}), Path("/c/signald"))
        self.assertEqual(default_data_dir({}), Path.home() / ".local" / "share" / "signald")
        self.assertEqual(default_data_dir({"XDG_DATA_HOME": "c"}), default_data_dir({}))

    def test_no_home(self) -> None:
        """A user without a home directory, as in a container, is an error."""

        def no_home(_path: Path) -> Path:
            raise RuntimeError

        self.patch(Path, "expanduser", no_home)
        error = self.assertRaises(ConfigError, default_data_dir, {})
        self.assertIn("no home directory", str(error))
        error = self.assertRaises(ConfigError, combine, [], {})
        self.assertRegex(str(error), r"\Adata_dir \(--data-dir\): .*no home directory")

    def test_empty_home(self) -> None:
        """An empty HOME is treated as a missing one, and not as the root directory."""
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        self.patch(os, "environ", {**os.environ, "HOME": ""})
        self.assertEqual(default_data_dir({}), home / ".local" / "share" / "signald")

        def nobody(_user: int) -> pwd.struct_passwd:
            raise KeyError

        self.patch(pwd, "getpwuid", nobody)
        self.assertRaises(ConfigError, default_data_dir, {})
