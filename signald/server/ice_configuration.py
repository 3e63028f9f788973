"""Applies the operator's STUN and TURN servers, at the start and again on a reload."""

from __future__ import annotations

import string

from attrs import define, field
from twisted.logger import Logger

from signald.config.secret_files import read_secret
from signald.config.tree import Ice
from signald.config.values import ConfigError
from signald.core.turn import MIN_SECRET_BYTES, Turn
from signald.server.switchboard import Switchboard

__all__ = ["IceConfiguration", "read_turn"]

_SECRET_BYTES = frozenset((string.ascii_letters + string.digits + string.punctuation).encode())


@define
class IceConfiguration:
    """Gives the switchboard the STUN and TURN servers of the configuration.

    Attributes:
        switchboard: sends the servers to the users.

    """

    switchboard: Switchboard
    _log: Logger = field(init=False, factory=Logger)

    def reload(self, settings: Ice) -> None:
        """Use these servers from now on; the file with the secret is read again.

        Raises:
            ConfigError: the secret cannot be used, and nothing has changed.

        """
        turn = read_turn(settings)
        hub = self.switchboard.hub.ice
        if (settings.servers, turn, settings.relay_only) == (hub.servers, self.switchboard.turn, hub.relay_only):
            return
        self.switchboard.reload_ice_servers(settings.servers, turn, settings.relay_only)
        self._log.info(
            "ICE: {servers} servers for everybody, {turn} TURN URLs for members, {policy}",
            event="ice-configured",
            servers=len(settings.servers),
            turn=len(settings.turn_urls),
            policy="relayed paths alone" if settings.relay_only else "any path",
        )


def read_turn(settings: Ice) -> Turn | None:
    """Read the TURN servers that credentials are made for; None where none is configured.

    Raises:
        ConfigError: the file with the secret cannot be read, is readable for others, or holds no usable secret.

    """
    if settings.turn_secret_file is None:
        return None
    secret = read_secret(settings.turn_secret_file)
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} has {len(secret)} characters; it needs at least"
            f" {MIN_SECRET_BYTES}, since any member can test guesses on a credential. `openssl rand -hex 32` makes a"
            " usable one."
        )
    if not _SECRET_BYTES.issuperset(secret):
        # coturn's configuration file cannot hold it as it is.
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} contains spaces or characters other than ASCII;"
            " `openssl rand -hex 32` makes a usable one."
        )
    return Turn(settings.turn_urls, secret, settings.turn_seconds)
