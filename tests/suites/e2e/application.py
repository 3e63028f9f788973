"""The page of somebody else's application, on an origin of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Application"]


class Application:
    """Serves files on an origin of its own.

    Attributes:
        origin: the origin, `http://localhost:PORT` or `http://127.0.0.1:PORT`, where browsers allow a camera.

    """

    def __init__(
        self,
        files: Mapping[str, tuple[bytes, str]],
        *,
        headers: Mapping[str, str] | None = None,
        host: str = "localhost",
    ) -> None:
        """Start to serve.

        Arguments:
            files: the content and the media type of each file, by path.
            headers: further headers of each response.
            host: the host of the origin, `localhost` or `127.0.0.1`.

        """

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body, type_ = files.get(self.path, (b"", "text/plain"))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", f"{type_}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.origin = f"http://{host}:{self._server.server_port}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
