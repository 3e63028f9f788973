"""Tests that the quick run finds the changed files and the tests that depend on them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.imports import read_graph
from tests.runner.quick import (
    MEASURED,
    Choice,
    changed_paths,
    choose,
    clear_pending,
    last_green,
    pending,
    record_green,
    working_tree,
)
from tests.runner.times import read_times, write_times

RUN = Path(__file__).resolve().parents[2] / "run.py"


class QuickTestCase(SynchronousTestCase):
    """A checkout under git.

    Attributes:
        root: the directory of the checkout.

    """

    def setUp(self) -> None:
        """Write and commit a checkout."""
        self.root = Path(self.mktemp()).resolve()
        self.add(".gitignore", "/.checks/\n/_trial_temp*\n__pycache__/\n")
        self.add("signald/__init__.py", "")
        self.add("signald/ids.py", '"""Makes ids."""\n\nWIDTH = 3\n')
        self.add("signald/hub.py", '"""Is the hub."""\n\nfrom signald import ids\n\nWIDTH = ids.WIDTH\n')
        self.add("docs/protocol.md", "")
        self.add("tests/__init__.py", "")
        self.add("tests/unit/__init__.py", "")
        self.add_test("test_ids", "from signald.ids import WIDTH", "self.assertEqual(WIDTH, 3)")
        self.add_test("test_hub", "from signald.hub import WIDTH", "self.assertEqual(WIDTH, 3)")
        self.add_test("test_both", "from signald import hub, ids", "self.assertEqual(hub.WIDTH, ids.WIDTH)")
        self.add_test("test_document", "", "'protocol.md'")
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "Begin")
        (self.root / ".checks").mkdir()

    def git(self, *arguments: str) -> None:
        """Run git in the checkout."""
        subprocess.run(["git", *arguments], cwd=self.root, check=True)

    def add(self, path: str, text: str) -> None:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add_test(self, name: str, imports: str, body: str) -> None:
        """Write a module with one test."""
        text = f'''
            """Tests something."""

            from twisted.trial.unittest import SynchronousTestCase

            {imports}


            class Case(SynchronousTestCase):
                """Has one test."""

                def test_one(self) -> None:
                    """Holds."""
                    {body}
        '''
        self.add(f"tests/unit/{name}.py", textwrap.dedent(text).lstrip())


class ChangeTests(QuickTestCase):
    """The changes since the last green run are found."""

    def changed(self) -> list[str]:
        """Return the changed paths."""
        return [str(path) for path in changed_paths(self.root, working_tree(self.root))]

    def test_since_commit(self) -> None:
        """Before the first green run the changes are the differences from the last commit.

        Edited, new and removed files count.
        """
        self.assertEqual(self.changed(), [])
        self.add("signald/ids.py", "WIDTH = 4")
        self.add("signald/new.py", "")
        (self.root / "docs/protocol.md").unlink()
        self.assertEqual(self.changed(), ["docs/protocol.md", "signald/ids.py", "signald/new.py"])

    def test_since_green_run(self) -> None:
        """After a green run the changes are the differences from that run; a file that is restored counts too."""
        self.add("signald/ids.py", "WIDTH = 4")
        (self.root / ".checks/quick.tree").write_text(working_tree(self.root))
        self.assertEqual(self.changed(), [])
        self.add("signald/ids.py", '"""Makes ids."""\n\nWIDTH = 3\n')
        self.assertEqual(self.changed(), ["signald/ids.py"])

    def test_tree_is_gone(self) -> None:
        """If git has deleted the recorded tree, the quick run behaves as before the first green run."""
        (self.root / ".checks/quick.tree").write_text("0" * 40)
        self.assertEqual(self.changed(), [])

    def test_left_tests_stay_pending(self) -> None:
        """A green run that left tests records them beside its tree; a run of all unit tests ends their wait."""
        self.assertEqual(pending(self.root), [])
        tree = working_tree(self.root)
        record_green(self.root, tree, ["tests.unit.test_both", "tests.unit.test_hub"])
        self.assertEqual(pending(self.root), ["tests.unit.test_both", "tests.unit.test_hub"])
        self.assertEqual((last_green(self.root), self.changed()), (tree, []))
        clear_pending(self.root)
        self.assertEqual((last_green(self.root), pending(self.root)), (tree, []))

    def test_index_stays(self) -> None:
        """The quick run does not change what is staged in the index."""
        self.add("signald/new.py", "")
        working_tree(self.root)
        done = subprocess.run(["git", "status", "--short"], cwd=self.root, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "?? signald/new.py\n")


class ChoiceTests(QuickTestCase):
    """Tests are chosen for a change."""

    def choose(self, *changed: str, budget: float = 10.0, left: Sequence[str] = ()) -> Choice:
        """Choose tests within a time budget; each test takes a second."""
        tests = [f"tests.unit.{name}" for name in ("test_both", "test_document", "test_hub", "test_ids")]
        graph = read_graph(self.root)
        texts = {module: (self.root / file).read_text() for module, file in graph.files.items()}
        return choose(map(Path, changed), graph, tests, texts, dict.fromkeys(tests, 1.0), budget, left)

    def short(self, names: Sequence[str]) -> list[str]:
        """Return the last parts of names."""
        return [name.rpartition(".")[2] for name in names]

    def test_nearest_first(self) -> None:
        """The module's own test comes first, then the tests of its direct importers, then those of indirect ones."""
        self.assertEqual(self.short(self.choose("signald/ids.py").run), ["test_ids", "test_both", "test_hub"])
        self.assertEqual(self.short(self.choose("signald/hub.py").run), ["test_hub", "test_both"])

    def test_budget(self) -> None:
        """Tests that exceed the budget are left out, and the choice lists them."""
        choice = self.choose("signald/ids.py", budget=1.5)
        self.assertEqual(self.short(choice.run), ["test_ids"])
        self.assertEqual(self.short(choice.left), ["test_both", "test_hub"])

    def test_left_before(self) -> None:
        """Tests that an earlier run left are run as soon as the budget allows it, after those of the change."""
        left = ["tests.unit.test_both", "tests.unit.test_hub", "tests.unit.test_gone"]
        choice = self.choose("docs/protocol.md", budget=2.5, left=left)
        self.assertEqual(self.short(choice.run), ["test_document", "test_both"])
        self.assertEqual(self.short(choice.left), ["test_hub"])

    def test_changed_test(self) -> None:
        """A test module that changed itself is run even if it exceeds the budget."""
        self.assertEqual(self.short(self.choose("tests/unit/test_hub.py", budget=0.0).run), ["test_hub"])

    def test_other_files(self) -> None:
        """A change of a file that is not a module selects the tests that name the file."""
        self.assertEqual(self.short(self.choose("docs/protocol.md").run), ["test_document"])
        self.assertEqual(self.choose("docs/other.md"), Choice((), ()))

    def test_named_by_another_module(self) -> None:
        """A change of a file that is not a module selects the tests of the modules that name the file."""
        self.add("signald/ids.py", 'WIDTH = 3\nFILE = "words.txt"\n')
        self.assertEqual(self.short(self.choose("signald/words.txt").run), ["test_both", "test_ids", "test_hub"])

    def test_search(self) -> None:
        """A test that searches a directory for files is selected for such a file there, a module or not."""
        self.add_test("test_document", "", """list(Path("docs").glob("*.md")), list(Path("signald").rglob("*.py"))""")
        self.assertEqual(self.short(self.choose("docs/other.md").run), ["test_document"])
        self.assertEqual(self.short(self.choose("signald/hub.py").run), ["test_hub", "test_both", "test_document"])
        self.assertEqual(self.choose("docs/other.txt", "other/other.md", "codegen/other.py"), Choice((), ()))

    def test_script(self) -> None:
        """A change of what a script imports selects the tests that run the script by its file name or its module."""
        self.add("codegen/make.py", 'from signald import hub\n\nif __name__ == "__main__":\n    print(hub)\n')
        self.add("codegen/__main__.py", 'from signald import hub\n\nif __name__ == "__main__":\n    print(hub)\n')
        for name in ("'codegen/make.py'", "'codegen'"):
            self.add_test("test_document", "", name.replace("'", '"'))
            for changed in ("signald/hub.py", "signald/ids.py"):
                self.assertIn("test_document", self.short(self.choose(changed).run))

    def test_removed_module(self) -> None:
        """A removed module selects the tests of the modules that still import it."""
        (self.root / "signald/ids.py").unlink()
        self.assertEqual(set(self.short(self.choose("signald/ids.py").run)), {"test_ids", "test_both", "test_hub"})


class RunTests(QuickTestCase):
    """The quick command runs as a whole."""

    def run_quick(self) -> tuple[int, list[str]]:
        """Run the command, and return the exit status and the printed lines."""
        command = [sys.executable, str(RUN), "--quick", "--root", str(self.root)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    def test_until_green(self) -> None:
        """The checkout's own sources are tested, and a change is tested again in each run until its tests pass."""
        self.add("signald/ids.py", '"""Makes ids."""\n\nWIDTH = 4\n')
        for _ in range(2):
            status, lines = self.run_quick()
            self.assertEqual((status, lines[-1]), (1, "3 passed, 2 failed"), lines)
        self.add("signald/ids.py", '"""Makes ids, in threes."""\n\nWIDTH = 3\n')
        status, lines = self.run_quick()
        self.assertEqual((status, lines[-1]), (0, "5 passed, 0 failed"), lines)
        status, lines = self.run_quick()
        self.assertEqual((status, lines[-1]), (0, "0 passed, 0 failed"), lines)

    def test_measured_seconds(self) -> None:
        """A run measures the modules that it runs; one that took longer than the budget is left to the unit tests."""
        self.add("signald/ids.py", '"""Makes ids, in threes."""\n\nWIDTH = 3\n')
        self.run_quick()
        keys = {"unit.test_ids", "unit.test_hub", "unit.test_both"}
        self.assertEqual(set(read_times(self.root, MEASURED)), keys)
        write_times(self.root, dict.fromkeys(keys, 0.1) | {"unit.test_hub": 3600.0}, MEASURED)
        self.add("signald/ids.py", '"""Makes ids, of three characters."""\n\nWIDTH = 3\n')
        status, lines = self.run_quick()
        self.assertEqual(status, 0, lines)
        self.assertIn("Left to `make unit`, since they would take longer: test_hub.", lines)
        self.assertEqual(set(read_times(self.root, MEASURED)), keys)

    def test_lint(self) -> None:
        """A changed file that fails the linter or the formatter fails the run."""
        self.add("signald/hub.py", "import os\nWIDTH  = 3\n")
        status, lines = self.run_quick()
        self.assertEqual(status, 1)
        self.assertIn("failed: ruff check: ended with status 1", lines)
        self.assertIn("failed: ruff format: ended with status 1", lines)
