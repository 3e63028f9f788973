"""The command line of `signald-peer`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald_client import command
from signald_client.command import DEFAULT_SERVER, main, parse


class ParseTests(SynchronousTestCase):
    """`parse`."""

    def sentence(self, *arguments: str) -> str:
        """Return what a wrong command line is answered with, on standard error alone, with status 2."""
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        self.assertEqual(self.assertRaises(SystemExit, parse, arguments).code, command.USAGE)
        self.assertEqual(out.getvalue(), "")
        self.assertEqual(err.getvalue().count("\n"), 1)
        return err.getvalue().strip()

    def test_defaults(self) -> None:
        """A pattern is sent to a server on this machine until somebody ends it."""
        options = parse(["host"])
        self.assertEqual((options.command, options.server, options.capacity), ("host", DEFAULT_SERVER, 2))
        self.assertEqual((options.size, options.rate, options.duration), ((640, 480), 15.0, None))
        self.assertEqual((options.play, options.echo, options.record), (None, False, None))
        self.assertEqual((options.ca, options.insecure, options.verbose), (None, False, False))
        self.assertEqual((options.name, options.password), (None, None))

    def test_everything(self) -> None:
        """Every option is read."""
        line = "join 7q2-m9rt-6zc --server wss://h/ws --ca ca.pem --insecure --play a.webm --record b.mp4"
        line += " --duration 2.5 --size 160x120 --rate 5 --verbose --name Ann --password pw"
        options = parse(line.split())
        self.assertEqual((options.command, options.session, options.server), ("join", "7q2-m9rt-6zc", "wss://h/ws"))
        self.assertEqual((options.ca, options.play, options.record), (Path("ca.pem"), Path("a.webm"), Path("b.mp4")))
        self.assertEqual((options.size, options.rate, options.duration), ((160, 120), 5.0, 2.5))
        self.assertEqual((options.insecure, options.verbose), (True, True))
        self.assertEqual((options.name, options.password), ("Ann", "pw"))

    def test_server_of_the_link(self) -> None:
        """A link names its server, unless another is named."""
        link = "https://example.org:9000/#7Q2M9RT6ZC"
        self.assertEqual(parse(["join", link]).server, "https://example.org:9000/")
        self.assertEqual(parse(["join", link, "--server", "wss://h/ws"]).server, "wss://h/ws")
        self.assertEqual(parse(["join", "7Q2M9RT6ZC"]).server, DEFAULT_SERVER)

    def test_wrong_command_lines(self) -> None:
        """What is wrong is said in one sentence."""
        cases = {
            "": "the following arguments are required: host|join",
            "join": "the following arguments are required: ID",
            "host --duration 0": "argument --duration: 0 is not a number of seconds",
            "host --duration nan": "argument --duration: nan is not a number of seconds",
            "host --rate 121": "argument --rate: 121 is not a number up to 120",
            "host --rate -1": "argument --rate: -1 is not a number up to 120",
            "host --size 640": "argument --size: 640 is not a size like 640x480, of even numbers from 16 to 3840",
            "host --size 641x480": "argument --size: 641x480 is not a size like 640x480, of even numbers",
            f"host --name {'x' * 65}": "argument --name: a text of 1 to 64 characters is wanted",
            "host --play a --echo": "argument --echo: not allowed with argument --play",
        }
        for line, sentence in cases.items():
            self.assertIn(sentence, self.sentence(*line.split()), line)


class MainTests(SynchronousTestCase):
    """`main`."""

    def test_without_aiortc(self) -> None:
        """Without the library the command says how to install it."""
        err = io.StringIO()
        self.patch(sys, "stderr", err)
        module = sys.modules["aiortc"]
        self.addCleanup(sys.modules.__setitem__, "aiortc", module)
        sys.modules["aiortc"] = None  # type: ignore[assignment] # Python's own sign for a module that is not there
        self.assertEqual(main(["host"]), command.USAGE)
        self.assertEqual(
            err.getvalue(),
            "signald-peer: The library aiortc is missing; install it with: pip install 'signald[peer]'\n",
        )
