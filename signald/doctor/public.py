"""Checks the page's public address as a browser would: the certificate, the proxies and the WebSocket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen
from OpenSSL import crypto

from signald.auth.host_secret import FILE_NAME, SECRET_BYTES
from signald.config.settings import Config
from signald.doctor.chain import judge_chain
from signald.doctor.clock import judge_date
from signald.doctor.findings import Finding, Mark, failure, skipped
from signald.doctor.handshakes import handshake, judge_handshake, judge_seen, judge_traffic
from signald.doctor.http_exchange import Answer, UnreachableError, exchange
from signald.doctor.page_files import (
    WORKER,
    find_style_sheet,
    is_misdirected,
    judge_file,
    judge_frames,
    judge_no_page,
    page_ok,
    page_request,
)
from signald.doctor.responses import Response
from signald.doctor.session import hold_session, judge_idle, judge_session
from signald.doctor.targets import NO_ADDRESS, PublicUrl, address_remedy
from signald.net.regular_files import read_regular
from signald.server.reflection import ANSWER, proof, read_seen

__all__ = ["Visit", "check_idle", "check_public"]


@frozen
class Visit:
    """The page that the doctor visits, with the settings for the check.

    Attributes:
        url: the URL of the page.
        is_public: whether the operator named the URL; otherwise it leads to signald's own port on this machine.
        config: signald's configuration.
        store: the trusted authorities.
        now: the wall time in seconds since the epoch.

    """

    url: PublicUrl
    is_public: bool
    config: Config
    store: crypto.X509Store
    now: float


async def check_public(reactor: Any, visit: Visit) -> list[Finding]:
    """Send the WebSocket handshake as a browser would, judge the response, and then open a signaling session."""
    url = visit.url
    secret = _host_secret(visit.config.data_dir / FILE_NAME)
    given = None if secret is None else proof(secret, visit.now)
    try:
        answer = await exchange(reactor, url.target, handshake(url, given))
    except UnreachableError as error:
        remedy = (
            "See whether the proxy or signald runs, whether the name's address is this machine's, and whether "
            "firewalls let the port pass."
        )
        if str(error) == NO_ADDRESS:
            remedy = address_remedy(url.target.host, "--url")
        return [failure("public", f"{url.origin} cannot be reached: {error}.", remedy)]
    findings = _judge_certificate(visit, answer) + _judge_answer(visit, answer)
    findings.append(await _check_page(reactor, visit, answer.response))
    if answer.response.status != 101:
        return [*findings, skipped("websocket", "A session: the WebSocket does not open.")]
    try:
        record = await hold_session(reactor, url, 0.0)
    except UnreachableError as error:
        return [*findings, failure("websocket", f"{url.socket} cannot be reached: {error}.", "Run the doctor again.")]
    return [*findings, judge_session(url, record)]


async def _check_page(reactor: Any, visit: Visit, handshaken: Response) -> Finding:
    """Load the page, a file that it names and its worker as a browser would, and return what is wrong with the first.

    Arguments:
        reactor: the reactor, which opens the TCP connections.
        visit: the page.
        handshaken: the response to the handshake.

    """
    url = visit.url
    if is_misdirected(handshaken):
        return skipped("page", "The page: the answer for its WebSocket says already what is wrong.")
    try:
        page = (await exchange(reactor, url.target, page_request(url, url.path))).response
        style_sheet = find_style_sheet(url, page)
        if style_sheet is None:
            return judge_no_page(url, visit.config.path, page)
        for path, kind in ((style_sheet, "text/css"), (url.path + WORKER, "text/javascript")):
            answer = await exchange(reactor, url.target, page_request(url, path))
            fault = judge_file(url, path, kind, answer.response)
            if fault is not None:
                return fault
    except UnreachableError as error:
        return failure("page", f"{url.page} cannot be reached: {error}.", "Run the doctor again.")
    return judge_frames(url, [origin.serialized for origin in visit.config.embed_origins], page) or page_ok(url)


async def check_idle(reactor: Any, visit: Visit) -> list[Finding]:
    """Keep a session idle for longer than the server's ping interval, to find a proxy that closes it earlier."""
    limits = visit.config.limits
    waited = 2 * limits.ping_seconds + limits.pong_seconds
    try:
        record = await hold_session(reactor, visit.url, waited)
    except UnreachableError:
        return [skipped("proxy", "Its idle timeout: no WebSocket opens.")]
    if record.answer is None:
        return [skipped("proxy", "Its idle timeout: no WebSocket opens.")]
    return [judge_idle(record, waited, limits.ping_seconds)]


def _judge_certificate(visit: Visit, answer: Answer) -> list[Finding]:
    url = visit.url
    if answer.chain:
        host = url.target.host if visit.is_public else None
        return judge_chain("certificate", url.origin, answer.chain, host, visit.store, visit.now)
    if not visit.is_public:
        return []
    return [
        failure(
            "certificate",
            f"{url.origin} is not encrypted: browsers give no camera to its page.",
            "Serve it over TLS, by signald itself or by a proxy, and give its https address as --url.",
        )
    ]


def _judge_answer(visit: Visit, answer: Answer) -> list[Finding]:
    """Return findings about the proxies and the clock, from the headers of the response."""
    headers, config = answer.response.headers, visit.config
    seen = read_seen(headers[ANSWER.lower()]) if ANSWER.lower() in headers else None
    findings = judge_handshake(visit.url, config.path, answer.response, seen)
    if not visit.is_public:
        # There is no proxy on this path, so that the checks of a proxy pass trivially and only faults are reported.
        findings = [finding for finding in findings if finding.mark is not Mark.OK]
    if visit.is_public and (seen is not None or answer.response.status == 101):
        behind = not config.tls or bool(config.trusted_proxies)
        findings.append(judge_seen(seen, behind_proxy=behind, proxy_protocol=config.proxy_protocol))
    if seen is not None:
        findings += judge_traffic(seen)
    if "date" in headers:
        findings.append(judge_date(headers["date"], visit.now, visit.url.origin))
    return findings


def _host_secret(path: Path) -> bytes | None:
    try:
        secret, _ = read_regular(path, SECRET_BYTES, follow=False)
    except OSError:
        return None
    return secret if len(secret) == SECRET_BYTES else None
