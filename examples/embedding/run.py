"""Serves the page of docs/embedding.md, and starts a signald that it may embed: `python examples/embedding/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local_server import serve_application

sys.exit(serve_application(Path(__file__).parent, "--embed-origin"))
