"""Ephemeral TURN credentials, as coturn's `use-auth-secret` takes them.

The scheme is that of draft-uberti-behave-turn-rest-00 §2.2: the user name is the time of expiry and a name, the
credential an HMAC of it under a secret that the TURN server knows too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math

from attrs import field, frozen

from signald.core.messages import IceServer, UserId

LEAST_SECRET_BYTES = 32
"""Whoever has a credential can try secrets on it for as long as they like, without asking anybody."""

_PSEUDONYM_SYMBOLS = 16
_PSEUDONYM_PURPOSE = b"signald TURN pseudonym\0"


@frozen
class Turn:
    """The TURN servers that share a secret with signald.

    Attributes:
        urls: `turn:` and `turns:` URIs (RFC 7065).
        secret: coturn's `static-auth-secret`.
        seconds: for which credentials are good.

    """

    urls: tuple[str, ...]
    secret: bytes = field(repr=False)
    seconds: float

    def server(self, user: UserId, now: float) -> IceServer:
        """The servers with credentials of a user's own.

        Args:
            user: whose.
            now: seconds since 1970 (UTC): the TURN server compares the expiry with its own clock.

        """
        username, credential = credentials(self.secret, user, math.ceil(now + self.seconds))
        return IceServer(self.urls, username, credential, self.seconds)


def credentials(secret: bytes, user: UserId, expires: int) -> tuple[str, str]:
    """A user name and a credential that expire at this time (seconds since 1970)."""
    username = f"{expires}:{pseudonym(secret, user)}"
    # SHA-1 is what TURN servers take here; HMAC needs no collision resistance (RFC 6151 §2.3, RFC 2104 §6).
    mac = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(mac).decode()


def pseudonym(secret: bytes, user: UserId) -> str:
    """What the TURN server knows a user under.

    It is the same for all credentials of one user, so that quotas of the TURN server count, and without the secret
    nobody can tell whose it is: user ids are known to the others in a session.
    """
    return hmac.new(secret, _PSEUDONYM_PURPOSE + user.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_SYMBOLS]
