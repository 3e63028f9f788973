"""Plays the scripts with each client."""

from __future__ import annotations

import json
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from codegen.node_tools import run_tool
from signald.page.bundle import find_compiler, make_bundle, make_call_bundle
from tests.behaviours.play import play

__all__ = ["CLIENTS", "read_scripts"]

HERE = Path(__file__).parent
SCRIPTS = HERE / "scripts"


class CompactJson:
    """JSON as the other clients write it: a client's bounds are in bytes."""

    def dumps(self, value: Any) -> str:
        """Return the text of a value."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def loads(self, text: str) -> Any:
        """Return the value of a text."""
        return json.loads(text)


def read_scripts() -> dict[str, Any]:
    """Return every script by its name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(SCRIPTS.glob("*.json"))}


def play_python(scripts: list[Any]) -> Any:
    """Play the scripts with the Python client."""
    return play(scripts, CompactJson())


def play_page(scripts: list[Any]) -> Any:
    """Play the scripts with the page's client: its bytecode, in its runtime."""
    sources, compiler = (files("signald_page"), files("signald_client")), find_compiler()
    bundles = {"bundle.bin": make_bundle(*sources, compiler), "call.bin": make_call_bundle(*sources, compiler)}
    with tempfile.TemporaryDirectory() as directory, as_file(files("signald_page") / "vendor") as vendor:
        paths = [Path(directory, name) for name in bundles]
        for path in paths:
            path.write_bytes(bundles[path.name])
        arguments = (vendor / "micropython.mjs", HERE / "play.py", *paths)
        return json.loads(run_tool(HERE / "play_page.mjs", *arguments, directory=HERE, text=json.dumps(scripts)))


def play_javascript(scripts: list[Any]) -> Any:
    """Play the scripts with the JavaScript client as it is served."""
    with as_file(files("signald_client") / "js" / "client.mjs") as module:
        return json.loads(run_tool(HERE / "play.mjs", module, directory=HERE, text=json.dumps(scripts)))


CLIENTS = {"Python": play_python, "page": play_page, "JavaScript": play_javascript}
"""Plays scripts, by the name of the client: takes the scripts, and returns the results of each step of each script."""
