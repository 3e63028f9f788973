"""Generates the tables of all settings in docs/configuration.md from the tree of settings."""

from __future__ import annotations

from pathlib import Path

from attrs import NOTHING

from signald.config.setting_names import Setting, settings

__all__ = ["PATH", "filled", "write"]

PATH = Path(__file__).parents[1] / "docs" / "configuration.md"

_MARK = "<!-- settings: what follows is written by `make generate` -->\n"


def write() -> list[Path]:
    """Write the tables and return the page's path."""
    PATH.write_text(filled(PATH.read_text("utf-8")), "utf-8")
    return [PATH]


def filled(text: str) -> str:
    """Return the page's text with its tables replaced by current ones.

    Raises:
        LookupError: the mark before the tables is missing.

    """
    prose, mark, _old = text.partition(_MARK)
    if not mark:
        raise LookupError(f"{PATH.name}: expected the mark {_MARK.strip()!r}, found none; add it before the tables.")
    lines, section = list[str](), None
    for setting in settings().values():
        here = setting.path[0] if len(setting.path) > 1 else ""
        if here != section:
            section = here
            lines += ["", f"## Section `{here}`" if here else "## At the top", "", *_table_head(here)]
        lines.append(_row(setting))
    return prose + mark + "\n".join(lines) + "\n"


def _table_head(section: str) -> list[str]:
    names = ("key", "default", "unit", "") if section == "limits" else ("key", "option", "default", "", "reload")
    return [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]


def _row(setting: Setting) -> str:
    """Return the table row of a setting."""
    default = "" if setting.default is NOTHING else setting.shown(setting.default)
    shown = f"`{default}`" if default else "none"
    if setting.path == ("data_dir",):
        shown = "`~/.local/share/signald`; under systemd `$STATE_DIRECTORY`"
    if setting.path[0] == "limits":
        return f"| `{setting.path[-1]}` | {shown} | {setting.unit} | {setting.meaning} |"
    option = f"`--{setting.option}`" + (f", `-{setting.letter}`" if setting.letter else "")
    reload = "yes" if setting.reload else "no"
    return f"| `{setting.path[-1]}` | {option} | {shown} | {setting.phrase} | {reload} |"
