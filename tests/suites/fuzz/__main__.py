"""Fuzzes every target for a given time: `python -m tests.suites.fuzz --seconds 600`; prints the coverage of each.

A crash is kept as a file under `tests/suites/fuzz/regressions/TARGET/`, which a unit test replays from then on.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.suites.fuzz.seeds import seeds, words
from tests.suites.fuzz.targets import TARGETS

HERE = Path(__file__).resolve().parent

#: The largest size of an input in bytes.
MOST_BYTES = 4096

#: The seconds between two lines of progress.
PROGRESS = 30.0

_PULSE = re.compile(r"^#(\d+)\s.*\bcov: (\d+)", re.MULTILINE)
_DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)


class Run:
    """One target in a separate process.

    Attributes:
        target: the target's name.

    """

    def __init__(self, target: str, seconds: float, folder: Path) -> None:
        """Start the process."""
        self.target = target
        corpus, kept = folder / target, HERE / "regressions" / target
        corpus.mkdir(parents=True)
        kept.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(target)):
            (corpus / f"seed-{number}").write_bytes(seed)
        dictionary = folder / f"{target}.dict"
        dictionary.write_text("".join(f"{_quoted(word)}\n" for word in sorted(words(target))))
        self._log = folder / f"{target}.log"
        command = [sys.executable, "-m", "tests.suites.fuzz.drive", target, str(corpus)]
        command += [f"-artifact_prefix={kept}/", f"-max_total_time={seconds:.0f}", f"-max_len={MOST_BYTES}"]
        command += [f"-dict={dictionary}", "-timeout=10", "-print_final_stats=1", "-rss_limit_mb=4096"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=HERE.parents[2], preexec_fn=lambda: os.nice(19)
            )

    def progress(self) -> tuple[int, int]:
        """Return the number of inputs so far, and the number of code edges that the inputs have reached."""
        text = self._log.read_text(errors="replace")
        pulses = _PULSE.findall(text)
        runs, edges = pulses[-1] if pulses else ("0", "0")
        done = _DONE.search(text)
        return int(done[1] if done else runs), int(edges)

    def line(self) -> str:
        """Return the progress as a line of text."""
        runs, edges = self.progress()
        state = "" if self.process.poll() is None else ("done" if self.process.returncode == 0 else "FAILED")
        return f"{self.target:<16} {runs:>12,} inputs {edges:>7,} edges  {state}".rstrip()

    def fault(self) -> str:
        """The last lines of the fuzzer's output."""
        return self._log.read_text(errors="replace")[-4000:]


def main(arguments: Sequence[str]) -> int:
    """Fuzz two targets at a time; return 1 if a target has failed."""
    parser = argparse.ArgumentParser(description="Fuzzes signald.")
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together")
    parser.add_argument("--only", action="append", choices=[*TARGETS], help="this target; repeatable")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    names = options.only or [*TARGETS]
    rounds = -(-len(names) // options.at_once)
    finished: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="signald-fuzz-") as folder:
        for first in range(0, len(names), options.at_once):
            group = names[first : first + options.at_once]
            runs = [Run(name, options.seconds / rounds, Path(folder)) for name in group]
            _watch(runs)
            finished += runs
        _say("")
        for run in finished:
            _say(run.line())
        for run in finished:
            if run.process.returncode:
                _say(f"\n{run.target}:\n{run.fault()}")
        _say(f"{sum(run.progress()[0] for run in finished):,} inputs in all")
    return int(any(run.process.returncode for run in finished))


def _watch(runs: Sequence[Run]) -> None:
    """Print progress until all processes have ended."""
    say_at = time.monotonic() + PROGRESS
    while any(run.process.poll() is None for run in runs):
        time.sleep(0.5)
        if time.monotonic() > say_at:
            say_at += PROGRESS
            _say("; ".join(run.line() for run in runs))


def _quoted(word: str) -> str:
    """Return a word in the syntax of libFuzzer's dictionaries."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
