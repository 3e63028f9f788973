"""A bare forwarder on websockets and uvloop: `python -m benchmarks.peers.websockets_forwarder [CERTIFICATE KEY]`.

It tells each connection its id, and forwards `{"to": id, …}` with `from` in place of `to`. It has no limits, no checks,
no pings and no compression: it is a floor, not a product.
"""

from __future__ import annotations

import secrets
import sys

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.forwarder import announce_port, run, server_context

_clients: dict[str, ServerConnection] = {}


async def _client(connection: ServerConnection) -> None:
    own = secrets.token_hex(16)
    _clients[own] = connection
    try:
        await connection.send(orjson.dumps({"id": own}), text=True)
        async for data in connection:
            message = orjson.loads(data)
            to = message.pop("to")
            message["from"] = own
            if (receiver := _clients.get(to)) is not None:
                await receiver.send(orjson.dumps(message), text=True)
    except ConnectionClosed:
        pass
    finally:
        del _clients[own]


async def _serve() -> None:
    context = server_context(sys.argv[1:])
    async with serve(_client, "127.0.0.1", 0, ssl=context, ping_interval=None, compression=None) as server:
        announce_port(next(iter(server.sockets)))
        await server.serve_forever()


if __name__ == "__main__":
    run(_serve)
