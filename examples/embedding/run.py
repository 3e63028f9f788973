"""Serves the page of docs/embedding.md, and starts a signald that it may embed: `python examples/embedding/run.py`."""

from __future__ import annotations

import argparse
import functools
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Files(SimpleHTTPRequestHandler):
    """Serves the files of this folder, without a log."""

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def main() -> int:
    """Run both until signald ends or Ctrl-C; return signald's exit status."""
    parser = argparse.ArgumentParser(description="Starts a page with a call in it, and a signald for it.")
    parser.add_argument("--port", type=int, default=8000, help="the port of the page")
    parser.add_argument("--server-port", type=int, default=9000, help="the port of signald")
    options = parser.parse_args()
    handler = functools.partial(Files, directory=Path(__file__).parent)
    with ThreadingHTTPServer(("localhost", options.port), handler) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        url = f"http://localhost:{page.server_port}"
        here = Path(sys.executable).parent / "signald"
        command = [str(here) if here.exists() else shutil.which("signald") or "signald"]
        command += ["--no-tls", "--port", str(options.server_port), "--embed-origin", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as signald:  # noqa: S603 # signald itself
            lines = []
            try:
                for line in signald.stdout or ():
                    lines.append(line)
                    if found := re.search(r"listening: http on port (\d+)", line):
                        sys.stdout.write(f"Open {url}/?server=http://localhost:{found[1]}/\n")
                        sys.stdout.flush()
            except KeyboardInterrupt:
                signald.terminate()
        page.shutdown()
    if signald.returncode:
        sys.stdout.write("".join(lines))
    return signald.returncode


if __name__ == "__main__":
    sys.exit(main())
