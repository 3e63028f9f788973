"""The scripted exchanges, played by every client of the protocol."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from codegen.schemas import schema
from tests.behaviours.clients import CLIENTS, play_python, read_scripts
from tests.behaviours.compare import find_differences


class BehaviourTests(SynchronousTestCase):
    """Each client answers each script as it is stated."""

    def setUp(self) -> None:
        """Read the scripts."""
        self.scripts = read_scripts()

    def check(self, client: str) -> None:
        """Play all scripts with a client."""
        self.assertEqual(list(find_differences(self.scripts, CLIENTS[client](list(self.scripts.values())))), [])

    def test_python(self) -> None:
        """The Python client, as `signald-peer` runs it."""
        self.check("Python")

    def test_page(self) -> None:
        """The page's client, in the page's MicroPython and from its bytecode."""
        self.check("page")

    def test_javascript(self) -> None:
        """The JavaScript client, in the oldest Node.js that it supports."""
        self.check("JavaScript")


class ScriptTests(SynchronousTestCase):
    """The scripts and their comparison."""

    def test_differences_are_found(self) -> None:
        """Any other result of any step is a difference."""
        script: dict[str, Any] = read_scripts()["resume-everything"]
        played = play_python([script])
        self.assertEqual(list(find_differences({"one": script}, played)), [])
        for number, step in enumerate(script["steps"]):
            for wrong in ([], [*step["then"], {"connect": 1}]):
                if wrong != step["then"]:
                    steps = [*script["steps"][:number], {**step, "then": wrong}, *script["steps"][number + 1 :]]
                    (found,) = find_differences({"one": {**script, "steps": steps}}, played)
                    self.assertIn(f"one, step {number + 1} ({step['do']})", found)

    def test_frames(self) -> None:
        """Every message that a client sends is valid by the JSON Schema of the protocol."""
        validator = Draft202012Validator(schema())
        request = validator.evolve(schema={"$ref": "#/$defs/request", "$defs": schema()["$defs"]})
        for name, script in read_scripts().items():
            for step in script["steps"]:
                for result in step["then"]:
                    if "send" in result and "pad" not in step:
                        errors = [error.message for error in request.iter_errors(result["send"])]
                        self.assertEqual(errors, [], f"{name}: {result}")

    def test_every_result(self) -> None:
        """The scripts lead to every effect, event and command of the clients."""
        found: set[str] = set()
        for script in read_scripts().values():
            for step in script["steps"]:
                for result in step["then"]:
                    found |= result.keys()
                    commands = [result["command"]] if "command" in result else result.get("negotiate", [0, 0, []])[2]
                    found |= {command["type"] for command in commands}
                    found.add(result.get("event", {}).get("type", ""))
        effects = {"send", "close", "connect", "store", "negotiate", "event", "command", "again", "todo"}
        events = {"refused", "invalid-message", "interrupted", "resumed", "dropped", "disconnected"}
        commands = {"create-and-set-local", "set-remote", "add-candidate", "restart-ice", "send-request"}
        commands |= {"flush-later", "negotiation-failed"}
        self.assertLessEqual(effects | events | commands, found)
