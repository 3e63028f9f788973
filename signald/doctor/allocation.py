"""Asks a TURN server for a relay address, step by step, to learn whether credentials are good (RFC 8656): pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import Enum

from attrs import field, frozen

from signald.doctor.stun import Attribute, Kind, Message, Method, encode, long_term_key, xor_address

__all__ = ["PRIVATE_PEERS", "Credentials", "Dialogue", "Outcome", "Result"]

_UDP = b"\x11\0\0\0"
"""REQUESTED-TRANSPORT: the protocol number of UDP (RFC 8656 §18.8)."""

PRIVATE_PEERS = ("127.0.0.1", "10.0.0.1", "192.168.0.1")
"""Peers that a relay on the open internet is to refuse: who could name them would be inside its network."""


@frozen
class Credentials:
    """What a server is asked with.

    Attributes:
        user: the name.
        secret: of this user.

    """

    user: str
    secret: str = field(repr=False)


class Result(Enum):
    """What came of it."""

    MAPPED = "mapped"
    RELAYED = "relayed"
    REFUSED = "refused"
    OPEN = "open"
    NO_ANSWER = "no-answer"
    CLOSED = "closed"
    NONSENSE = "nonsense"


@frozen
class Outcome:
    """What came of it.

    Attributes:
        result: in a word.
        error: the server's error number, where it refused.
        reached: private peers that the relay would send to.

    """

    result: Result
    error: int | None = None
    reached: tuple[str, ...] = ()


class Dialogue:
    """The requests, each made when the answer to the one before is there.

    Without credentials it is one binding request. With them: an allocation, refused with a nonce, once more with
    proof; then a permission for each of the private peers; then the allocation is given back.
    """

    def __init__(self, credentials: Credentials | None, transaction: Callable[[], bytes]) -> None:
        """Begin.

        Arguments:
            credentials: of TURN; None for STUN.
            transaction: makes twelve random bytes.

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
        """The request that waits for an answer, as bytes; the same when it is sent again (RFC 8489 §6.2.1)."""
        return encode(self._waiting, self._key)

    def received(self, message: Message) -> Outcome | None:
        """Take an answer; what came of it all, or None: the next request is there. Another's answer changes nothing."""
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
        """401 without proof, or 438 for a nonce that is old, is an invitation (RFC 8489 §9.2.5)."""
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
