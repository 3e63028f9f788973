"""What the consent to remote control has the program do, as plain values."""

from __future__ import annotations

from typing import Any

from attrs import frozen

__all__ = ["AskUser", "ControlEnded", "ControlStarted", "Effect", "Inject", "ReleaseAll", "Send", "WithdrawQuestion"]


@frozen
class Send:
    """Send a message to a viewer.

    Attributes:
        connection: the number of the peer connection.
        message: the message, as JSON values.

    """

    connection: int
    message: dict[str, Any]


@frozen
class AskUser:
    """Ask the user of this computer whether a viewer may control it.

    Attributes:
        question: the question's number.
        connection: the number of the viewer's peer connection.
        name: the viewer's name; empty for none.
        verified: whether the connection is verified.

    """

    question: int
    connection: int
    name: str
    verified: bool


@frozen
class WithdrawQuestion:
    """Stop asking, since the answer would have no effect any more."""

    question: int


@frozen
class ControlStarted:
    """Show that a viewer controls the computer, and start to watch its own devices."""

    connection: int
    name: str


@frozen
class ControlEnded:
    """Release everything, and stop showing that the computer is controlled."""

    connection: int
    name: str
    reason: str


@frozen
class Inject:
    """Pass an event to the X server.

    Attributes:
        event: one of `Pointer`, `Button`, `Wheel`, `Key`, `Hold`, `ClipboardText` and `ClipboardRead`.

    """

    event: Any


@frozen
class ReleaseAll:
    """Release every key and button that the viewer holds."""


Effect = Send | AskUser | WithdrawQuestion | ControlStarted | ControlEnded | Inject | ReleaseAll
