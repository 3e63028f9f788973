"""Generates the table of docs/mistakes.md: mistakes in a configuration, and what `signald check-config` says."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from codegen.tables import between
from signald.cli.check_config import main

__all__ = ["MISTAKES", "PATH", "SECRET", "Mistake", "filled", "message", "write"]

PATH = Path(__file__).parents[1] / "docs" / "mistakes.md"

SECRET = "9f86d081884c7d659a2feaa0c55ad015"  # noqa: S105 # it opens nothing
"""A text that stands for a secret; no message repeats it."""

FILES = {
    "open-secret": (SECRET, 0o644),
    "short-secret": ("hunter2", 0o600),
    "secret": (SECRET, 0o600),
    "empty": ("", 0o600),
}
"""The files that stand beside the configuration: content and mode."""


@frozen
class Mistake:
    """A configuration with one mistake.

    Attributes:
        file: the text of `signald.toml`.
        variables: the environment variables.
        options: the options.
        content: the bytes of the file, where they are no text.

    """

    file: str = ""
    variables: Mapping[str, str] = field(factory=dict)
    options: tuple[str, ...] = ()
    content: bytes | None = None

    @property
    def shown(self) -> str:
        """Return the mistake as the table shows it."""
        if self.content is not None:
            return repr(self.content)[2:-1]
        parts = [*self.file.splitlines(), *(f"{name}={value}" for name, value in self.variables.items())]
        return "; ".join([*parts, " ".join(self.options)] if self.options else parts)


MISTAKES = (
    Mistake("prot = 9001"),
    Mistake("[limit]\nmessage_rate = 5"),
    Mistake('secret_file = "secret"'),
    Mistake("[operations]\nprot = 9090"),
    Mistake("tls = False"),
    Mistake('tls = "no"'),
    Mistake("tls = 0"),
    Mistake("port = 9001.0"),
    Mistake("port = 99999"),
    Mistake('port = "http"'),
    Mistake("port = 9001;"),
    Mistake("port ="),
    Mistake("port = 9001\nport = 9002"),
    Mistake("data_dir = /var/lib/signald"),
    Mistake("data_dir = \u201c/var/lib/signald\u201d"),
    Mistake('data_dir = "/var/lib/signald'),
    Mistake('data_dir = "secret"'),
    Mistake('data_dir = "secret/data"'),
    Mistake("[log\nlevel = 1"),
    Mistake('[log]\nlevel = "verbose"'),
    Mistake("[log]\nlevel = info"),
    Mistake('interface = "eth0"'),
    Mistake('interface = "localhost"'),
    Mistake('interface = "0.0.0.0:9000"'),
    Mistake("ws_port = 9000"),
    Mistake("[operations]\nport = 9000"),
    Mistake('hosts = ["https://calls.example.org"]'),
    Mistake('hosts = "calls.example.org"'),
    Mistake('certificate = "fullchain.pem"'),
    Mistake('certificate = "none.pem"\nkey = "none.pem"'),
    Mistake('certificate = "secret"\nkey = "secret"'),
    Mistake('tls = false\ncertificate = "secret"\nkey = "secret"'),
    Mistake('allow_origins = ["app.example.org"]'),
    Mistake('allow_origins = ["https://app.example.org/call"]'),
    Mistake('allow_origins = ["*"]'),
    Mistake('embed_origins = ["null"]'),
    Mistake('embed_origins = ["http://app.example.org"]'),
    Mistake('[page]\naccent = "green"'),
    Mistake('[page]\naccent = "#57c7ac"'),
    Mistake('[page]\nlogo = "secret"'),
    Mistake('trusted_proxies = ["0.0.0.0/0"]'),
    Mistake('trusted_proxies = ["10.0.0.1/8"]'),
    Mistake('trusted_proxies = ["proxy.example.org"]'),
    Mistake("proxy_protocol = true"),
    Mistake("drain_seconds = -1"),
    Mistake('drain_seconds = "5s"'),
    Mistake("[limits]\nmessage_rate = 0"),
    Mistake("[limits]\nsession_members = 50"),
    Mistake("[limits]\nsession_members = 2.5"),
    Mistake('[ice]\nservers = "stun:stun.example.org"'),
    Mistake('[ice]\nservers = ["stun.example.org"]'),
    Mistake('[ice]\nservers = ["stun:stun.example.org:99999"]'),
    Mistake('[ice]\nservers = ["stun://stun.example.org"]'),
    Mistake('[ice]\nservers = ["stuns:stun.example.org"]'),
    Mistake('[ice]\nservers = ["turn:turn.example.org"]'),
    Mistake('[ice]\nservers = ["turn:turn.example.org?transport=tls,user,secret"]'),
    Mistake('[ice]\nturn_urls = ["turn:turn.example.org"]'),
    Mistake(f'[ice]\nturn_urls = ["turn:turn.example.org"]\nturn_secret_file = "{SECRET}"'),
    Mistake('[ice]\nturn_urls = ["turn:turn.example.org"]\nturn_secret_file = "short-secret"'),
    Mistake("[ice]\nrelay_only = true"),
    Mistake('[tokens]\nneed = "all"'),
    Mistake('[tokens]\nneed = "everyone"'),
    Mistake('[tokens]\nneed = "everyone"\nsecret_file = "open-secret"'),
    Mistake('[tokens]\nneed = "everyone"\nsecret_file = "empty"'),
    Mistake('[tokens]\nneed = "everyone"\njwks_file = "https://id.example.org/jwks"'),
    Mistake('[tokens]\nneed = "everyone"\nkey_files = "public.pem"'),
    Mistake('[webhook]\nurl = "hooks.example.org"\nsecret_file = "secret"'),
    Mistake('[webhook]\nurl = "https://hooks.example.org"'),
    Mistake('[operations]\nport = 9090\ninterface = "0.0.0.0"'),
    Mistake('[operations]\nport = 9090\nadmin_token_file = "short-secret"'),
    Mistake(content="port = 9001".encode("utf-16")),
    Mistake(variables={"SIGNALD_PROT": "9001"}),
    Mistake(variables={"SIGNALD_TLS": "maybe"}),
    Mistake(options=("--prot", "9001")),
    Mistake(options=("--limit", "message-rate")),
    Mistake(options=("--limit", "mesage-rate=5")),
    Mistake(options=("start",)),
)
"""The mistakes; each stands for a kind that operators made or may make."""


def message(mistake: Mistake, folder: Path) -> str:
    """Return what `signald check-config` says about a mistake.

    Arguments:
        mistake: the mistake.
        folder: an empty folder.

    """
    for name, (content, mode) in FILES.items():
        (folder / name).write_text(content)
        (folder / name).chmod(mode)
    file = folder / "signald.toml"
    file.write_bytes(mistake.file.encode() if mistake.content is None else mistake.content)
    out, err = io.StringIO(), io.StringIO()
    environment = {"XDG_DATA_HOME": str(folder), **mistake.variables}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(["--config", str(file), *mistake.options], environment)
    return err.getvalue().replace(f"{folder}/", "").replace(f"{folder}", "/etc/signald").strip()


def write() -> list[Path]:
    """Write the table, and return the page's path."""
    PATH.write_text(filled(PATH.read_text("utf-8")), "utf-8")
    return [PATH]


def filled(text: str) -> str:
    """Return the page's text with its table replaced by the current one.

    Raises:
        LookupError: the marks around the table are missing.

    """
    lines = ["| | mistake | message |", "| --- | --- | --- |"]
    for number, mistake in enumerate(MISTAKES, 1):
        with tempfile.TemporaryDirectory() as folder:
            said = message(mistake, Path(folder).resolve())
        shown, sentence = (cell.replace("|", "\\|") for cell in (mistake.shown, said.replace("\n", "<br>")))
        lines.append(f"| {number} | `{shown}` | {sentence} |")
    return between(text, "<!-- mistakes: written by `make generate` -->", "<!-- end of mistakes -->", "\n".join(lines))
