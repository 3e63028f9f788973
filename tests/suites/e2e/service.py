"""An application's service that decides who may: it checks the signature of each question as docs/tokens.md says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service:
    """A running service on this machine.

    Attributes:
        url: where it is asked.
        questions: the bodies of what it was asked.
        answer: what it says; the text of the connection's end for None.
        hangs: whether it never answers a question.

    """

    def __init__(self, secret: bytes, tls: ssl.SSLContext | None = None) -> None:
        """Start it, with TLS where a certificate is given."""
        self.questions: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = {"allow": True}
        self.hangs: Callable[[dict[str, Any]], bool] = lambda _: False
        self._stopped = threading.Event()
        service = self

        class Questions(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer a question."""
                body = self.rfile.read(int(self.headers["content-length"]))
                id, sent = self.headers["webhook-id"], self.headers["webhook-timestamp"]
                digest = hmac.new(secret, f"{id}.{sent}.".encode() + body, hashlib.sha256).digest()
                expected = f"v1,{base64.b64encode(digest).decode()}"
                is_ours = hmac.compare_digest(self.headers["webhook-signature"], expected)
                if not is_ours or abs(time.time() - int(sent)) > 60:
                    self.send_error(401)
                    return
                service.questions.append(json.loads(body))
                if service.hangs(service.questions[-1]):
                    service._stopped.wait()
                if service.answer is None or service._stopped.is_set():
                    self.close_connection = True
                    return
                answer = json.dumps(service.answer).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            """Lets signald connect 64 times at once; with a backlog of five the kernel delays the others by 1 s."""

            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Questions)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
        self.url = f"{scheme}://{host}:{self._server.server_port}/may"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
