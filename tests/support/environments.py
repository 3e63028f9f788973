"""Environments with different versions of signald side by side, behind a symbolic link that a test turns.

Each has a copy of the package with another version number, and a script `bin/signald`; they share an interpreter and
the dependencies. A script can end itself, or the process that it takes over from, at a step of the hand-over that the
test names.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import signald
from tests.support.wheels import set_version

STEPS = ("start", "state", "restored", "accepting")
"""The steps at which a process can be killed: before anything is loaded; when the whole state has arrived and nothing
of it is restored; when it is restored and nobody knows; when the running process may know that."""

_SCRIPT = """#!{interpreter}
import json, os, pathlib, signal, sys
sys.path.insert(0, {library!r})
fault = pathlib.Path({fault!r})
step, victim = json.loads(fault.read_text()) if fault.exists() else (None, None)

def reach(name):
    if name == step and "HANDOVER_SOCKET" in os.environ:
        os.kill(os.getpid() if victim == "successor" else os.getppid(), signal.SIGKILL)

if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
    step = None  # a command, not the daemon
reach("start")
from signald.lifecycle import handover_channel, predecessor
take, send = predecessor.Takeover._take, handover_channel.Channel.send

def take_at_step(self, *arguments):
    reach("state")
    take(self, *arguments)

def send_at_step(self, message, body=b""):
    if isinstance(message, handover_channel.Accepting):
        reach("restored")
    send(self, message, body)
    if isinstance(message, handover_channel.Accepting):
        reach("accepting")

predecessor.Takeover._take, handover_channel.Channel.send = take_at_step, send_at_step
from signald.main import main
main()
"""


class Environments:
    """Several environments in a directory.

    Attributes:
        script: the path of the command, through the symbolic link.

    """

    def __init__(self, directory: Path) -> None:
        """Create no environment yet."""
        self._directory = directory
        self._link = directory / "current"
        self._fault = directory / "fault.json"
        self.script = self._link / "bin" / "signald"

    def install(self, version: str) -> None:
        """Copy signald with another version number."""
        target = self._directory / version
        library = target / "lib"
        package = Path(signald.__file__).parent
        # With its bytecode, whose check by time of change holds for the copies: a start is as fast as that of a wheel.
        shutil.copytree(package, library / "signald")
        set_version(library / "signald", version)
        script = target / "bin" / "signald"
        script.parent.mkdir()
        script.write_text(
            _SCRIPT.format(interpreter=sys.executable, library=str(library), fault=str(self._fault)), "utf-8"
        )
        script.chmod(0o755)

    def use(self, version: str) -> None:
        """Turn the symbolic link to an environment."""
        new = self._link.with_name("next")
        new.symlink_to(version)
        new.replace(self._link)

    def kill_at(self, step: str, victim: str) -> None:
        """Have the next successor kill itself (`successor`) or the running process (`predecessor`) at a step."""
        self._fault.write_text(json.dumps([step, victim]))

    def kill_nobody(self) -> None:
        """Have the next successor do its work."""
        self._fault.unlink(missing_ok=True)
