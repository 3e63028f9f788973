"""Judges by their responses whether the page and the files that it names come through the proxies: pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urljoin

from signald.core.errors import ErrorCode
from signald.doctor.findings import Finding, failure, ok
from signald.doctor.responses import POLICY, Response
from signald.doctor.targets import PublicUrl

__all__ = [
    "WORKER",
    "find_style_sheet",
    "is_misdirected",
    "judge_file",
    "judge_frames",
    "judge_no_page",
    "page_ok",
    "page_request",
    "wrong_path",
]

TOPIC = "page"

WORKER = "service-worker.js"
"""The service worker, whose path has to be the page's, since it may handle requests below its own path only."""

RECIPES = 'docs/proxies.md has the lines for each proxy ("Under a path").'

_ANCESTORS = re.compile(r"(?:^|[;,])\s*frame-ancestors\s+([^;,]*)", re.IGNORECASE)
"""The pages that may show the page in a frame, in each policy of the header (CSP Level 3 §2.2.3)."""

_STYLE_SHEET = re.compile(rb'<link rel="stylesheet" href="([!#-;=?-~]+)">')
"""The link to the page's style sheet, which its document has in its first kilobytes."""


def page_request(url: PublicUrl, path: str) -> bytes:
    """Build the request for a file, as a browser on the page would send it, without content codings."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {url.authority}", "Accept-Encoding: identity", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def find_style_sheet(url: PublicUrl, response: Response) -> str | None:
    """Return the path of the style sheet that the page names; None if the response is not signald's page."""
    found = _STYLE_SHEET.search(response.body)
    if response.status != 200 or found is None:
        return None
    target = urljoin(url.page, found[1].decode("ascii"))
    return target.removeprefix(url.origin) if target.startswith(f"{url.origin}/") else None


def is_misdirected(response: Response) -> bool:
    """Return whether a response to the handshake already says why the page cannot be loaded either."""
    if response.code is not None:
        return response.code == str(ErrorCode.NOT_FOUND.value)
    return 300 <= response.status < 400 or response.status >= 500


def judge_no_page(url: PublicUrl, base: str, response: Response) -> Finding:
    """Return the finding about a response for the page that is not signald's page.

    Arguments:
        url: the public URL of the page.
        base: the path of the page in signald's configuration.
        response: the response for the page.

    """
    if response.code == ErrorCode.NOT_FOUND.value:
        return wrong_path(TOPIC, url, base, url.path)
    return failure(
        TOPIC,
        f"{url.page} answers {response.status}, and that is not signald's page.",
        f"Let the proxy pass {url.path} and all paths below it on to signald. {RECIPES}",
    )


def judge_file(url: PublicUrl, path: str, kind: str, response: Response) -> Finding | None:
    """Return a finding, unless the response has status 200 and the media type of the file.

    Arguments:
        url: the public URL of the page.
        path: the path of the file.
        kind: the media type of the file.
        response: the response for the file.

    """
    # Some servers answer every unknown path with a page of theirs, and 200.
    if response.status == 200 and response.headers.get("content-type", "").partition(";")[0] == kind:
        return None
    if not path.startswith(url.path):
        return failure(
            TOPIC,
            f"The page at {url.page} names {path}, which is not below {url.path}, and answers {response.status}.",
            f"Let the proxy pass the page on unchanged: signald's own page names relative paths. {RECIPES}",
        )
    folder, _, name = path.rpartition("/")
    wrong = path if name == WORKER else f"all paths below {folder}/"
    harm = "it cannot be installed, nor opened offline" if name == WORKER else "it does not start"
    kind = response.headers.get("content-type", "without a type")
    answer = f"{response.status}" if response.status != 200 else f"200, but is another file ({kind:.60})"
    return failure(
        TOPIC,
        f"The page at {url.page} comes, but {harm}: {path} answers {answer}.",
        f"Let the proxy pass {wrong} on to signald as it passes {url.path} on. {RECIPES}",
    )


def judge_frames(url: PublicUrl, origins: Sequence[str], page: Response) -> Finding | None:
    """Return why browsers do not show the page in frames as it is configured; None if they do.

    Arguments:
        url: the public URL of the page.
        origins: the serialized origins whose pages may show it.
        page: the response for the page.

    """
    listed = [found[1].split() for found in _ANCESTORS.finditer(page.headers.get(POLICY, ""))]
    refused = [origin for origin in origins if any(origin not in ancestors for ancestors in listed)]
    if not origins or (listed and not refused):
        return None
    if listed:
        harm = f"no page of {refused[0]} can show it in a frame, although embed_origins names that site"
    elif "x-frame-options" in page.headers:
        harm = "no page can show it in a frame, by an X-Frame-Options that is not signald's"
    else:
        harm = "every site can show it in a frame"
    return failure(
        TOPIC,
        f"The page at {url.page} comes with other headers than signald's: {harm}.",
        "Let the proxy pass Content-Security-Policy on unchanged, and add neither that header nor X-Frame-Options.",
    )


def page_ok(url: PublicUrl) -> Finding:
    """Return the finding about a page whose files come."""
    return ok(TOPIC, f"The page at {url.page} comes, with its style sheet and its worker.")


def wrong_path(topic: str, url: PublicUrl, base: str, path: str) -> Finding:
    """Return a finding about signald's answer that it does not serve a path, by what the proxy does with the path.

    Arguments:
        topic: the topic of the finding.
        url: the public URL of the page.
        base: the path of the page in signald's configuration.
        path: the path that was requested.

    """
    plain = url.path.removesuffix("/")
    if url.path == base == "/":
        cause = "the proxy passes on another path"
        remedy = "Pass paths on as they are: signald serves the page at / and the socket at /ws."
    elif url.path == base:
        cause = f"the proxy strips {plain}, or changes it, and signald's path is {base}"
        remedy = f'Set path = "/", or let the proxy pass {plain} on (nginx: proxy_pass without a path). {RECIPES}'
    elif base == "/":
        cause = f"the proxy passes {plain} on, and signald's path is /"
        remedy = f'Set path = "{plain}" (--path {plain}), or let the proxy strip it (nginx: a slash after proxy_pass '
        remedy += f"http://signald). {RECIPES}"
    else:
        cause = f"signald's path is {base}"
        remedy = f"Give {url.origin}{base} as --url, or set path to the path that the proxy passes on."
    return failure(topic, f"signald answers, but not for {path}: {cause}.", remedy)
