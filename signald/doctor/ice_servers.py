"""The STUN and TURN servers of the configuration, with the credentials to ask each with."""

from __future__ import annotations

from collections.abc import Iterator

from signald.config import Config
from signald.doctor.allocation import Credentials
from signald.doctor.relays import IceTarget, read_ice_url

__all__ = ["ice_targets"]


def ice_targets(config: Config, now: float) -> Iterator[tuple[IceTarget, bool]]:
    """Each URL, and whether its credentials are made of the shared secret.

    Arguments:
        config: the configuration.
        now: wall time, seconds since the epoch.

    """
    for server in config.ice.servers:
        credentials = None
        if server.username is not None and server.credential is not None:
            credentials = Credentials(server.username, server.credential)
        for url in server.urls:
            yield read_ice_url(url, credentials), False
