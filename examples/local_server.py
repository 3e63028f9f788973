"""Starts signald without TLS on this machine, for the examples beside this file."""

from __future__ import annotations

import argparse
import collections
import functools
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def local_server(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start signald, yield its process and the URL of its page, and stop it at the end.

    Arguments:
        options: options of the command `signald`, such as `--port`.

    Raises:
        SystemExit: signald did not start; its output is the reason.

    """
    here = Path(sys.executable).parent / "signald"
    command = [str(here) if here.exists() else shutil.which("signald") or "signald", "--no-tls", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 # signald itself
        lines: list[str] = []
        # A pipe that nobody reads would stop the server once it is full.
        reader = threading.Thread(target=collections.deque, args=(process.stdout, 0))
        try:
            for line in process.stdout or ():
                lines.append(line)
                if found := re.search(r"listening: http on port (\d+)", line):
                    break
            else:
                raise SystemExit("".join(lines))
            reader.start()
            yield process, f"http://localhost:{found[1]}/"
        finally:
            process.terminate()
            if reader.is_alive():
                reader.join()


def run_beside_server(program: Path, interpreter: Sequence[str] = (sys.executable,)) -> int:
    """Start a server, and a program with the URL of its page; return the program's exit status.

    Arguments:
        program: the program.
        interpreter: the command that runs it.

    """
    parser = argparse.ArgumentParser(description=f"Starts a signald on this machine, and {program.name} with it.")
    parser.add_argument("--server-port", type=int, default=9000, help="the port of signald")
    port = parser.parse_args().server_port
    with (
        local_server("--port", str(port)) as (_, url),
        subprocess.Popen([*interpreter, str(program), url]) as process,  # noqa: S603 # the example itself
    ):
        try:
            return process.wait()
        except KeyboardInterrupt:
            # A terminal interrupts the program as well; a signal to this process alone is passed on.
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            process.send_signal(signal.SIGINT)
            return process.wait()


class Files(SimpleHTTPRequestHandler):
    """Serves the files of a folder, without a log."""

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def serve_application(folder: Path, option: str = "--allow-origin") -> int:
    """Serve the page in a folder, and start a server that allows it; return the server's exit status.

    Arguments:
        folder: the folder with `index.html`.
        option: the option of the command `signald` that allows the page's origin.

    """
    parser = argparse.ArgumentParser(description="Serves the page beside this file, and starts a signald for it.")
    parser.add_argument("--port", type=int, default=8000, help="the port of the page")
    parser.add_argument("--server-port", type=int, default=9000, help="the port of signald")
    options = parser.parse_args()
    handler = functools.partial(Files, directory=folder)
    with ThreadingHTTPServer(("localhost", options.port), handler) as application:
        threading.Thread(target=application.serve_forever, daemon=True).start()
        url = f"http://localhost:{application.server_port}"
        with local_server("--port", str(options.server_port), option, url) as (signald, server):
            sys.stdout.write(f"Open {url}/?server={server}\n")
            sys.stdout.flush()
            try:
                signald.wait()
            except KeyboardInterrupt:
                signald.terminate()
        application.shutdown()
    return signald.returncode
