"""A STUN and TURN server in memory, which authenticates one user."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import evolve

from signald.doctor.allocation import Credentials
from signald.doctor.stun import Attribute, Kind, Message, Method, decode, encode, long_term_key, xor_address

ADA = Credentials("ada", "lovelace")


def transactions() -> Iterator[bytes]:
    """Yield transaction IDs of twelve bytes, each of which is different."""
    number = 0
    while True:
        number += 1
        yield struct.pack("!III", 1, 2, number)


class MemoryTurnServer:
    """A TURN server in memory.

    Attributes:
        key: the long-term key of its only user.
        allowed: the peers for which it grants a permission.
        methods: the methods of the requests, in the order of their arrival.
        challenges: the number of requests that are refused with a new nonce.

    """

    def __init__(self, *, secret: str = ADA.secret, allowed: tuple[str, ...] = ()) -> None:
        self.key = long_term_key("ada", "realm", secret)
        self.allowed = allowed
        self.methods: list[int] = []
        self.challenges = 1

    def respond(self, data: bytes) -> Message:
        """Process a request and return the response."""
        request = decode(data)
        self.methods.append(request.method)
        if request.method == Method.BINDING:
            mapped = xor_address("198.51.100.7", 5000, request.transaction)
            return self._succeed(request, {Attribute.XOR_MAPPED_ADDRESS: mapped})
        if Attribute.NONCE not in request.attributes or self.challenges > 1:
            self.challenges -= Attribute.NONCE in request.attributes
            number = 438 if Attribute.NONCE in request.attributes else 401
            return self._refuse(request, number, realm=True)
        unsigned = {name: value for name, value in request.attributes.items() if name != Attribute.MESSAGE_INTEGRITY}
        if encode(evolve(request, attributes=unsigned), self.key) != data:
            return self._refuse(request, 401, realm=True)
        if request.method == Method.ALLOCATE:
            return self._succeed(
                request, {Attribute.XOR_RELAYED_ADDRESS: xor_address("2001:db8::1", 49152, request.transaction)}
            )
        denied = request.address(Attribute.XOR_PEER_ADDRESS) not in self.allowed
        if request.method == Method.CREATE_PERMISSION and denied:
            return self._refuse(request, 403)
        return self._succeed(request, {})

    def _succeed(self, request: Message, attributes: dict[int, bytes]) -> Message:
        return Message(request.method, Kind.SUCCESS, request.transaction, attributes)

    def _refuse(self, request: Message, number: int, *, realm: bool = False) -> Message:
        attributes: dict[int, bytes] = {Attribute.ERROR_CODE: bytes((0, 0, number // 100, number % 100))}
        if realm:
            attributes |= {Attribute.REALM: b"realm", Attribute.NONCE: b"nonce"}
        return Message(request.method, Kind.ERROR, request.transaction, attributes)
