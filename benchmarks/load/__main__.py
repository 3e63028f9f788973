"""The process of the load generator: `python -m benchmarks.load OPTIONS`, where the options are one JSON object.

It connects its clients and prints `{}`. Then each line of its standard input is a command:

- `{"operations": N}`: a round of N operations; it prints as one line of JSON what the round measured;
- `{"grow": N}`: further clients, until there are N pairs;
- `{"settle": true}`: undo what a round left behind.

A command that failed prints `{"error": …}`, and the process ends. It also ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
from typing import Any

import uvloop

from benchmarks.load.sockets import LoadError
from benchmarks.load.wires import make_wire
from benchmarks.load.workloads import WORKLOADS, Target


def _tell(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _context(url: str) -> ssl.SSLContext | None:
    """Return a context that trusts any certificate: it is not what is measured."""
    if not url.startswith("wss:"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _serve(options: dict[str, Any]) -> None:
    wire = make_wire(options["wire"], resumable=options["resumable"], batched=options["batched"])
    target = Target(options["url"], _context(options["url"]), wire)
    workload = WORKLOADS[options["workload"]](target, **options["options"])
    loop = asyncio.get_running_loop()
    try:
        await workload.start()
        _tell({})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            if "grow" in command:
                await workload.grow(command["grow"])
                _tell({})
            elif "settle" in command:
                if hasattr(workload, "settle"):
                    await workload.settle()
                _tell({})
            else:
                _tell(await workload.run(command["operations"]))
    except* (LoadError, TimeoutError) as errors:
        _tell({"error": str(errors.exceptions[0])})


def main() -> None:
    """Run the load generator."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
