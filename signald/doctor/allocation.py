"""Tests TURN credentials by requesting an allocation step by step (RFC 8656), without any I/O of its own."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import Enum

from attrs import field, frozen

from signald.doctor.stun import Attribute, Kind, Message, Method, encode, long_term_key, xor_address

__all__ = ["PRIVATE_PEERS", "Credentials", "Dialogue", "Outcome", "Result"]

_UDP = b"\x11\0\0\0"
"""The value of REQUESTED-TRANSPORT for UDP, which begins with its protocol number 17 (RFC 8656 §18.8)."""

PRIVATE_PEERS = ("127.0.0.1", "10.0.0.1", "192.168.0.1")
"""Private peer addresses that a relay on the open internet must refuse, or clients could reach into its network."""


@frozen
class Credentials:
    """The credentials with which the doctor authenticates to a TURN server.

    Attributes:
        user: the user's name.
        secret: the user's password.

    """

    user: str
    secret: str = field(repr=False)


class Result(Enum):
    """The kinds of outcome that the check of a STUN or TURN server can have."""

    MAPPED = "mapped"
    RELAYED = "relayed"
    REFUSED = "refused"
    OPEN = "open"
    NO_ANSWER = "no-answer"
    CLOSED = "closed"
    NONSENSE = "nonsense"


@frozen
class Outcome:
    """The outcome of the check of a STUN or TURN server.

    Attributes:
        result: the kind of outcome.
        error: the error code of the server's error response, if the server refused the request.
        reached: the private peers for which the relay granted a permission.

    """

    result: Result
    error: int | None = None
    reached: tuple[str, ...] = ()


class Dialogue:
    """The sequence of STUN and TURN requests to one server; each response leads to the next request.

    Without credentials, the dialogue is a single Binding request. With credentials, it sends an Allocate request, which
    the server refuses with a nonce, and repeats that request with MESSAGE-INTEGRITY. It then requests a permission for
    each private peer, and finally deletes the allocation.
    """

    def __init__(self, credentials: Credentials | None, transaction: Callable[[], bytes]) -> None:
        """Create the first request.

        Arguments:
            credentials: the TURN credentials; None for a STUN server.
            transaction: a function that returns twelve random bytes for a transaction ID.

        """
        self._credentials = credentials
        self._transaction = transaction
        self._challenge: dict[int, bytes] = {}
        self._key: bytes | None = None
        self._peers = list(PRIVATE_PEERS)
        self._reached: list[str] = []
        self._peer = ""
        self._stale = False
        self._waiting = self._new(Method.BINDING if credentials is None else Method.ALLOCATE)

    @property
    def request(self) -> bytes:
        """The encoded request that awaits a response; a retransmission has the same bytes (RFC 8489 §6.2.1)."""
        return encode(self._waiting, self._key)

    def received(self, message: Message) -> Outcome | None:
        """Process a response and return the final outcome, or None if the dialogue continues.

        A response to another transaction is ignored. After any other response that returns None, `request` is the next
        request to send.
        """
        waiting = self._waiting
        if message.transaction != waiting.transaction or message.method != waiting.method:
            return None
        if message.kind not in (Kind.SUCCESS, Kind.ERROR):
            return Outcome(Result.NONSENSE)
        good = message.kind == Kind.SUCCESS
        match waiting.method:
            case Method.BINDING:
                return self._bound(message) if good else Outcome(Result.REFUSED, message.error)
            case Method.ALLOCATE:
                return self._allocated(message) if good else self._refused(message)
            case Method.CREATE_PERMISSION:
                return self._permitted(good=good)
            case _:
                return Outcome(Result.RELAYED, reached=tuple(self._reached))

    def _bound(self, message: Message) -> Outcome:
        mapped = message.address(Attribute.XOR_MAPPED_ADDRESS)
        return Outcome(Result.NONSENSE if mapped is None else Result.MAPPED)

    def _allocated(self, message: Message) -> Outcome | None:
        if message.address(Attribute.XOR_RELAYED_ADDRESS) is None:
            return Outcome(Result.NONSENSE)
        if self._key is None:
            return Outcome(Result.OPEN)
        return self._next_peer()

    def _refused(self, message: Message) -> Outcome | None:
        """Repeat the Allocate request with credentials after a 401, or with a new nonce after a 438 (RFC 8489 §9.2.5).

        Every other error response, and a second one of the same code, ends the dialogue.
        """
        realm, nonce = (message.attributes.get(name) for name in (Attribute.REALM, Attribute.NONCE))
        invited = message.error == 401 and self._key is None
        if message.error == 438 and not self._stale:
            invited = self._stale = True
        if self._credentials is None or not invited or realm is None or nonce is None:
            return Outcome(Result.REFUSED, message.error)
        user = self._credentials.user
        self._key = long_term_key(user, realm.decode(errors="replace"), self._credentials.secret)
        self._challenge = {Attribute.USERNAME: user.encode(), Attribute.REALM: realm, Attribute.NONCE: nonce}
        self._waiting = self._new(Method.ALLOCATE)
        return None

    def _permitted(self, *, good: bool) -> Outcome | None:
        if good:
            self._reached.append(self._peer)
        return self._next_peer()

    def _next_peer(self) -> Outcome | None:
        if not self._peers:
            self._waiting = self._new(Method.REFRESH)
            return None
        self._peer = self._peers.pop(0)
        self._waiting = self._new(Method.CREATE_PERMISSION)
        return None

    def _new(self, method: Method) -> Message:
        transaction = self._transaction()
        return Message(method, Kind.REQUEST, transaction, {**self._asked(method, transaction), **self._challenge})

    def _asked(self, method: Method, transaction: bytes) -> Mapping[int, bytes]:
        match method:
            case Method.ALLOCATE:
                return {Attribute.REQUESTED_TRANSPORT: _UDP}
            case Method.REFRESH:
                # A Refresh request with a lifetime of 0 deletes the allocation (RFC 8656 §8).
                return {Attribute.LIFETIME: struct.pack("!I", 0)}
            case Method.CREATE_PERMISSION:
                return {Attribute.XOR_PEER_ADDRESS: xor_address(self._peer, 9, transaction)}
            case Method.BINDING:
                return {}
