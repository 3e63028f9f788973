"""What clients make the server do, in points: an address may spend so many in a round and in the long run.

A point takes 25 µs at most; `signald.server.fairness` divides rounds by them.
"""

from __future__ import annotations

READ_POINTS = 1
"""Points of one read from a transport, whatever it brings."""

FRAME_POINTS = 4
"""Points of a frame, and of what the small message in it makes the server do."""

BYTES_PER_POINT = 2048
"""Bytes of a frame that cost one point more: they are unmasked, checked as UTF-8 and parsed (190 µs for 60 kB)."""

COUNTED_BYTES = 8192
"""Size in bytes from which the elements of a message's JSON are counted; of a smaller one the parsing costs little."""

ELEMENTS_PER_POINT = 256
"""Elements of JSON, counted by their commas, that cost one point more: 60 kB with 6,000 keys take 0.9 ms to decode."""

MALFORMED_POINTS = 4
"""Points more of a message that is no valid request: it costs an exception and an error, and programs send none."""

EVENT_POINTS = 3
"""Points of each further event that a message has the server send, such as to every other member of a session."""

DECISION_POINTS = 8
"""Points of a decision, which opens, joins, leaves or changes a session, or resumes an identity."""

END_POINTS = 12
"""Points of the end of a connection, besides the events and decisions that follow from it."""

ACCEPT_POINTS = 6
"""Points of an accepted connection: its objects and its registration with the reactor."""

TLS_HANDSHAKE_POINTS = 24
"""Points of a TLS handshake, of which a signature with the server's key is the largest part."""

REQUEST_POINTS = 12
"""Points of a request, which may be the opening handshake of a WebSocket."""


def element_points(message: bytes) -> int:
    """The points that a message of `COUNTED_BYTES` or more costs by the elements of its JSON, besides its frames."""
    return message.count(b",") // ELEMENTS_PER_POINT
