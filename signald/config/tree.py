"""The configuration: one tree of checked values. Each says in its field's metadata what it is for.

The tree comes from the defaults here, a TOML file, the environment and the command line, each over the one before
(`signald/config/sources.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import NOTHING, field, frozen
from attrs.validators import ge, le

from signald.config.values import ConfigError, read_interface, read_path, read_port, read_turn_url
from signald.core.limits import Limits
from signald.core.messages import IceServer
from signald.core.permissions import TokenNeed
from signald.net.origins import Origin
from signald.net.proxies import Network

__all__ = [
    "DEFAULT_PORT",
    "Config",
    "Ice",
    "Log",
    "LogFormat",
    "LogLevel",
    "Operations",
    "TokenNeed",
    "Tokens",
    "Webhook",
    "default_data_dir",
]

DEFAULT_PORT = 9000
"""Of the page and the signaling socket."""


def setting(
    meaning: str,
    default: Any = NOTHING,
    *,
    unit: str | None = None,
    option: str | None = None,
    letter: str | None = None,
    reload: bool = False,
    read: Callable[[str], Any] | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """Declare a setting.

    Arguments:
        meaning: a phrase for the help and the documentation.
        default: what holds where nobody says anything.
        unit: of a number.
        option: on the command line, where it is not the path with hyphens; for a list the option of one element.
        letter: a short option.
        reload: whether a change takes effect on SIGHUP; otherwise it needs a restart.
        read: reads the value, or one of a list, where its type does not tell how; raises ConfigError.
        least: of a number; the tree refuses smaller ones with ValueError.
        most: the same for larger ones.

    """
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "option": option,
        "letter": letter,
        "reload": reload,
        "read": read,
        "range": (least, most),
    }
    bounds = [bound for bound in (least is not None and ge(least), most is not None and le(most)) if bound]
    return field(default=default, metadata=metadata, validator=bounds or None)


class LogFormat(Enum):
    """How a line of the log looks."""

    HUMAN = "human"
    JSON = "json"


class LogLevel(Enum):
    """The least level of what is logged."""

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
        "URL of a TURN server that knows the secret; members get credentials of their own for it",
        (),
        option="turn-url",
        reload=True,
        read=read_turn_url,
    )
    turn_secret_file: Path | None = setting(
        "file with the secret shared with the TURN servers (coturn's static-auth-secret)", None, reload=True
    )
    turn_seconds: float = setting(
        "for which a member's TURN credentials are good", 600.0, unit="seconds", least=10.0, most=3600.0, reload=True
    )
    relay_only: bool = setting(
        "whether media goes through TURN alone, in every session that is opened from then on", False, reload=True
    )

    def __attrs_post_init__(self) -> None:
        """Check what concerns several values."""
        if bool(self.turn_urls) != (self.turn_secret_file is not None):
            raise ConfigError("TURN URLs and the secret's file are given together: turn_urls and turn_secret_file.")
        has_turn = any(url.startswith(("turn:", "turns:")) for server in self.servers for url in server.urls)
        if self.relay_only and not (self.turn_urls or has_turn):
            raise ConfigError("Media cannot go through TURN alone where there is no TURN server: relay_only.")


@frozen
class Tokens:
    """The section `tokens`: who must show a token (JWT, RFC 7519), and the keys that tokens are checked with."""

    need: TokenNeed = setting("who must show one", TokenNeed.NOBODY, reload=True)
    secret_file: Path | None = setting("file with the secret of HS256 tokens", None, reload=True)
    key_files: tuple[Path, ...] = setting(
        "PEM file of a public key, for EdDSA or RS256 tokens", (), option="tokens-key-file", reload=True
    )
    jwks_file: Path | None = setting("JWKS file of public keys (RFC 7517)", None, reload=True)
    issuer: str | None = setting("the `iss` that a token must have", None, reload=True)
    audience: str | None = setting("the `aud` that a token must have", None, reload=True)
    leeway_seconds: float = setting(
        "by which clocks may differ", 10.0, unit="seconds", least=0.0, most=3600.0, reload=True
    )


@frozen
class Webhook:
    """The section `webhook`: an HTTP service of the operator that decides who may open and join."""

    url: str | None = setting("where it is asked, with POST", None, reload=True)
    secret_file: Path | None = setting("file with the secret that signs the questions", None, reload=True)
    timeout_seconds: float = setting(
        "for an answer; none in time is a refusal", 2.0, unit="seconds", least=0.1, most=60.0, reload=True
    )
    cache_seconds: float = setting(
        "for which an answer is used again", 30.0, unit="seconds", least=0.0, most=86400.0, reload=True
    )


@frozen
class Operations:
    """The section `operations`: the listener for the operator, with metrics, health and the admin page."""

    port: int | None = setting("TCP port of metrics, health and admin page, 0 for any free one", None, read=read_port)
    interface: str = setting("IP address that it listens on", "127.0.0.1", read=read_interface)
    admin_token_file: Path | None = setting("file with the token of the admin page", None, reload=True)
    stall_seconds: float = setting(
        "after which a stalled reactor is logged with its stack", 1.0, unit="seconds", least=0.1, most=3600.0
    )


@frozen
class Log:
    """The section `log`."""

    format: LogFormat = setting("how a line looks", LogFormat.HUMAN)
    level: LogLevel = setting("the least that is logged", LogLevel.INFO, reload=True)


@frozen
class Config:
    """All that can be set.

    Raises:
        ConfigError: values do not fit each other.

    """

    data_dir: Path = setting("folder of the local authority and all that is kept", letter="d")
    port: int = setting(
        "TCP port of the page and the signaling socket, 0 for any free one", DEFAULT_PORT, letter="p", read=read_port
    )
    interface: str | None = setting(
        "IP address to listen on; none is every address of this machine", None, letter="i", read=read_interface
    )
    ws_port: int | None = setting("TCP port of a plain WebSocket for the original's clients", None, read=read_port)
    tls: bool = setting("whether the page's port speaks TLS; not behind a proxy that does", True)
    certificate: Path | None = setting(
        "PEM file of a certificate and its chain; none is one of a local authority", None, option="cert"
    )
    key: Path | None = setting("PEM file of its key", None)
    allow_origins: tuple[Origin, ...] = setting(
        "another site whose pages may connect, as https://HOST:PORT", (), option="allow-origin", reload=True
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "network whose X-Forwarded-For and PROXY headers are believed", (), option="trusted-proxy", reload=True
    )
    proxy_protocol: bool = setting("whether connections from trusted proxies begin with a PROXY header", False)
    drain_seconds: float = setting(
        "for clients to go when the service stops", 5.0, unit="seconds", least=0.1, most=600.0
    )
    state_seconds: float = setting(
        "for which clients can come back to what a stopped process left; kept sessions outlast that",
        300.0,
        unit="seconds",
        least=0.0,
        most=86400.0,
    )
    ice: Ice = field(factory=Ice)
    tokens: Tokens = field(factory=Tokens)
    webhook: Webhook = field(factory=Webhook)
    operations: Operations = field(factory=Operations)
    log: Log = field(factory=Log)
    limits: Limits = field(factory=Limits)

    def __attrs_post_init__(self) -> None:
        """Check what concerns several values."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("A certificate and its key are given together: --cert and --key.")
        if self.certificate is not None and not self.tls:
            raise ConfigError("A certificate is of no use without TLS: give --cert or --no-tls.")
        if self.proxy_protocol and not self.trusted_proxies:
            raise ConfigError("The PROXY protocol is believed of trusted proxies alone: give --trusted-proxy too.")


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """`$STATE_DIRECTORY` under systemd, else `signald` in the user's data directory (XDG Base Directory).

    Raises:
        ConfigError: the user has no home.

    """
    state = environment.get("STATE_DIRECTORY")
    if state:
        return Path(state.split(os.pathsep)[0])
    data = environment.get("XDG_DATA_HOME", "")
    # "All paths set in these environment variables must be absolute"; one that is not is to be ignored.
    return Path(data) / "signald" if os.path.isabs(data) else read_path("~/.local/share/signald")
