"""Taking a changed configuration into the running daemon, on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve
from twisted.logger import Logger

from signald.config.settings import KeyPath, settings
from signald.config.tree import Config
from signald.config.values import ConfigError

__all__ = ["Apply", "Reloading"]

_log = Logger()

Apply = Callable[[Config], None]
"""Takes the part of a configuration that it is for; raises ConfigError before it changes anything."""


@define
class Reloading:
    """The configuration in use, and how a new one comes in.

    Attributes:
        config: in use.
        load: reads it anew; raises ConfigError.
        parts: what applies the settings of a section, or one at the top, by its name. Each is called at every reload,
            since the files that its settings name may have changed.

    """

    config: Config
    load: Callable[[], Config]
    parts: Mapping[str, Apply]

    def __call__(self) -> None:
        """Read the configuration, apply what can be, and say in the log what was done and what was not.

        A configuration that cannot be read changes nothing, nor does one that fits no longer without what needs a
        restart; a part that refuses it keeps what it had.
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
    """The configuration with some settings of another."""
    changes: dict[str, Any] = {path[0]: _value(source, path) for path in paths if len(path) == 1}
    for section in {path[0] for path in paths if len(path) == 2}:
        # At once: a section checks that its settings fit each other.
        values = {path[1]: _value(source, path) for path in paths if path[0] == section}
        changes[section] = evolve(getattr(config, section), **values)
    return evolve(config, **changes)


def _keys(paths: list[KeyPath]) -> str:
    return ", ".join(settings()[path].key for path in paths)
