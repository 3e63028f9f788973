"""Tests of `signald.lifecycle.reloading`, which applies a changed configuration to the running daemon."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from operator import attrgetter
from pathlib import Path
from textwrap import dedent

from attrs import evolve
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.config.setting_names import KeyPath, settings
from signald.config.settings import Config, Ice, Log, LogFormat, TokenNeed, Tokens, Webhook
from signald.config.sources import Effective, load
from signald.config.values import ConfigError
from signald.core.ice_server import IceServer
from signald.core.limits import Limits
from signald.lifecycle.reloading import SOURCE, ConfigReloader
from signald.monitoring.metrics import Metrics


class ReloadingTests(SynchronousTestCase):
    """Tests of the settings that a reload applies, and of the events that it logs."""

    def setUp(self) -> None:
        """Create a reloader with two parts, and record the log."""
        self.old = Config(Path("data"))
        self.wanted: Config | ConfigError = self.old
        self.given = frozenset(settings())
        self.prepared: list[str] = []
        self.applied: list[tuple[str, object]] = []
        self.refusals: dict[str, Exception] = {}
        self.faults: dict[str, Exception] = {}
        parts = {name: partial(self.prepare, name) for name in ("ice", "tokens")}
        self.now = 100.0
        self.metrics = Metrics()
        self.reloader = ConfigReloader(self.old, self.load, parts, self.metrics, lambda: self.now)
        self.seen = EventLoggingObserver()
        globalLogPublisher.addObserver(self.seen)
        self.addCleanup(globalLogPublisher.removeObserver, self.seen)

    def load(self) -> Effective:
        """Return the new configuration, or raise its error."""
        if isinstance(self.wanted, ConfigError):
            raise self.wanted
        return Effective(self.wanted, dict.fromkeys(self.given, "signald.toml"))

    def prepare(self, name: str, config: Config) -> Callable[[], None]:
        """Prepare a section, or raise its error if there is one; the returned function records the settings."""
        self.prepared.append(name)
        if name in self.refusals:
            raise self.refusals[name]

        def apply() -> None:
            if name in self.faults:
                raise self.faults[name]
            self.applied.append((name, getattr(config, name)))

        return apply

    def event_names(self) -> list[object]:
        """Return the names of the logged events."""
        return [event["event"] for event in self.seen]

    def test_nothing_changed(self) -> None:
        """Each part is called even if no setting has changed, because the files that the settings name may have."""
        self.reloader.reload()
        self.assertEqual([name for name, _ in self.applied], ["ice", "tokens"])
        self.assertEqual((self.event_names(), self.reloader.config), (["reloaded"], self.old))
        self.assertTrue(next(iter(self.seen))["settings"].startswith("nothing, since no setting"))

    def result(self) -> tuple[bool, float, dict[str, int]]:
        """Return the metrics of reloads: whether the last succeeded, when the configuration was read, and failures."""
        return (
            self.metrics.reload_succeeded,
            self.metrics.configuration_read,
            {part: count for part, count in self.metrics.reload_failures.items() if count},
        )

    def test_metrics(self) -> None:
        """The metrics tell whether the last reload succeeded, when the configuration was read, and who was to blame."""
        self.assertEqual(self.metrics.reload_failures, {SOURCE: 0, "ice": 0, "tokens": 0})
        self.assertEqual(self.result(), (True, 100.0, {}))
        self.now, self.refusals = 101.0, {"tokens": ConfigError("The file of keys is damaged.")}
        self.reloader.reload()
        self.assertEqual(self.result(), (False, 100.0, {"tokens": 1}))
        self.now, self.refusals = 102.0, {}
        self.reloader.reload()
        self.assertEqual(self.result(), (True, 102.0, {"tokens": 1}))
        self.now, self.wanted = 103.0, ConfigError("line 1: x")
        self.reloader.reload()
        self.assertEqual(self.result(), (False, 102.0, {"tokens": 1, SOURCE: 1}))

    def test_metrics_after_an_error(self) -> None:
        """A reload that ends by an unexpected error, or that leaves a part out, has not succeeded."""
        self.now, self.refusals = 101.0, {"tokens": RuntimeError("unexpected")}
        self.assertRaises(RuntimeError, self.reloader.reload)
        self.assertEqual(self.result(), (False, 100.0, {}))
        self.refusals, self.faults = {}, {"ice": RuntimeError("unexpected")}
        self.reloader.reload()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.result(), (False, 100.0, {"ice": 1}))

    def test_doubtful_settings(self) -> None:
        """What hardly anybody can want is in force, and is warned of with its position."""
        self.wanted = evolve(self.old, limits=Limits(session_members=50))
        self.reloader.reload()
        self.assertEqual(self.event_names(), ["configuration-doubtful", "reloaded"])
        self.assertRegex(next(iter(self.seen))["problem"], r"\Asignald.toml: 50 is more than 8\.")
        self.assertEqual(self.reloader.config, self.wanted)

    def test_a_part_names_a_file(self) -> None:
        """What a part says of a file is logged with the position of the setting that names it."""
        self.wanted = evolve(self.old, tokens=Tokens(secret_file=Path("/s/secret")))
        self.refusals["tokens"] = ConfigError("/s/secret: expected a secret, found an empty file.")
        self.reloader.reload()
        [event] = self.seen
        self.assertEqual(event["problem"], "signald.toml: /s/secret: expected a secret, found an empty file.")

    def test_a_secret_in_the_place_of_a_file(self) -> None:
        """A reload repeats no text of a setting that should name a secret's file."""
        file = Path(self.mktemp()).resolve()
        file.write_text('[webhook]\nurl = "https://a.example"\nsecret_file = "hunter2-hunter2"\n')
        ConfigReloader(self.old, lambda: load([], file, {"STATE_DIRECTORY": "/nowhere"}), {}).reload()
        [event] = self.seen
        self.assertEqual(event["event"], "reload-refused")
        self.assertIn("line 3, webhook.secret_file: there is no such file", event["problem"])
        self.assertNotIn("hunter2", str(event))

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

    def test_a_part_that_refuses_keeps_everything(self) -> None:
        """If any part refuses its settings, no part changes, whatever their order, until all can be used."""
        self.wanted = evolve(self.old, ice=Ice(turn_seconds=60.0), tokens=Tokens(issuer="a"))
        for name in ("ice", "tokens"):
            self.refusals = {name: ConfigError("The file of keys is damaged.")}
            self.reloader.reload()
            self.assertEqual((self.applied, self.reloader.config), ([], self.old))
        self.assertEqual(self.event_names(), ["reload-refused"] * 2)
        self.assertEqual(next(iter(self.seen))["problem"], "The file of keys is damaged.")
        self.refusals = {}
        self.reloader.reload()
        self.assertEqual([name for name, _ in self.applied], ["ice", "tokens"])
        self.assertEqual(self.reloader.config, self.wanted)
        self.assertEqual([*self.seen][2]["settings"], "ice.turn_seconds, tokens.issuer")

    def test_an_error_while_preparing_changes_nothing(self) -> None:
        """An unexpected exception of a part leaves the others as they were."""
        self.wanted = evolve(self.old, ice=Ice(turn_seconds=60.0))
        self.refusals = {"tokens": RuntimeError("unexpected")}
        self.assertRaises(RuntimeError, self.reloader.reload)
        self.assertEqual((self.applied, self.reloader.config), ([], self.old))

    def test_an_error_while_applying_is_logged(self) -> None:
        """An exception of a part that is applied is logged, and the other parts still get the same configuration."""
        self.wanted = evolve(self.old, ice=Ice(turn_seconds=60.0))
        self.faults = {"ice": RuntimeError("unexpected")}
        self.reloader.reload()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([name for name, _ in self.applied], ["tokens"])
        self.assertEqual(self.reloader.config, self.wanted)
        self.assertEqual(self.event_names(), ["reload-failed", "reloaded"])

    def test_a_file_that_was_cut_off_loosens_nothing(self) -> None:
        """A reload is refused that would loosen a restriction because its setting is missing.

        A file that was cut off between two lines is valid TOML, and so is an empty one.
        """
        server = IceServer(("turn:t",), "u", "p")
        restricted = evolve(
            self.old,
            ice=Ice(servers=(server,), relay_only=True),
            tokens=Tokens(TokenNeed.EVERYONE, issuer="a", audience="b"),
            webhook=Webhook(url="https://a.example/"),
        )
        for name in ("need", "issuer", "audience"):
            tokens = evolve(restricted.tokens, **{name: getattr(Tokens(), name)})
            self.assert_refused(restricted, evolve(restricted, tokens=tokens), ("tokens", name))
        self.assert_refused(restricted, evolve(restricted, webhook=Webhook()), ("webhook", "url"))
        self.assert_refused(restricted, evolve(restricted, ice=Ice(servers=(server,))), ("ice", "relay_only"))

    def test_a_file_that_was_cut_off_at_any_byte(self) -> None:
        """Wherever a real file is cut off, no restriction is lost, and whatever is refused changes nothing."""
        file = Path(self.mktemp()).resolve()
        text = dedent(
            """\
            allow_origins = ["https://a.example"]
            hosts = ["calls.example"]
            [ice]
            servers = ["turn:turn.example,user,secret"]
            relay_only = true
            [limits]
            failed_guesses = 100
            [tokens]
            issuer = "https://id.example"
            audience = "calls"
            leeway_seconds = 20
            need = "everyone"
            [webhook]
            timeout_seconds = 30
            url = "https://app.example/may"
            """
        )
        file.write_text(text)

        def read() -> Effective:
            return load([], file, {"HOME": "/", "STATE_DIRECTORY": "/nowhere"})

        whole = read().config
        reloader = ConfigReloader(whole, read, {})
        for length in range(len(text) - 1):
            file.write_text(text[:length])
            reloader.reload()
            for path, setting in settings().items():
                if setting.restricts:
                    value = attrgetter(".".join(path))
                    self.assertEqual(value(reloader.config), value(whole))
        self.assertNotIn("reloaded", self.event_names())
        file.write_text(text)
        reloader.reload()
        self.assertEqual((self.event_names()[-1], reloader.config), ("reloaded", whole))

    def assert_refused(self, old: Config, wanted: Config, path: KeyPath) -> None:
        """Assert that the default of a setting is refused if the setting is missing, and taken if it is given."""
        self.reloader.config, self.wanted = old, wanted
        self.given = frozenset(settings()) - {path}
        self.prepared.clear()
        self.reloader.reload()
        self.assertEqual((self.prepared, self.reloader.config), ([], old))
        said = rf"\A{'.'.join(path)}: expected a value, as before, and found none"
        self.assertRegex([*self.seen][-1]["problem"], said)
        self.given = frozenset(settings())
        self.reloader.reload()
        self.assertEqual(self.reloader.config, wanted)

    def test_every_lost_restriction_is_named(self) -> None:
        """Each missing setting is logged in a line of its own, so that an empty file is explained."""
        self.reloader.config = evolve(self.old, tokens=Tokens(TokenNeed.HOSTS, issuer="a"))
        self.given = frozenset()
        self.reloader.reload()
        lost = [str(event["problem"]).partition(":")[0] for event in self.seen]
        self.assertEqual(lost, ["tokens.need", "tokens.issuer"])

    def test_restrictions_that_were_not_in_force(self) -> None:
        """Settings that have their defaults anyway, and missing settings that restrict nothing, are no reason."""
        self.given = frozenset()
        self.reloader.config = evolve(self.old, ice=Ice(turn_seconds=60.0))
        self.reloader.reload()
        self.assertEqual((self.event_names(), self.reloader.config), (["reloaded"], self.old))

    def test_a_configuration_that_cannot_be_read_changes_nothing(self) -> None:
        """A configuration that cannot be read changes nothing, and each of its errors is logged."""
        self.wanted = ConfigError("line 1: x\nline 2: y")
        self.reloader.reload()
        self.assertEqual((self.applied, self.reloader.config), ([], self.old))
        self.assertEqual([event["problem"] for event in self.seen], ["line 1: x", "line 2: y"])
