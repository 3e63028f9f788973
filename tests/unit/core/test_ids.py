"""Identifiers: made, read and checked."""

from __future__ import annotations

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.ids import IdSource, host_key, is_user_id, read_session_id
from signald.core.messages import SessionId

SESSION = SessionId("7Q2M9RT6ZC")


def source(byte: int) -> IdSource:
    """Makes ids of one byte."""
    return IdSource(lambda count: bytes([byte]) * count)


class MakeTests(SynchronousTestCase):
    """Ids of random bytes."""

    def test_they_have_their_forms(self) -> None:
        """26 and ten symbols of Crockford's base 32, 43 of base64url."""
        self.assertEqual(source(0).user(), "0" * 26)
        self.assertEqual(source(255).user(), "7" + "Z" * 25)
        self.assertEqual(source(0).session(), "0" * 10)
        self.assertEqual(source(255).session(), "Z" * 10)
        self.assertEqual(source(255).secret(), "_" * 42 + "8")

    @given(st.binary(min_size=32, max_size=32))
    def test_what_is_made_is_read(self, data: bytes) -> None:
        """As it is."""
        ids = IdSource(lambda count: data[:count])
        self.assertTrue(is_user_id(ids.user()))
        self.assertEqual(read_session_id(ids.session()), ids.session())
        self.assertEqual(base64.urlsafe_b64decode(ids.secret() + "="), data)

    def test_a_host_key_is_an_hmac_of_the_id(self) -> None:
        """RFC 2104 with SHA-256: another secret or session has another key."""
        expected = base64.urlsafe_b64encode(hmac.new(b"secret", SESSION.encode(), hashlib.sha256).digest())
        self.assertEqual(host_key(b"secret", SESSION), expected.decode().rstrip("="))
        keys = {host_key(secret, session) for secret in (b"a", b"b") for session in (SESSION, SessionId("0" * 10))}
        self.assertEqual(len(keys), 4)


class ReadTests(SynchronousTestCase):
    """Ids as people and programs give them."""

    def test_a_session_id_is_read_in_any_spelling(self) -> None:
        """Any case, I and L for 1, O for 0; hyphens and spaces are for the eye."""
        for text in ("7q2-m9r-t6zc", " 7Q2M 9RT6 ZC ", "7Q2M9RT6ZC"):
            self.assertEqual(read_session_id(text), SESSION)
        self.assertEqual(read_session_id("iIlL-oO0-000"), "1111000000")

    def test_what_is_no_session_id(self) -> None:
        """Too short, too long, or with a symbol that is none."""
        for text in ("", "7Q2M9RT6Z", "7Q2M9RT6ZC0", "7Q2M9RT6ZU", "7Q2M9RT6Zé", "7Q2M9RT6Z\n"):
            self.assertIsNone(read_session_id(text), text)

    def test_a_user_id_has_one_spelling(self) -> None:
        """Programs alone read it."""
        self.assertTrue(is_user_id("0K3PB4X7WQ2M9RT6ZC8HNJVDYA"))
        for text in ("", "0K3PB4X7WQ2M9RT6ZC8HNJVDY", "0k3PB4X7WQ2M9RT6ZC8HNJVDYA", "OK3PB4X7WQ2M9RT6ZC8HNJVDYA"):
            self.assertFalse(is_user_id(text), text)
