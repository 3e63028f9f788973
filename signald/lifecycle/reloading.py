"""Hot reload: applies a changed configuration to the running daemon, completely or not at all, on SIGHUP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.logger import Logger

from signald.config.checks import doubts, locate
from signald.config.setting_names import KeyPath, settings
from signald.config.settings import Config
from signald.config.sources import Effective
from signald.config.values import ConfigError
from signald.monitoring.metrics import Metrics

__all__ = ["SOURCE", "ConfigReloader", "Prepare"]

_log = Logger()

SOURCE = "configuration"
"""The part that is to blame for a reload where the configuration itself cannot be used, for the metric of failures."""

_NOTHING = "nothing, since no setting that a reload changes has another value (the files that settings name were read)"
"""Logged in place of settings by a reload that changed none, for instance because another file was edited."""

Prepare = Callable[[Config], Callable[[], None]]
"""A function that checks one part of a configuration and reads the files that it names, and changes nothing.

It raises ConfigError if something cannot be used, and returns the function that puts the part in force.
"""


@define
class ConfigReloader:
    """Reads the configuration again and applies the settings that can be changed while the daemon runs.

    Attributes:
        config: the configuration in use.
        load: the function that reads the configuration again; it raises ConfigError.
        parts: the functions that prepare the parts, by the name of a section or of a setting outside all sections.
            Every reload calls all functions, because the files that the settings name may have changed. They are called
            in this order, so that one that creates files comes last.
        metrics: gets the results.
        wall: returns the wall time in seconds since the epoch.

    """

    config: Config
    load: Callable[[], Effective]
    parts: Mapping[str, Prepare]
    metrics: Metrics = field(factory=Metrics)
    wall: Callable[[], float] = field(default=time.time)

    def __attrs_post_init__(self) -> None:
        """Begin the metrics with the configuration that the daemon starts with, and zero failures of each part."""
        self.metrics.configuration_read = self.wall()
        self.metrics.reload_failures = dict.fromkeys((SOURCE, *self.parts), 0)

    def reload(self) -> None:
        """Read the configuration, apply all settings that do not need a restart, and log their names.

        If anything cannot be used, nothing changes: the configuration cannot be read, the new settings are consistent
        only together with settings that need a restart, a setting that restricts access is missing, or a part refuses
        its settings.
        """
        # It stays False where a part raises an exception that is no ConfigError.
        self.metrics.reload_succeeded = False
        read = self.wall()
        try:
            wanted = self.load()
            _refuse_lost_restrictions(self.config, wanted)
            changed = [path for path in settings() if _value(wanted.config, path) != _value(self.config, path)]
            fixed = [path for path in changed if not settings()[path].reload]
            done = [path for path in changed if path not in fixed]
            target = _with(self.config, done, wanted.config)
        except ConfigError as error:
            self._refuse(SOURCE, error)
            return
        commits = self._prepare_parts(target, wanted)
        if commits is None:
            return
        if self._commit(commits):
            self.metrics.reload_succeeded, self.metrics.configuration_read = True, read
        self.config = target
        if fixed:
            _log.warn("a restart is needed for: {settings}", event="reload-needs-restart", settings=_keys(fixed))
        for doubt in doubts(target, wanted.where):
            _log.warn("configuration: {problem}", event="configuration-doubtful", problem=str(doubt))
        _log.info("the configuration was read; new: {settings}", event="reloaded", settings=_keys(done) or _NOTHING)

    def note_refusal(self) -> None:
        """Record in the metrics that a reload was refused before anything was read, as during an upgrade."""
        self.metrics.reload_succeeded = False
        self.metrics.reload_failures[SOURCE] += 1

    def _refuse(self, part: str, error: ConfigError) -> None:
        self.metrics.reload_failures[part] += 1
        for line in str(error).splitlines():
            _log.warn("the configuration was kept: {problem}", event="reload-refused", problem=line)

    def _prepare_parts(self, target: Config, wanted: Effective) -> dict[str, Callable[[], None]] | None:
        """Prepare all parts, and return the functions that put them in force; None if one refuses its settings.

        A refusal names the setting's position.
        """
        commits = {}
        for part, prepare in self.parts.items():
            try:
                commits[part] = prepare(target)
            except ConfigError as error:
                self._refuse(part, ConfigError(locate(str(error), target, wanted.where)))
                return None
        return commits

    def _commit(self, commits: Mapping[str, Callable[[], None]]) -> bool:
        """Put the prepared parts in force, and return whether all of them are."""
        succeeded = True
        for part, commit in commits.items():
            try:
                commit()
            except Exception:  # noqa: BLE001 # the other parts have to fit the new configuration
                succeeded = False
                self.metrics.reload_failures[part] += 1
                _log.failure("a part of the new configuration is not in force", event="reload-failed")
        return succeeded


def _refuse_lost_restrictions(config: Config, wanted: Effective) -> None:
    """Refuse a configuration that loosens a restriction because a setting is missing.

    A file that was cut off is valid TOML as well, and a server that needed a token would suddenly need none.

    Raises:
        ConfigError: the setting of a restriction that is in force is missing.

    """
    lost = [
        path
        for path, setting in settings().items()
        if setting.restricts and path not in wanted.where and _value(wanted.config, path) != _value(config, path)
    ]
    if lost:
        raise ConfigError(
            "\n".join(
                f"{settings()[path].key}: expected a value, as before, and found none, which permits more and may be"
                " a file that was cut off; set it, or restart to use the default."
                for path in lost
            )
        )


def _value(config: Config, path: KeyPath) -> object:
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def _with(config: Config, paths: list[KeyPath], source: Config) -> Config:
    """Return a copy of the configuration in which the given settings have the values of another configuration."""
    changes: dict[str, Any] = {path[0]: _value(source, path) for path in paths if len(path) == 1}
    for section in {path[0] for path in paths if len(path) == 2}:
        # All settings of a section are replaced at once, because the section checks that they are consistent.
        values = {path[1]: _value(source, path) for path in paths if path[0] == section}
        changes[section] = evolve(getattr(config, section), **values)
    return evolve(config, **changes)


def _keys(paths: list[KeyPath]) -> str:
    return ", ".join(settings()[path].key for path in paths)
