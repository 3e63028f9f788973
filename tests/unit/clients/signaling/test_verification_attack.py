"""Tests of an attacker between two pages, who presents each of them a key of their own: the codes must differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.verification import DOMAIN, Verification, commitment

# With this seed the tables below contain a pair that agrees in all 42 bits of a code; one such pair is expected.
SESSION = "0000000000"

PRECOMPUTED = 2**21
"""The number of fingerprints that the attacker has precomputed on each side."""

ANN = "sha-256 00:" + ":".join(f"{byte:02X}" for byte in hashlib.sha256(b"Ann").digest()[1:])
BOB = "sha-256 00:" + ":".join(f"{byte:02X}" for byte in hashlib.sha256(b"Bob").digest()[1:])
"""The fingerprints of Ann and Bob; they sort before the attacker's, which saves sorting millions of times."""

PAIRS = [b"%02X" % byte for byte in range(256)]

Messages = list[dict[str, Any]]


def sdp(fingerprint: str) -> str:
    """Return an SDP with this fingerprint."""
    return f"v=0\r\na=fingerprint:{fingerprint}\r\n"


def nonce(name: str) -> str:
    """Return a nonce that is the same in each run."""
    return hashlib.sha256(name.encode()).hexdigest()


def attacker_fingerprint(index: int) -> str:
    """Return the attacker's precomputed fingerprint of this number."""
    tail = ":".join(f"{byte:02X}" for byte in index.to_bytes(3, "big"))
    return "sha-256 " + "FF:" * 29 + tail


def fingerprints_only_hash(honest: str, fingerprint: str) -> bytes:
    """Return the hash of a code of fingerprints only: the real input without its last two lines, the nonces."""
    return hashlib.sha256(f"{DOMAIN}code\n{SESSION}\n{honest}\n{fingerprint}".encode()).digest()


def table(honest: str) -> Iterator[bytes]:
    """Yield the first 40 bits of `fingerprints_only_hash` for each precomputed fingerprint, in order.

    The common prefix is hashed once for every 256 fingerprints.
    """
    head = f"{DOMAIN}code\n{SESSION}\n{honest}\n{attacker_fingerprint(0)[:-8]}".encode()
    for block in range(PRECOMPUTED // 256):
        known = hashlib.sha256(head + b"%02X:%02X:" % divmod(block, 256))
        for pair in PAIRS:
            state = known.copy()
            state.update(pair)
            yield state.digest()[:5]


class Attack:
    """An attack on Ann and Bob by somebody who poses as Bob to Ann and as Ann to Bob.

    Attributes:
        ann, bob: their verifications.

    """

    def __init__(self, to_ann: str, to_bob: str, name: str = "") -> None:
        """Start both exchanges.

        Arguments: to_ann: the fingerprint that Ann is shown as Bob's. to_bob: the fingerprint that Bob is shown as
        Ann's. name: the seed of their nonces.
        """
        self.ann, self.bob = Verification(nonce(f"Ann {name}")), Verification(nonce(f"Bob {name}"))
        self._of_ann = self.ann.start(sdp(ANN), sdp(to_ann), SESSION)
        self._of_bob = self.bob.start(sdp(BOB), sdp(to_bob), SESSION)

    def forward(self) -> None:
        """Forward the messages of both sides unchanged."""
        while self._of_ann or self._of_bob:
            of_ann, self._of_ann = self._of_ann, []
            of_bob, self._of_bob = self._of_bob, []
            self._of_bob += _all(self.bob.receive, of_ann)
            self._of_ann += _all(self.ann.receive, of_bob)

    def use_attacker_nonces(self, for_ann: str, for_bob: str) -> None:
        """Complete both exchanges with nonces of the attacker."""
        for victim, own in ((self.ann, for_ann), (self.bob, for_bob)):
            victim.receive({"type": "commit", "hash": commitment(own)})
            victim.receive({"type": "reveal", "nonce": own})


def _all(receive: Callable[[dict[str, Any]], Messages], messages: Messages) -> Messages:
    return [answer for message in messages for answer in receive(message)]


class AttackTests(SynchronousTestCase):
    """A hostile server terminates both peer connections itself."""

    def assert_codes_differ(self, attack: Attack) -> None:
        """Assert that both sides have a code, and that the codes differ."""
        self.assertEqual((attack.ann.state, attack.bob.state), ("code", "code"))
        self.assertNotEqual(attack.ann.code, attack.bob.code)

    def test_no_attacker(self) -> None:
        """Without an attacker the codes are the same."""
        honest = Attack(BOB, ANN)
        honest.forward()
        self.assertEqual((honest.ann.state, honest.bob.state), ("code", "code"))
        self.assertEqual(honest.ann.code, honest.bob.code)

    def test_forwarded(self) -> None:
        """If the messages are forwarded unchanged, the fingerprints reveal the attacker."""
        for to_ann, to_bob in ((1, 2), (3, 3)):
            attack = Attack(attacker_fingerprint(to_ann), attacker_fingerprint(to_bob))
            attack.forward()
            self.assert_codes_differ(attack)

    def test_one_forged_fingerprint(self) -> None:
        """A single forged fingerprint is enough to make the codes differ."""
        attack = Attack(attacker_fingerprint(1), ANN)
        attack.forward()
        self.assert_codes_differ(attack)

    def test_true_and_forged_fingerprint(self) -> None:
        """A forged fingerprint beside the true one makes the codes differ."""
        attack = Attack(
            f"{BOB}\r\na=fingerprint:{attacker_fingerprint(1)}", f"{ANN}\r\na=fingerprint:{attacker_fingerprint(2)}"
        )
        attack.forward()
        self.assert_codes_differ(attack)

    def test_attacker_nonces(self) -> None:
        """The codes differ if the attacker chooses the nonces, whether or not both sides get the same ones."""
        for for_ann, for_bob in (("x", "y"), ("z", "z")):
            attack = Attack(attacker_fingerprint(1), attacker_fingerprint(2))
            attack.use_attacker_nonces(nonce(for_ann), nonce(for_bob))
            self.assert_codes_differ(attack)

    def test_nonce_of_the_other_exchange(self) -> None:
        """After Ann has revealed her nonce, the attacker gains nothing by committing to it towards Bob."""
        attack = Attack(attacker_fingerprint(1), attacker_fingerprint(2))
        attack.use_attacker_nonces(nonce("x"), nonce("Ann "))
        self.assert_codes_differ(attack)

    def test_reflected(self) -> None:
        """Reflecting each side's commitment reveals no nonce and gives no code."""
        attack = Attack(attacker_fingerprint(1), attacker_fingerprint(2))
        for victim, name in ((attack.ann, "Ann "), (attack.bob, "Bob ")):
            self.assertEqual(victim.receive({"type": "commit", "hash": commitment(nonce(name))}), [])
            self.assertEqual((victim.state, victim.reason), ("not-verified", "reflected"))

    def test_precomputed_fingerprints(self) -> None:
        """With 2²¹ keys precomputed on each side, a code of fingerprints only is forged, and the real one is not.

        The tables are really computed: 4.2 million hashes, which takes a few seconds. They hold several pairs that
        would give the same 40 bits to both sides if the nonces were not hashed as well.
        """
        at_ann = {code: index for index, code in enumerate(table(ANN))}
        pairs = [(at_ann[code], index) for index, code in enumerate(table(BOB)) if code in at_ann]
        self.assertGreater(len(pairs), 0)
        equal_codes = 0
        for to_ann, to_bob in pairs:
            hashes = (
                fingerprints_only_hash(ANN, attacker_fingerprint(to_ann)),
                fingerprints_only_hash(BOB, attacker_fingerprint(to_bob)),
            )
            self.assertEqual(hashes[0][:5], hashes[1][:5])
            equal_codes += hashes[0][5] >> 6 == hashes[1][5] >> 6
            for attempt in range(50):
                attack = Attack(attacker_fingerprint(to_ann), attacker_fingerprint(to_bob), str(attempt))
                attack.forward()
                self.assert_codes_differ(attack)
                attack = Attack(attacker_fingerprint(to_ann), attacker_fingerprint(to_bob), str(attempt))
                attack.use_attacker_nonces(nonce("x"), nonce(str(attempt)))
                self.assert_codes_differ(attack)
        self.assertGreater(equal_codes, 0, "no pair is alike in all bits of a code, so that this would prove nothing")
