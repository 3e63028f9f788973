"""Tests of the functions that move bytes through OpenSSL's memory buffers, between two connections in memory."""

from __future__ import annotations

import contextlib
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from signald.tls.authority import Authority
from signald.tls.context import server_context
from signald.tls.memory_bio import ALL, MAX_PLAINTEXT, add_input, decrypt, encrypt, shrink_input, take_output
from tests.support.allocated import allocated_bytes
from tests.support.machines import NOW, machine

MUCH = bytes(range(256)) * 4096
"""One MiB, more than a buffer holds."""


class MemoryCase(SynchronousTestCase):
    """A test with a client and a server in memory."""

    def setUp(self) -> None:
        """Create both sides, without a handshake."""
        names = machine("attic", ["192.168.1.20"])
        pair = Authority.create(names, NOW).issue(names, NOW)
        self.server = SSL.Connection(server_context(pair))
        self.server.set_accept_state()
        self.client = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        self.client.set_connect_state()

    def shake_hands(self) -> None:
        """Complete the handshake."""
        for one, other in ((self.client, self.server), (self.server, self.client)) * 2:
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            add_input(other, take_output(one))


class RecordTests(MemoryCase):
    """Plaintext goes through records unchanged."""

    def test_records(self) -> None:
        """As many records are decrypted as were asked for, or all."""
        self.shake_hands()
        for piece in (b"one", b"two", b"three"):
            self.assertEqual(encrypt(self.client, piece), (len(piece), None))
        add_input(self.server, take_output(self.client))
        self.assertEqual(decrypt(self.server, 2), (b"onetwo", 0, None))
        plaintext, _, error = decrypt(self.server, ALL)
        self.assertEqual(plaintext, b"three")
        self.assertIsInstance(error, SSL.WantReadError)

    def test_much(self) -> None:
        """More than the buffers hold is encrypted at once, and decrypted in several steps."""
        self.shake_hands()
        self.assertEqual(encrypt(self.client, MUCH), (len(MUCH), None))
        add_input(self.server, take_output(self.client))
        records, decrypted, error = len(MUCH) // MAX_PLAINTEXT, b"", None
        while records and error is None:
            plaintext, records, error = decrypt(self.server, records)
            decrypted += plaintext
        self.assertEqual(decrypted, MUCH)
        self.assertEqual((records, error), (0, None))

    def test_nothing(self) -> None:
        """Nothing is sent where nothing was written."""
        self.assertEqual(take_output(self.server), b"")
        self.shake_hands()
        self.assertEqual(encrypt(self.server, b""), (0, None))
        self.assertEqual(take_output(self.server), b"")


class MemoryTests(MemoryCase):
    """A connection does not keep the memory of what it has received and sent."""

    def test_much_at_once(self) -> None:
        """After 64 KiB in each direction OpenSSL's buffers are as small as before, and can be used further."""
        self.shake_hands()
        large = bytes(65000)
        before = allocated_bytes()
        for sender, receiver in ((self.client, self.server), (self.server, self.client)) * 2:
            encrypt(sender, large)
            add_input(receiver, take_output(sender))
            plaintext, _, _ = decrypt(receiver, ALL)
            shrink_input(receiver)
            self.assertEqual(plaintext, large)
            del plaintext
        self.assertLess(allocated_bytes() - before, len(large))

    def test_in_the_middle_of_a_record(self) -> None:
        """What OpenSSL has read of a record is not lost with the buffer that it came from."""
        self.shake_hands()
        encrypt(self.client, bytes(16000))
        records = take_output(self.client)
        add_input(self.server, records[:9000])
        self.assertEqual(decrypt(self.server, ALL)[0], b"")
        shrink_input(self.server)
        add_input(self.server, records[9000:])
        self.assertEqual(decrypt(self.server, ALL)[0], bytes(16000))


class ErrorTests(MemoryCase):
    """Errors are returned as pyOpenSSL would raise them."""

    def test_before_the_handshake(self) -> None:
        """Before the end of the handshake OpenSSL wants input."""
        taken, error = encrypt(self.server, b"early")
        self.assertEqual(taken, 0)
        self.assertIsInstance(error, SSL.WantReadError)

    def test_closing_alert(self) -> None:
        """The peer's closing alert is told after what preceded it."""
        self.shake_hands()
        encrypt(self.client, b"last")
        self.client.shutdown()
        add_input(self.server, take_output(self.client))
        plaintext, _, error = decrypt(self.server, 2)
        self.assertEqual(plaintext, b"last")
        self.assertIsInstance(error, SSL.ZeroReturnError)

    def test_forged_record(self) -> None:
        """A record that fails authentication is an error, and nothing can be encrypted after it."""
        self.shake_hands()
        encrypt(self.client, b"record")
        record = take_output(self.client)
        add_input(self.server, record[:-1] + bytes([record[-1] ^ 1]))
        plaintext, _, error = decrypt(self.server, 1)
        self.assertEqual(plaintext, b"")
        self.assertIn("bad record mac", str(error))
        self.assertIsInstance(encrypt(self.server, b"x")[1], SSL.Error)

    def test_result_without_an_error(self) -> None:
        """A failed call for which pyOpenSSL raises nothing is an error of the program."""
        self.shake_hands()
        silent: Any = self.server
        silent._raise_ssl_error = lambda ssl, result: None
        self.assertRaises(AssertionError, decrypt, silent, 1)
