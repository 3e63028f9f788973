"""What takes long to make of the page's files: kept since the wheel was built, or made at the start.

Each result is found by the digest of what it is made of, so one that does not fit the installed files is never used.
`python -m signald.page.build_cache FILE` makes all of them; the build of the wheel runs it (`packing.py`).

The file has a line of JSON, a list of `[name, bytes]`, and what they hold in this order.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Protocol

__all__ = ["FILE_NAME", "Made", "Make", "kept", "make_now", "packed", "unpacked"]

FILE_NAME = "made.bin"


class Make(Protocol):
    """Gives a result, from wherever it is had."""

    def __call__(self, kind: str, source: bytes, make: Callable[[bytes], bytes]) -> bytes:
        """The result of `make(source)`; `kind` tells it from what else is made of the same source."""


def make_now(kind: str, source: bytes, make: Callable[[bytes], bytes]) -> bytes:
    """Make it here and now."""
    return make(source)


class Made:
    """Results by what they are made of.

    Attributes:
        results: all that are known, by kind and digest.

    """

    def __init__(self, results: Mapping[str, bytes]) -> None:
        """Begin with those that are kept."""
        self.results = dict(results)

    def __call__(self, kind: str, source: bytes, make: Callable[[bytes], bytes]) -> bytes:
        """What is kept, or was made before; else make it."""
        name = f"{kind} {hashlib.sha256(source).hexdigest()}"
        if name not in self.results:
            self.results[name] = make(source)
        return self.results[name]


def kept() -> Made:
    """What the installed wheel keeps; nothing where signald runs from its sources."""
    file = files("signald.page") / FILE_NAME
    return Made(unpacked(file.read_bytes()) if file.is_file() else {})


def packed(contents: Mapping[str, bytes]) -> bytes:
    """Pack several contents into one, folder by folder and the largest first, which compresses best.

    The order of names takes 0.6 % more with brotli. One order by size for all folders takes 0.7 % more with gzip, whose
    window of 32 KiB (RFC 1951) is smaller than the page's modules together.
    """
    parts = sorted(contents.items(), key=lambda part: (part[0].rpartition("/")[0], len(part[1])), reverse=True)
    index = json.dumps([[name, len(content)] for name, content in parts], separators=(",", ":"))
    return b"".join([index.encode(), b"\n", *(content for _, content in parts)])


def unpacked(pack: bytes) -> dict[str, bytes]:
    """What `packed` put into one."""
    index, _, rest = pack.partition(b"\n")
    contents, begin = {}, 0
    for name, size in json.loads(index):
        contents[name] = rest[begin : begin + size]
        begin += size
    return contents


def main() -> None:
    """Make everything that a start needs, and write it into the file that the command line names."""
    from signald.page.assets import load_assets
    from signald.page.schemas import load_schemas

    made = Made({})
    load_assets(make=made)
    load_schemas(made)
    Path(sys.argv[1]).write_bytes(packed(made.results))


if __name__ == "__main__":
    main()
