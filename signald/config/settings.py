"""The configuration tree: every setting with its default, its bounds and its meaning, as metadata of an attrs field.

`signald/config/sources.py` builds the tree from a TOML file, the environment and the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from attrs import NOTHING, field, frozen
from attrs.validators import ge, le

from signald.config.appearance import read_accent, read_title
from signald.config.values import (
    ConfigError,
    read_application_key,
    read_base_path,
    read_embed_origin,
    read_host_name,
    read_interface,
    read_path,
    read_port,
    read_turn_url,
)
from signald.core.ice_server import IceServer
from signald.core.limits import Limits
from signald.core.token_need import TokenNeed
from signald.net.origins import EVERY_ORIGIN, Origin
from signald.net.proxies import Network

__all__ = [
    "DEFAULT_PORT",
    "Config",
    "Ice",
    "Log",
    "LogFormat",
    "LogLevel",
    "Operations",
    "Page",
    "PeerJs",
    "TokenNeed",
    "Tokens",
    "Webhook",
    "default_data_dir",
]

DEFAULT_PORT = 9000
"""The default TCP port of the page and the signaling socket."""


def setting(
    meaning: str,
    default: Any = NOTHING,
    *,
    unit: str | None = None,
    option: str | None = None,
    letter: str | None = None,
    reload: bool = False,
    restricts: bool = False,
    read: Callable[[str], Any] | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """Declare a setting.

    Arguments:
        meaning: what the help and the documentation say about it.
        default: the value where no source sets it.
        unit: the unit of a number.
        option: the command line option if it is not the path with hyphens; the option of a list adds one element.
        letter: the letter of a short option.
        reload: whether a change takes effect on SIGHUP; otherwise it needs a restart.
        restricts: whether the default permits more than other values, so that a reload of a file that was cut off must
            not bring the default back.
        read: parses the value, or each value of a list, where the type does not say how; raises ConfigError.
        least: the minimum of a number; the tree raises ValueError for smaller ones.
        most: the maximum of a number; the tree raises ValueError for larger ones.

    """
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "option": option,
        "letter": letter,
        "reload": reload,
        "restricts": restricts,
        "read": read,
        "range": (least, most),
    }
    bounds = [bound for bound in (least is not None and ge(least), most is not None and le(most)) if bound]
    return field(default=default, metadata=metadata, validator=bounds or None)


class LogFormat(Enum):
    """The format of log lines."""

    HUMAN = "human"
    JSON = "json"


class LogLevel(Enum):
    """The minimum level of log lines."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@frozen
class Ice:
    """The section `ice`: STUN and TURN servers."""

    servers: tuple[IceServer, ...] = setting(
        "a STUN or TURN server, URL[,user,secret]", (), option="ice-server", reload=True
    )
    turn_urls: tuple[str, ...] = setting(
        "URL of a TURN server that shares the secret; each member gets its own credentials",
        (),
        option="turn-url",
        reload=True,
        read=read_turn_url,
    )
    turn_secret_file: Path | None = setting(
        "file with the secret shared with the TURN servers (coturn's static-auth-secret)", None, reload=True
    )
    turn_seconds: float = setting(
        "lifetime of a member's TURN credentials", 600.0, unit="seconds", least=10.0, most=3600.0, reload=True
    )
    relay_only: bool = setting(
        "whether media must go through TURN, in every session that is opened after the change",
        False,
        reload=True,
        restricts=True,
    )

    def __attrs_post_init__(self) -> None:
        """Check values against each other."""
        if self.turn_urls and self.turn_secret_file is None:
            raise ConfigError(
                "ice.turn_urls: this needs ice.turn_secret_file, the secret shared with the TURN servers; a server "
                "with a fixed user goes into ice.servers."
            )
        if self.turn_secret_file is not None and not self.turn_urls:
            raise ConfigError("ice.turn_secret_file: this needs ice.turn_urls, the servers that share the secret.")
        has_turn = any(url.startswith(("turn:", "turns:")) for server in self.servers for url in server.urls)
        if self.relay_only and not (self.turn_urls or has_turn):
            raise ConfigError("ice.relay_only: expected a TURN server in ice.servers or ice.turn_urls, got none.")


@frozen
class Tokens:
    """The section `tokens`: who must show a token (JWT, RFC 7519), and the keys that verify tokens."""

    need: TokenNeed = setting("who must show a token", TokenNeed.NOBODY, reload=True, restricts=True)
    secret_file: Path | None = setting("file with the secret of HS256 tokens", None, reload=True)
    key_files: tuple[Path, ...] = setting(
        "PEM file of a public key, for EdDSA or RS256 tokens", (), option="tokens-key-file", reload=True
    )
    jwks_file: Path | None = setting("JWKS file of public keys (RFC 7517)", None, reload=True)
    issuer: str | None = setting("the `iss` that a token must have", None, reload=True, restricts=True)
    audience: str | None = setting("the `aud` that a token must have", None, reload=True, restricts=True)
    leeway_seconds: float = setting(
        "tolerated difference between clocks", 10.0, unit="seconds", least=0.0, most=3600.0, reload=True
    )


@frozen
class Webhook:
    """The section `webhook`: an HTTP service of the operator that decides who may open and join."""

    url: str | None = setting("URL that receives the questions, with POST", None, reload=True, restricts=True)
    secret_file: Path | None = setting("file with the secret that signs the questions", None, reload=True)
    timeout_seconds: float = setting(
        "time allowed for an answer; without one the request is refused",
        2.0,
        unit="seconds",
        least=0.1,
        most=60.0,
        reload=True,
    )
    cache_seconds: float = setting(
        "time for which an answer is cached", 30.0, unit="seconds", least=0.0, most=86400.0, reload=True
    )


@frozen
class Operations:
    """The section `operations`: the listener for the operator, with metrics, health and the admin page."""

    port: int | None = setting("TCP port of metrics, health and admin page, 0 for any free one", None, read=read_port)
    interface: str = setting(
        "IP address that it listens on", "127.0.0.1", read=partial(read_interface, default="127.0.0.1")
    )
    hosts: tuple[str, ...] = setting(
        "a further host name under which it answers, such as the name of a service in a container network",
        (),
        option="operations-host",
        reload=True,
        read=read_host_name,
    )
    admin_token_file: Path | None = setting("file with the token of the admin page", None, reload=True)
    stall_seconds: float = setting(
        "time after which a stalled reactor is logged with its stack", 1.0, unit="seconds", least=0.1, most=3600.0
    )


@frozen
class Page:
    """The section `page`: how the call page looks."""

    title: str | None = setting("name on the page, in the place of signald", None, read=read_title)
    accent: str | None = setting(
        "colour of buttons, as #0b6a58; a theme in which it cannot be read shows the nearest colour that can",
        None,
        read=read_accent,
    )
    logo: Path | None = setting("SVG or PNG file of the picture beside the name, of at most 64 KiB", None)


@frozen
class PeerJs:
    """The section `peerjs`: clients of PeerJS, which need no change but host, port and path."""

    enabled: bool = setting("whether clients of PeerJS are served", False, option="peerjs")
    path: str = setting(
        "base path of PeerJS's clients, as their option `path` has it, below that of the page",
        "/",
        read=read_base_path,
    )
    key: str = setting("key of PeerJS's clients, as their option `key` has it", "peerjs", read=read_application_key)
    list_peers: bool = setting("whether everybody may read the ids of all clients of PeerJS", False)


@frozen
class Matchbox:
    """The section `matchbox`: clients of matchbox, which need no change but the URL of their room."""

    enabled: bool = setting("whether clients of matchbox are served, under /matchbox/ROOM", False, option="matchbox")


@frozen
class Log:
    """The section `log`: the format and level of log lines."""

    format: LogFormat = setting("format of log lines", LogFormat.HUMAN)
    level: LogLevel = setting("minimum level of log lines", LogLevel.INFO, reload=True)


@frozen
class Config:
    """The root of the tree: all settings.

    Raises:
        ConfigError: values contradict each other.

    """

    data_dir: Path = setting("data directory: local certificate authority, host secret and state file", letter="d")
    port: int = setting(
        "TCP port of the page and the signaling socket, 0 for any free one", DEFAULT_PORT, letter="p", read=read_port
    )
    interface: str | None = setting(
        "IP address to listen on; none is every address of this machine",
        None,
        letter="i",
        read=partial(read_interface, default="every address of this machine"),
    )
    hosts: tuple[str, ...] = setting(
        "a host name that is answered, besides IP addresses and localhost; none is every name (DNS rebinding)",
        (),
        option="host",
        reload=True,
        restricts=True,
        read=read_host_name,
    )
    path: str = setting(
        "path below which the page's port serves everything, for a proxy that passes it on; / is all of the host",
        "/",
        read=read_base_path,
    )
    ws_port: int | None = setting("TCP port of a plain WebSocket for the original's clients", None, read=read_port)
    tls: bool = setting("whether the page's port speaks TLS; switch it off behind a proxy that does", True)
    certificate: Path | None = setting(
        "PEM file of a certificate and its chain; none is one of a local authority", None, option="cert"
    )
    key: Path | None = setting("PEM file of its key", None)
    allow_origins: tuple[Origin, ...] = setting(
        "a site whose pages may connect, as https://HOST:PORT, file:// or null; * is every site, for PeerJS and "
        "matchbox alone",
        (),
        option="allow-origin",
        reload=True,
    )
    embed_origins: tuple[Origin, ...] = setting(
        "a site whose pages may show the call page in a frame, as https://HOST:PORT",
        (),
        option="embed-origin",
        read=read_embed_origin,
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "network whose X-Forwarded-For and PROXY headers are believed", (), option="trusted-proxy", reload=True
    )
    proxy_protocol: bool = setting("whether connections from trusted proxies begin with a PROXY header", False)
    drain_seconds: float = setting(
        "time for clients to disconnect when the service stops", 5.0, unit="seconds", least=0.1, most=600.0
    )
    state_seconds: float = setting(
        "time in which the next process has to start, so that clients can resume; kept sessions outlast it",
        300.0,
        unit="seconds",
        least=0.0,
        most=86400.0,
    )
    ice: Ice = field(factory=Ice)
    tokens: Tokens = field(factory=Tokens)
    webhook: Webhook = field(factory=Webhook)
    page: Page = field(factory=Page)
    peerjs: PeerJs = field(factory=PeerJs)
    matchbox: Matchbox = field(factory=Matchbox)
    operations: Operations = field(factory=Operations)
    log: Log = field(factory=Log)
    limits: Limits = field(factory=Limits)

    def __attrs_post_init__(self) -> None:
        """Check values against each other."""
        if self.certificate is not None and self.key is None:
            raise ConfigError("certificate (--cert): this is set, and key (--key) is not; set both, or neither.")
        if self.key is not None and self.certificate is None:
            raise ConfigError("key (--key): this is set, and certificate (--cert) is not; set both, or neither.")
        if self.certificate is not None and not self.tls:
            raise ConfigError(
                "tls (--no-tls): false uses no certificate; delete certificate (--cert) and key (--key), or set "
                "tls = true."
            )
        if EVERY_ORIGIN in self.allow_origins and not (self.peerjs.enabled or self.matchbox.enabled):
            raise ConfigError(
                "allow_origins (--allow-origin): * is for peerjs.enabled (--peerjs) or matchbox.enabled (--matchbox) "
                "only; name each site, such as https://app.example.org."
            )
        if self.proxy_protocol and not self.trusted_proxies:
            raise ConfigError(
                "proxy_protocol (--proxy-protocol): this needs trusted_proxies (--trusted-proxy); set it to the "
                "addresses of your proxies."
            )


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Return `$STATE_DIRECTORY` under systemd, else `signald` in the user's data directory (XDG Base Directory).

    Raises:
        ConfigError: the user has no home directory.

    """
    state = environment.get("STATE_DIRECTORY")
    if state:
        return Path(state.split(os.pathsep)[0])
    data = environment.get("XDG_DATA_HOME", "")
    # The XDG specification requires absolute paths; a relative one has to be ignored.
    return Path(data) / "signald" if os.path.isabs(data) else read_path("~/.local/share/signald")
