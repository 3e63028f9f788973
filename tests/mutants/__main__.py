"""Tests mutants of the core and the dialects: `python -m tests.mutants [--number 300] [--seed 1]`.

It prints the mutants killed and survived by module, and each survivor. A survivor that no test can tell from the
original stands in `equivalents.toml` with the reason. The exit status is 1 when another one survives.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.judge import Fork, MutantFinder, start
from tests.mutants.mutate import Mutant, mutants_of, mutated_source
from tests.runner.checkout import cache_page
from tests.runner.checks import make_links
from tests.runner.imports import module_name, nearest, read_graph
from tests.runner.printing import say
from tests.runner.suites import modules_of
from tests.runner.times import estimate, read_times

ROOT = Path(__file__).resolve().parents[2]

#: The packages whose modules are mutated.
MUTATED = ("signald/core", "signald/dialects")

#: Mutants that behave like the original, each with the reason.
EQUIVALENTS = ROOT / "tests" / "mutants" / "equivalents.toml"

#: Recorded seconds of tests, nearest first, that a mutant has to survive.
BUDGET = 60.0

#: The module that measures the CPU of code: which mutant it kills depends on what else the machine does.
MEASURING = "tests.unit.project.test_stage_costs"

#: Seconds of processor time that a fork may use beyond three times what its tests are recorded with.
LEEWAY = 10.0

#: What the forks import anyway, so that they find it imported. Nothing of it may make a reactor.
PRELOADED = ("attrs", "cattrs", "orjson", "jsonschema", "hypothesis.stateful", "twisted.internet.defer", "OpenSSL.SSL")


@dataclass(frozen=True)
class Verdict:
    """The outcome for one mutant.

    Attributes:
        mutant: the mutant.
        killer: the test that failed, or what else ended it; empty when it survived.
        modules: how many test modules it met.

    """

    mutant: Mutant
    killer: str
    modules: int


def draw(number: int, seed: int, only: str) -> list[Mutant]:
    """Draw mutants by a seed, out of all or of the files whose paths contain `only`."""
    paths = [path.relative_to(ROOT) for place in MUTATED for path in sorted((ROOT / place).rglob("*.py"))]
    found = [mutant for path in paths if only in str(path) for mutant in mutants_of(ROOT, path)]
    return sorted(random.Random(seed).sample(found, min(number, len(found))))


def read_equivalents() -> dict[tuple[str, str, str, str], str]:
    """Return the reasons of known equivalents by the mutants' keys."""
    entries = tomllib.loads(EQUIVALENTS.read_text()).get("mutant", [])
    return {(entry["file"], entry["function"], entry["before"], entry["after"]): entry["reason"] for entry in entries}


class Plan:
    """Which tests a mutant meets, and for how long."""

    def __init__(self) -> None:
        self.graph = read_graph(ROOT)
        self.tests = [module for module in modules_of(ROOT, "unit") if module != MEASURING]
        self.seconds = estimate(self.tests, read_times(ROOT))

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Return the test modules that concern a mutant's module, nearest first, as many as fit into the budget."""
        chosen, used = list[str](), 0.0
        for test in nearest(self.graph, [module_name(mutant.path)], self.tests, self.seconds):
            if used + self.seconds[test] <= BUDGET:
                chosen.append(test)
                used += self.seconds[test]
        return chosen

    def limit(self, tests: Sequence[str]) -> float:
        """Return the seconds of processor time that tests may use."""
        return 3 * sum(self.seconds[test] for test in tests) + LEEWAY


def test_all(mutants: Sequence[Mutant], plan: Plan, lanes: int, directory: Path) -> list[Verdict]:
    """Test mutants, as many at a time as there are lanes."""
    waiting = list(mutants)
    running: dict[Mutant, tuple[Fork, int]] = {}
    verdicts: list[Verdict] = []
    while waiting or running:
        while waiting and len(running) < lanes:
            mutant = waiting.pop(0)
            tests = plan.tests_for(mutant)
            finder = MutantFinder(module_name(mutant.path), mutated_source(ROOT, mutant), ROOT / mutant.path)
            place = directory / str(len(waiting))
            running[mutant] = (start(finder, tests, place, plan.limit(tests)), len(tests))
        for mutant, (fork, number) in list(running.items()):
            killer = fork.ended()
            if killer is not None:
                del running[mutant]
                verdicts.append(Verdict(mutant, killer, number))
                took = time.monotonic() - fork.started
                say(f"{len(verdicts):4} {'killed' if killer else 'SURVIVED'} ({took:.1f} s) {mutant}  [{killer}]")
        time.sleep(0.02)
    return verdicts


def failing_unchanged(plan: Plan, mutants: Sequence[Mutant], directory: Path) -> str:
    """Return the test that fails without any fault, or nothing: with one, every mutant would seem killed."""
    tests = list(dict.fromkeys(test for mutant in mutants for test in plan.tests_for(mutant)))
    fork = start(None, tests, directory, plan.limit(tests))
    while (failed := fork.ended()) is None:
        time.sleep(0.1)
    return failed


def print_table(verdicts: Sequence[Verdict], equivalents: dict[tuple[str, str, str, str], str]) -> list[Verdict]:
    """Print killed, equivalent and surviving mutants by module, then the latter two, and return the survivors."""
    survivors = [verdict for verdict in verdicts if not verdict.killer]
    unexplained = [verdict for verdict in survivors if verdict.mutant.key not in equivalents]
    counts = [
        Counter(str(verdict.mutant.path) for verdict in group)
        for group in (verdicts, [verdict for verdict in survivors if verdict not in unexplained], unexplained)
    ]
    row = "{:<40}{:>8}{:>8}{:>12}{:>10}"
    say()
    say(row.format("module", "mutants", "killed", "equivalent", "survived"))
    for path in sorted(counts[0]):
        all_, same, survived = (count[path] for count in counts)
        say(row.format(path, all_, all_ - same - survived, same, survived))
    say(
        row.format(
            "all", len(verdicts), len(verdicts) - len(survivors), len(survivors) - len(unexplained), len(unexplained)
        )
    )
    for verdict in survivors:
        reason = equivalents.get(verdict.mutant.key)
        word = f"equivalent: {reason}" if reason else f"survived {verdict.modules} test modules"
        say(f"{verdict.mutant}\n    {word}")
    return unexplained


def main() -> int:
    """Draw mutants, test them, and print what came of them."""
    parser = argparse.ArgumentParser(prog="tests.mutants", description="Tests mutants of the core and the dialects.")
    parser.add_argument("--number", type=int, default=300, help="mutants to draw (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (default: 1)")
    parser.add_argument("--only", default="", help="part of the path of the modules to mutate")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    options = parser.parse_args()
    # The strict form fixes the seed of hypothesis, so that every mutant is tested with the same examples.
    os.environ["TEST_REQUIRE_ALL"] = "1"
    sys.path.insert(0, str(make_links(ROOT)))
    cache_page(ROOT)
    for name in PRELOADED:
        importlib.import_module(name)
    started = time.monotonic()
    mutants = draw(options.number, options.seed, options.only)
    plan = Plan()
    with tempfile.TemporaryDirectory(prefix="signald-mutants-") as directory:
        failed = failing_unchanged(plan, mutants, Path(directory, "unchanged"))
        if failed:
            say(f"Nothing was tested, since a test fails without any fault: {failed}")
            return 1
        verdicts = test_all(mutants, plan, options.jobs, Path(directory))
    unexplained = print_table(sorted(verdicts, key=lambda verdict: verdict.mutant), read_equivalents())
    say(f"{len(verdicts)} mutants in {time.monotonic() - started:.0f} s (seed {options.seed})")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
