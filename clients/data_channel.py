"""The data channel with one member: exchanges messages with a call page, and the verification code."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, Protocol

import orjson
from aiortc import RTCDataChannel, RTCPeerConnection

from signald_client.signaling.verification import COMMIT, REVEAL, Verification

__all__ = ["ChannelObserver", "DataChannel", "MemberChannel", "is_offered"]

LABEL = "signald"
STREAM = 0
"""The label and the stream id on which both sides agree without a message (RFC 8832 §6.1)."""

VERSION = 1
"""The version of the messages, which `hello` names."""

MAX_CHARACTERS = 16_000
"""Most characters of a text that is read."""

MAX_BUFFERED = 1_000_000
"""Bytes that may wait for a slow receiver; further messages are not sent."""

NONCE_BYTES = 32


def is_offered(sdp: str) -> bool:
    """Return whether a session description offers data channels (RFC 8841 §4)."""
    return "\r\nm=application " in sdp


class MemberChannel(Protocol):
    """One member's side of a peer connection, as an observer of data channels sees it."""

    @property
    def number(self) -> int:
        """The number of the peer connection, which is never used again."""

    @property
    def user(self) -> str:
        """The member's user id."""

    @property
    def name(self) -> str:
        """The member's name; empty for none."""

    @property
    def verification(self) -> Verification:
        """The verification of the connection."""

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a message over the data channel, if that is possible now."""


class ChannelObserver(Protocol):
    """Is told about each peer connection and its data channel."""

    def connection_opened(self, member: MemberChannel) -> None:
        """A peer connection was created."""

    def channel_ready(self, member: MemberChannel) -> None:
        """The member's program has said that it understands messages."""

    def message_received(self, member: MemberChannel, message: dict[str, Any]) -> None:
        """A message arrived whose `type` is a text."""

    def connection_closed(self, member: MemberChannel) -> None:
        """The peer connection is over."""


class DataChannel:
    """The channel with one member, and the verification of the connection.

    Attributes:
        verification: the exchange that results in a code.
        is_ready: whether the member's program has said `hello`.

    """

    def __init__(
        self,
        connection: RTCPeerConnection,
        session: str,
        describe: Callable[[], tuple[str, str]],
        on_ready: Callable[[], None],
        on_message: Callable[[dict[str, Any]], None],
    ) -> None:
        """Open the channel, before the description with it is negotiated.

        Arguments:
            connection: the aiortc connection.
            session: the session's canonical id.
            describe: returns the local SDP, and the remote one as it was received and as aiortc understood it.
            on_ready: called when the member's program has said `hello`.
            on_message: called with each other message; its `type` is a text.

        """
        self.verification = Verification(secrets.token_hex(NONCE_BYTES))
        self.is_ready = False
        self._session = session
        self._describe = describe
        self._on_ready = on_ready
        self._on_message = on_message
        self._channel: RTCDataChannel = connection.createDataChannel(LABEL, negotiated=True, id=STREAM)
        self._channel.on("open", self._opened)
        self._channel.on("message", self._text_received)
        if self._channel.readyState == "open":
            self._opened()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, unless the channel is closed or its receiver too slow."""
        if self._channel.readyState == "open" and self._channel.bufferedAmount <= MAX_BUFFERED:
            # Without ASCII escapes, of which one letter takes six characters; single surrogates become question marks.
            text = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace").decode()
            self._channel.send(text)

    def descriptions_changed(self) -> None:
        """Check that the fingerprints are the same as before, since a description was set."""
        self.verification.check(*self._describe())

    def _opened(self) -> None:
        self.send({"type": "hello", "version": VERSION})

    def _text_received(self, text: Any) -> None:
        if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
            return
        try:
            message = orjson.loads(text)
        except ValueError:
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "hello":
            self._hello_received()
        elif self.is_ready and kind in (COMMIT, REVEAL):
            self._answer(self.verification.receive(message))
        elif self.is_ready and isinstance(kind, str):
            self._on_message(message)

    def _hello_received(self) -> None:
        if self.is_ready:
            return
        self.is_ready = True
        self._answer(self.verification.start(*self._describe(), self._session))
        self._on_ready()

    def _answer(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self.send(message)
