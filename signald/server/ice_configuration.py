"""The operator's STUN and TURN servers: taken up at the start, and again while running."""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

from signald.config.tree import Ice
from signald.config.turn_secret import read_turn
from signald.server.switchboard import Switchboard

__all__ = ["IceConfiguration"]


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
