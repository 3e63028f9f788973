"""Builds the doctor's WebSocket opening handshake, and judges the proxies by the server's response, without I/O."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1

from signald.core.errors import ErrorCode
from signald.doctor.findings import Finding, failure, ok, skipped, warning
from signald.doctor.page_files import wrong_path
from signald.doctor.responses import Response
from signald.doctor.targets import PublicUrl
from signald.server.reflection import REQUEST, Seen

__all__ = ["FORGED", "SUBPROTOCOL", "handshake", "judge_handshake", "judge_seen", "judge_traffic"]

FORGED = "192.0.2.77"
"""The forged client address in the doctor's X-Forwarded-For header, as a client would send to evade rate limits.

It is reserved for documentation (RFC 5737 §3).
"""

SUBPROTOCOL = "signald.1"

_KEY = b64encode(b"signald doctor!!").decode("ascii")
"""The Sec-WebSocket-Key of sixteen bytes (RFC 6455 §4.1); the doctor does not need random bytes."""

# The expected Sec-WebSocket-Accept, with which the server proves that it has read the key (RFC 6455 §4.2.2).
_ACCEPT = b64encode(
    sha1(f"{_KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
).decode("ascii")

RECIPES = "docs/proxies.md has whole files for nginx, HAProxy, Caddy and Apache."


def handshake(url: PublicUrl, proof: str | None) -> bytes:
    """Build the opening handshake as a browser on the page would send it, with a forged X-Forwarded-For header.

    Arguments:
        url: the public URL of the page.
        proof: the proof that the operator sends the request; None if the doctor cannot read the secret for it.

    """
    lines = [
        f"GET {url.path}ws HTTP/1.1",
        f"Host: {url.authority}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {_KEY}",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        f"Origin: {url.origin}",
        f"X-Forwarded-For: {FORGED}",
        *([] if proof is None else [f"{REQUEST}: {proof}"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def judge_handshake(url: PublicUrl, base: str, response: Response, seen: Seen | None) -> list[Finding]:
    """Return findings about whether the proxies pass the Upgrade and Host headers on to signald.

    Arguments:
        url: the public URL of the page.
        base: the path of the page in signald's configuration.
        response: the response to the handshake.
        seen: the request as signald reports to have received it; None if signald did not report it.

    """
    if response.status == 101:
        if response.headers.get("sec-websocket-accept") != _ACCEPT:
            text = f"What answers at {url.socket} answers to another request: a cache is between."
            return [failure("proxy", text, f"Let nothing be cached under {url.path}ws.")]
        if response.headers.get("sec-websocket-protocol") != SUBPROTOCOL:
            text = f"The subprotocol {SUBPROTOCOL} does not come back from {url.socket}."
            return [failure("proxy", text, "Let the proxy pass Sec-WebSocket-Protocol on, both ways.")]
        return [
            ok("proxy", "Upgrade is passed on: the WebSocket opens."),
            ok("proxy", "Host is passed on: the page's own origin may connect."),
        ]
    return [_judge_refusal(url, base, response, seen)]


def _judge_refusal(url: PublicUrl, base: str, response: Response, seen: Seen | None) -> Finding:
    match response.code:
        case ErrorCode.UPGRADE_REQUIRED.value:
            return failure(
                "proxy",
                "Upgrade is not passed on: signald saw a plain request where a WebSocket was asked for.",
                "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
                f'"upgrade". {RECIPES}',
            )
        case ErrorCode.BAD_ORIGIN.value | ErrorCode.BAD_HOST.value:
            arrived = "another Host" if seen is None else f"Host: {seen.host or 'nothing'}"
            return failure(
                "proxy",
                f"Host is not passed on: signald saw {arrived} instead of {url.authority}, and refuses pages of "
                f"{url.origin}.",
                f"nginx: proxy_set_header Host $http_host. Apache: ProxyPreserveHost On. {RECIPES}",
            )
        case ErrorCode.GOING_AWAY.value:
            return warning("proxy", "signald is about to stop, and takes no WebSocket now.", "Run the doctor again.")
        case ErrorCode.NOT_FOUND.value:
            return wrong_path("proxy", url, base, f"{url.path}ws")
        case str(code):
            return failure("proxy", f"signald refuses the WebSocket: {code}.", "Look the code up in docs/protocol.md.")
        case None:
            return _judge_other(url, response)


def _judge_other(url: PublicUrl, response: Response) -> Finding:
    """Return a finding about a response that a proxy or another server sent instead of signald."""
    status = response.status
    if status in (502, 503, 504):
        return failure(
            "proxy",
            f"The proxy answers {status}: it does not reach signald.",
            "Start signald, and compare its port, interface and tls (signald config) with the "
            "address in the proxy's configuration.",
        )
    if 300 <= status < 400:
        where = response.headers.get("location", "nowhere")[:100]
        return failure(
            "proxy",
            f"{url.socket} is redirected to {where}, which no WebSocket follows.",
            "Give the final address as --url.",
        )
    return failure(
        "proxy",
        f"{url.socket} answers {status}, and that is not signald's answer.",
        f"Let the proxy pass every path of this host on to signald, with Upgrade. {RECIPES}",
    )


def judge_seen(seen: Seen | None, *, behind_proxy: bool, proxy_protocol: bool) -> Finding:
    """Return a finding about whether signald counts clients by their own addresses instead of the proxy's.

    Arguments:
        seen: the request as signald reports to have received it; None if signald did not report it.
        behind_proxy: whether the configuration implies a proxy: TLS is off, or trusted proxies are set.
        proxy_protocol: whether signald receives the client address in a PROXY header.

    """
    if seen is None:
        return skipped(
            "proxy",
            "Whether clients' addresses come through: signald tells it only to who can read its data directory.",
        )
    if not seen.trusted and (proxy_protocol or seen.hops == (FORGED,)):
        if behind_proxy and not proxy_protocol:
            return _not_set(seen.peer)
        return ok("proxy", "Clients are counted by the address of their connection.")
    if not seen.hops:
        return _not_set(seen.peer)
    if not seen.trusted:
        return failure(
            "proxy",
            f"The proxy at {seen.peer} is not trusted: all clients behind it count as one, and share its limits.",
            f'Set trusted_proxies = ["{seen.peer}"] (--trusted-proxy {seen.peer}).',
        )
    if seen.hops[-1] == FORGED:
        return failure(
            "proxy",
            f"The proxy at {seen.peer} passes on the X-Forwarded-For that a client has made up.",
            "nginx: proxy_set_header X-Forwarded-For $remote_addr. HAProxy: http-request set-header X-Forwarded-For "
            f"%[src]. {RECIPES}",
        )
    return ok("proxy", f"The proxy at {seen.peer} is trusted, and tells the clients' addresses.")


def judge_traffic(seen: Seen) -> list[Finding]:
    """Return a finding if most of the traffic comes from one address that speaks for others and is not trusted."""
    address = seen.unnamed_proxy
    if not address:
        return []
    return [
        failure(
            "proxy",
            f"More than half of the last minute's traffic comes from {address}, which sends X-Forwarded-For and is not "
            "trusted: all clients behind it count as one, and share its limits.",
            f'If it is your proxy, set trusted_proxies = ["{address}"] (--trusted-proxy {address}).',
        )
    ]


def _not_set(peer: str) -> Finding:
    return failure(
        "proxy",
        f"The proxy at {peer} does not set X-Forwarded-For: all clients behind it count as one, and share its limits.",
        "nginx: proxy_set_header X-Forwarded-For $remote_addr. HAProxy: option forwardfor. Then "
        f'trusted_proxies = ["{peer}"]. {RECIPES}',
    )
