"""The settings of a session."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.errors import ErrorCode, SignalError
from signald.core.messages import Traits


@frozen
class Settings:
    """The settings that a session's host chose.

    Attributes:
        capacity: the most members.
        label: the session's name.
        password: the hash of the password that those who join have to give; None without one.
        lobby: whether the host has to admit each guest.
        succession: whether the longest-standing guest becomes the host when the host leaves.
        keep: whether the session is kept after its end, so that the holder of the host key can reopen it.
        relay_only: whether all media goes through TURN servers; it cannot change while the session is open.
        locked: whether nobody can join.

    """

    capacity: int = 2
    label: str | None = None
    password: str | None = field(default=None, repr=False)
    lobby: bool = False
    succession: bool = False
    keep: bool = False
    relay_only: bool = False
    locked: bool = False

    def check_relay(self, traits: Traits) -> None:
        """Check that a client connects as this session demands.

        Raises:
            SignalError: `relay-needed`.

        """
        if self.relay_only and not traits.relays:
            raise SignalError(ErrorCode.RELAY_NEEDED)
