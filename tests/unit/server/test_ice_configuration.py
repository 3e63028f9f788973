"""The operator's STUN and TURN servers are configured at the start and while the server runs."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Ice
from signald.config.values import ConfigError
from signald.core.ice_server import IceServer
from signald.core.turn import credentials
from signald.server.ice_configuration import IceConfiguration
from tests.support.connections import MemoryConnection, make_switchboard

SECRET = b"0123456789abcdef0123456789abcdef"
URL = "turn:turn.example.org"


class IceConfigurationTests(SynchronousTestCase):
    """Usable settings are applied, and unusable settings change nothing."""

    def setUp(self) -> None:
        """Create a switchboard, and a file with a TURN secret."""
        self.switchboard = make_switchboard(Clock())
        self.switchboard.wall = lambda: 1_700_000_000.0
        self.path = Path(self.mktemp())
        self.keep(SECRET + b"\n")
        self.ice = IceConfiguration(self.switchboard)
        self.settings = Ice(turn_urls=(URL,), turn_secret_file=self.path)

    def keep(self, content: bytes, mode: int = 0o600) -> None:
        """Write the secret file."""
        self.path.write_bytes(content)
        self.path.chmod(mode)

    def host(self) -> MemoryConnection:
        """Connect a client that opens a session."""
        connection = MemoryConnection(self.switchboard)
        connection.say(type="hello", version=1)
        connection.say(type="open")
        return connection

    def test_members_get_what_the_turn_server_takes(self) -> None:
        """The user name has the reference of the welcome; the secret file's trailing newline is ignored."""
        self.ice.prepare(self.settings)()
        welcome, given, _ = (json.loads(frame) for frame in self.host().frames)
        username, credential = credentials(SECRET, welcome["reference"], 1_700_000_600)
        self.assertEqual(welcome["ice-servers"], [])
        self.assertEqual(given["type"], "ice-servers")
        self.assertEqual(
            given["ice-servers"],
            [{"urls": [URL], "username": username, "credential": credential, "expires": 600.0}],
        )

    def test_counts(self) -> None:
        """The TURN URLs in force and the credentials made for them are counted; a reload without any keeps the sum."""
        self.assertEqual(self.ice.counts, (0, 0))
        self.ice.prepare(self.settings)()
        self.assertEqual(self.ice.counts, (1, 0))
        self.host()
        self.assertEqual(self.ice.counts, (1, 1))
        self.ice.prepare(Ice())()
        self.assertEqual(self.ice.counts, (0, 1))

    def test_another_secret(self) -> None:
        """A new secret gives members new credentials at once; applying the same settings again sends no event."""
        self.ice.prepare(self.settings)()
        host = self.host()
        count = len(host.frames)
        self.ice.prepare(self.settings)()
        self.assertEqual(len(host.frames), count)
        self.keep(SECRET[::-1])
        self.ice.prepare(self.settings)()
        self.assertEqual(host.last()["type"], "ice-servers")
        self.ice.prepare(Ice(servers=(IceServer(("stun:s",)),)))()
        self.assertEqual(host.last()["ice-servers"], [{"urls": ["stun:s"]}])

    def test_what_cannot_be_used(self) -> None:
        """The error names the file without any part of the secret, and the previous servers stay configured."""
        self.ice.prepare(self.settings)()
        turn = self.switchboard.turn
        for content, mode in (
            (SECRET, 0o644), (b"", 0o600), (b"short", 0o600), (SECRET + b" and more", 0o600),
            (SECRET + b"\n\n", 0o600), (SECRET + bytes(1), 0o600), (SECRET + "é".encode(), 0o600),
        ):  # fmt: skip
            self.keep(content, mode)
            changed = evolve(self.settings, turn_urls=("turn:other",))
            error = self.assertRaises(ConfigError, self.ice.prepare, changed)
            self.assertIn(str(self.path), str(error))
            self.assertNotIn("0123", str(error))
            self.assertIs(self.switchboard.turn, turn)
        self.path.unlink()
        self.assertRaises(ConfigError, self.ice.prepare, self.settings)

    def test_settings_that_do_not_fit(self) -> None:
        """Contradictory settings are rejected.

        They are URLs without a secret, a secret without URLs, relay-only without TURN, and times out of range.
        """
        for wrong in (
            {"turn_urls": (URL,)},
            {"turn_secret_file": self.path},
            {"relay_only": True},
            {"relay_only": True, "servers": (IceServer(("stun:s",)),)},
        ):
            self.assertRaises(ConfigError, Ice, **wrong)
        for seconds in (9.0, 3601.0, float("nan"), float("inf")):
            self.assertRaises(ValueError, Ice, turn_seconds=seconds)
        Ice(relay_only=True, servers=(IceServer(("turn:t",), "u", "s"),))
