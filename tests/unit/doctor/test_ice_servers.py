"""Tests of the doctor's requests to STUN and TURN servers, and of its findings about them."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Ice
from signald.config.values import ConfigError
from signald.core.ice_server import IceServer
from signald.doctor.allocation import PRIVATE_PEERS, Credentials, Dialogue, Outcome, Result
from signald.doctor.findings import Mark
from signald.doctor.ice_servers import given_targets, minted_targets
from signald.doctor.ice_targets import judge_ice, read_ice_url
from signald.doctor.stun import (
    Attribute,
    Kind,
    Message,
    Method,
    decode,
    encode,
    long_term_key,
    whole_bytes,
    xor_address,
)
from signald.doctor.targets import Target
from tests.support.memory_turn import ADA, MemoryTurnServer, transactions

SAMPLE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f72200020000800"
    "01a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
"""The response with an IPv4 address of RFC 5769 §2.2."""

SAMPLE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
"""The response with an IPv6 address of RFC 5769 §2.3."""

URL = "turn:turn.example.org?transport=udp"


class StunTests(SynchronousTestCase):
    """Tests of the codec of STUN messages."""

    def test_samples(self) -> None:
        """The sample responses of RFC 5769 are decoded."""
        for data, mapped in ((SAMPLE, "192.0.2.1"), (SAMPLE_6, "2001:db8:1234:5678:11:2233:4455:6677")):
            message = decode(data)
            self.assertEqual((message.method, message.kind), (Method.BINDING, Kind.SUCCESS))
            self.assertEqual(message.attributes[0x8022], b"test vector")
            self.assertEqual(message.address(Attribute.XOR_MAPPED_ADDRESS), mapped)

    def test_integrity(self) -> None:
        """MESSAGE-INTEGRITY is the last attribute and part of the length.

        Its value is verified by real servers in the end-to-end tests.
        """
        signed = Message(0x001, 0x100, SAMPLE[8:20], {Attribute.XOR_MAPPED_ADDRESS: SAMPLE[40:48]})
        data = encode(signed, b"VOkJxbRl1RmTxUk/WvJxBt")
        self.assertEqual(whole_bytes(data), len(data))
        self.assertEqual(len(decode(data).attributes[Attribute.MESSAGE_INTEGRITY]), 20)
        # This key is the example of RFC 8489 §9.2.2.
        self.assertEqual(long_term_key("user", "realm", "pass").hex(), "8493fbc53ba582fb4c044c456bdc40eb")

    def test_there_and_back(self) -> None:
        """Decoding an encoded message returns the same message, even if an attribute needs padding."""
        message = Message(Method.ALLOCATE, Kind.ERROR, bytes(12), {0x8022: b"x", Attribute.ERROR_CODE: b"\0\0\x04\x26"})
        self.assertEqual(decode(encode(message)), message)
        self.assertEqual(message.error, 438)
        for host in ("192.0.2.1", "2001:db8::1"):
            found = Message(1, 0, bytes(range(12)), {0x12: xor_address(host, 9, bytes(range(12)))})
            self.assertEqual(found.address(Attribute.XOR_PEER_ADDRESS), host)

    def test_cut_off(self) -> None:
        """An attribute that is longer than its message is refused."""
        header = struct.pack("!HHI", 0x0101, 8, 0x2112A442) + bytes(12)
        self.assertRaises(ValueError, decode, header + struct.pack("!HH", 0x0020, 8) + bytes(4))

    @given(st.binary(max_size=100))
    def test_any_bytes(self, data: bytes) -> None:
        """Decoding arbitrary bytes either returns a message or raises ValueError."""
        header = struct.pack("!HHI", 0x0101, len(data), 0x2112A442) + bytes(12)
        for candidate in (data, header + data, SAMPLE[:20] + data):
            try:
                message = decode(candidate)
            except ValueError:
                continue
            for attribute in Attribute:
                message.address(attribute)
            self.assertIsInstance(message.error, int | None)


class DialogueTests(SynchronousTestCase):
    """Tests of the sequence of requests in a dialogue."""

    def run_dialogue(self, server: MemoryTurnServer, credentials: Credentials | None = ADA) -> Outcome:
        """Run a dialogue with a server and return its outcome."""
        dialogue = Dialogue(credentials, transactions().__next__)
        for _ in range(20):
            outcome = dialogue.received(server.respond(dialogue.request))
            if outcome is not None:
                return outcome
        raise AssertionError("the dialogue has no end")

    def test_stun(self) -> None:
        """Without credentials, the dialogue is a single Binding request."""
        server = MemoryTurnServer()
        self.assertEqual(self.run_dialogue(server, None), Outcome(Result.MAPPED))
        self.assertEqual(server.methods, [Method.BINDING])

    def test_turn(self) -> None:
        """The dialogue authenticates, allocates, requests a permission for each private peer, and then deallocates."""
        server = MemoryTurnServer()
        self.assertEqual(self.run_dialogue(server), Outcome(Result.RELAYED))
        permissions = [Method.CREATE_PERMISSION] * len(PRIVATE_PEERS)
        self.assertEqual(server.methods, [Method.ALLOCATE, Method.ALLOCATE, *permissions, Method.REFRESH])

    def test_private_peers(self) -> None:
        """The outcome lists the private peers for which the server granted a permission."""
        self.assertEqual(
            self.run_dialogue(MemoryTurnServer(allowed=("10.0.0.1",))), Outcome(Result.RELAYED, reached=("10.0.0.1",))
        )

    def test_wrong_secret(self) -> None:
        """A second 401 response ends the dialogue as refused."""
        server = MemoryTurnServer(secret="byron")
        self.assertEqual(self.run_dialogue(server), Outcome(Result.REFUSED, 401))
        self.assertEqual(server.methods, [Method.ALLOCATE, Method.ALLOCATE])

    def test_stale_nonce(self) -> None:
        """A 438 response (stale nonce) makes the dialogue retry once; a second one ends it as refused."""
        server = MemoryTurnServer()
        server.challenges = 2
        self.assertEqual(self.run_dialogue(server).result, Result.RELAYED)
        server = MemoryTurnServer()
        server.challenges = 100
        self.assertEqual(self.run_dialogue(server), Outcome(Result.REFUSED, 438))

    def test_refused_binding(self) -> None:
        """An error response to a Binding request ends the dialogue as refused, with the error code."""
        dialogue = Dialogue(None, transactions().__next__)
        refusal: dict[int, bytes] = {Attribute.ERROR_CODE: bytes((0, 0, 5, 0))}
        answer = Message(Method.BINDING, Kind.ERROR, decode(dialogue.request).transaction, refusal)
        self.assertEqual(dialogue.received(answer), Outcome(Result.REFUSED, 500))

    def test_open_relay(self) -> None:
        """A server that allocates without authentication is reported as open."""
        dialogue = Dialogue(ADA, transactions().__next__)
        transaction = decode(dialogue.request).transaction
        relayed: dict[int, bytes] = {Attribute.XOR_RELAYED_ADDRESS: xor_address("192.0.2.1", 1, transaction)}
        answer = Message(Method.ALLOCATE, Kind.SUCCESS, transaction, relayed)
        self.assertEqual(dialogue.received(answer), Outcome(Result.OPEN))

    def test_nonsense(self) -> None:
        """A success response without the expected address, and a request in place of a response, are nonsense."""
        for kind in (Kind.SUCCESS, Kind.REQUEST):
            for credentials in (ADA, None):
                dialogue = Dialogue(credentials, transactions().__next__)
                request = decode(dialogue.request)
                found = dialogue.received(Message(request.method, kind, request.transaction))
                self.assertEqual(found, Outcome(Result.NONSENSE))

    def test_answers_of_others(self) -> None:
        """Responses to other transactions are ignored, and a retransmission has the same bytes as the request."""
        dialogue = Dialogue(ADA, transactions().__next__)
        before = dialogue.request
        self.assertIsNone(dialogue.received(Message(Method.ALLOCATE, Kind.ERROR, bytes(12))))
        self.assertIsNone(dialogue.received(Message(Method.BINDING, Kind.ERROR, decode(before).transaction)))
        self.assertEqual(dialogue.request, before)

    def test_no_secret_is_shown(self) -> None:
        """The repr of credentials, which may get into a traceback, does not contain the secret."""
        self.assertNotIn("lovelace", repr(ADA))


class JudgementTests(SynchronousTestCase):
    """Tests of the findings about ICE servers, and of the servers that the configuration names."""

    def test_sentences(self) -> None:
        """Each outcome has its own finding, with a remedy unless it is OK, and without the secret."""
        server = read_ice_url(URL, ADA)
        for outcome, minted, mark, said in (
            (Outcome(Result.MAPPED), False, Mark.OK, "answers"),
            (Outcome(Result.RELAYED), True, Mark.OK, "it refuses private peers"),
            (Outcome(Result.RELAYED, None, ("10.0.0.1",)), True, Mark.WARNING, "into private networks too (10.0.0.1)"),
            (Outcome(Result.OPEN), False, Mark.WARNING, "relays for everybody"),
            (Outcome(Result.REFUSED, 401), True, Mark.FAILURE, "made of ice.turn_secret_file"),
            (Outcome(Result.REFUSED, 401), False, Mark.FAILURE, "refuses its user or secret"),
            (Outcome(Result.REFUSED, 486), False, Mark.FAILURE, "486 (too many allocations of this user)"),
            (Outcome(Result.REFUSED), False, Mark.FAILURE, "refuses with"),
            (Outcome(Result.NO_ANSWER), False, Mark.FAILURE, "cannot be reached: no answer comes"),
            (Outcome(Result.CLOSED), False, Mark.FAILURE, "cannot be reached: nothing listens there"),
            (Outcome(Result.NONSENSE), False, Mark.FAILURE, "does not speak STUN"),
        ):
            found = judge_ice(server, outcome, minted=minted)
            self.assertEqual(found.mark, mark)
            self.assertIn(said, found.text)
            self.assertEqual(bool(found.remedy), mark is not Mark.OK)
            self.assertNotIn("lovelace", repr(found))
        closed = judge_ice(read_ice_url("turns:turn.example.org", ADA), Outcome(Result.CLOSED), minted=False)
        self.assertIn("the connection is closed without an answer", closed.text)

    def test_urls(self) -> None:
        """A URL is parsed with the default port and transport of its scheme (RFC 7064 §3.2, RFC 7065 §3.2)."""
        for url, host, port, tls, stream in (
            ("stun:stun.example.org", "stun.example.org", 3478, False, False),
            ("stuns:stun.example.org", "stun.example.org", 5349, True, True),
            ("turn:192.0.2.1:3479?transport=tcp", "192.0.2.1", 3479, False, True),
            ("turn:[2001:db8::1]?transport=udp", "2001:db8::1", 3478, False, False),
            ("turns:[2001:db8::1]:443?transport=tcp", "2001:db8::1", 443, True, True),
        ):
            found = read_ice_url(url, None)
            self.assertEqual((found.target, found.stream), (Target(host, port, tls), stream), url)

    def test_servers_of_the_configuration(self) -> None:
        """Each URL becomes a target with its configured credentials, or with credentials derived from the secret."""
        servers = (IceServer(("stun:a.example",)), IceServer(("turn:b.example",), "ada", "lovelace"))
        found = given_targets(Ice(servers=servers))
        self.assertEqual([target.credentials for target in found], [None, ADA])
        path = Path(self.mktemp())
        path.write_text("x" * 32)
        path.chmod(0o600)
        settings = Ice(turn_urls=("turn:c.example", "turns:c.example"), turn_secret_file=path)
        minted = minted_targets(settings, 1_800_000_000.5)
        self.assertEqual([target.url for target in minted], ["turn:c.example", "turns:c.example"])
        assert minted[0].credentials is not None
        self.assertTrue(minted[0].credentials.user.startswith("1800000601:"))
        path.chmod(0o644)
        self.assertRaises(ConfigError, minted_targets, settings, 0.0)
        self.assertEqual(minted_targets(Ice(), 0.0), [])
