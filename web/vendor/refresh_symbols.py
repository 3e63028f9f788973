"""Take the pictures of verification codes out of Twemoji's npm tarball, into one file of SVG symbols.

Usage: `python web/vendor/refresh_symbols.py TARBALL`; `README.md` has the command that fetches the tarball.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
from pathlib import Path

NAME = "@twemoji/svg"
VERSION = "15.0.0"

PAGE = Path(__file__).parents[1]
SYMBOLS = PAGE / "client" / "extras" / "code_symbols.py"
TARGET = PAGE / "code-symbols.svg"

HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg">
<!-- Pictures of Twemoji, copyright Twitter, Inc and other contributors, licensed under CC-BY 4.0
     (https://creativecommons.org/licenses/by/4.0/). Taken unchanged from {NAME} {VERSION}, each as a symbol. -->
"""

PICTURE = re.compile(r"<svg [^>]*viewBox=\"0 0 36 36\"[^>]*>(.*)</svg>", re.DOTALL)


class RefreshError(Exception):
    """The tarball is not the pinned one, or lacks a picture."""


def emoji() -> str:
    """Return the emoji of the symbols in their order, from the module that defines them."""
    for statement in ast.parse(SYMBOLS.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="EMOJI")], value=value):
                return str(ast.literal_eval(value))
    raise RefreshError(f"{SYMBOLS.name} has no EMOJI")


def unpack(tarball: Path, wanted: str) -> str:
    """Return the SVG file with a symbol for each wanted emoji.

    Raises:
        RefreshError: it is another package or version, or a picture is missing or has another form.

    """
    symbols = []
    with tarfile.open(tarball) as archive:
        package = json.loads(_read(archive, "package.json"))
        if (package["name"], package["version"]) != (NAME, VERSION):
            raise RefreshError(f"this is {package['name']} {package['version']}, not {NAME} {VERSION}")
        for character in wanted:
            code = f"{ord(character):x}"
            picture = PICTURE.fullmatch(_read(archive, f"{code}.svg").strip())
            if picture is None:
                raise RefreshError(f"{code}.svg is no picture of 36 by 36")
            symbols.append(f'<symbol id="{code}" viewBox="0 0 36 36">{picture[1]}</symbol>\n')
    return HEAD + "".join(symbols) + "</svg>\n"


def _read(archive: tarfile.TarFile, name: str) -> str:
    try:
        member = archive.extractfile(f"package/{name}")
    except KeyError:
        member = None
    if member is None:
        raise RefreshError(f"there is no {name}")
    return member.read().decode()


def main(arguments: list[str]) -> int:
    """Write the file of symbols from the tarball that the arguments name."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        TARGET.write_text(unpack(Path(arguments[0]), emoji()), encoding="utf-8")
    except (OSError, KeyError, tarfile.TarError, RefreshError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
