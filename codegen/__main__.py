"""Writes every file that is made from the code, and names it."""

from __future__ import annotations

import sys

from codegen import client_messages, configuration, dashboard, monitoring, schemas

for _path in (
    *client_messages.write(),
    *schemas.write(),
    *configuration.write(),
    *monitoring.write(),
    *dashboard.write(),
):
    sys.stdout.write(f"{_path.name} is up to date.\n")

# The tables show what the client's modules hold, which need the messages.
from codegen import tables  # noqa: E402

for _path in tables.write():
    sys.stdout.write(f"{_path.name} is up to date.\n")
