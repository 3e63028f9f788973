"""A STUN or TURN server, in a module of its own: the configuration needs it, and none of the messages."""

from __future__ import annotations

from attrs import field, frozen

__all__ = ["IceServer"]


@frozen
class IceServer:
    """A STUN or TURN server for clients (W3C `RTCIceServer`).

    Attributes:
        urls: `stun:`, `turn:` or `turns:` URIs (RFC 7064, RFC 7065).
        username: the TURN user name.
        credential: the TURN credential.
        expires: seconds for which the credential is valid; None when it does not expire.

    """

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)
    expires: float | None = None
