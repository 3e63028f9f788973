"""Hot reload: applies a changed configuration to the running daemon, on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve
from twisted.logger import Logger

from signald.config.setting_names import KeyPath, settings
from signald.config.settings import Config
from signald.config.values import ConfigError

__all__ = ["Apply", "ConfigReloader"]

_log = Logger()

Apply = Callable[[Config], None]
"""A function that applies one part of a configuration; it raises ConfigError before it changes anything."""


@define
class ConfigReloader:
    """Reads the configuration again and applies the settings that can be changed while the daemon runs.

    Attributes:
        config: the configuration in use.
        load: the function that reads the configuration again; it raises ConfigError.
        parts: the functions that apply the settings, by the name of a section or of a setting outside all sections.
            Every reload calls all functions, because the files that the settings name may have changed.

    """

    config: Config
    load: Callable[[], Config]
    parts: Mapping[str, Apply]

    def reload(self) -> None:
        """Read the configuration, apply all settings that do not need a restart, and log the result.

        A configuration that cannot be read changes nothing. Nothing is changed either if the new settings are
        consistent only together with settings that need a restart. A part that refuses its new settings keeps its old
        settings.
        """
        try:
            wanted = self.load()
            changed = [path for path in settings() if _value(wanted, path) != _value(self.config, path)]
            fixed = [path for path in changed if not settings()[path].reload]
            target = _with(self.config, [path for path in changed if path not in fixed], wanted)
        except ConfigError as error:
            for line in str(error).splitlines():
                _log.warn("the configuration was kept: {problem}", event="reload-refused", problem=line)
            return
        for name, apply in self.parts.items():
            try:
                apply(target)
            except ConfigError as error:
                _log.warn("{part} was kept: {problem}", event="reload-refused", part=name, problem=str(error))
                target = evolve(target, **{name: getattr(self.config, name)})
        done = [path for path in changed if _value(target, path) != _value(self.config, path)]
        self.config = target
        if fixed:
            _log.warn("a restart is needed for: {settings}", event="reload-needs-restart", settings=_keys(fixed))
        _log.info("the configuration was read; new: {settings}", event="reloaded", settings=_keys(done) or "nothing")


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
