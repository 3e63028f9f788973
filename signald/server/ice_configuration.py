"""The operator's STUN and TURN servers: taken up at the start, and again while running."""

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
    """Gives the switchboard its servers.

    Attributes:
        switchboard: tells the users.

    """

    switchboard: Switchboard
    _log: Logger = field(init=False, factory=Logger)

    def configure(self, settings: Ice) -> None:
        """Use these servers from now on; the secret's file is read again.

        Raises:
            ConfigError: the secret cannot be used; then nothing changes.

        """
        turn = read_turn(settings)
        hub = self.switchboard.hub.ice
        if (settings.servers, turn, settings.relay_only) == (hub.servers, self.switchboard.turn, hub.relay_only):
            return
        self.switchboard.configure_ice(settings.servers, turn, settings.relay_only)
        self._log.info(
            "ICE: {servers} servers for everybody, {turn} TURN URLs for members, {policy}",
            event="ice-configured",
            servers=len(settings.servers),
            turn=len(settings.turn_urls),
            policy="relayed paths alone" if settings.relay_only else "any path",
        )


def read_turn(settings: Ice) -> Turn | None:
    """The TURN servers that credentials are made for; None where there are none.

    Raises:
        ConfigError: the secret's file cannot be read, is open to others, or holds no secret of this kind.

    """
    if settings.turn_secret_file is None:
        return None
    secret = read_secret(settings.turn_secret_file)
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} is too short: at least {MIN_SECRET_BYTES} characters,"
            " since any member can try secrets on a credential. `openssl rand -hex 32` makes one."
        )
    if not _SECRET_BYTES.issuperset(secret):
        # coturn's configuration file cannot hold it as it is.
        raise ConfigError(f"The secret in {settings.turn_secret_file} has characters other than ASCII, or spaces.")
    return Turn(settings.turn_urls, secret, settings.turn_seconds)
