"""Imports the modules that the running daemon may need later, so that an upgrade on disk cannot break the daemon.

A package manager replaces the files of signald and of its dependencies while the old daemon keeps running. If the
daemon imported a module for the first time after that, it would load the new version among modules of the old version,
or would not find the module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from importlib import import_module

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["LATE_MODULES", "PRELOAD_SECONDS", "RETRY_SECONDS", "PreloadService"]

PRELOAD_SECONDS = 0.5
"""The delay from the start to the first import, so that clients that reconnect after a restart are served first."""

LATE_MODULES = {
    "signald.config.toml_lines": "reports the lines of mistakes when a reload fails, and imports all of tomlkit",
    "signald.net.http_client": "asks a webhook, which a reload may configure, and imports treq",
    "jwt": "verifies tokens, which a reload may configure",
    "idna.uts46data": "reads an origin with an international name in a configuration that is reloaded",
    "encodings.idna": "encodes the name of the webhook's host when Python asks the system's resolver",
    "encodings.punycode": "is the codec of international names, for the idna package",
}
"""The modules that are first needed some time after the start, each with the use of the module."""

RETRY_SECONDS = 10.0
"""Delay before a module is imported again whose file could not be read, for instance without a free descriptor."""

_log = Logger()


class PreloadService(Service):
    """Imports `LATE_MODULES`, one in each iteration of the reactor, so that messages are handled between imports."""

    def __init__(self, reactor: IReactorTime, import_module: Callable[[str], object] = import_module) -> None:
        """Make a service that is not started.

        Arguments:
            reactor: schedules the imports.
            import_module: imports one module by its name.

        """
        self._reactor = reactor
        self._import_module = import_module
        self._modules = deque(LATE_MODULES)
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        """Schedule the first import after `PRELOAD_SECONDS`."""
        super().startService()
        self._next = self._reactor.callLater(PRELOAD_SECONDS, self._import_one)

    def stopService(self) -> None:
        """Cancel the next import."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _import_one(self) -> None:
        self._next = None
        if not self._modules:
            return
        name = self._modules[0]
        try:
            self._import_module(name)
        except OSError:
            self._next = self._reactor.callLater(RETRY_SECONDS, self._import_one)
            return
        except Exception:  # noqa: BLE001 # a file that is half replaced raises anything, and others can be imported
            _log.failure(
                "{module} cannot be imported: {reason}", event="preload-failed", module=name, reason=LATE_MODULES[name]
            )
        self._modules.popleft()
        self._next = self._reactor.callLater(0.0, self._import_one)
