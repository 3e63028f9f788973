"""Tests of the doctor's findings about the page and the files that it names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.doctor.findings import Mark
from signald.doctor.page_files import (
    find_style_sheet,
    is_misdirected,
    judge_file,
    judge_frames,
    judge_no_page,
    page_request,
    wrong_path,
)
from signald.doctor.responses import Response, read_response
from signald.doctor.targets import PublicUrl
from signald.page.assets import load_assets
from signald.server.problems import last_response

URL = PublicUrl.read("https://example.org/calls/")
STYLE_SHEET = "/calls/assets/style.1.css"


def refusal(code: ErrorCode) -> Response:
    """Return signald's response with an error."""
    response = read_response(last_response(code))
    assert response is not None
    return response


def page(link: str) -> Response:
    """Return the response with a page that links to a style sheet."""
    return Response(200, {}, f'<html><link rel="stylesheet" href="{link}">'.encode(), False)


class StyleSheetTests(SynchronousTestCase):
    """Tests of the file that is loaded in the place of all that the page names."""

    def test_request(self) -> None:
        """The request asks for the file without a content coding, so that its type and its text can be read."""
        text = page_request(URL, STYLE_SHEET).decode()
        self.assertTrue(text.startswith(f"GET {STYLE_SHEET} HTTP/1.1\r\nHost: example.org\r\n"))
        self.assertIn("\r\nAccept-Encoding: identity\r\n", text)
        self.assertTrue(text.endswith("\r\n\r\n"))

    def test_links(self) -> None:
        """A link is resolved as browsers do; one to another origin is none of signald's."""
        for link, expected in (
            ("./assets/style.1.css", STYLE_SHEET),
            ("assets/style.1.css", STYLE_SHEET),
            ("/assets/style.1.css", "/assets/style.1.css"),
            ("https://example.org/x.css", "/x.css"),
            ("https://example.com/x.css", None),
            ("https://example.org.evil.example/x.css", None),
            ("x y", None),
        ):
            self.assertEqual(find_style_sheet(URL, page(link)), expected, link)
        self.assertIsNone(find_style_sheet(URL, Response(404, {}, page("a").body, True)))
        self.assertIsNone(find_style_sheet(URL, Response(200, {}, b"\xff<html>", True)))

    def test_installed_page(self) -> None:
        """The link in the installed page is found, in what the doctor reads of it."""
        assets = load_assets()
        body = assets["/"].representations["identity"].body
        path = find_style_sheet(URL, Response(200, {}, body[:4096], False))
        self.assertIn((path or "").removeprefix("/calls"), assets)


class JudgementTests(SynchronousTestCase):
    """Tests of the findings."""

    def test_files(self) -> None:
        """A file is right if it comes with its type; a page in the place of a file is named as what it is."""
        good = Response(200, {"content-type": "text/css; charset=utf-8"}, b"", True)
        self.assertIsNone(judge_file(URL, STYLE_SHEET, "text/css", good))
        for path, response, said, remedy in (
            (STYLE_SHEET, Response(404, {}, b"", True), f"{STYLE_SHEET} answers 404.", "below /calls/assets/ on"),
            (STYLE_SHEET, Response(200, {"content-type": "text/html"}, b"", True), "is another file (text/html)", ""),
            (STYLE_SHEET, Response(200, {}, b"", True), "is another file (without a type)", "/calls/assets/"),
            ("/calls/service-worker.js", good, "cannot be installed", "pass /calls/service-worker.js on"),
            (
                "/assets/style.1.css",
                Response(404, {}, b"", True),
                "/assets/style.1.css, which is not below",
                "relative",
            ),
        ):
            found = judge_file(URL, path, "text/css" if path == STYLE_SHEET else "text/javascript", response)
            assert found is not None
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn(said, found.text)
            self.assertIn(remedy, found.remedy or "")

    def test_no_page(self) -> None:
        """A response that is not the page is a failure, with the path that is wrong if signald sent it."""
        found = judge_no_page(URL, "/calls/", Response(403, {}, b"", True))
        self.assertIn("https://example.org/calls/ answers 403, and that is not signald's page.", found.text)
        found = judge_no_page(URL, "/", refusal(ErrorCode.NOT_FOUND))
        self.assertIn("signald answers, but not for /calls/: the proxy passes /calls on", found.text)

    def test_wrong_paths(self) -> None:
        """The cause follows from the public path and the path in the configuration."""
        for public, base, cause, remedy in (
            ("/", "/", "the proxy passes on another path", "as they are"),
            (
                "/calls/",
                "/calls/",
                "the proxy strips /calls, or changes it, and signald's path is /calls/",
                'path = "/"',
            ),
            ("/calls/", "/", "the proxy passes /calls on, and signald's path is /", "--path /calls"),
            ("/", "/calls/", "signald's path is /calls/", "Give https://example.org/calls/ as --url"),
            ("/a/", "/b/", "signald's path is /b/", "Give https://example.org/b/"),
        ):
            found = wrong_path("proxy", PublicUrl.read(f"https://example.org{public}"), base, f"{public}ws")
            self.assertEqual(found.text, f"signald answers, but not for {public}ws: {cause}.")
            self.assertIn(remedy, found.remedy or "")

    def test_misdirected(self) -> None:
        """A handshake that a proxy redirects or cannot pass on, or signald does not know, concerns the page too."""
        for status in (301, 308, 500, 502, 504):
            self.assertTrue(is_misdirected(Response(status, {}, b"", True)), status)
        self.assertTrue(is_misdirected(refusal(ErrorCode.NOT_FOUND)))
        for response in (Response(101, {}, b"", True), Response(404, {}, b"", True), refusal(ErrorCode.SERVER_FULL)):
            self.assertFalse(is_misdirected(response), response)


class FrameTests(SynchronousTestCase):
    """Tests of the headers by which browsers show the page in frames."""

    def judge(self, *headers: str) -> str:
        """Return the finding about a page with these header lines, for a server that two sites may embed."""
        head = "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""])
        response = read_response(head.encode())
        assert response is not None
        found = judge_frames(URL, ["https://a.example", "https://b.example"], response)
        return "" if found is None else found.text

    def test_as_configured(self) -> None:
        """A policy that lets all these sites show the page is right, also beside one that says nothing of frames."""
        ours = "Content-Security-Policy: default-src 'self'; frame-ancestors https://a.example https://b.example; x"
        theirs = "Content-Security-Policy: upgrade-insecure-requests"
        for headers in ([ours], [ours, theirs], [ours, "X-Frame-Options: DENY"]):
            self.assertEqual(self.judge(*headers), "")
        response = Response(200, {}, b"", True)
        self.assertIsNone(judge_frames(URL, [], response))

    def test_proxy(self) -> None:
        """A proxy that takes the policy away, replaces it or adds a stricter one is told by what comes of it."""
        ours = "Content-Security-Policy: frame-ancestors https://a.example https://b.example"
        self.assertIn("every site can show it in a frame", self.judge())
        self.assertIn("by an X-Frame-Options that is not signald's", self.judge("X-Frame-Options: SAMEORIGIN"))
        for policies in (
            ["content-security-policy: frame-ancestors https://b.example"],
            [ours, "Content-Security-Policy: default-src *; Frame-Ancestors 'self' https://b.example"],
            [f"{ours}, frame-ancestors https://b.example"],
        ):
            self.assertIn("no page of https://a.example can show it in a frame", self.judge(*policies))
