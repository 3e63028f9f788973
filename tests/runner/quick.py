"""Lints what changed since this passed last, and runs the unit tests that concern it, against the checkout.

What changed is the difference of two trees of git: that of the last green quick run (or of HEAD), and that of the
working directory with its untracked files. Which tests concern it follows from the import graph.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from tests.runner import micropython
from tests.runner.checkout import cache_page
from tests.runner.checks import linted, make_links, typed
from tests.runner.imports import PACKAGES, Graph, module_name, nearest, read_graph
from tests.runner.parts import KEPT, Setting, make_parts, run_parts
from tests.runner.printing import say
from tests.runner.suites import SUITES, Selection, modules_of
from tests.runner.tally import Tally, total
from tests.runner.times import by_module, estimate, read_times, write_times

#: The file, below the root, that holds the tree of the last green quick run, and the test modules that it left.
GREEN = f"{KEPT}/quick.tree"

#: The file, below the root, that holds the seconds that quick runs on this machine measured, by module. They take the
#: place of the recorded ones, which a new or a slower module does not have until somebody records all times again.
MEASURED = f"{KEPT}/quick.seconds"

#: The recorded seconds of tests that are run in each lane. Interpreters, imports and linters need the rest of 15 s.
BUDGET = 5.0

#: The pattern of a search for files in a module's source.
PATTERN = re.compile(r'\br?glob\("([^"]+)"')

#: What the source of a module holds that is run as a script.
SCRIPT = '__name__ == "__main__"'

#: The type checker's cache directory, below the root.
TYPES = ".mypy_cache"


@dataclass(frozen=True)
class Choice:
    """The test modules that concern a change.

    Attributes:
        run: those that are run: the changed ones, and the nearest to the change that fit into the budget.
        left: those that are left to `make unit`.

    """

    run: tuple[str, ...]
    left: tuple[str, ...]


def git(root: Path, *arguments: str, index: Path | None = None) -> str:
    """Run git in the checkout, and return what it prints."""
    variables = dict(os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {}))
    done = subprocess.run(["git", *arguments], cwd=root, env=variables, check=True, capture_output=True, text=True)
    return done.stdout


def working_tree(root: Path) -> str:
    """Write the working directory, with its untracked files, as a tree of git, and return the tree's hash.

    An index of its own is used, so that what is staged stays as it is.
    """
    index = root / KEPT / "quick.index"
    git(root, "add", "--all", index=index)
    return git(root, "write-tree", index=index).strip()


def last_green(root: Path) -> str:
    """Return the tree of the last green quick run, or HEAD where there was none or git has dropped it."""
    file = root / GREEN
    if file.exists():
        tree = file.read_text().split("\n")[0]
        known = subprocess.run(["git", "cat-file", "-e", tree], cwd=root, capture_output=True, check=False)
        if known.returncode == 0:
            return tree
    return "HEAD"


def pending(root: Path) -> list[str]:
    """Return the test modules that earlier green quick runs left, since they exceeded the budget."""
    file = root / GREEN
    return file.read_text().split()[1:] if file.exists() else []


def record_green(root: Path, tree: str, left: Iterable[str]) -> None:
    """Record the tree of a green run and the test modules that it left, which the next runs try to run."""
    (root / GREEN).write_text("\n".join([tree, *left]) + "\n")


def clear_pending(root: Path) -> None:
    """Forget the test modules that were left: all unit tests have passed."""
    if pending(root):
        record_green(root, last_green(root), ())


def changed_paths(root: Path, tree: str) -> list[Path]:
    """Return the paths, relative to the root, that differ between the last green run and a tree."""
    names = git(root, "diff", "--name-only", "--no-renames", "-z", last_green(root), tree).split("\0")
    return [Path(name) for name in names if name]


def searches(text: str, path: Path) -> bool:
    """Return whether a module with this source searches directories for files such as one, and names its directory."""
    if not any(fnmatch(path.name, pattern.rpartition("/")[2]) for pattern in PATTERN.findall(text)):
        return False
    names = {path.parts[0], PACKAGES.get(path.parts[0], path.parts[0])}
    return len(path.parts) == 1 or any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


def choose(
    changed: Iterable[Path],
    graph: Graph,
    tests: Sequence[str],
    texts: Mapping[str, str],
    seconds: Mapping[str, float],
    budget: float,
    left_before: Iterable[str] = (),
) -> Choice:
    """Choose the test modules that concern changed files, and those that earlier runs left.

    Arguments:
        changed: paths relative to the root.
        graph: the import graph.
        tests: the test modules to choose from.
        texts: the source of each module: a file that is no module concerns the modules that name it, and any file
            concerns the modules that search its directory.
        seconds: the recorded seconds of each.
        budget: seconds that the chosen ones may take, beyond the test modules that changed themselves.
        left_before: the test modules that earlier runs left; they come after those that concern the changes.

    """
    modules = set[str]()
    also = set[str]()
    for path in changed:
        if path.suffix == ".py" and path.parts[0] in PACKAGES:
            modules.add(module_name(path))
            # The graph has no edges to a module that is gone.
            also |= graph.dependents_of(module_name(path))
        else:
            also |= {module for module, text in texts.items() if path.name in text}
        also |= {module for module, text in texts.items() if searches(text, path)}
    # A script is not imported by what runs it.
    for script in graph.distances(modules):
        if SCRIPT in texts.get(script, ""):
            names = (f'{graph.files[script].name}"', f'{script.removesuffix(".__main__")}"')
            also |= {module for module, text in texts.items() if any(name in text for name in names)}
    run, left, used = list[str](), list[str](), 0.0
    concerned = nearest(graph, modules, tests, seconds, also=also)
    for test in dict.fromkeys([*concerned, *(test for test in left_before if test in tests)]):
        if test in modules:
            run.append(test)
        elif used + seconds[test] <= budget:
            run.append(test)
            used += seconds[test]
        else:
            left.append(test)
    return Choice(tuple(run), tuple(left))


def lint(root: Path, changed: Iterable[Path]) -> Tally:
    """Run the linter, the formatter and MicroPython's compiler over the changed files; each counts as a test."""
    tally = Tally()
    directories = tuple(linted(root))
    paths = [str(path) for path in changed if path.suffix == ".py" and path.parts[0] in directories]
    paths = [path for path in paths if (root / path).exists()]
    compiled = [path for path in micropython.sources(root) if str(path.relative_to(root)) in paths]
    faults = micropython.faults(compiled)
    tally.passed += bool(compiled) and not faults
    tally.failed += [f"MicroPython: {path.relative_to(root)}: {fault}" for path, fault in faults.items()]
    for name, command in (("ruff check", ("check",)), ("ruff format", ("format", "--check"))) if paths else ():
        program = Path(sys.executable).parent / "ruff"
        done = subprocess.run([program, *command, "--quiet", *paths], cwd=root, check=False)
        tally.passed += not done.returncode
        tally.failed += [f"{name}: ended with status {done.returncode}"] if done.returncode else []
    return tally


def start_types(root: Path, scratch: Path, changed: Iterable[Path]) -> subprocess.Popen[bytes] | None:
    """Start the type checker beside the tests, if it has a cache: without one it takes half a minute."""
    if not (root / TYPES).exists() or not any(path.suffix == ".py" for path in changed):
        return None
    program = Path(sys.executable).parent / "mypy"
    with (scratch / "types").open("wb") as output:
        return subprocess.Popen([program, *typed(root)], cwd=root, stdout=output, stderr=subprocess.STDOUT)


def end_types(process: subprocess.Popen[bytes], scratch: Path) -> Tally:
    """Wait for the type checker, and show what it found; it counts as a test."""
    if process.wait() == 0:
        return Tally(passed=1)
    say((scratch / "types").read_text())
    return Tally(failed=[f"mypy: ended with status {process.returncode}"])


def run(root: Path, scratch: Path, lanes: int) -> Tally:
    """Lint and test what changed, say how long that took, and keep the tree when all is well."""
    started = time.monotonic()
    tree = working_tree(root)
    changed = changed_paths(root, tree)
    types = start_types(root, scratch, changed)
    tally = lint(root, changed)
    tests = modules_of(root, "unit")
    graph = read_graph(root)
    measured = read_times(root, MEASURED)
    times = read_times(root) | measured
    seconds = estimate(tests, times)
    texts = {module: (root / file).read_text() for module, file in graph.files.items()}
    choice = choose(changed, graph, tests, texts, seconds, BUDGET * lanes, pending(root))
    say(f"{len(changed)} files changed; {len(choice.run) + len(choice.left)} unit test modules concern them.")
    if choice.run:
        cache_page(root)
        unit = next(suite for suite in SUITES if suite.name == "unit")
        few = sum(seconds[test] for test in choice.run) < 1.0
        parts = make_parts([Selection(unit, choice.run, whole=not few)], lanes, times)
        setting = Setting(root, scratch, paths=(make_links(root), root), stream=len(parts) == 1)
        results, _ = run_parts(
            [replace(part, name=part.name.replace("unit", "quick")) for part in parts], lanes, setting
        )
        tests_run = total(results.values())
        write_times(root, measured | by_module(tests_run.tests), MEASURED)
        tally = total([tally, tests_run])
    if types is not None:
        tally = total([tally, end_types(types, scratch)])
    if choice.left:
        say(f"Left to `make unit`, since they would take longer: {', '.join(map(short_name, choice.left))}.")
    if not tally.failed:
        record_green(root, tree, choice.left)
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    say(f"quick: {time.monotonic() - started:.1f} s, CPU {cpu:.1f} s")
    return tally


def short_name(module: str) -> str:
    """Return the last part of a test module's name."""
    return module.rpartition(".")[2]
