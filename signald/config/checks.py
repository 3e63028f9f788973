"""Checks a whole configuration: what cannot be meant is refused, and what hardly anybody can want is a warning."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from pathlib import Path
from typing import Protocol, runtime_checkable

from attrs import frozen

from signald.config.appearance import LEAST_CONTRAST, LIGHT_GROUND, Accent, contrast, read_logo
from signald.config.setting_names import KeyPath, settings
from signald.config.settings import Config
from signald.config.values import ConfigError

__all__ = ["MESH_MEMBERS", "Doubt", "InFile", "doubts", "locate", "refuse_impossible"]

MESH_MEMBERS = 8
"""The most members of a call of pages (`CAPACITY` in `web/client/model/mesh.py`)."""

SECRETS: frozenset[KeyPath] = frozenset(
    {
        ("ice", "turn_secret_file"),
        ("tokens", "secret_file"),
        ("webhook", "secret_file"),
        ("operations", "admin_token_file"),
    }
)
"""The settings that name a file with a secret. Its name is not repeated before the file is known to be there: operators
put the secret itself there."""

PAGE_FILES = frozenset(
    {"ca.crt", "ca.pem", "client.mjs", "embed.mjs", "manifest.webmanifest", "service-worker.js", "ws"}
)
"""What is served below the path of the page and is no folder."""

_PAGE_FOLDER = "/schema/"
"""The folder of the page that has a content of its own."""

_ROOMS = "matchbox"
"""The folder below the path of the page in which the rooms of matchbox's clients are."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""The errors of stat(2) for a name that no file has."""

_KEY = re.compile(r"[a-z_]+(?:\.[a-z_]+)?")
"""A word that may be the key of a setting."""

_MOST_SHOWN = 200
"""The longest name of a missing file that is repeated; a longer one is the content of a file."""


@runtime_checkable
class InFile(Protocol):
    """The position of a setting in a configuration file."""

    @property
    def folder(self) -> Path:
        """The directory that relative names in the file start from."""


@frozen
class Doubt:
    """A setting that can be used, and that hardly anybody can want.

    Attributes:
        path: the path of the setting.
        where: the position of the value, or the name of the setting.
        text: what is doubtful about it.
        remedy: what to do.

    """

    path: KeyPath
    where: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text} {self.remedy}"


def refuse_impossible(config: Config, where: Mapping[KeyPath, object]) -> None:
    """Refuse values that cannot be meant.

    Arguments:
        config: the configuration.
        where: the source of each setting that is not a default, by path.

    Raises:
        ConfigError: the sentences, each on its own line.

    """
    found = [
        *_missing_files(config, where),
        *_unusable_logo(config),
        *_data_directory(config),
        *_proxies(config),
        *_ports(config, where),
        *_peerjs_paths(config),
    ]
    if found:
        raise ConfigError("\n".join(f"{_position(where, path)}: {sentence}" for path, sentence in found))


def doubts(config: Config, where: Mapping[KeyPath, object]) -> list[Doubt]:
    """Return what is doubtful about a configuration that can be used; the arguments are those of the refusals."""
    found: list[tuple[KeyPath, str, str]] = [
        *_readable_by_all(config),
        *_large_mesh(config),
        *_refused_by_browsers(config),
        *_read_only_directory(config),
        *_insecure_embedders(config),
        *_unreadable_accent(config),
    ]
    return [Doubt(path, _position(where, path), text, remedy) for path, text, remedy in found]


def locate(text: str, config: Config | None, where: Mapping[KeyPath, object]) -> str:
    """Put the position of the setting before each sentence about it that has none.

    Arguments:
        text: sentences about the configuration, each on its own line, which name a setting or its file.
        config: the configuration; None where its values contradict each other.
        where: the source of each setting that is not a default, by path.

    """
    return "\n".join(_locate_sentence(sentence, config, where) for sentence in text.splitlines())


def _locate_sentence(sentence: str, config: Config | None, where: Mapping[KeyPath, object]) -> str:
    # The names before the colon come first: what follows may mention other settings.
    named = [tuple(name.split(".")) for name in _KEY.findall(sentence)]
    paths = [path for path in named if path in where]
    if config is not None:
        paths = [path for path in paths if sentence.startswith(".".join(path))]
        paths += [path for path, file in _files(config) if path in where and str(file) in sentence]
    if not paths or sentence.startswith(str(where[paths[0]])):
        return sentence
    # The position ends with the key of the setting where it is that of a file.
    key = ".".join(paths[0])
    return f"{where[paths[0]]}: {re.sub(rf'^{re.escape(key)}(?: [(][^)]*[)])?: ', '', sentence)}"


def _position(where: Mapping[KeyPath, object], path: KeyPath) -> str:
    """Return what messages call a setting: its file and line, its variable or its option; a default's key."""
    return str(where.get(path, settings()[path].key))


def _missing_files(config: Config, where: Mapping[KeyPath, object]) -> Iterator[tuple[KeyPath, str]]:
    """Yield each setting that names a file which is not there."""
    for path, file in _files(config):
        if not _is_absent(file):
            continue
        if path in SECRETS:
            start = _start_of_relative(file, where.get(path))
            yield path, f"there is no such file{start}; expected the name of a file, and not the secret itself."
        else:
            yield path, f"expected the name of a file, and there is none of this name{_shown(file)}."


def _start_of_relative(file: Path, position: object) -> str:
    """Return where the relative names of a configuration file start, if the name of this file may be one."""
    if isinstance(position, InFile) and file.is_relative_to(position.folder):
        return f" (relative names start from {position.folder})"
    return ""


def _files(config: Config) -> Iterator[tuple[KeyPath, Path]]:
    """Yield each file that a setting names, with the path of the setting."""
    for path in settings():
        value: object = config
        for name in path:
            value = getattr(value, name)
        for file in value if isinstance(value, tuple) else (value,):
            if isinstance(file, Path) and path != ("data_dir",):
                yield path, file


def _is_absent(file: Path) -> bool:
    try:
        file.stat()
    except OSError as error:
        return error.errno in _ABSENT
    return False


def _shown(file: Path) -> str:
    """Return a name to be repeated, unless it may be the content of a file."""
    text = str(file)
    return f": {text}" if len(text) <= _MOST_SHOWN and text.isprintable() and "-----" not in text else ""


def _unusable_logo(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield the setting of the logo if its file is there, and cannot be used."""
    if config.page.logo is not None and not _is_absent(config.page.logo):
        try:
            read_logo(config.page.logo)
        except ConfigError as error:
            yield ("page", "logo"), str(error)


def _data_directory(config: Config) -> Iterator[tuple[KeyPath, str]]:
    existing = _nearest_existing(config.data_dir)
    try:
        is_other = existing is not None and not stat.S_ISDIR(existing.stat().st_mode)
    except OSError:
        return
    if is_other:
        yield ("data_dir",), f"{existing} is not a directory; name another one."


def _nearest_existing(path: Path) -> Path | None:
    """Return the path, or the nearest folder above it that exists; None where that cannot be known."""
    try:
        return next((one for one in (path, *path.parents) if os.path.lexists(one)), None)
    except OSError:
        return None


def _proxies(config: Config) -> Iterator[tuple[KeyPath, str]]:
    proxies = config.trusted_proxies
    four = collapse_addresses([network for network in proxies if isinstance(network, IPv4Network)])
    six = collapse_addresses([network for network in proxies if isinstance(network, IPv6Network)])
    for version, lengths in ((4, [one.prefixlen for one in four]), (6, [one.prefixlen for one in six])):
        if 0 in lengths:
            yield (
                ("trusted_proxies",),
                f"expected the addresses of your proxies, got networks that cover every IPv{version} address, so that "
                "each client could choose its own address with X-Forwarded-For; name the proxies alone.",
            )


def _ports(config: Config, where: Mapping[KeyPath, object]) -> Iterator[tuple[KeyPath, str]]:
    """Yield each port that an earlier setting has taken on the same address; 0 is a free one each time."""
    operations = config.operations
    ports: list[tuple[KeyPath, int | None, str | None]] = [
        (("port",), config.port, config.interface),
        (("ws_port",), config.ws_port, config.interface),
        (("operations", "port"), operations.port, operations.interface),
    ]
    for index, (path, port, interface) in enumerate(ports):
        for other, taken, address in ports[:index]:
            if port and port == taken and _overlap(interface, address):
                default = "" if other in where else " (its default)"
                yield (
                    path,
                    f'port {port} is already used by the setting "{settings()[other].key}"{default}; choose another '
                    "one.",
                )


def _overlap(one: str | None, other: str | None) -> bool:
    """Whether two listeners use the same address; None and an unspecified address stand for all of the machine."""
    return one == other or any(address is None or ip_address(address).is_unspecified for address in (one, other))


def _peerjs_paths(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield the setting of PeerJS's clients whose path is another one's: both are below the path of the page."""
    peerjs = config.peerjs
    if not peerjs.enabled:
        return
    base = peerjs.path.split("/")[1]
    name, path = ("path", peerjs.path) if base else ("key", f"/{peerjs.key}")
    first = base or peerjs.key
    if first == _ROOMS and config.matchbox.enabled:
        owner = "that of matchbox.enabled"
    elif first in PAGE_FILES or path == _PAGE_FOLDER:
        owner = "the page's"
    else:
        return
    yield ("peerjs", name), f"expected a free path, got {path}, which is {owner}; choose another one."


def _readable_by_all(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    operations = config.operations
    # The token of the admin page does not matter: the metrics are served without one.
    if operations.port is not None and ip_address(operations.interface).is_unspecified:
        yield (
            ("operations", "interface"),
            f"{operations.interface} is every address of this machine, and whoever reaches one can read the metrics, "
            "with or without an admin token.",
            "Listen on 127.0.0.1 or a private address, or let a firewall admit Prometheus alone.",
        )


def _large_mesh(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    members = config.limits.session_members
    if members > MESH_MEMBERS:
        yield (
            ("limits", "session_members"),
            f"{members} is more than {MESH_MEMBERS}. In a session each member sends its media to each other one, which "
            "no phone bears for more than about four others, and no laptop for more than seven.",
            f"The page takes part in calls of at most {MESH_MEMBERS}; set that, unless your clients send no media.",
        )


def _refused_by_browsers(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    for server in config.ice.servers:
        for url in server.urls:
            if url.startswith("stuns:"):
                yield (
                    ("ice", "servers"),
                    f"{url} is refused by browsers (Firefox) or not used, since they have no STUN over TLS.",
                    "Use stun:, or turns: for a server that has to be reached over TLS.",
                )


def _read_only_directory(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    existing = _nearest_existing(config.data_dir)
    if existing is not None and not os.access(existing, os.W_OK | os.X_OK):
        yield (
            ("data_dir",),
            f"{existing} cannot be written by this user, so that sessions end with the process.",
            "Give it to the user that signald runs under, with mode 0700, or name another directory.",
        )


def _insecure_embedders(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    for origin in config.embed_origins:
        if origin.scheme == "http" and not _is_loopback(origin.name):
            yield (
                ("embed_origins",),
                f"browsers give the frames of {origin.serialized} neither camera nor microphone, since its pages come "
                "without TLS (Secure Contexts §3.1).",
                "Serve them over https, and name that origin.",
            )


def _is_loopback(name: str) -> bool:
    """Whether browsers trust a host without TLS, since it is this machine (Secure Contexts §3.1)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _unreadable_accent(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    colour = config.page.accent
    if colour is None:
        return
    shown = Accent.of(colour).light
    # No colour can be read on both grounds. The dark theme's lighter one is nothing to warn of.
    if shown != colour:
        yield (
            ("page", "accent"),
            f"{colour} has a contrast of {contrast(colour, LIGHT_GROUND):.1f} with the ground of the light theme, "
            f"where {LEAST_CONTRAST} is needed to read it; the page shows {shown} there.",
            f"Choose a darker colour, or accept {shown}.",
        )
