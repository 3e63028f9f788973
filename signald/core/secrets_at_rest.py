"""Replaces the secrets of messages before a snapshot is written to a disk, and puts them back after it is read.

A host key is an HMAC of the session's id, so that a process that has the host secret can derive it again. In its place
stands another HMAC of the id. Whoever reads the file learns no host key from it, and a client cannot send it in order
to be taken for the host, since it does not have the host secret either.
"""

from __future__ import annotations

import base64
import hmac

from attrs import evolve

from signald.core.ids import host_key
from signald.core.messages import CountedEvent, Hello, Join, Open, Opened, Request, Resume, Secret, SessionId

__all__ = ["seal_event", "seal_request", "unseal_event", "unseal_request"]

_PURPOSE = b"host key in the state file: "
"""The prefix of what is hashed, which no session id has, so that the HMAC is that of no host key."""

_NO_KEY = Secret("")
"""Stands for a wrong host key, which stays wrong, and which may be the key of another server."""


def seal_event(event: CountedEvent, host_secret: bytes) -> CountedEvent:
    """Replace the host key of an event that is not acknowledged."""
    if isinstance(event, Opened) and event.host_key is not None:
        return evolve(event, host_key=_sealed(host_secret, event.session))
    return event


def unseal_event(event: CountedEvent, host_secret: bytes) -> CountedEvent:
    """Put the host key back that `seal_event` replaced."""
    if isinstance(event, Opened) and _is_sealed(event.host_key, host_secret, event.session):
        return evolve(event, host_key=host_key(host_secret, event.session))
    return event


def seal_request(request: Request, host_secret: bytes) -> Request | None:
    """Replace the secrets of a request that waits; None if it has a password, which nothing could stand for.

    `UserRequests.reject_passwords` rejects requests with passwords before a snapshot is taken. `Hello` and `Resume` of
    a user that is welcomed already are rejected whatever they hold.
    """
    match request:
        case Hello():
            return evolve(request, token=None)
        case Resume():
            return evolve(request, secret=_NO_KEY, token=None)
        case Open(password=str()) | Join(password=str()):
            return None
        case Open(session=str(session), host_key=str(key)):
            is_right = hmac.compare_digest(key.encode(), host_key(host_secret, session).encode())
            return evolve(request, host_key=_sealed(host_secret, session) if is_right else _NO_KEY)
        case Open(host_key=str()):
            return evolve(request, host_key=_NO_KEY)
        case _:
            return request


def unseal_request(request: Request, host_secret: bytes) -> Request:
    """Put the host key back that `seal_request` replaced."""
    if (
        isinstance(request, Open)
        and request.session is not None
        and _is_sealed(request.host_key, host_secret, request.session)
    ):
        return evolve(request, host_key=host_key(host_secret, request.session))
    return request


def _is_sealed(key: Secret | None, host_secret: bytes, session: SessionId) -> bool:
    return key is not None and hmac.compare_digest(key.encode(), _sealed(host_secret, session).encode())


def _sealed(host_secret: bytes, session: SessionId) -> Secret:
    digest = hmac.digest(host_secret, _PURPOSE + session.encode(), "sha256")
    return Secret(base64.urlsafe_b64encode(digest).decode())
