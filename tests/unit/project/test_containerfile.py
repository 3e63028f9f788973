"""Tests of the form of the Containerfile, since no container engine is available to build it."""

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
"""All instructions of a Containerfile."""

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Return each instruction with its arguments, continuation lines joined."""
    text = (ROOT / "deploy" / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


class ContainerfileTests(SynchronousTestCase):
    """The instructions of deploy/Containerfile."""

    def setUp(self) -> None:
        """Read the file, and find the last stage."""
        self.all = instructions()
        last = max(number for number, (name, _) in enumerate(self.all) if name == "FROM")
        self.last = self.all[last:]

    def arguments(self, name: str) -> list[str]:
        """Return the arguments of an instruction in the last stage."""
        return [rest for found, rest in self.last if found == name]

    def test_instructions(self) -> None:
        """Every line is a known instruction with arguments, and the first one is FROM."""
        self.assertEqual([name for name, rest in self.all if name not in KNOWN or not rest], [])
        names = [name for name, _ in self.all]
        self.assertEqual(names[names.index("FROM") - 1 :: -1], ["ARG"])

    def test_one_base(self) -> None:
        """Both stages are built from one image, which a build argument can pin by its digest."""
        bases = [rest.split()[0] for name, rest in self.all if name == "FROM"]
        self.assertEqual(bases, ["${BASE}"] * 2)
        self.assertRegex(self.all[0][1], r"\ABASE=python:3\.\d+-slim\Z")

    def test_health_check_is_kept(self) -> None:
        """Every command that builds the image with Podman keeps its health check."""
        texts = [path.read_text("utf-8") for path in (ROOT / "deploy" / "Containerfile", *ROOT.glob("docs/*.md"))]
        commands = [line for text in texts for line in text.splitlines() if "podman build" in line]
        self.assertGreater(len(commands), 1)
        for command in commands:
            self.assertIn("podman build --format docker", command)

    def test_copied_files_exist(self) -> None:
        """Copied files exist in the checkout or in an earlier stage."""
        stages = {rest.split(" AS ")[1] for name, rest in self.all if name == "FROM" and " AS " in rest}
        for name, rest in self.all:
            words = rest.split()
            if name == "COPY" and words[0].startswith("--from="):
                self.assertIn(words[0].removeprefix("--from="), stages)
            elif name == "COPY":
                for source in words[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)

    def test_inputs_of_the_build(self) -> None:
        """Everything that the Makefile lists as an input of the wheel is copied."""
        packed = re.search(r"^PACKED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert packed is not None
        copied = {source for name, rest in self.all if name == "COPY" for source in rest.split()[:-1]}
        self.assertLessEqual(set(packed[1].split()), copied)

    def test_user(self) -> None:
        """The user is numeric, so that an engine sees that it is not root, and set after the last RUN."""
        (user,) = self.arguments("USER")
        self.assertRegex(user, r"\A[1-9][0-9]+:[1-9][0-9]+\Z")
        names = [name for name, _ in self.last]
        self.assertGreater(names.index("USER"), max(number for number, name in enumerate(names) if name == "RUN"))

    def test_entry_point(self) -> None:
        """The daemon is started without a shell, so that it receives signals."""
        self.assertEqual([json.loads(rest) for rest in self.arguments("ENTRYPOINT")], [["signald"]])
        self.assertEqual(self.arguments("STOPSIGNAL"), ["SIGTERM"])

    def test_variables(self) -> None:
        """Environment variables are valid settings, and the data directory is the volume."""
        words = [word.partition("=") for rest in self.arguments("ENV") for word in rest.split()]
        settings = {name: value for name, _, value in words if name.startswith("SIGNALD_")}
        config = load([], None, settings).config
        self.assertEqual([str(config.data_dir)], json.loads(self.arguments("VOLUME")[0]))
        (probe,) = self.arguments("HEALTHCHECK")
        self.assertIn(f"http://127.0.0.1:{config.operations.port}/healthz", probe)
        self.assertIn("ProxyHandler({})", probe, "a proxy of the environment is not asked for this machine")

    def test_pinned_dependencies(self) -> None:
        """Dependencies are installed by hash, and nothing else comes from the network."""
        installs = [rest for name, rest in self.all if name == "RUN" and "pip install" in rest]
        self.assertEqual(len(installs), 2)
        self.assertIn("--require-hashes -r requirements/run.txt", installs[0])
        self.assertIn("--no-deps --no-build-isolation", installs[1])
        self.assertEqual([name for name, rest in self.all if name == "ADD" or "curl" in rest or "apt" in rest], [])
