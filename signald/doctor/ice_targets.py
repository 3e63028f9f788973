"""Parses the URLs of STUN and TURN servers, and turns the outcome of each server's check into a finding."""

from __future__ import annotations

from attrs import frozen

from signald.doctor.allocation import Credentials, Outcome, Result
from signald.doctor.findings import Finding, failure, ok, warning
from signald.doctor.targets import NO_ADDRESS, Target, address_remedy

__all__ = ["ANSWER_SECONDS", "TOPIC", "IceTarget", "judge_ice", "read_ice_url", "unreachable_server"]

TOPIC = "ice"

ANSWER_SECONDS = 4.0
"""The timeout for all responses of one server together."""

_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}
"""The default ports of the URI schemes (RFC 7064 §3.2, RFC 7065 §3.2)."""


@frozen
class IceTarget:
    """A STUN or TURN server of the configuration.

    Attributes:
        url: the URL as the configuration has it.
        scheme: `stun`, `stuns`, `turn` or `turns`.
        target: the host and the port of the server.
        stream: whether the transport is TCP or TLS instead of UDP.
        credentials: the TURN credentials; None for STUN.

    """

    url: str
    scheme: str
    target: Target
    stream: bool
    credentials: Credentials | None


def read_ice_url(url: str, credentials: Credentials | None) -> IceTarget:
    """Parse a STUN or TURN URL that the configuration has already validated (RFC 7064 §3.1, RFC 7065 §3.1)."""
    scheme, _, rest = url.partition(":")
    address, _, query = rest.partition("?")
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        host, port = address, ""
    tls = scheme.endswith("s")
    target = Target(host.removeprefix("[").removesuffix("]"), int(port or _PORTS[scheme]), tls)
    return IceTarget(url, scheme, target, tls or query == "transport=tcp", credentials)


def judge_ice(server: IceTarget, outcome: Outcome, *, minted: bool) -> Finding:
    """Return a finding about a server; `minted` is whether its credentials were derived from a shared secret."""
    url = server.url
    match outcome.result:
        case Result.MAPPED:
            return ok(TOPIC, f"{url} answers.")
        case Result.RELAYED if outcome.reached:
            return warning(
                TOPIC,
                f"{url} takes the credentials and relays, into private networks too ({', '.join(outcome.reached)}).",
                "Where it is reachable from the internet, deny private and loopback peers (denied-peer-ip= and no "
                "allow-loopback-peers in coturn's configuration).",
            )
        case Result.RELAYED:
            return ok(TOPIC, f"{url} takes the credentials and relays; it refuses private peers.")
        case Result.OPEN:
            return warning(
                TOPIC,
                f"{url} relays for everybody: it asked for no credentials.",
                "Let it ask: use-auth-secret or lt-cred-mech in coturn's configuration.",
            )
        case Result.REFUSED if outcome.error in (401, 441):
            return _bad_credentials(url, minted=minted)
        case Result.REFUSED:
            return failure(
                TOPIC,
                f"{url} refuses with {outcome.error}{_ERRORS.get(outcome.error or 0, '')}.",
                "Look at the server's log and its quotas.",
            )
        case Result.NO_ANSWER:
            return unreachable_server(server, f"no answer comes within {ANSWER_SECONDS:.0f} s")
        case Result.CLOSED:
            closed = "the connection is closed without an answer" if server.stream else "nothing listens there"
            return unreachable_server(server, closed)
        case Result.NONSENSE:
            return failure(TOPIC, f"What answers at {url} does not speak STUN.", "Correct the host and the port.")


_ERRORS = {
    403: " (forbidden)",
    437: " (allocation mismatch)",
    442: " (unsupported transport)",
    486: " (too many allocations of this user)",
    508: " (no capacity left)",
}
"""The meanings of TURN error codes (RFC 8656 §19)."""


def _bad_credentials(url: str, *, minted: bool) -> Finding:
    if minted:
        return failure(
            TOPIC,
            f"{url} refuses the credentials made of ice.turn_secret_file.",
            "Put the same secret there as in the server (coturn: use-auth-secret and static-auth-secret=), and "
            "compare the clocks of the two machines: the credentials hold a time.",
        )
    return failure(
        TOPIC,
        f"{url} refuses its user or secret.",
        "Correct user and secret in ice.servers, or in the server (coturn: lt-cred-mech, user=NAME:SECRET, a realm).",
    )


def unreachable_server(server: IceTarget, reason: str) -> Finding:
    """Return a finding that a server cannot be reached; the reason is the end of a sentence."""
    host, transport = server.target.host, "TCP" if server.stream else "UDP"
    remedy = f"See whether the server runs, and let firewalls pass {transport} port {server.target.port} of {host}."
    if reason == NO_ADDRESS:
        remedy = address_remedy(host, "the section ice")
    return failure(TOPIC, f"{server.url} cannot be reached: {reason}.", remedy)
