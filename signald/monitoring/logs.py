"""The log observer of the process: formats Twisted's log events (`log_lines`) and writes them (`log_sink`)."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent
from twisted.logger import LogLevel as TwistedLevel
from zope.interface import implementer

from signald.config.settings import Log as Settings
from signald.config.settings import LogFormat
from signald.monitoring.log_lines import LIBRARY, Entry, as_human, as_json
from signald.monitoring.log_sink import Sink

__all__ = ["FLUSH_SECONDS", "Log"]

FLUSH_SECONDS = 1.0
"""Time allowed to write the last lines when the process exits."""

_LEVELS = [level.name for level in (TwistedLevel.debug, TwistedLevel.info, TwistedLevel.warn, TwistedLevel.error)]
_RANKS = {name: rank for rank, name in enumerate([*_LEVELS, TwistedLevel.critical.name])}


@implementer(ILogObserver)
class Log:
    """A log observer that never blocks and never raises.

    Attributes:
        settings: the format and the minimum level.

    """

    def __init__(self, settings: Settings, wall_time: Callable[[], float] = time.time) -> None:
        """Create a log without a sink: lines count as dropped until there is one."""
        self.settings = settings
        self._wall_time = wall_time
        self._sink: Sink | None = None
        self._unwritten = 0

    def configure(self, settings: Settings) -> None:
        """Change the minimum level; the format stays."""
        self.settings = Settings(format=self.settings.format, level=settings.level)

    def to_stream(self, stream: TextIO | None) -> Log:
        """Write to a stream's descriptor, or nowhere if it is closed; return this log."""
        try:
            self._sink = None if stream is None else self._sink_of(stream.fileno())
        except (OSError, ValueError):
            self._sink = None
        return self

    def to_file(self, path: Path) -> Log:
        """Append to a file; return this log.

        Raises:
            OSError: the file cannot be opened.

        """
        self._sink = self._sink_of(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))
        return self

    def to_twistd_target(self, options: Mapping[str, object]) -> Log | None:
        """Write where twistd's options say; return this log, or None if they ask for syslog or another observer.

        Arguments:
            options: twistd's options, of which `syslog`, `logger`, `logfile` and `nodaemon` are read.

        Raises:
            OSError: the file cannot be opened.

        """
        if options.get("syslog") or options.get("logger"):
            return None
        name = str(options.get("logfile") or "")
        if options.get("nodaemon") and name in ("", "-"):
            return self.to_stream(sys.stdout)
        return None if name == "-" else self.to_file(Path(name or "twistd.log").absolute())

    def counts(self) -> tuple[int, int]:
        """Return the numbers of lines written and dropped."""
        if self._sink is None:
            return 0, self._unwritten
        return self._sink.written, self._sink.dropped + self._unwritten

    def flush(self, seconds: float) -> None:
        """Wait until all lines are written, at most for so many seconds."""
        if self._sink is not None:
            self._sink.flush(seconds)

    def __call__(self, event: LogEvent) -> None:
        """Write an event if its level is high enough; a library's event only from `warn` on, since it has no text."""
        level = getattr(event.get("log_level"), "name", "info")
        rank = _RANKS.get(level, _RANKS["error"])
        if rank < _RANKS[self.settings.level.value]:
            return
        try:
            entry = Entry.from_event(event)
            if entry.event == LIBRARY and rank < _RANKS["warn"]:
                return
            line = self._line(entry)
        except Exception:  # noqa: BLE001 # a failure to log must not fail the code that logs
            self._unwritten += 1
            return
        if self._sink is None:
            self._unwritten += 1
        else:
            self._sink.put(line)

    def _sink_of(self, descriptor: int) -> Sink:
        sink = Sink(descriptor, self._dropped_line)
        atexit.register(sink.flush, FLUSH_SECONDS)
        return sink

    def _line(self, entry: Entry) -> bytes:
        make = as_json if self.settings.format is LogFormat.JSON else as_human
        return make(entry).encode("utf-8", "backslashreplace") + b"\n"

    def _dropped_line(self, count: int) -> bytes:
        text = f"{count} lines could not be written"
        return self._line(Entry(self._wall_time(), "warn", "log-lines-dropped", text, {"count": count}))
