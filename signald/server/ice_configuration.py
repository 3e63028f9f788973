"""Applies the operator's STUN and TURN servers, at the start and again on a reload."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import define, field
from twisted.logger import Logger

from signald.config.settings import Ice
from signald.config.turn_secret import read_turn
from signald.core.turn import Turn
from signald.server.switchboard import Switchboard

__all__ = ["IceConfiguration"]


@define
class IceConfiguration:
    """Gives the switchboard the STUN and TURN servers of the configuration.

    Attributes:
        switchboard: sends the servers to the users.

    """

    switchboard: Switchboard
    _log: Logger = field(init=False, factory=Logger)

    def prepare(self, settings: Ice) -> Callable[[], None]:
        """Read the file with the secret, and return the function that uses these servers from then on.

        Raises:
            ConfigError: the secret cannot be used.

        """
        return partial(self._apply, settings, read_turn(settings))

    @property
    def counts(self) -> tuple[int, int]:
        """Return the numbers of TURN URLs in force, and of credentials that were made for members."""
        turn = self.switchboard.turn
        return 0 if turn is None else len(turn.urls), self.switchboard.turn_credentials

    def _apply(self, settings: Ice, turn: Turn | None) -> None:
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
