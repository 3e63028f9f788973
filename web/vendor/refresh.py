"""Take MicroPython for WebAssembly out of its npm tarball: checked, with licence and compressed siblings.

Usage: `python web/vendor/refresh.py TARBALL`; `README.md` has the command that fetches the tarball.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
from pathlib import Path

import brotli

VERSION = "1.27.0"
NAME = "@micropython/micropython-webassembly-pyscript"

SHA256 = {
    "micropython.mjs": "c2be87e7ba24e3b47d133022b009a66bff07f4720aa23d816d216ef8cc47014c",
    "micropython.wasm": "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c",
}
"""Of each file that is taken. A new version's are printed, to be compared with another source before they go in."""

LICENSE = """\
The MIT License (MIT)

Copyright (c) 2013-2025 Damien P. George and others

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.
"""


class RefreshError(Exception):
    """The tarball is not the pinned one."""


def unpack(tarball: Path) -> dict[str, bytes]:
    """The pinned files out of the tarball, by name.

    Raises:
        RefreshError: it is another package or version, or a file's hash differs.

    """
    contents: dict[str, bytes] = {}
    with tarfile.open(tarball) as archive:
        for name in ("package.json", *SHA256):
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise RefreshError(f"{name} is no file")
            contents[name] = member.read()
    package = json.loads(contents.pop("package.json"))
    if (package["name"], package["version"]) != (NAME, VERSION):
        raise RefreshError(f"this is {package['name']} {package['version']}, not {NAME} {VERSION}")
    for name, body in contents.items():
        digest = hashlib.sha256(body).hexdigest()
        if digest != SHA256[name]:
            raise RefreshError(f"{name} has SHA-256 {digest}, not {SHA256[name]}")
    return contents


def write(contents: dict[str, bytes], folder: Path) -> None:
    """Write the files, their compressed siblings and the licence into the folder."""
    for name, body in contents.items():
        (folder / name).write_bytes(body)
        (folder / f"{name}.br").write_bytes(brotli.compress(body, quality=11, lgwin=24))
        (folder / f"{name}.gz").write_bytes(gzip.compress(body, compresslevel=9, mtime=0))
    (folder / "LICENSE.micropython").write_text(LICENSE)


def main(arguments: list[str]) -> int:
    """Refresh the folder of this file from the tarball that the arguments name."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        write(unpack(Path(arguments[0])), Path(__file__).parent)
    except (OSError, KeyError, tarfile.TarError, RefreshError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
