"""Tests the command line of `signald-peer`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.command import DEFAULT_SERVER, main, parse_arguments
from signald_client.exit_status import EXIT_NO_CALL


class ParseTests(SynchronousTestCase):
    """Tests of `parse_arguments`."""

    def error_of(self, *arguments: str) -> str:
        """Parse a wrong command line, and return its error: one line on standard error, with status 2."""
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        self.assertEqual(self.assertRaises(SystemExit, parse_arguments, arguments).code, EXIT_NO_CALL)
        self.assertEqual(out.getvalue(), "")
        self.assertEqual(err.getvalue().count("\n"), 1)
        return err.getvalue().strip()

    def test_defaults(self) -> None:
        """By default the pattern is sent to a server on this machine, without a limit of time."""
        options = parse_arguments(["host"])
        self.assertEqual((options.command, options.server, options.capacity), ("host", DEFAULT_SERVER, 2))
        self.assertEqual((options.size, options.rate, options.duration), ((640, 480), 15.0, None))
        self.assertEqual((options.play, options.echo, options.record), (None, False, None))
        self.assertEqual((options.ca, options.insecure, options.verbose), (None, False, False))
        self.assertEqual((options.name, options.password), (None, None))

    def test_all_options(self) -> None:
        """Every option is parsed."""
        line = "join 7q2-m9rt-6zc --server wss://h/ws --ca ca.pem --insecure --play a.webm --record b.mp4"
        line += " --duration 2.5 --size 160x120 --rate 5 --verbose --name Ann --password pw"
        options = parse_arguments(line.split())
        self.assertEqual((options.command, options.session, options.server), ("join", "7q2-m9rt-6zc", "wss://h/ws"))
        self.assertEqual((options.ca, options.play, options.record), (Path("ca.pem"), Path("a.webm"), Path("b.mp4")))
        self.assertEqual((options.size, options.rate, options.duration), ((160, 120), 5.0, 2.5))
        self.assertEqual((options.insecure, options.verbose), (True, True))
        self.assertEqual((options.name, options.password), ("Ann", "pw"))

    def test_server_of_the_link(self) -> None:
        """The server is taken from the link, unless `--server` names another server."""
        link = "https://example.org:9000/#7Q2M9RT6ZC"
        self.assertEqual(parse_arguments(["join", link]).server, "https://example.org:9000/")
        self.assertEqual(parse_arguments(["join", link, "--server", "wss://h/ws"]).server, "wss://h/ws")
        self.assertEqual(parse_arguments(["join", "7Q2M9RT6ZC"]).server, DEFAULT_SERVER)

    def test_wrong_command_lines(self) -> None:
        """A wrong command line is reported in one sentence."""
        cases = {
            "": "the following arguments are required: host|join",
            "join": "the following arguments are required: ID",
            "host --duration 0": "argument --duration: expected a number of seconds greater than 0, got 0",
            "host --duration nan": "argument --duration: expected a number of seconds greater than 0, got nan",
            "host --rate 121": "argument --rate: expected a number greater than 0 and up to 120, got 121",
            "host --rate -1": "argument --rate: expected a number greater than 0 and up to 120, got -1",
            "host --size 640": "argument --size: expected a size like 640x480, of even numbers from 16 to 3840, got",
            "host --size 641x480": "of even numbers from 16 to 3840, got 641x480",
            f"host --name {'x' * 65}": "argument --name: expected a text of 1 to 64 characters, got 65",
            "host --play a --echo": "argument --echo: not allowed with argument --play",
        }
        for line, sentence in cases.items():
            self.assertIn(sentence, self.error_of(*line.split()), line)


class MainTests(SynchronousTestCase):
    """Tests of `main`."""

    def test_without_aiortc(self) -> None:
        """Without aiortc the command prints how to install aiortc."""
        err = io.StringIO()
        self.patch(sys, "stderr", err)
        # None is Python's own mark of a module that cannot be imported; find_spec then finds none.
        modules: dict[str, Any] = {**sys.modules, "aiortc": None}
        self.patch(sys, "modules", modules)
        self.assertEqual(main(["host"]), EXIT_NO_CALL)
        self.assertEqual(
            err.getvalue(),
            "signald-peer: The library aiortc is missing; install it with: pip install 'signald[peer]'\n",
        )
