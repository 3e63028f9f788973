"""Who must show a token, in a module of its own: the configuration needs it, and none of the messages."""

from __future__ import annotations

from enum import Enum

__all__ = ["TokenNeed"]


class TokenNeed(Enum):
    """Which clients need a token."""

    NOBODY = "nobody"
    HOSTS = "hosts"
    EVERYONE = "everyone"
