"""The configuration: what its values must be to fit each other, and where it keeps its data."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.tree import Config, default_data_dir
from signald.config.values import ConfigError


class ConfigTests(SynchronousTestCase):
    """Values together."""

    def test_a_certificate_needs_its_key(self) -> None:
        """And a key its certificate; neither is of use without TLS."""
        here = Path("data")
        file = Path("file.pem")
        self.assertRaises(ConfigError, Config, here, certificate=file)
        self.assertRaises(ConfigError, Config, here, key=file)
        self.assertRaises(ConfigError, Config, here, certificate=file, key=file, tls=False)
        Config(here, certificate=file, key=file)

    def test_the_data_directory(self) -> None:
        """Systemd's, else the user's."""
        self.assertEqual(default_data_dir({"STATE_DIRECTORY": "/a:/b", "XDG_DATA_HOME": "/c"}), Path("/a"))
        self.assertEqual(default_data_dir({"XDG_DATA_HOME": "/c"}), Path("/c/signald"))
        self.assertEqual(default_data_dir({}), Path.home() / ".local" / "share" / "signald")
        self.assertEqual(default_data_dir({"XDG_DATA_HOME": "c"}), default_data_dir({}))

    def test_no_home(self) -> None:
        """A user without a home, as in a container, is told."""

        def no_home(_path: Path) -> Path:
            raise RuntimeError

        self.patch(Path, "expanduser", no_home)
        error = self.assertRaises(ConfigError, default_data_dir, {})
        self.assertIn("no home", str(error))
