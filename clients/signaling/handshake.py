"""The handshake of a connection: `hello` or `resume`, and the identity that a resume proves with its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .events import StoreIdentity

if TYPE_CHECKING:
    from typing import Any, Protocol

    class Connected(Protocol):
        """Source of the users with whom an edge still has its peer connections."""

        def __call__(self) -> list[str]:
            """Return their ids."""

    from .wire import Codec, Value

__all__ = ["HANDSHAKE_ID", "TRANSIENT_ERRORS", "VERSION", "Handshake"]

VERSION = 1
"""Version of the signaling protocol."""

HANDSHAKE_ID = "greeting"
"""Request id of `hello` and `resume`."""

TRANSIENT_ERRORS = ("internal-error", "going-away")
"""Errors of the handshake that the next attempt may not meet."""


class Handshake:
    """Makes the first request of each connection.

    Attributes:
        request: the latest `messages.Hello` or `messages.Resume`; None before the first.
        identity: the user and the secret to resume with; None where the server cannot resume.

    """

    def __init__(
        self,
        codec: Codec,
        instance: str,
        agent: str | None,
        features: list[str] | None,
        stored_identity: str | None,
        token: str | None,
    ) -> None:
        """Create the handshake of one client; the arguments are those of `SignalingClient`."""
        self.request: Any = None
        self.identity = _read_identity(stored_identity, codec)
        self._codec = codec
        self._instance = instance
        self._agent = agent
        self._features = features
        self._token = token

    def make_request(self, received_count: int, connected: list[str]) -> Any:
        """Return the request for a new connection.

        Arguments:
            received_count: messages of the server that have arrived.
            connected: the users with whom this client still has its peer connections.

        """
        if self.identity is None:
            self.request = messages.Hello(
                VERSION, agent=self._agent, features=self._features, instance=self._instance, token=self._token
            )
        else:
            self.request = messages.Resume(
                VERSION,
                self.identity[0],
                self.identity[1],
                self._instance,
                received_count,
                agent=self._agent,
                features=self._features,
                token=self._token,
                connected=connected,
            )
        self.request.id = HANDSHAKE_ID
        return self.request

    def adopt_identity(self, welcome: messages.Welcome) -> list[Value]:
        """Use the identity of a welcome from now on, and return the effect that stores or deletes it."""
        if welcome.secret is None:
            return self.forget_identity()
        self.identity = (welcome.user, welcome.secret)
        return [StoreIdentity(self._codec.dumps({"user": welcome.user, "secret": welcome.secret}))]

    def forget_identity(self) -> list[Value]:
        """Forget the identity, and return the effect that deletes it; an empty list where there was none."""
        if self.identity is None:
            return []
        self.identity = None
        return [StoreIdentity(None)]


def _read_identity(text: str | None, codec: Codec) -> tuple[str, str] | None:
    """Return user and secret in the text of a `StoreIdentity`; None when the text holds none."""
    try:
        plain = codec.loads(text or "null")
        return plain["user"], plain["secret"]
    except (KeyError, TypeError, ValueError):
        return None
