"""Tests that the test runner counts correctly, whatever the suites do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

RUN = Path(__file__).resolve().parents[2] / "run.py"

HEAD = """
import os, subprocess, sys, time
from twisted.trial.unittest import SkipTest, SynchronousTestCase

class Case(SynchronousTestCase):
"""


class RunTests(SynchronousTestCase):
    """`run.py` prints its lines and returns its status for suites of each kind."""

    def setUp(self) -> None:
        """Create an empty tree."""
        self.root = Path(self.mktemp()).resolve()
        self.add("tests/__init__.py", "")

    def add(self, path: str, text: str) -> None:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add_tests(self, path: str, body: str) -> None:
        """Write a module with a test case of these methods."""
        self.add(path, HEAD + textwrap.indent(textwrap.dedent(body), "    "))

    def run_tests(self, *arguments: str, strict: bool = False) -> tuple[int, list[str]]:
        """Return the exit status and the printed lines, including standard error."""
        environment = dict(os.environ, TEST_REQUIRE_ALL="1" if strict else "0")
        command = [sys.executable, str(RUN), "--root", str(self.root), *(arguments or ("unit",))]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, check=False
        )
        return done.returncode, done.stdout.splitlines()

    def assert_sums(self, expected: str, *arguments: str, strict: bool = False) -> list[str]:
        """Assert the last line and its exit status; return all lines."""
        status, lines = self.run_tests(*arguments, strict=strict)
        self.assertEqual(lines[-1], expected, "\n".join(lines))
        self.assertEqual(status, 0 if expected.endswith(" 0 failed") else 1)
        return lines

    def test_passing(self) -> None:
        """Tests that pass are counted, and the status is 0."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): pass\ndef test_two(self): pass")
        self.assert_sums("2 passed, 0 failed")

    def test_failing(self) -> None:
        """A failed assertion and an error count one each, and are named."""
        self.add_tests(
            "tests/unit/test_a.py",
            """
            def test_good(self): pass
            def test_bad(self): self.fail()
            def test_broken(self): raise ValueError
            """,
        )
        lines = self.assert_sums("1 passed, 2 failed")
        self.assertIn("failed: tests.unit.test_a.Case.test_bad", lines)
        self.assertIn("failed: tests.unit.test_a.Case.test_broken", lines)

    def test_skipping(self) -> None:
        """A skipped test is listed with its reason, and counts as failed in a strict run."""
        self.add_tests(
            "tests/unit/test_a.py", "def test_one(self): pass\ndef test_two(self): raise SkipTest('no camera')"
        )
        listed = "skipped: tests.unit.test_a.Case.test_two: no camera"
        self.assertIn(listed, self.assert_sums("1 passed, 0 failed"))
        self.assertIn(listed, self.assert_sums("1 passed, 1 failed", strict=True))

    def test_expected_failure(self) -> None:
        """A test with an expected failure does not count as passed, and counts as failed in a strict run."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): self.fail()\ntest_one.todo = 'later'")
        self.assert_sums("0 passed, 0 failed")
        self.assert_sums("0 passed, 1 failed", strict=True)

    def test_unexpected_success(self) -> None:
        """A test that is expected to fail, but passes, counts as failed."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): pass\ntest_one.todo = 'later'")
        self.assert_sums("0 passed, 1 failed")

    def test_import_error(self) -> None:
        """A module that cannot be imported counts as failed, and the others still run."""
        self.add("tests/unit/test_a.py", "import nothing_of_this_name")
        self.add_tests("tests/unit/test_b.py", "def test_one(self): pass")
        self.assert_sums("1 passed, 1 failed")

    def test_success_and_error(self) -> None:
        """A test that passes but leaves a logged error counts once, as failed."""
        self.add_tests(
            "tests/unit/test_a.py",
            """
            def test_one(self):
                from twisted.python import log
                log.err(ValueError())
            """,
        )
        self.assert_sums("0 passed, 1 failed")

    def test_crash(self) -> None:
        """A suite whose process crashes counts as failed, and its tests that had passed still count."""
        for death in ("os._exit(3)", "os._exit(0)", "os.kill(os.getpid(), 9)"):
            self.add_tests("tests/unit/test_a.py", f"def test_1(self): pass\ndef test_2(self): {death}")
            self.assert_sums("1 passed, 1 failed")

    def test_hang(self) -> None:
        """A suite that exceeds its time limit is killed together with the processes that it started."""
        self.add_tests(
            "tests/unit/test_a.py",
            f"""
            def test_1(self): pass
            def test_2(self):
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                open({str(self.root / "child")!r}, "w").write(str(child.pid))
                time.sleep(600)
            """,
        )
        # On a busy machine, three seconds may pass before the second test starts.
        for limit in (3, 12, 48):
            started = time.monotonic()
            status, lines = self.run_tests("unit", "--limit", str(limit))
            if (self.root / "child").exists():
                break
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"), "\n".join(lines))
        self.assertIn(f"failed: unit: did not end within {limit} s", lines)
        self.assertTrue(any("in test_2" in line for line in lines), "it does not show where it was")
        self.assertLess(time.monotonic() - started, limit + 57)
        self.assert_gone()

    def test_left_process(self) -> None:
        """A process that outlives its suite is killed and counts as a failure, even if it has a session of its own."""
        for session in (False, True):
            self.add_tests(
                "tests/unit/test_a.py",
                f"""
                def test_1(self):
                    command = [sys.executable, "-c", "import time; time.sleep(600)"]
                    child = subprocess.Popen(command, start_new_session={session})
                    child.returncode = 0
                    open({str(self.root / "child")!r}, "w").write(str(child.pid))
                """,
            )
            self.assert_sums("1 passed, 1 failed")
            self.assert_gone()

    if not Path("/proc/self/stat").exists():
        test_left_process.skip = "there is no /proc here"  # type: ignore[attr-defined] # trial reads it from the function

    def assert_gone(self) -> None:
        """Assert that the process whose id was recorded has ended."""
        child = int((self.root / "child").read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 0)
            self.fail(f"process {child} is still there")

    def test_no_tests(self) -> None:
        """A suite without tests is a failure."""
        lines = self.assert_sums("0 passed, 0 failed", "peer")
        self.assertIn("skipped: peer: cannot run: there are no test modules", lines)
        self.assert_sums("0 passed, 1 failed", "peer", strict=True)

    def test_no_summary(self) -> None:
        """A suite whose modules contain no test is a failure too."""
        self.add("tests/unit/test_a.py", "")
        self.assert_sums("0 passed, 0 failed")
        self.assert_sums("0 passed, 1 failed", strict=True)

    def test_several_suites(self) -> None:
        """The last line is the sum over all suites, even if one crashed. An unlisted directory is a suite too."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): os._exit(1)")
        self.add_tests("tests/suites/peer/test_b.py", "def test_one(self): pass")
        self.add("tests/suites/peer/__init__.py", "")
        self.add_tests("tests/suites/more/test_c.py", "def test_one(self): pass\ndef test_two(self): self.fail()")
        self.add("tests/suites/more/__init__.py", "")
        self.assert_sums("2 passed, 2 failed", "unit", "peer", "more")

    def add_suite(self, name: str, body: str) -> None:
        """Write a suite with one module."""
        self.add(f"tests/suites/{name}/__init__.py", "")
        self.add("tests/suites/__init__.py", "")
        self.add_tests(f"tests/suites/{name}/test_{name}.py", body)

    def test_side_by_side(self) -> None:
        """Two suites that wait for each other run at the same time, and the output of each is not interleaved."""
        for own, other in (("one", "two"), ("two", "one")):
            self.add_suite(
                own,
                f"""
                def test_{own}(self):
                    print("{own} begins")
                    open({str(self.root / own)!r}, "w").close()
                    while not os.path.exists({str(self.root / other)!r}):
                        time.sleep(0.01)
                    print("{own} ends")
                """,
            )
        lines = self.assert_sums("2 passed, 0 failed", "one", "two", "--jobs", "2", "--limit", "60")
        for own, other in (("one", "two"), ("two", "one")):
            first = lines.index(f"== {own}, its output:")
            last = next(place for place in range(first, len(lines)) if lines[place].startswith(f"== {own}: 1 passed"))
            text = "\n".join(lines[first:last])
            self.assertIn(f"{own} begins", text)
            self.assertIn(f"{own} ends", text)
            self.assertNotIn(f"{other} ends", text)

    def test_other_lane(self) -> None:
        """The processes of a suite that still runs are neither killed nor counted against another suite that ends."""
        self.add_suite(
            "long",
            f"""
            def test_1(self):
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
                open({str(self.root / "child")!r}, "w").close()
                while not os.path.exists({str(self.root / "supervisor")!r}):
                    time.sleep(0.01)
                supervisor = int(open({str(self.root / "supervisor")!r}).read())
                while os.path.exists(f"/proc/{{supervisor}}"):
                    time.sleep(0.01)
                self.assertIsNone(child.poll())
                child.kill()
                child.wait()
            """,
        )
        self.add_suite(
            "short",
            f"""
            def test_1(self):
                while not os.path.exists({str(self.root / "child")!r}):
                    time.sleep(0.01)
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
                child.returncode = 0
                open({str(self.root / "new")!r}, "w").write(str(os.getppid()))
                os.rename({str(self.root / "new")!r}, {str(self.root / "supervisor")!r})
            """,
        )
        lines = self.assert_sums("2 passed, 1 failed", "long", "short", "--jobs", "2", "--limit", "60")
        self.assertEqual(
            [line.partition(" -c ")[0] for line in lines if line.startswith("failed: ")],
            [f"failed: short: left a process running: {sys.executable}"],
        )

    if not Path("/proc/self/stat").exists():
        test_other_lane.skip = "there is no /proc here"  # type: ignore[attr-defined] # trial reads it from the function

    def test_divided(self) -> None:
        """A whole suite is divided among the lanes, and the counts of all parts are summed, even if one crashes."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): os._exit(1)")
        self.add_tests("tests/unit/test_b.py", "def test_one(self): pass\ndef test_two(self): self.fail()")
        lines = self.assert_sums("1 passed, 2 failed", "unit", "--jobs", "2")
        self.assertIn("failed: unit 1/2: ended with status 1", lines)
        self.assertIn("failed: tests.unit.test_b.Case.test_two", lines)
        self.assertTrue(any(line.startswith("unit                3") for line in lines), lines)

    def test_table(self) -> None:
        """A table of the suites' seconds and of the slowest tests precedes the sums.

        The seconds can be recorded in a file.
        """
        self.add_suite("one", "def test_slow(self): time.sleep(0.3)\ndef test_fast(self): pass")
        self.add("tests/runner/seconds.json", '{"e2e.test_calls": 5.0}')
        lines = self.assert_sums("2 passed, 0 failed", "one", "--record-times")
        table = lines[lines.index("suite           tests   seconds       CPU") :]
        self.assertEqual([line.split()[:2] for line in table[1:3]], [["one", "2"], ["all", "2"]])
        self.assertEqual(table[4].split()[1:], ["s", "tests.suites.one.test_one.Case.test_slow"])
        self.assertGreater(float(table[4].split()[0]), 0.2)
        times = json.loads((self.root / "tests/runner/seconds.json").read_text())
        self.assertEqual(list(times), ["e2e.test_calls", "one.test_one"])
        self.assertGreater(times["one.test_one"], 0.2)

    def test_processor_time(self) -> None:
        """The processor time of a suite includes all its processes."""
        self.add_suite(
            "one",
            """
            def test_1(self):
                work = "import time\\nwhile time.process_time() < 0.5: pass"
                subprocess.run([sys.executable, "-c", work], check=True)
            """,
        )
        lines = self.assert_sums("1 passed, 0 failed", "one")
        line = next(line for line in lines if line.startswith("== one: "))
        self.assertGreater(float(line.split()[-2]), 0.5)

    def test_ended(self) -> None:
        """If the runner is terminated, its suites are terminated too, and the tests that had passed still count."""
        self.add_suite(
            "one",
            f"""
            def test_1(self): pass
            def test_2(self):
                open({str(self.root / "new")!r}, "w").write(str(os.getpid()))
                os.rename({str(self.root / "new")!r}, {str(self.root / "child")!r})
                time.sleep(600)
            """,
        )
        command = [sys.executable, str(RUN), "--root", str(self.root), "one"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            while not (self.root / "child").exists():
                time.sleep(0.01)
            process.terminate()
            output, _ = process.communicate(timeout=60)
        lines = output.splitlines()
        self.assertIn("failed: one: interrupted", lines)
        self.assertEqual((process.returncode, lines[-1]), (1, "1 passed, 1 failed"))
        self.assert_gone()

    def test_one_test(self) -> None:
        """A dotted name runs that test alone."""
        self.add_tests("tests/unit/test_a.py", "def test_one(self): pass\ndef test_two(self): self.fail()")
        self.assert_sums("1 passed, 0 failed", "tests.unit.test_a.Case.test_one")

    def test_reactor(self) -> None:
        """The peer's suite runs on the asyncio reactor."""
        self.add("tests/suites/peer/__init__.py", "")
        self.add_tests(
            "tests/suites/peer/test_a.py",
            """
            def test_one(self):
                from twisted.internet import reactor
                self.assertIn("asyncio", type(reactor).__module__)
            """,
        )
        self.assert_sums("1 passed, 0 failed", "peer")

    def test_checkout_is_hidden(self) -> None:
        """Nothing but the tests can be imported from the checkout, so that the installed package is tested."""
        self.add("sources_of_something/__init__.py", "")
        self.add("tests/helper.py", "")
        self.add_tests(
            "tests/unit/test_a.py",
            """
            def test_one(self):
                import tests.helper
                self.assertRaises(ImportError, __import__, "sources_of_something")
                self.assertRaises(ImportError, __import__, "trial_suite")
            """,
        )
        self.assert_sums("1 passed, 0 failed")

    def test_unknown_name(self) -> None:
        """A name that is neither a suite nor a test is an error."""
        status, lines = self.run_tests("nonsense")
        self.assertEqual((status, lines), (1, ["run.py: there is no suite or test named nonsense."]))
