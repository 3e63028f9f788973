"""Asks the C library how much memory this process has allocated."""

from __future__ import annotations

import ctypes


class _Mallinfo(ctypes.Structure):
    """The C library's figures (mallinfo2(3))."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def allocated_bytes() -> int:
    """Return the bytes that are allocated on the heap and in mappings, whether or not they were ever used."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    found = mallinfo()
    allocated: int = found.uordblks + found.hblkhd
    return allocated
