"""Lists the STUN and TURN servers of the configuration, each with the credentials that the doctor uses."""

from __future__ import annotations

import math

from signald.config.settings import Ice
from signald.config.turn_secret import read_turn
from signald.core.turn import credentials
from signald.doctor.allocation import Credentials
from signald.doctor.ice_targets import IceTarget, read_ice_url

__all__ = ["given_targets", "minted_targets"]

_NAME = "signald-doctor"
"""The name in the doctor's TURN credentials; no user has a reference of this form."""


def given_targets(settings: Ice) -> list[IceTarget]:
    """Return the servers of the setting `ice.servers`, with the credentials that the configuration holds for them."""
    found: list[IceTarget] = []
    for server in settings.servers:
        given = None
        if server.username is not None and server.credential is not None:
            given = Credentials(server.username, server.credential)
        found += [read_ice_url(url, given) for url in server.urls]
    return found


def minted_targets(settings: Ice, now: float) -> list[IceTarget]:
    """Return the TURN servers that share a secret with signald, with credentials derived from it as for a member.

    Arguments:
        settings: the section `ice`.
        now: the wall time in seconds since the epoch.

    Raises:
        ConfigError: the secret cannot be used.

    """
    turn = read_turn(settings)
    if turn is None:
        return []
    user, credential = credentials(turn.secret, _NAME, math.ceil(now + turn.seconds))
    return [read_ice_url(url, Credentials(user, credential)) for url in turn.urls]
