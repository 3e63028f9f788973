"""Tests that `requirements/system` installs every program that the tests start.

A machine on which a program happens to be installed hides its absence from the list. The programs are therefore read
from the syntax trees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests"

#: Functions that start or look up a program; the first argument is its command line or its name.
STARTS = {"Popen", "Program", "check_call", "check_output", "execvp", "run", "which"}

#: Functions and properties that return a command line.
RETURN_COMMANDS = {"confined", "prepare", "through"}

#: Programs that a syntax tree does not show as the first word of a command line, each with the file that names it.
NAMED_ELSEWHERE = {
    "nft": "suites/e2e/network.py",
    "faketime": "suites/e2e/clock.py",
    "redis-server": "../requirements/system",
}

#: Programs that every machine has on which `make test` runs: make itself, and packages that Debian calls essential.
ALWAYS_THERE = {"make", "sh", "sleep", "prlimit", "env", "grep", "dpkg", "dpkg-deb", "deb-systemd-helper"}


def requirements() -> set[str]:
    """Return the programs that `requirements/system` looks for."""
    text = (ROOT / "requirements" / "system").read_text()
    return {
        Path(found[1]).name for found in re.finditer(r"^ +need \S+ (?:command -v|test -x) (\S+)$", text, re.MULTILINE)
    }


def started(source: str) -> set[str]:
    """Return the programs that a module starts or searches for, as far as its syntax tree shows."""
    tree = ast.parse(source)
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values.setdefault(name, []).append(value)
            case ast.For(target=ast.Name(id=name), iter=ast.Tuple(elts=choices) | ast.List(elts=choices)):
                values.setdefault(name, []).extend(choices)
    commands: list[ast.expr] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[command, *_]) if name in STARTS:
                commands.append(command)
            case ast.FunctionDef(name=name) if name in RETURN_COMMANDS:
                commands += [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
        if isinstance(node, ast.Call):
            commands += [keyword.value for keyword in node.keywords if keyword.arg == "through"]
    return {Path(program).name for command in commands for program in first_words(command, values)}


def first_words(command: ast.expr, values: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the possible first words of a command line; Python and scripts of its environment are left out."""
    match command:
        case ast.Constant(value=str(word)):
            yield word
        case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]) | ast.Starred(value=first):
            yield from first_words(first, values)
        case ast.Name(id=name):
            # A variable that is assigned from itself is not followed again, since that would never end.
            rest = {other: found for other, found in values.items() if other != name}
            for value in values.get(name, ()):
                yield from first_words(value, rest)


class SystemRequirementsTests(SynchronousTestCase):
    """The list of programs is complete."""

    def test_every_program_is_installed(self) -> None:
        """Each program that a test starts is in `requirements/system`; `make acme` lists its own requirements."""
        needed: dict[str, list[str]] = {}
        for path in sorted(TESTS.rglob("*.py")):
            name = str(path.relative_to(TESTS))
            if not name.startswith("suites/recipes/"):
                for program in started(path.read_text()) - ALWAYS_THERE:
                    needed.setdefault(program, []).append(name)
        for program, name in NAMED_ELSEWHERE.items():
            self.assertIn(program, (TESTS / name).read_text(), name)
            needed.setdefault(program, []).append(name)
        missing = {program: names for program, names in needed.items() if program not in requirements()}
        self.assertEqual(missing, {})
        self.assertEqual(requirements() - needed.keys(), set(), "no test starts these")

    def test_what_is_seen(self) -> None:
        """Literals, variables, tuples in loops, and commands that run another command are followed."""
        source = """
database = ["certutil", "-d", "x"]
for program in ("chromium", "certutil"):
    shutil.which(program)
subprocess.run([*database, "-N"])
command: list[str] = ["openssl", "req"]
command = [*command, "x"]
run(command)
Daemon(through=("prlimit", "--nofile=64"))
Program([sys.executable, "-m", "x"])
def prepare():
    return ["/usr/sbin/nginx", "-p"]
"""
        self.assertEqual(started(source), {"certutil", "chromium", "openssl", "prlimit", "nginx"})
