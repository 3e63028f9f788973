"""A running daemon imports no further modules, since an upgrade may have replaced their files on disk."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.preloading import LATE_MODULES
from tests.suites.e2e.program import SCRIPTS, Program, run
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient

#: The seconds for one step of the daemon.
PATIENCE = 10.0

#: Python source that runs the daemon, and writes a line of the imported modules for each byte from a pipe, and last.
WATCHED = """
import json, os, sys, threading
questions, answers = int(sys.argv.pop(1)), int(sys.argv.pop(1))
def tell():
    os.write(answers, json.dumps(sorted(sys.modules)).encode() + b"\\n")
def answer():
    while os.read(questions, 1):
        tell()
threading.Thread(target=answer, daemon=True).start()
end = os._exit
def tell_and_end(status):
    tell()
    end(status)
os._exit = tell_and_end
from signald.main import main
main()
"""


class Allowing(http.server.BaseHTTPRequestHandler):
    """Handles the requests of a webhook that allows every operation."""

    def do_POST(self) -> None:
        """Respond to a request."""
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"allow":true}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Write no log."""


class PreloadingTests(SynchronousTestCase):
    """Tests of one daemon with every feature that it may use at run time."""

    def setUp(self) -> None:
        """Start a webhook, and a daemon with all features configured."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        webhook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Allowing)
        threading.Thread(target=webhook.serve_forever, daemon=True).start()
        self.addCleanup(webhook.server_close)
        self.addCleanup(webhook.shutdown)
        self.secret = self.directory / "secret"
        self.secret.write_text("s" * 64)
        self.secret.chmod(0o600)
        self.file = self.directory / "signald.toml"
        self.write_settings(f"http://localhost:{webhook.server_port}/")
        requests, self.requests = os.pipe()
        answer, tell = os.pipe()
        self.addCleanup(os.close, self.requests)
        self.program = Program(
            [sys.executable, "-c", WATCHED, str(requests), str(tell), "--config", self.file],
            environment={"HOME": str(self.directory)},
            descriptors=(requests, tell),
        )
        self.addCleanup(self.program.stop, signal.SIGKILL)
        os.close(requests)
        os.close(tell)
        self.answers = os.fdopen(answer)
        self.addCleanup(self.answers.close)
        self.port = int(self.program.wait_for(r"listening: https on port (\d+)", PATIENCE)[1])
        self.operations = int(self.program.wait_for(r"operations: http on port (\d+)", PATIENCE)[1])
        self.program.wait_for("Open ", PATIENCE)

    def write_settings(self, url: str) -> None:
        """Write the configuration file."""
        secret = json.dumps(str(self.secret))
        self.file.write_text(
            f'port = 0\ninterface = "127.0.0.1"\ndata_dir = "data"\ndrain_seconds = 1\n'
            f'[tokens]\nsecret_file = {secret}\n[webhook]\nurl = "{url}"\nsecret_file = {secret}\n'
            f"[operations]\nport = 0\nadmin_token_file = {secret}\n"
            f'[ice]\nturn_urls = ["turn:turn.example.org"]\nturn_secret_file = {secret}\n'
        )

    def modules(self) -> set[str]:
        """Return the modules that the daemon has imported so far."""
        os.write(self.requests, b"?")
        return set(json.loads(self.answers.readline()))

    def reload(self, line: str) -> None:
        """Reload the configuration, and wait until the log has a line about the reload."""
        os.kill(self.program.process.pid, signal.SIGHUP)
        self.program.wait_for(line, PATIENCE)

    def request(self, path: str, method: str = "GET", token: str | None = None) -> int:
        """Send a request to the operator's listener, and return the status of the response."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}", "X-Signald-Confirm": "drain"}
        connection = http.client.HTTPConnection("127.0.0.1", self.operations, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            return connection.getresponse().status

    def meet(self) -> None:
        """Open a session with a token, the webhook and a password; join it with a wrong password and the right one."""
        command: list[str | Path] = [
            SCRIPTS / "signald",
            "token",
            "--user",
            "ann",
            "--role",
            "host",
            "--config",
            self.file,
        ]
        token = run(command).stdout.strip()
        host, guest = (NativeClient(self.port, tls=True) for _ in range(2))
        self.addCleanup(host.close)
        self.addCleanup(guest.close)
        self.assertEqual(host.greet(token=token)["type"], "welcome")
        self.assertEqual(guest.greet(token="x" * 40)["type"], "error")
        self.assertEqual(guest.greet()["type"], "welcome")
        session = host.request("open", password="pw")["session"]
        self.assertEqual(guest.request("join", session=session, password="no")["code"], "wrong-password")
        self.assertEqual(guest.request("join", session=session, password="pw")["type"], "joined")

    def fail_to_meet(self) -> None:
        """Assert that a session cannot be opened while the webhook is unreachable."""
        host = NativeClient(self.port, tls=True)
        self.addCleanup(host.close)
        host.greet()
        self.assertEqual(host.request("open")["code"], "decision-unavailable")

    def test_nothing_is_imported_after_the_start(self) -> None:
        """Reloads, passwords, tokens, webhook, metrics, admin page and drain import no module after the start."""
        # The module that is imported last imports no others: once it is loaded, the preloading is complete.
        before = until(
            lambda: found if set(LATE_MODULES) <= (found := self.modules()) else None, PATIENCE, "preloading"
        )
        good = self.file.read_text()
        token = self.secret.read_text()

        def fail() -> None:
            self.file.write_text(good + "[limits]\nmessage_bytes = 1\n")
            self.reload("the configuration was kept")

        def change() -> None:
            origin = 'allow_origins = ["https://bücher.example"]\n'
            self.file.write_text(origin + good.replace("http://localhost:", "https://localhost:"))
            self.reload("the configuration was read; new: allow_origins, webhook.url")

        steps: dict[str, Callable[[], object]] = {
            "meeting": self.meet,
            "failing reload": fail,
            "good reload": change,
            "webhook without TLS": self.fail_to_meet,
            "metrics": lambda: self.assertEqual(self.request("/metrics"), 200),
            "health": lambda: self.assertEqual((self.request("/healthz"), self.request("/readyz")), (200, 200)),
            "nothing": lambda: self.assertEqual(self.request("/nothing"), 404),
            "admin": lambda: self.assertEqual((self.request("/admin"), self.request("/admin/state")), (200, 401)),
            "state": lambda: self.assertEqual(self.request("/admin/state", token=token), 200),
            "drain": lambda: self.assertEqual(self.request("/admin/drain", "POST", token), 200),
        }
        imported = dict[str, list[str]]()
        for name, step in steps.items():
            step()
            if new := self.modules() - before:
                imported[name] = sorted(new)
                before |= new
        self.assertEqual(self.program.wait(PATIENCE), 0)
        if new := set(json.loads(self.answers.readline())) - before:
            imported["end"] = sorted(new)
        self.assertEqual(imported, {})
        self.assertEqual(self.program.faults, [])
