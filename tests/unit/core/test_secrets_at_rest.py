"""Secrets of messages are replaced before they are written to a disk, and put back from the host secret."""

from __future__ import annotations

from attrs import asdict, evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.ids import host_key
from signald.core.messages import (
    Count,
    Done,
    Hello,
    Instance,
    Join,
    Leave,
    Open,
    Opened,
    Request,
    RequestId,
    Resume,
    Secret,
    SessionId,
    UserId,
)
from signald.core.secrets_at_rest import seal_event, seal_request, unseal_event, unseal_request

HOST_SECRET = b"the host secret of these tests.."
OTHER_SECRET = b"the host secret of another one.."
SESSION = SessionId("7Q2M9RT6ZC")
KEY = host_key(HOST_SECRET, SESSION)
ID = RequestId("1")


class EventTests(SynchronousTestCase):
    """`seal_event` and `unseal_event`."""

    def setUp(self) -> None:
        """Create an event with a host key."""
        self.opened = Opened(SESSION, 2, locked=False, lobby=False, host_key=KEY, id=ID)

    def test_host_key(self) -> None:
        """The host key is not in the sealed event, and is put back; all else is unchanged."""
        sealed = seal_event(self.opened, HOST_SECRET)
        assert isinstance(sealed, Opened)
        self.assertNotEqual(sealed.host_key, KEY)
        self.assertEqual(evolve(sealed, host_key=KEY), self.opened)
        self.assertEqual(unseal_event(sealed, HOST_SECRET), self.opened)

    def test_other_events(self) -> None:
        """Events without a host key are unchanged."""
        for event in (Done(ID), evolve(self.opened, host_key=None)):
            self.assertIs(seal_event(event, HOST_SECRET), event)
            self.assertIs(unseal_event(event, HOST_SECRET), event)

    def test_another_host_secret(self) -> None:
        """With another host secret, under which the old key is worthless, no key is derived."""
        sealed = seal_event(self.opened, HOST_SECRET)
        self.assertIs(unseal_event(sealed, OTHER_SECRET), sealed)

    def test_records_of_an_earlier_version(self) -> None:
        """An event with its host key in clear, as an earlier version wrote it, is unchanged."""
        self.assertIs(unseal_event(self.opened, HOST_SECRET), self.opened)


class RequestTests(SynchronousTestCase):
    """`seal_request` and `unseal_request`."""

    def seal(self, request: Request) -> Request:
        """Seal a request that has something to stand for its secrets."""
        sealed = seal_request(request, HOST_SECRET)
        assert sealed is not None
        return sealed

    def test_right_host_key(self) -> None:
        """A right host key is not in the sealed request, and is put back."""
        request = Open(session=SESSION, host_key=KEY, label="mine", id=ID)
        sealed = self.seal(request)
        self.assertNotIn(KEY, str(asdict(sealed)))
        self.assertEqual(unseal_request(sealed, HOST_SECRET), request)

    def test_wrong_host_key(self) -> None:
        """A wrong host key is not written either, and stays wrong; so does one for no session."""
        for session, key in ((SESSION, Secret("guess")), (SESSION, Secret("")), (None, KEY)):
            sealed = self.seal(Open(session=session, host_key=key, id=ID))
            self.assertEqual(sealed, Open(session=session, host_key=Secret(""), id=ID))
            self.assertEqual(unseal_request(sealed, HOST_SECRET), sealed)

    def test_sealed_form_of_a_client(self) -> None:
        """The sealed form of a host key, if a client sends it, makes nobody a host, here or in another session."""
        sealed = self.seal(Open(session=SESSION, host_key=KEY))
        assert isinstance(sealed, Open)
        self.assertEqual(self.seal(sealed), Open(session=SESSION, host_key=Secret("")))
        elsewhere = evolve(sealed, session=SessionId("0000000000"))
        self.assertEqual(unseal_request(elsewhere, HOST_SECRET), elsewhere)
        self.assertEqual(unseal_request(sealed, OTHER_SECRET), sealed)

    def test_passwords(self) -> None:
        """Requests with a password are left out: without it, one would open a session that anybody may join."""
        for request in (Open(password="open sesame"), Join(SESSION, password="open sesame")):
            self.assertIsNone(seal_request(request, HOST_SECRET))

    def test_tokens_and_resume_secrets(self) -> None:
        """A token and a resume secret are removed; such a request of a welcomed user is rejected in any case."""
        self.assertEqual(self.seal(Hello(1, token="token", id=ID)), Hello(1, id=ID))
        resume = Resume(1, UserId("0" * 26), Secret("secret"), Instance("i"), Count(0), token="token", id=ID)
        self.assertEqual(self.seal(resume), evolve(resume, secret=Secret(""), token=None))

    def test_other_requests(self) -> None:
        """Requests without secrets are unchanged."""
        for request in (Leave(SESSION), Open(label="mine"), Open(session=SESSION), Join(SESSION)):
            self.assertIs(self.seal(request), request)
            self.assertIs(unseal_request(request, HOST_SECRET), request)
