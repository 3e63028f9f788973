"""The types of the identifiers, secrets and counters that messages carry."""

from __future__ import annotations

from typing import NewType

UserId = NewType("UserId", str)
"""A user's identity: 26 symbols of Crockford's base 32."""

SessionId = NewType("SessionId", str)
"""A session's id in its canonical form: ten symbols of Crockford's base 32."""

RequestId = NewType("RequestId", str)
"""An id that a client chooses for a request; the server's reply or error carries the same one."""

Secret = NewType("Secret", str)
"""A resume secret or a host key: 256 random bits in base64url, 43 symbols."""

Instance = NewType("Instance", str)
"""A random id that a client program chooses when it starts. A reloaded page is a new instance and has no old state."""

Count = NewType("Count", int)
"""A number of counted messages (docs/protocol.md, "Resume")."""
