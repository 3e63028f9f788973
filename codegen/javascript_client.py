"""Generates the JavaScript client: the shapes and TypeScript types of its messages, and the module that is served.

The types and shapes come from the server's attrs classes; esbuild joins and minifies the sources in `clients/js/src/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import NOTHING, Attribute, resolve_types

from codegen.message_fields import attributes, name, summary, value_type
from codegen.node_tools import MODULES, run_tool
from signald import __version__
from signald.core.errors import ErrorCode
from signald.core.messages import UNCOUNTED, Error
from signald.dialects.native import EVENTS, NESTED, REQUESTS, key

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "clients" / "js"
SOURCES = FOLDER / "src"
SHAPES = SOURCES / "messages.mjs"
TYPES = FOLDER / "messages.d.mts"
PACKAGE = FOLDER / "package.json"
MODULE = FOLDER / "client.mjs"
EMBED = FOLDER / "embed.mjs"
LICENCE = FOLDER / "LICENSE"

INTERNAL = (
    *(
        "addExtras",
        "attach",
        "current",
        "emit",
        "entry",
        "established",
        "expectRestart",
        "expectReplies",
        "expectedUntil",
        "extras",
        "isAckOverdue",
        "isEstablished",
    ),
    *("isFull", "kept", "knownId", "localUser", "markAcknowledged", "messageReceived", "needed", "offersFirst"),
    *(
        "receivedCount",
        "recordReceived",
        "recordSent",
        "register",
        "remoteSdp",
        "remoteUser",
        "removeAcknowledged",
        "sendTrack",
    ),
    *("rollsBack", "serverId", "setIceServers", "takeAckCount", "takeLost", "takeOverdue", "unsentEntries"),
    *("unsentFrames", "wasConnected"),
)
"""Names of properties that no message, no browser and no application knows, so that they can be shortened."""

_KINDS: dict[Any, tuple[str, str]] = {
    str: ("s", "string"),
    int: ("i", "number"),
    float: ("n", "number"),
    bool: ("b", "boolean"),
    ErrorCode: (
        "s",
        "ErrorCode | (string & {})",
    ),  # editors complete the known codes, and a newer server may send others
}

_SHAPES_HEAD = """\
// The forms of the server's messages. `make generate` writes this file from signald/core/messages/; do not edit it.
// A field is `key:kind`: the kind is s (string), i (integer), n (number), b (boolean) or the name of a value, and `*`
// after it stands for a list. The key is required, unless a mark follows: `?` optional, `+` and `-` true and false by
// default.
"""

_TYPES_HEAD = """\
// The messages of docs/protocol.md. `make generate` writes this file from signald/core/messages/; do not edit it.
"""


def _events() -> dict[type, str]:
    return {**EVENTS, Error: "error"}


def shapes() -> str:
    """Return the source text of the module with the shapes of the server's messages."""
    values = "\n".join(f'  {name(class_)}: "{_shape(class_)}",' for class_ in NESTED)
    events = "\n".join(f'  "{type_}": "{_shape(class_)}",' for class_, type_ in _events().items())
    uncounted = ", ".join(f'"{type_}"' for class_, type_ in _events().items() if class_ in UNCOUNTED)
    return (
        f"{_SHAPES_HEAD}export const VALUES = {{\n{values}\n}};\nexport const EVENTS = {{\n{events}\n}};\n"
        f"export const UNCOUNTED = [{uncounted}];\n"
    )


def types() -> str:
    """Return the TypeScript declarations of every message."""
    parts = [_TYPES_HEAD]
    parts += [_interface(name(class_), class_, None) for class_ in NESTED]
    requests = {f"{class_.__name__}Request": (class_, type_) for type_, class_ in REQUESTS.items()}
    events = {f"{class_.__name__}Event": (class_, type_) for class_, type_ in _events().items()}
    parts += [_interface(title, class_, type_) for title, (class_, type_) in (requests | events).items()]
    codes = "\n".join(f'  | "{code.value}"' for code in ErrorCode)
    parts.append(f'/** The codes of docs/protocol.md, "Errors". */\nexport type ErrorCode =\n{codes};\n')
    parts.append(f"export type Request =\n{_union(requests)};\n")
    parts.append(f"export type ServerEvent =\n{_union(events)};\n")
    return "\n".join(parts)


def bundle(entry: str = "client.mjs") -> str:
    """Return a source with all that it imports as one minified module; `messages.mjs` has to be up to date."""
    # terser after esbuild saves 0.5 kB of brotli's 9.7. It names the variables, since it knows how often each name
    # occurs: where esbuild has named them before, the result is 20 bytes larger.
    joined = run_tool(
        MODULES / "esbuild" / "bin" / "esbuild", entry, "--bundle", "--minify-syntax", "--minify-whitespace",
        "--format=esm", "--target=es2022", "--charset=utf8", f"--mangle-props=^({'|'.join(INTERNAL)})$",
        directory=SOURCES,
    )  # fmt: skip
    minified = run_tool(
        MODULES / "terser" / "bin" / "terser", "--module", "--ecma", "2020", "--compress",
        "passes=4,unsafe_arrows=true,hoist_funs=true", "--mangle", directory=SOURCES, text=joined,
    )  # fmt: skip
    return f"// signald {__version__}, MIT licence; source: clients/js/src/.\n{minified}"


def package() -> str:
    """Return package.json with the version of signald."""
    fields = json.loads(PACKAGE.read_text("utf-8"))
    return json.dumps({**fields, "version": __version__}, indent=2) + "\n"


def licence() -> str:
    """Return the licence, which npm packs from the package's own folder alone."""
    return (ROOT / "LICENSE").read_text("utf-8")


def write() -> Iterable[Path]:
    """Write every file of the client that is generated, and yield their paths."""
    # The shapes come first, since the module contains them.
    for path, make in (
        (SHAPES, shapes),
        (TYPES, types),
        (PACKAGE, package),
        (LICENCE, licence),
        (MODULE, bundle),
        (EMBED, lambda: bundle("embed.mjs")),
    ):
        path.write_text(make(), encoding="utf-8")
        yield path


def _shape(class_: Any) -> str:
    resolve_types(class_)
    return " ".join(f"{key(a.name)}:{_kind(a.type)[0]}{_mark(a)}" for a in attributes(class_))


def _mark(attribute: Attribute[Any]) -> str:
    if attribute.default is NOTHING:
        return ""
    return {True: "+", False: "-"}[attribute.default] if isinstance(attribute.default, bool) else "?"


def _interface(title: str, class_: Any, type_: str | None) -> str:
    """Return the declaration of an object; what an event has by default is always there in what the client returns."""
    resolve_types(class_)
    is_event = (class_ in _events() and title.endswith("Event")) or type_ is None
    lines = [f"/** {summary(class_)} */", f"export interface {title} {{"]
    if type_ is not None:
        lines.append(f'  type: "{type_}";')
    for attribute in attributes(class_):
        given = is_event and (isinstance(attribute.default, bool) or _kind(attribute.type)[0].endswith("*"))
        optional = "" if attribute.default is NOTHING or given else "?"
        property_ = key(attribute.name) if key(attribute.name).isidentifier() else f'"{key(attribute.name)}"'
        lines.append(f"  {property_}{optional}: {_kind(attribute.type)[1]};")
    return "\n".join([*lines, "}"]) + "\n"


def _union(members: Iterable[str]) -> str:
    return "\n".join(f"  | {member}" for member in members)


def _kind(type_: Any) -> tuple[str, str]:
    """Return a type's kind in a shape, and its type in TypeScript."""
    value, is_list = value_type(type_)
    kind, typed = _KINDS.get(value) or (name(value), name(value))
    return (f"{kind}*", f"{typed}[]") if is_list else (kind, typed)
