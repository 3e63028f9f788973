"""The container file: its form, since there is no engine to build it with."""

from __future__ import annotations

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.sources import load

ROOT = Path(__file__).resolve().parents[3]

KNOWN = {
    "FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR", "ARG",
    "STOPSIGNAL", "HEALTHCHECK", "SHELL",
}  # fmt: skip
"""The instructions of a container file."""

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Each instruction of the file with its arguments, continued lines joined."""
    text = (ROOT / "deploy" / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


class ContainerfileTests(SynchronousTestCase):
    """What it says."""

    def setUp(self) -> None:
        """Read it, and find the last stage."""
        self.all = instructions()
        last = max(number for number, (name, _) in enumerate(self.all) if name == "FROM")
        self.last = self.all[last:]

    def said(self, name: str) -> list[str]:
        """The arguments of an instruction in the last stage."""
        return [rest for found, rest in self.last if found == name]

    def test_every_instruction_is_one(self) -> None:
        """And each has something to say."""
        self.assertEqual([name for name, rest in self.all if name not in KNOWN or not rest], [])
        self.assertEqual(self.all[0][0], "FROM")

    def test_what_it_copies_is_there(self) -> None:
        """In the checkout, or in an earlier stage."""
        stages = {rest.split(" AS ")[1] for name, rest in self.all if name == "FROM" and " AS " in rest}
        for name, rest in self.all:
            words = rest.split()
            if name == "COPY" and words[0].startswith("--from="):
                self.assertIn(words[0].removeprefix("--from="), stages)
            elif name == "COPY":
                for source in words[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)

    def test_everything_that_the_build_reads_is_copied(self) -> None:
        """As the Makefile lists it."""
        packed = re.search(r"^PACKED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert packed is not None
        copied = {source for name, rest in self.all if name == "COPY" for source in rest.split()[:-1]}
        self.assertLessEqual(set(packed[1].split()), copied)

    def test_it_runs_as_nobody(self) -> None:
        """By number, so that an engine can tell; after the last thing that needs root."""
        (user,) = self.said("USER")
        self.assertRegex(user, r"\A[1-9][0-9]+:[1-9][0-9]+\Z")
        names = [name for name, _ in self.last]
        self.assertGreater(names.index("USER"), max(number for number, name in enumerate(names) if name == "RUN"))

    def test_signals_reach_the_daemon(self) -> None:
        """It is started without a shell, as the container's first process."""
        self.assertEqual([json.loads(rest) for rest in self.said("ENTRYPOINT")], [["signald"]])
        self.assertEqual(self.said("STOPSIGNAL"), ["SIGTERM"])

    def test_its_variables_are_settings(self) -> None:
        """They are read as the configuration, and the data are kept in the volume."""
        words = [word.partition("=") for rest in self.said("ENV") for word in rest.split()]
        settings = {name: value for name, _, value in words if name.startswith("SIGNALD_")}
        config = load([], None, settings).config
        self.assertEqual([str(config.data_dir)], json.loads(self.said("VOLUME")[0]))
        (probe,) = self.said("HEALTHCHECK")
        self.assertIn(f"http://127.0.0.1:{config.operations.port}/healthz", probe)

    def test_it_takes_what_is_pinned(self) -> None:
        """Dependencies by their hashes, and nothing from the network otherwise."""
        installs = [rest for name, rest in self.all if name == "RUN" and "pip install" in rest]
        self.assertEqual(len(installs), 2)
        self.assertIn("--require-hashes -r requirements/run.txt", installs[0])
        self.assertIn("--no-deps --no-build-isolation", installs[1])
        self.assertEqual([name for name, rest in self.all if name == "ADD" or "curl" in rest or "apt" in rest], [])
