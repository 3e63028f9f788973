"""Tests of creating, parsing and checking ids."""

from __future__ import annotations

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.ids import IdSource, host_key, is_user_id, parse_session_id
from signald.core.messages import SessionId

SESSION = SessionId("7Q2M9RT6ZC")


def source(byte: int) -> IdSource:
    """Return a source of ids whose random bytes are all this byte."""
    return IdSource(lambda count: bytes([byte]) * count)


class MakeTests(SynchronousTestCase):
    """Ids are created from random bytes."""

    def test_lengths_and_alphabets(self) -> None:
        """A user id has 26 symbols of Crockford's base 32, a session id has ten, and a secret has 43 of base64url."""
        self.assertEqual(source(0).new_user_id(), "0" * 26)
        self.assertEqual(source(255).new_user_id(), "7" + "Z" * 25)
        self.assertEqual(source(0).new_session_id(), "0" * 10)
        self.assertEqual(source(255).new_session_id(), "Z" * 10)
        self.assertEqual(source(255).new_secret(), "_" * 42 + "8")

    @given(st.binary(min_size=32, max_size=32))
    def test_ids_that_were_made_are_parsed(self, data: bytes) -> None:
        """A created id is in canonical form, so parsing leaves it unchanged."""
        ids = IdSource(lambda count: data[:count])
        self.assertTrue(is_user_id(ids.new_user_id()))
        self.assertEqual(parse_session_id(ids.new_session_id()), ids.new_session_id())
        self.assertEqual(base64.urlsafe_b64decode(ids.new_secret() + "="), data)

    def test_a_host_key_is_an_hmac_of_the_id(self) -> None:
        """A host key is an HMAC-SHA256 (RFC 2104); another secret or session has another key."""
        expected = base64.urlsafe_b64encode(hmac.new(b"secret", SESSION.encode(), hashlib.sha256).digest())
        self.assertEqual(host_key(b"secret", SESSION), expected.decode().rstrip("="))
        keys = {host_key(secret, session) for secret in (b"a", b"b") for session in (SESSION, SessionId("0" * 10))}
        self.assertEqual(len(keys), 4)


class ReadTests(SynchronousTestCase):
    """Ids that people type or programs send are parsed."""

    def test_a_session_id_is_read_in_any_spelling(self) -> None:
        """Any case, I and L for 1, and O for 0 are accepted; hyphens and spaces are ignored."""
        for text in ("7q2-m9r-t6zc", " 7Q2M 9RT6 ZC ", "7Q2M9RT6ZC"):
            self.assertEqual(parse_session_id(text), SESSION)
        self.assertEqual(parse_session_id("iIlL-oO0-000"), "1111000000")

    def test_a_text_that_is_no_session_id(self) -> None:
        """A text that is too short or too long, or has another symbol, is not a session id."""
        for text in ("", "7Q2M9RT6Z", "7Q2M9RT6ZC0", "7Q2M9RT6ZU", "7Q2M9RT6Zé", "7Q2M9RT6Z\n"):
            self.assertIsNone(parse_session_id(text), text)

    def test_a_user_id_has_one_spelling(self) -> None:
        """User ids have one form only, since people do not type them."""
        self.assertTrue(is_user_id("0K3PB4X7WQ2M9RT6ZC8HNJVDYA"))
        for text in ("", "0K3PB4X7WQ2M9RT6ZC8HNJVDY", "0k3PB4X7WQ2M9RT6ZC8HNJVDYA", "OK3PB4X7WQ2M9RT6ZC8HNJVDYA"):
            self.assertFalse(is_user_id(text), text)
