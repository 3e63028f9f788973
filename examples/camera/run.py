"""Starts a signald on this machine, and the camera of this folder: `python examples/camera/run.py`.

GStreamer's bindings belong to the system's Python, which therefore runs the camera.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from local_server import run_beside_server

sys.exit(run_beside_server(Path(__file__).with_name("camera.py"), ("/usr/bin/python3",)))
