"""Writes every generated file and prints its name."""

from __future__ import annotations

import sys

from codegen import client_messages, configuration, dashboard, javascript_client, monitoring, schemas

for _path in (
    *client_messages.write(),
    *javascript_client.write(),
    *schemas.write(),
    *configuration.write(),
    *monitoring.write(),
    *dashboard.write(),
):
    sys.stdout.write(f"{_path.name} is up to date.\n")

# The tables import the client's modules, which import the messages that the statements above generate.
from codegen import mistakes, tables  # noqa: E402

for _path in (*tables.write(), *mistakes.write()):
    sys.stdout.write(f"{_path.name} is up to date.\n")
