"""Ephemeral TURN credentials, as coturn's `use-auth-secret` accepts them.

The scheme is that of draft-uberti-behave-turn-rest-00 §2.2: the user name is the time of expiry and a name, and the
credential is its HMAC under a secret that the TURN server shares.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math

from attrs import field, frozen

from signald.core.ice_server import IceServer

MIN_SECRET_BYTES = 32
"""The least length of the shared secret: anybody with a credential can test guesses of the secret offline."""


@frozen
class Turn:
    """The TURN servers that share a secret with signald.

    Attributes:
        urls: `turn:` and `turns:` URIs (RFC 7065).
        secret: coturn's `static-auth-secret`.
        seconds: the lifetime of credentials.

    """

    urls: tuple[str, ...]
    secret: bytes = field(repr=False)
    seconds: float

    def server_for(self, reference: str, now: float) -> IceServer:
        """The servers with credentials for one user.

        Arguments:
            reference: the user's reference, by which the TURN server's log is read beside signald's. It is the same in
                all credentials of a user, so that the TURN server's quotas work.
            now: wall time, seconds since 1970 (UTC), since the TURN server compares the expiry with its own clock.

        """
        username, credential = credentials(self.secret, reference, math.ceil(now + self.seconds))
        return IceServer(self.urls, username, credential, self.seconds)


def credentials(secret: bytes, name: str, expires: int) -> tuple[str, str]:
    """Make a user name and a credential.

    Arguments:
        secret: the secret that the TURN server shares.
        name: the second part of the user name: a user's reference, which nobody can relate to its id.
        expires: when they expire, in seconds since 1970.

    """
    username = f"{expires}:{name}"
    # SHA-1 is what TURN servers take here; HMAC needs no collision resistance (RFC 6151 §2.3, RFC 2104 §6).
    mac = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(mac).decode()
