"""Starts a signald on this machine, and the chat of this folder: `python examples/chat-asyncio/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local_server import run_beside_server

sys.exit(run_beside_server(Path(__file__).with_name("chat.py")))
