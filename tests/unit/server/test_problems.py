"""Errors are sent as HTTP problem documents."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.server.problems import last_response, problem
from tests.support.endpoints import parse_response, problem_code


class ProblemTests(SynchronousTestCase):
    """Each error of the protocol has an RFC 9457 problem document."""

    def test_document(self) -> None:
        """The type is `about:blank`, the title is the status's reason phrase, and the code is an extension member."""
        self.assertEqual(
            json.loads(problem(ErrorCode.BAD_HOST)),
            {
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "The request must name one valid host.",
                "code": "bad-host",
            },
        )

    def test_every_error(self) -> None:
        """Every error has a response; an error without an HTTP status of its own becomes 500."""
        for code in ErrorCode:
            status, headers, body = parse_response(last_response(code))
            self.assertEqual(status, code.http_status or 500)
            self.assertEqual(json.loads(body)["code"], code.value)
            self.assertEqual(headers["connection"], "close")
            self.assertEqual(headers["server"], "signald")

    def test_headers(self) -> None:
        """Further headers are added, and no header occurs twice."""
        response = parse_response(last_response(ErrorCode.METHOD_NOT_ALLOWED, [("Allow", "GET")]))
        self.assertEqual(problem_code(response), ErrorCode.METHOD_NOT_ALLOWED)
        self.assertEqual(response[1]["allow"], "GET")
        data = last_response(ErrorCode.BAD_REQUEST, [("X-Content-Type-Options", "nosniff")])
        self.assertEqual(data.count(b"X-Content-Type-Options"), 1)

    def test_when_to_come_again(self) -> None:
        """A temporary error has Retry-After, which a header of the caller replaces."""
        for code in ErrorCode:
            _, headers, _ = parse_response(last_response(code))
            self.assertEqual("retry-after" in headers, code.http_status in (429, 503), code)
        _, headers, _ = parse_response(last_response(ErrorCode.GOING_AWAY, [("Retry-After", "2")]))
        self.assertEqual(headers["retry-after"], "2")

    def test_head(self) -> None:
        """The response to HEAD has the headers of the whole response and no body."""
        whole = last_response(ErrorCode.BAD_HOST)
        head, _, body = whole.partition(b"\r\n\r\n")
        self.assertEqual(last_response(ErrorCode.BAD_HOST, head=True), head + b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(body), head)
