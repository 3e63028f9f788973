"""Tests of `signald.lifecycle.reloading`, which applies a changed configuration to the running daemon."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from attrs import evolve
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice, Log, LogFormat, Tokens
from signald.config.values import ConfigError
from signald.lifecycle.reloading import ConfigReloader


class ReloadingTests(SynchronousTestCase):
    """Tests of the settings that a reload applies, and of the events that it logs."""

    def setUp(self) -> None:
        """Create a reloader with two parts, and record the log."""
        self.old = Config(Path("data"))
        self.wanted: Config | ConfigError = self.old
        self.applied: list[tuple[str, object]] = []
        self.refusal: ConfigError | None = None
        self.reloader = ConfigReloader(self.old, self.load, {"ice": self.apply_ice, "tokens": self.apply_tokens})
        self.seen = EventLoggingObserver()
        globalLogPublisher.addObserver(self.seen)
        self.addCleanup(globalLogPublisher.removeObserver, self.seen)

    def load(self) -> Config:
        """Return the new configuration, or raise its error."""
        if isinstance(self.wanted, ConfigError):
            raise self.wanted
        return self.wanted

    def apply_ice(self, config: Config) -> None:
        """Record the ICE settings."""
        self.applied.append(("ice", config.ice))

    def apply_tokens(self, config: Config) -> None:
        """Record the token settings, or raise the error if there is one."""
        if self.refusal is not None:
            raise self.refusal
        self.applied.append(("tokens", config.tokens))

    def event_names(self) -> list[object]:
        """Return the names of the logged events."""
        return [event["event"] for event in self.seen]

    def test_nothing_changed(self) -> None:
        """Each part is called even if no setting has changed, because the files that the settings name may have."""
        self.reloader.reload()
        self.assertEqual([name for name, _ in self.applied], ["ice", "tokens"])
        self.assertEqual((self.event_names(), self.reloader.config), (["reloaded"], self.old))

    def test_changed_setting_is_applied(self) -> None:
        """A changed setting is passed to its part, becomes a part of the configuration in use, and is logged."""
        self.wanted = evolve(self.old, ice=Ice(turn_seconds=60.0))
        self.reloader.reload()
        self.assertEqual(self.applied[0], ("ice", Ice(turn_seconds=60.0)))
        self.assertEqual(self.reloader.config, self.wanted)
        self.assertEqual(next(iter(self.seen))["settings"], "ice.turn_seconds")

    def test_settings_that_belong_together(self) -> None:
        """All settings of a section change at once, because a mix of new and old settings might be inconsistent."""
        self.wanted = evolve(self.old, ice=Ice(turn_urls=("turn:t",), turn_secret_file=Path("/secret")))
        self.reloader.reload()
        self.assertEqual(self.reloader.config, self.wanted)

    def test_settings_that_need_a_restart_are_logged(self) -> None:
        """Settings that need a restart are logged at every reload, and the other settings are applied."""
        self.wanted = evolve(self.old, port=1, log=Log(LogFormat.JSON), ice=Ice(turn_seconds=60.0))
        for _ in range(2):
            self.reloader.reload()
        self.assertEqual(self.reloader.config, evolve(self.old, ice=Ice(turn_seconds=60.0)))
        self.assertEqual(self.event_names(), ["reload-needs-restart", "reloaded"] * 2)
        self.assertEqual([*self.seen][2]["settings"], "port, log.format")

    def test_what_fits_only_after_a_restart_is_refused(self) -> None:
        """A reload is refused if the new settings are consistent only together with a setting that needs a restart.

        Here, no proxy is trusted any more, but the running daemon still expects PROXY headers.
        """
        self.old = self.reloader.config = evolve(
            self.old, proxy_protocol=True, trusted_proxies=(ip_network("10.0.0.0/8"),)
        )
        self.wanted = evolve(self.old, proxy_protocol=False, trusted_proxies=())
        self.reloader.reload()
        self.assertEqual((self.event_names(), self.applied, self.reloader.config), (["reload-refused"], [], self.old))

    def test_refused_settings_are_not_applied(self) -> None:
        """A part that refuses its settings keeps its old ones, and the other parts are reloaded."""
        self.refusal = ConfigError("The file of keys is damaged.")
        self.wanted = evolve(self.old, ice=Ice(turn_seconds=60.0), tokens=Tokens(issuer="a"))
        self.reloader.reload()
        self.assertEqual(self.reloader.config, evolve(self.old, ice=Ice(turn_seconds=60.0)))
        self.assertEqual(self.event_names(), ["reload-refused", "reloaded"])
        self.refusal = None
        self.reloader.reload()
        self.assertEqual(self.reloader.config, self.wanted)

    def test_a_configuration_that_cannot_be_read_changes_nothing(self) -> None:
        """A configuration that cannot be read changes nothing, and each of its errors is logged."""
        self.wanted = ConfigError("line 1: x\nline 2: y")
        self.reloader.reload()
        self.assertEqual((self.applied, self.reloader.config), ([], self.old))
        self.assertEqual([event["problem"] for event in self.seen], ["line 1: x", "line 2: y"])
