"""A TLS client that updates its keys as often as it is told to, which neither pyOpenSSL nor `ssl` can."""

from __future__ import annotations

import _ssl
import ctypes
from typing import Any

_UPDATE_REQUESTED = 1
"""The server is to update its keys, too (RFC 8446 §4.6.3)."""


def _library() -> Any:
    """Return Python's own OpenSSL, with the result types of the functions that return pointers."""
    library = ctypes.CDLL(_ssl.__file__)
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_s_mem", "BIO_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


class KeyUpdatingClient:
    """A TLS 1.3 client in memory that verifies no certificate."""

    def __init__(self) -> None:
        """Create the client; nothing is sent yet."""
        self._openssl = openssl = _library()
        context = ctypes.c_void_p(openssl.SSL_CTX_new(ctypes.c_void_p(openssl.TLS_client_method())))
        self._ssl = ctypes.c_void_p(openssl.SSL_new(context))
        openssl.SSL_CTX_free(context)
        self._input, self._output = (
            ctypes.c_void_p(openssl.BIO_new(ctypes.c_void_p(openssl.BIO_s_mem()))) for _ in range(2)
        )
        openssl.SSL_set_bio(self._ssl, self._input, self._output)
        openssl.SSL_set_connect_state(self._ssl)

    def handshake(self, received: bytes = b"") -> bytes:
        """Go on with the handshake after bytes from the server; return what is to be sent."""
        self._openssl.BIO_write(self._input, received, len(received))
        self._openssl.SSL_do_handshake(self._ssl)
        return self._take()

    def update_keys(self, count: int) -> bytes:
        """Return the records of so many updates, each of which asks for an update of the server's keys."""
        for _ in range(count):
            self._openssl.SSL_key_update(self._ssl, _UPDATE_REQUESTED)
            self._openssl.SSL_do_handshake(self._ssl)
        return self._take()

    def encrypt(self, data: bytes) -> bytes:
        """Return the record of plaintext."""
        self._openssl.SSL_write(self._ssl, data, len(data))
        return self._take()

    def close(self) -> None:
        """Free the memory."""
        self._openssl.SSL_free(self._ssl)

    def _take(self) -> bytes:
        taken, buffer = b"", ctypes.create_string_buffer(65536)
        while (size := self._openssl.BIO_read(self._output, buffer, len(buffer))) > 0:
            taken += buffer.raw[:size]
        return taken
