"""Moves bytes through OpenSSL's memory buffers, for connections of pyOpenSSL.

`Connection.recv`, `send`, `bio_read` and `bio_write` spend half of their time on a new buffer for each call, on checks
of callbacks that only a handshake calls, and on an exception for each read that finds nothing. These functions call
OpenSSL as they do, with buffers that are made once, and return errors instead of raising them.
"""

from __future__ import annotations

from typing import Any

from OpenSSL._util import ffi, lib
from OpenSSL.SSL import Connection, Error

__all__ = ["ALL", "KEPT_BYTES", "MAX_PLAINTEXT", "add_input", "decrypt", "encrypt", "shrink_input", "take_output"]

MAX_PLAINTEXT = 16384
"""The most bytes of plaintext in a record (RFC 8446 §5.1)."""

ALL = -1
"""The number of records to decrypt when it is unknown: all that have arrived."""

_BUFFER_BYTES = 8 * MAX_PLAINTEXT
"""The size of a buffer: more than a transport reads at once."""

KEPT_BYTES = 4096
"""A memory buffer of OpenSSL grows to the most bytes that it ever held at once, and never shrinks: a connection that
has received and sent 64 KiB would keep 150 KiB until its end. One that has held more than this is replaced."""

_plaintext: Any = ffi.new("char[]", _BUFFER_BYTES)
_records: Any = ffi.new("char[]", _BUFFER_BYTES)


def add_input(connection: Any, data: bytes) -> None:
    """Give OpenSSL bytes that have arrived."""
    lib.BIO_write(connection._into_ssl, data, len(data))


def shrink_input(connection: Any) -> None:
    """Replace the input buffer, of which OpenSSL has read everything: it has held more than `KEPT_BYTES`."""
    _set_buffers(connection, lib.BIO_new(lib.BIO_s_mem()), connection._from_ssl)


def _set_buffers(connection: Any, into_ssl: Any, from_ssl: Any) -> None:
    """Set both buffers, of which the one that is replaced is freed by OpenSSL (SSL_set_bio(3))."""
    connection._into_ssl, connection._from_ssl = into_ssl, from_ssl
    lib.SSL_set_bio(connection._ssl, into_ssl, from_ssl)


def decrypt(connection: Any, records: int) -> tuple[bytes, int, Error | None]:
    """Decrypt records that have arrived; returns their plaintext, how many records are left, and an error.

    Arguments:
        connection: the `Connection`, whose handshake is complete.
        records: how many records are to be decrypted at most, or `ALL`.

    Without an error and with records left, there is more plaintext than fits into the buffer. The error is one that
    `Connection.recv` raises: `WantReadError` if OpenSSL needs more input, `ZeroReturnError` after the peer's closing
    alert.

    """
    ssl, size = connection._ssl, 0
    while records and size <= _BUFFER_BYTES - MAX_PLAINTEXT:
        result = lib.SSL_read(ssl, _plaintext + size, MAX_PLAINTEXT)
        if result <= 0:
            return ffi.buffer(_plaintext, size)[:], records, _error(connection, result)
        size += result
        records -= 1
    return ffi.buffer(_plaintext, size)[:], records, None


def encrypt(connection: Any, data: bytes) -> tuple[int, Error | None]:
    """Encrypt bytes into records; returns how many bytes OpenSSL took, and why it took no more, as `Connection.send`.

    `WantReadError` says that the handshake is not complete.
    """
    ssl, size, sent = connection._ssl, len(data), 0
    while sent < size:
        piece = data if size <= MAX_PLAINTEXT else data[sent : sent + MAX_PLAINTEXT]
        result = lib.SSL_write(ssl, piece, len(piece))
        if result <= 0:
            return sent, _error(connection, result)
        sent += result
    return sent, None


def take_output(connection: Any) -> bytes:
    """Take what OpenSSL has to send: records, alerts, and its side of the handshake; empty if there is nothing.

    An output buffer that has held much is replaced, as `shrink_input` does with the other one.
    """
    output = b""
    while True:
        size = lib.BIO_read(connection._from_ssl, _records, _BUFFER_BYTES)
        if size <= 0:
            return output
        piece: bytes = ffi.buffer(_records, size)[:]
        output += piece
        if size < _BUFFER_BYTES:
            if len(output) > KEPT_BYTES:
                _set_buffers(connection, connection._into_ssl, lib.BIO_new(lib.BIO_s_mem()))
            return output


def _error(connection: Connection, result: int) -> Error:
    """Return the error of a call that returned this result, as pyOpenSSL tells it."""
    try:
        connection._raise_ssl_error(connection._ssl, result)
    except Error as error:
        return error
    raise AssertionError(f"OpenSSL returned {result} without an error")
