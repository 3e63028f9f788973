"""Somebody between two pages, who shows each of them a key of their own: the codes must differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.verification import DOMAIN, Verification, commitment

#: One for which the tables below happen to hold a pair that is alike in all 42 bits of a code; one is to be expected.
SESSION = "0000000000"

PREPARED = 2**21
"""Fingerprints that the attacker has ready on each side."""

ANN = "sha-256 00:" + ":".join(f"{byte:02X}" for byte in hashlib.sha256(b"Ann").digest()[1:])
BOB = "sha-256 00:" + ":".join(f"{byte:02X}" for byte in hashlib.sha256(b"Bob").digest()[1:])
"""The fingerprints of the two; they sort before the attacker's, which saves sorting millions of times."""

PAIRS = [b"%02X" % byte for byte in range(256)]

Messages = list[dict[str, Any]]


def sdp(fingerprint: str) -> str:
    """Return a description with this fingerprint."""
    return f"v=0\r\na=fingerprint:{fingerprint}\r\n"


def nonce(name: str) -> str:
    """Return a random number that is the same in each run."""
    return hashlib.sha256(name.encode()).hexdigest()


def prepared(index: int) -> str:
    """Return the attacker's fingerprint of this number."""
    tail = ":".join(f"{byte:02X}" for byte in index.to_bytes(3, "big"))
    return "sha-256 " + "FF:" * 29 + tail


def alone(honest: str, fingerprint: str) -> bytes:
    """Return the hash for a code of fingerprints alone: the real one without its last two lines, the numbers."""
    return hashlib.sha256(f"{DOMAIN}code\n{SESSION}\n{honest}\n{fingerprint}".encode()).digest()


def table(honest: str) -> Iterator[bytes]:
    """Yield the first 40 bits of `alone` for each prepared fingerprint, in their order.

    What they have in common is hashed once for each 256 of them.
    """
    head = f"{DOMAIN}code\n{SESSION}\n{honest}\n{prepared(0)[:-8]}".encode()
    for block in range(PREPARED // 256):
        known = hashlib.sha256(head + b"%02X:%02X:" % divmod(block, 256))
        for pair in PAIRS:
            state = known.copy()
            state.update(pair)
            yield state.digest()[:5]


class Attack:
    """Ann and Bob, and between them somebody who is Bob to Ann and Ann to Bob.

    Attributes:
        ann, bob: their exchanges.

    """

    def __init__(self, to_ann: str, to_bob: str, name: str = "") -> None:
        """Open both channels.

        Arguments:
            to_ann: the fingerprint that Ann is shown in Bob's place.
            to_bob: the one that Bob is shown in Ann's.
            name: gives the two their random numbers.

        """
        self.ann, self.bob = Verification(nonce(f"Ann {name}")), Verification(nonce(f"Bob {name}"))
        self._of_ann = self.ann.start(sdp(ANN), sdp(to_ann), SESSION)
        self._of_bob = self.bob.start(sdp(BOB), sdp(to_bob), SESSION)

    def forward(self) -> None:
        """Pass on what each says, unchanged."""
        while self._of_ann or self._of_bob:
            of_ann, self._of_ann = self._of_ann, []
            of_bob, self._of_bob = self._of_bob, []
            self._of_bob += _all(self.bob.receive, of_ann)
            self._of_ann += _all(self.ann.receive, of_bob)

    def take_part(self, for_ann: str, for_bob: str) -> None:
        """Complete both exchanges with numbers of the attacker's own."""
        for victim, own in ((self.ann, for_ann), (self.bob, for_bob)):
            victim.receive({"type": "commit", "hash": commitment(own)})
            victim.receive({"type": "reveal", "nonce": own})


def _all(receive: Callable[[dict[str, Any]], Messages], messages: Messages) -> Messages:
    return [answer for message in messages for answer in receive(message)]


class AttackTests(SynchronousTestCase):
    """What a hostile server can do when it ends both connections itself."""

    def differ(self, attack: Attack) -> None:
        """Both have a code, and not the same."""
        self.assertEqual((attack.ann.state, attack.bob.state), ("code", "code"))
        self.assertNotEqual(attack.ann.code, attack.bob.code)

    def test_nobody_between(self) -> None:
        """Where each sees the other's key, the codes are the same."""
        honest = Attack(BOB, ANN)
        honest.forward()
        self.assertEqual((honest.ann.state, honest.bob.state), ("code", "code"))
        self.assertEqual(honest.ann.code, honest.bob.code)

    def test_forwarded(self) -> None:
        """The messages pass through unchanged, and the keys give the attacker away."""
        for to_ann, to_bob in ((1, 2), (3, 3)):
            attack = Attack(prepared(to_ann), prepared(to_bob))
            attack.forward()
            self.differ(attack)

    def test_one_side_only(self) -> None:
        """One key that is not the other's is enough."""
        attack = Attack(prepared(1), ANN)
        attack.forward()
        self.differ(attack)

    def test_a_true_key_beside_the_false_one(self) -> None:
        """A description with both fingerprints lets a browser take either, and gives another code."""
        attack = Attack(f"{BOB}\r\na=fingerprint:{prepared(1)}", f"{ANN}\r\na=fingerprint:{prepared(2)}")
        attack.forward()
        self.differ(attack)

    def test_own_numbers(self) -> None:
        """The attacker's own numbers do not help, whether the same to both or not."""
        for for_ann, for_bob in (("x", "y"), ("z", "z")):
            attack = Attack(prepared(1), prepared(2))
            attack.take_part(nonce(for_ann), nonce(for_bob))
            self.differ(attack)

    def test_a_number_of_the_other_exchange(self) -> None:
        """Once Ann has revealed hers, it is of no use to commit to it towards Bob."""
        attack = Attack(prepared(1), prepared(2))
        attack.take_part(nonce("x"), nonce("Ann "))
        self.differ(attack)

    def test_reflected(self) -> None:
        """Who sends each their own commitment back learns no number and gets no code."""
        attack = Attack(prepared(1), prepared(2))
        for victim, name in ((attack.ann, "Ann "), (attack.bob, "Bob ")):
            self.assertEqual(victim.receive({"type": "commit", "hash": commitment(nonce(name))}), [])
            self.assertEqual((victim.state, victim.reason), ("not-verified", "reflected"))

    def test_prepared_fingerprints(self) -> None:
        """With 2²¹ keys prepared on each side, a code of fingerprints alone is forged, and the real one is not.

        The tables are really made: 4.2 million hashes, a few seconds. They hold several pairs that would give the same
        40 bits to both sides if the numbers were not in the hash, one of them the same 42 bits. With each such pair
        the exchange is then made, many times over, and the codes differ every time.
        """
        at_ann = {code: index for index, code in enumerate(table(ANN))}
        pairs = [(at_ann[code], index) for index, code in enumerate(table(BOB)) if code in at_ann]
        self.assertGreater(len(pairs), 0)
        alike = 0
        for to_ann, to_bob in pairs:
            hashes = alone(ANN, prepared(to_ann)), alone(BOB, prepared(to_bob))
            self.assertEqual(hashes[0][:5], hashes[1][:5])
            alike += hashes[0][5] >> 6 == hashes[1][5] >> 6
            for attempt in range(50):
                attack = Attack(prepared(to_ann), prepared(to_bob), str(attempt))
                attack.forward()
                self.differ(attack)
                attack = Attack(prepared(to_ann), prepared(to_bob), str(attempt))
                attack.take_part(nonce("x"), nonce(str(attempt)))
                self.differ(attack)
        self.assertGreater(alike, 0, "no pair is alike in all bits of a code, so that this would prove nothing")
