"""Tests of the exchange of a verification code, with honest and with hostile peers."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import verification
from signald_client.signaling.verification import (
    ANSWERABLE,
    SYMBOLS,
    Verification,
    code_numbers,
    commitment,
    fingerprints,
)
from signald_page.client.extras.code_symbols import EMOJI
from signald_page.client.extras.extra_texts import CODE_WORDS

SESSION = "0123456789"
ANN = "v=0\r\na=fingerprint:sha-256 AA:01\r\n"
BOB = "v=0\r\na=fingerprint:sha-256 BB:02\r\n"
OTHER = "v=0\r\na=fingerprint:sha-256 CC:03\r\n"
N1, N2, N3 = "1" * 64, "2" * 64, "3" * 64


def commit(nonce: str) -> dict[str, Any]:
    """Return an honest commitment."""
    return {"type": "commit", "hash": commitment(nonce)}


def reveal(nonce: str) -> dict[str, Any]:
    """Return the message that reveals a nonce."""
    return {"type": "reveal", "nonce": nonce}


def started(nonce: str = N1) -> Verification:
    """Return Ann's verification of Bob, who has sent nothing yet."""
    exchange = Verification(nonce)
    exchange.start(ANN, BOB, SESSION)
    return exchange


def completed() -> Verification:
    """Return Ann's verification of an honest Bob."""
    exchange = started()
    exchange.receive(commit(N2))
    exchange.receive(reveal(N2))
    return exchange


class HonestPeerTests(SynchronousTestCase):
    """Two honest pages verify each other."""

    def test_both_get_one_code(self) -> None:
        """After commitments and nonces have crossed, both sides have the same seven symbols of six bits."""
        ann, bob = Verification(N1), Verification(N2)
        self.assertEqual(ann.state, "none")
        of_ann, of_bob = ann.start(ANN, BOB, SESSION), bob.start(BOB, ANN, SESSION)
        self.assertEqual((of_ann, of_bob), ([commit(N1)], [commit(N2)]))
        self.assertEqual((ann.state, ann.code), ("exchanging", []))
        of_ann, of_bob = ann.receive(of_bob[0]), bob.receive(of_ann[0])
        self.assertEqual((of_ann, of_bob), ([reveal(N1)], [reveal(N2)]))
        self.assertEqual((ann.receive(of_bob[0]), bob.receive(of_ann[0])), ([], []))
        self.assertEqual((ann.state, ann.reason), ("code", ""))
        self.assertEqual(ann.code, bob.code)
        self.assertEqual(len(ann.code), SYMBOLS)
        self.assertTrue(all(0 <= symbol < 64 for symbol in ann.code))

    def test_nothing_is_revealed_before_the_other_has_committed(self) -> None:
        """The nonce is not revealed before the other side has committed."""
        self.assertNotIn(N1, str(Verification(N1).start(ANN, BOB, SESSION)))

    def test_what_is_hashed(self) -> None:
        """The hashed bytes are those of docs/verification.md, and the symbols are the first 42 bits."""
        self.assertEqual(
            commitment(N1), hashlib.sha256(f"signald verification 1 commitment\n{N1}".encode()).hexdigest()
        )
        lines = ["signald verification 1 code", SESSION, "sha-256 AA:01", "sha-256 BB:02", N1, N2]
        digest = hashlib.sha256("\n".join(lines).encode()).digest()
        bits = "".join(f"{byte:08b}" for byte in digest)
        self.assertEqual(completed().code, [int(bits[6 * index : 6 * index + 6], 2) for index in range(7)])

    def test_inputs_of_the_code(self) -> None:
        """The code depends on session, fingerprints and nonces, and not on the order of the sides."""
        sides, nonces = (fingerprints(ANN), fingerprints(BOB)), (N1, N2)
        code = code_numbers(SESSION, sides, nonces)
        self.assertEqual(code_numbers(SESSION, (sides[1], sides[0]), (N2, N1)), code)
        self.assertNotEqual(code_numbers("0123456780", sides, nonces), code)
        self.assertNotEqual(code_numbers(SESSION, (sides[0], fingerprints(OTHER)), nonces), code)
        self.assertNotEqual(code_numbers(SESSION, sides, (N1, N3)), code)

    def test_what_people_answer(self) -> None:
        """People may answer that the codes match or differ, and correct themselves; without a code no answer counts."""
        exchange = started()
        exchange.answer(True)
        self.assertEqual(exchange.state, "exchanging")
        exchange = completed()
        for alike, state in ((True, "confirmed"), (False, "denied"), (True, "confirmed")):
            exchange.answer(alike)
            self.assertEqual(exchange.state, state)
            self.assertIn(state, ANSWERABLE)
            self.assertNotEqual(exchange.code, [])

    def test_an_ice_restart_changes_nothing(self) -> None:
        """An ICE restart with the same fingerprints keeps the answer."""
        exchange = completed()
        exchange.answer(True)
        exchange.check(ANN + "a=ice-ufrag:new\r\n", BOB + "a=ice-ufrag:new\r\n" + BOB)
        self.assertEqual(exchange.state, "confirmed")

    def test_no_timeout_outside_of_the_exchange(self) -> None:
        """Only an exchange in progress times out."""
        for exchange, state in ((Verification(N1), "none"), (completed(), "code")):
            exchange.tick(1000.0)
            self.assertEqual(exchange.state, state)


class HostilePeerTests(SynchronousTestCase):
    """A hostile peer deviates from the protocol."""

    def assert_failed(self, exchange: Verification, reason: str) -> None:
        """Assert that the verification failed for good, and that nobody can confirm it any more."""
        self.assertEqual((exchange.state, exchange.reason, exchange.code), ("not-verified", reason, []))
        for message in (commit(N2), reveal(N2)):
            self.assertEqual(exchange.receive(message), [])
        self.assertEqual(exchange.start(ANN, BOB, SESSION), [])
        exchange.check(ANN, BOB)
        exchange.tick(100.0)
        exchange.answer(True)
        self.assertEqual((exchange.state, exchange.reason, exchange.code), ("not-verified", reason, []))

    def test_revealed_before_the_commitment(self) -> None:
        """Revealing a nonce before committing fails."""
        exchange = started()
        self.assertEqual(exchange.receive(reveal(N2)), [])
        self.assert_failed(exchange, "early-reveal")

    def test_wrong_nonce(self) -> None:
        """Revealing another nonce than the committed one fails."""
        exchange = started()
        exchange.receive(commit(N2))
        exchange.receive(reveal(N3))
        self.assert_failed(exchange, "mismatch")

    def test_a_second_commitment(self) -> None:
        """A second commitment, even an equal one, makes the verification fail before and after the code is shown."""
        exchange = started()
        exchange.receive(commit(N2))
        self.assertEqual(exchange.receive(commit(N2)), [])
        self.assert_failed(exchange, "repeated")
        for message in (commit(N3), reveal(N2)):
            exchange = completed()
            exchange.answer(True)
            exchange.receive(message)
            self.assert_failed(exchange, "repeated")

    def test_reflected_commitment(self) -> None:
        """A reflected commitment fails, and the local nonce is not revealed for it."""
        exchange = Verification(N1)
        sent = exchange.start(ANN, BOB, SESSION)
        self.assertEqual(exchange.receive(sent[0]), [])
        self.assert_failed(exchange, "reflected")

    def test_reflected_nonce(self) -> None:
        """A reflected nonce does not fit another commitment."""
        exchange = started()
        (sent,) = exchange.receive(commit(N2))
        exchange.receive(sent)
        self.assert_failed(exchange, "mismatch")

    def test_malformed(self) -> None:
        """Messages that are not in the normal form fail."""
        wrong = [
            None,
            5,
            True,
            "",
            "1" * 63,
            "1" * 65,
            "A" * 64,
            "g" * 64,
            "é" * 64,
            ["1"] * 64,
            {"1": 1},
            "1" * 100_000,
        ]
        for value in wrong:
            exchange = started()
            self.assertEqual(exchange.receive({"type": "commit", "hash": value}), [])
            self.assert_failed(exchange, "malformed")
            exchange = started()
            exchange.receive(commit(N2))
            exchange.receive({"type": "reveal", "nonce": value})
            self.assert_failed(exchange, "malformed")
        for message in ({}, {"type": "commit"}, {"type": ["commit"]}, {"type": "confirmed"}):
            exchange = started()
            exchange.receive(message)
            self.assert_failed(exchange, "malformed")

    def test_timeout(self) -> None:
        """The exchange fails after ten seconds."""
        for messages in ([], [commit(N2)]):
            exchange = started()
            for message in messages:
                exchange.receive(message)
            exchange.tick(9.9)
            self.assertEqual(exchange.state, "exchanging")
            exchange.tick(0.2)
            self.assert_failed(exchange, "timeout")

    def test_changed_fingerprint(self) -> None:
        """A changed or added fingerprint fails the verification on either side, during the exchange and after it."""
        for local, remote in ((ANN, OTHER), (OTHER, BOB), (ANN, BOB + OTHER), (ANN, ""), (BOB, ANN)):
            for exchange in (started(), completed()):
                exchange.answer(True)
                exchange.check(local, remote)
                self.assert_failed(exchange, "changed")

    def test_no_fingerprint(self) -> None:
        """An SDP without a fingerprint gives no code."""
        for local, remote in ((ANN, "v=0"), ("", BOB)):
            exchange = Verification(N1)
            self.assertEqual(exchange.start(local, remote, SESSION), [])
            self.assert_failed(exchange, "no-fingerprint")

    def test_before_the_channel(self) -> None:
        """Messages before the channel is open are ignored."""
        exchange = Verification(N1)
        self.assertEqual(exchange.receive(commit(N2)), [])
        exchange.check(ANN, OTHER)
        self.assertEqual(exchange.start(ANN, BOB, SESSION), [commit(N1)])


class FingerprintsTests(SynchronousTestCase):
    """`fingerprints` normalizes the fingerprints of an SDP."""

    def test_normal_form(self) -> None:
        """Case, spaces, line ends, order and repetition make no difference."""
        expected = "sha-256 AA:BB,sha-512 CC"
        for sdp in (
            "a=fingerprint:sha-256 AA:BB\r\nm=audio\r\na=fingerprint:sha-512 CC\r\n",
            "a=fingerprint:SHA-512 cc\na=fingerprint:Sha-256  aa:bb \na=fingerprint:sha-256 aa:bb",
            "v=0\ra=fingerprint: sha-512\tCC\ra=FINGERPRINT:sha-256 Aa:Bb",
        ):
            self.assertEqual(fingerprints(sdp), expected)

    def test_every_fingerprint_counts(self) -> None:
        """Every fingerprint counts, because a browser accepts a certificate that fits any of them."""
        self.assertNotEqual(fingerprints(BOB + OTHER), fingerprints(BOB))
        self.assertNotEqual(fingerprints(OTHER + BOB), fingerprints(BOB))

    def test_thousands_of_fingerprints(self) -> None:
        """Thousands of fingerprints, as many as fit into a message, are normalized in no noticeable time."""
        sdp = "".join(f"a=fingerprint:x {number}\n" for number in range(20_000))
        self.assertEqual(len(fingerprints(sdp).split(",")), 20_000)

    def test_malformed_lines(self) -> None:
        """Lines that merely resemble a fingerprint count as one."""
        self.assertEqual(fingerprints("a=fingerprint:\r\n"), "")
        self.assertEqual(fingerprints(" a=fingerprint:md5"), "md5")
        self.assertEqual(fingerprints("a=fingerprint:sha-1 A B"), "sha-1 A B")


class SymbolTests(SynchronousTestCase):
    """The symbols have names."""

    def test_sixty_four(self) -> None:
        """There are 64 symbols, one for each value of six bits."""
        self.assertEqual(2**verification.BITS, 64)
        self.assertEqual((len(set(EMOJI)), len(EMOJI)), (64, 64))
        self.assertEqual((len(set(CODE_WORDS.split())), len(CODE_WORDS.split())), (64, 64))

    def test_distinct_names(self) -> None:
        """No two names begin with the same three letters, so that they differ over a bad line."""
        self.assertEqual(len({word[:3] for word in CODE_WORDS.split()}), 64)
