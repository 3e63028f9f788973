"""Serves the game of this folder, and starts a signald without TLS for it: `python examples/game/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local_server import serve_application

sys.exit(serve_application(Path(__file__).parent))
