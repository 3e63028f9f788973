"""Tells `signald doctor` what came through the proxies, in a header of the answer: pure.

The doctor proves by the host secret of the data directory that it is the operator's; nobody else is told anything.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence

from attrs import asdict, field, frozen

from signald.net.proxies import Network, client_address, is_trusted

__all__ = ["ANSWER", "REQUEST", "Mirror", "Seen", "proof", "read_seen"]

REQUEST = "Signald-Doctor"
"""The header by which the doctor shows that it has the secret: seconds since the epoch, a hyphen, a MAC in hex."""

ANSWER = "Signald-Seen"
"""The header of the answer: what was seen, as JSON in base64url."""

PROOF_SECONDS = 120.0
"""For which a proof is good."""

MOST_HOPS = 8
"""Of X-Forwarded-For that are told, from the right, and characters of each."""

MOST_CHARACTERS = 100
"""Of a value that is told."""


@frozen
class Seen:
    """What the server saw of a request.

    Attributes:
        host: the Host header.
        peer: the address of the connection's other end, the last proxy's where there is one.
        trusted: whether its X-Forwarded-For is believed.
        hops: the addresses in X-Forwarded-For, the last proxy's entry at the end.
        counted: the address that the connection is counted under.

    """

    host: str
    peer: str
    trusted: bool
    hops: tuple[str, ...]
    counted: str


def proof(secret: bytes, now: float) -> str:
    """The value of the request's header.

    Arguments:
        secret: the host secret.
        now: wall time, seconds since the epoch.

    """
    time = f"{now:.0f}"
    return f"{time}-{_mac(secret, time)}"


def _mac(secret: bytes, time: str) -> str:
    # Host keys are MACs of session ids under the same secret; no session id looks like this.
    return hmac.digest(secret, f"signald doctor {time}".encode(), "sha256").hex()


@frozen
class Mirror:
    """Answers those who have the secret.

    Attributes:
        secret: the host secret.
        wall: tells the wall time, seconds since the epoch.

    """

    secret: bytes = field(repr=False)
    wall: Callable[[], float]

    def headers(self, request: Mapping[str, str], peer: str, trusted: Sequence[Network]) -> dict[str, str]:
        """The headers to add to an answer; none for whoever has no proof.

        Arguments:
            request: its headers, by lower-case name.
            peer: the address of the connection's other end.
            trusted: the networks of the proxies that are believed.

        """
        given = request.get(REQUEST.lower())
        if given is None or not self._is_proof(given):
            return {}
        forwarded = request.get("x-forwarded-for", "")
        hops = [hop.strip()[:MOST_CHARACTERS] for hop in forwarded.split(",") if hop.strip()]
        seen = Seen(
            host=request.get("host", "")[:MOST_CHARACTERS],
            peer=peer,
            trusted=is_trusted(peer, trusted),
            hops=tuple(hops[-MOST_HOPS:]),
            counted=client_address(peer, forwarded, trusted),
        )
        return {ANSWER: urlsafe_b64encode(json.dumps(asdict(seen)).encode()).decode("ascii")}

    def _is_proof(self, given: str) -> bool:
        time, _, mac = given.partition("-")
        if not (time.isascii() and time.isdigit() and len(time) < 13 and mac.isascii()):
            return False
        return abs(int(time) - self.wall()) <= PROOF_SECONDS and hmac.compare_digest(mac, _mac(self.secret, time))


def read_seen(value: str) -> Seen | None:
    """What a server has seen, out of its answer's header; None where that is something else."""
    try:
        document = json.loads(urlsafe_b64decode(value))
        return Seen(
            host=str(document["host"]),
            peer=str(document["peer"]),
            trusted=document["trusted"] is True,
            hops=tuple(map(str, document["hops"])),
            counted=str(document["counted"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
