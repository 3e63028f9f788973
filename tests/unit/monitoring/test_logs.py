"""Tests of the log observer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

from twisted.logger import ILogObserver, Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from signald.config.settings import Log as Settings
from signald.config.settings import LogFormat
from signald.config.settings import LogLevel as Least
from signald.monitoring.logs import Log


class LogTests(SynchronousTestCase):
    """`Log` writes events as lines."""

    def make(self, settings: Settings | None = None) -> tuple[Log, Logger]:
        """Create a log that writes to a file, and a logger that it observes."""
        self.path = Path(self.mktemp())
        log = Log(settings or Settings(), lambda: 1767225600.0).to_file(self.path)
        return log, Logger(namespace="signald.test", observer=cast(ILogObserver, log))

    def lines(self, log: Log) -> list[str]:
        """Return the lines written."""
        log.flush(20.0)
        return self.path.read_text().splitlines()

    def test_interface(self) -> None:
        """`Log` provides `ILogObserver`."""
        verifyObject(ILogObserver, Log(Settings()))

    def test_text(self) -> None:
        """Lines are text by default."""
        log, logger = self.make()
        logger.info("hello {who}", event="greeting", who="you")
        [line] = self.lines(log)
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[\d:.]+Z info \[greeting\] hello you$")
        self.assertEqual(log.counts(), (1, 0))

    def test_json(self) -> None:
        """Lines are JSON if the settings say so."""
        log, logger = self.make(Settings(format=LogFormat.JSON))
        logger.warn("hello {who}", event="greeting", who="you")
        [line] = self.lines(log)
        found = json.loads(line)
        self.assertEqual((found["level"], found["event"], found["who"]), ("warn", "greeting", "you"))

    def test_level(self) -> None:
        """Events below the minimum level are not written; the level can be changed, and the format stays."""
        log, logger = self.make(Settings(level=Least.WARN))
        logger.info("no", event="no")
        logger.warn("yes", event="yes")
        log.configure(Settings(format=LogFormat.JSON, level=Least.DEBUG))
        logger.debug("now", event="now")
        log.configure(Settings(level=Least.ERROR))
        logger.warn("no", event="no")
        logger.critical("always", event="always")
        self.assertEqual([line.split("[")[1].split("]")[0] for line in self.lines(log)], ["yes", "now", "always"])

    def test_libraries(self) -> None:
        """Events of libraries are written from `warn` on, reduced to their namespace."""
        log, _ = self.make(Settings(level=Least.DEBUG))
        library = Logger(namespace="twisted.internet", observer=cast(ILogObserver, log))
        library.info("Starting factory {f}", f="canary")
        library.error("Unhandled {f}", f="canary")
        [line] = self.lines(log)
        self.assertTrue(line.endswith("error [library] from twisted.internet"), line)

    def test_malformed_events(self) -> None:
        """A malformed event raises no exception; it is written or counted as dropped."""
        log, _ = self.make()
        log({"log_level": LogLevel.info, "log_time": "never", "log_namespace": "signald"})
        log({})
        log({"log_level": None, "log_namespace": 7, "log_format": 8, "log_time": 1e400})
        self.assertGreater(log.counts()[1], 0)

    def test_without_a_sink(self) -> None:
        """Without a stream, as when standard error is closed, lines count as dropped."""
        log = Log(Settings()).to_stream(None)
        logger = Logger(namespace="signald.test", observer=cast(ILogObserver, log))
        logger.info("x", event="x")
        log.flush(0.0)
        self.assertEqual(log.counts(), (0, 1))

    def test_closed_stream(self) -> None:
        """A closed stream is treated as a missing one."""
        stream = open(os.devnull, "w")  # noqa: SIM115 # closed at once
        stream.close()
        log = Log(Settings()).to_stream(stream)
        log({"log_level": LogLevel.info, "log_namespace": "signald", "log_time": 0.0})
        self.assertEqual(log.counts(), (0, 1))

    def test_twistd_options(self) -> None:
        """The log writes to twistd's file or standard output, or leaves it to another observer."""
        path = Path(self.mktemp())
        log = Log(Settings())
        self.assertIs(log.to_twistd_target({"nodaemon": False, "logfile": str(path)}), log)
        log({"log_level": LogLevel.info, "log_namespace": "signald", "log_time": 0.0, "event": "it"})
        log.flush(20.0)
        self.assertIn("[it]", path.read_text())
        for chosen in ({"syslog": True}, {"logger": object()}, {"logfile": "-", "nodaemon": False}):
            self.assertIsNone(Log(Settings()).to_twistd_target(chosen))
        missing = {"logfile": str(path / "in" / "no" / "folder")}
        self.assertRaises(OSError, log.to_twistd_target, missing)
        self.assertIs(log.to_twistd_target({"nodaemon": True}), log)
