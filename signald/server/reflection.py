"""Reports to `signald doctor` what came through the proxies, in a header of the response: pure.

The doctor proves with the host secret of the data directory that the operator runs it; other clients get no header.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence

from attrs import asdict, field, frozen

from signald.net.proxies import Network, client_address, is_trusted
from signald.server.forwarding_traffic import ForwardingTraffic

__all__ = ["ANSWER", "REQUEST", "RequestReflector", "Seen", "proof", "read_seen"]

REQUEST = "Signald-Doctor"
"""The request header that proves knowledge of the secret: seconds since the epoch, a hyphen, a MAC in hex."""

ANSWER = "Signald-Seen"
"""The response header with what the server saw: JSON in base64url."""

PROOF_SECONDS = 120.0
"""Seconds for which a proof is valid."""

MAX_HOPS = 8
"""The last addresses of X-Forwarded-For that are reported, so many at most."""

MAX_CHARACTERS = 100
"""The characters of a value that are reported, so many at most."""


@frozen
class Seen:
    """A request as the server saw it.

    Attributes:
        host: the Host header.
        peer: the address of the connection's other end, the last proxy's where there is one.
        trusted: whether its X-Forwarded-For is believed.
        hops: the addresses in X-Forwarded-For, the last proxy's entry at the end.
        counted: the address that the connection is counted by.
        unnamed_proxy: the address that has most of the traffic, sends X-Forwarded-For and is not trusted; empty where
            there is none.

    """

    host: str
    peer: str
    trusted: bool
    hops: tuple[str, ...]
    counted: str
    unnamed_proxy: str = ""


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
class RequestReflector:
    """Makes the response header for clients that prove knowledge of the secret.

    Attributes:
        secret: the host secret.
        wall: gives the wall time, in seconds since the epoch.
        traffic: knows whether most traffic comes from a proxy that is not trusted.

    """

    secret: bytes = field(repr=False)
    wall: Callable[[], float]
    traffic: ForwardingTraffic = field(factory=ForwardingTraffic)

    def headers(self, request: Mapping[str, str], peer: str, trusted: Sequence[Network]) -> dict[str, str]:
        """The headers to add to a response; none for a request without a valid proof.

        Arguments:
            request: the headers of the request by lower-case name.
            peer: the address of the connection's other end.
            trusted: the networks of the trusted proxies.

        """
        given = request.get(REQUEST.lower())
        if given is None or not self._is_proof(given):
            return {}
        forwarded = request.get("x-forwarded-for", "")
        hops = [hop.strip()[:MAX_CHARACTERS] for hop in forwarded.split(",") if hop.strip()]
        seen = Seen(
            host=request.get("host", "")[:MAX_CHARACTERS],
            peer=peer,
            trusted=is_trusted(peer, trusted),
            hops=tuple(hops[-MAX_HOPS:]),
            counted=client_address(peer, forwarded, trusted),
            unnamed_proxy=self.traffic.unnamed_proxy or "",
        )
        return {ANSWER: urlsafe_b64encode(json.dumps(asdict(seen)).encode()).decode("ascii")}

    def _is_proof(self, given: str) -> bool:
        time, _, mac = given.partition("-")
        if not (time.isascii() and time.isdigit() and len(time) < 13 and mac.isascii()):
            return False
        return abs(int(time) - self.wall()) <= PROOF_SECONDS and hmac.compare_digest(mac, _mac(self.secret, time))


def read_seen(value: str) -> Seen | None:
    """Read the response header; None where it holds anything else."""
    try:
        document = json.loads(urlsafe_b64decode(value))
        return Seen(
            host=str(document["host"]),
            peer=str(document["peer"]),
            trusted=document["trusted"] is True,
            hops=tuple(map(str, document["hops"])),
            counted=str(document["counted"]),
            unnamed_proxy=str(document.get("unnamed_proxy", "")),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
