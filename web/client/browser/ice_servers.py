"""Configures peer connections without those ICE servers that the browser refuses.

A browser refuses a whole configuration for one server that it does not support (WebRTC 1.0 §4.4.1.6, "set a
configuration"): Firefox refuses `stuns:`, for instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, construct

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["with_usable_servers"]


def with_usable_servers(
    action: Callable[[dict[str, Any]], Any], configuration: dict[str, Any], log: Callable[[str], None]
) -> Any:
    """Return the result of an action that uses a configuration; if it throws, repeat it without the refused servers.

    Arguments:
        action: creates or configures a connection.
        configuration: W3C `RTCConfiguration`; the refused servers are removed from it.
        log: receives a line for each refusal.

    Raises:
        BrowserError: the browser refuses for another reason, such as too many connections.

    """
    try:
        return action(configuration)
    except BrowserError as error:
        log(f"RTCPeerConnection: {error.name}: {error.message}")
    configuration["iceServers"] = _usable_servers(configuration["iceServers"], log)
    return action(configuration)


def _usable_servers(servers: list[dict[str, Any]], log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the W3C `RTCIceServer` dicts, without the URLs that this browser refuses; `log` receives their schemes."""
    usable = []
    for server in servers:
        urls = []
        for url in server["urls"]:
            if _accepts(dict(server, urls=[url])):
                urls.append(url)
            else:
                log("ice-server-refused: " + url.split(":")[0])
        if urls:
            usable.append(dict(server, urls=urls))
    return usable


def _accepts(server: dict[str, Any]) -> bool:
    """Return whether the browser creates a connection with this server alone."""
    try:
        call(construct("RTCPeerConnection", {"iceServers": [server]}), "close")
    except BrowserError:
        return False
    return True
