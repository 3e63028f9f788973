"""The rows of the statistics panel for one connection. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.quality import SAMPLES, SERIES
from . import extra_texts

if TYPE_CHECKING:
    from typing import Any

__all__ = ["HEIGHT", "WIDTH", "points", "range_text", "rows", "summary"]

WIDTH = SAMPLES - 1
HEIGHT = 16
"""The size of a line chart in its own units, in which a sample is 1 wide."""

MIN_RANGE = {"rtt": 50, "loss_in": 2, "loss_out": 2, "jitter": 20, "rate_in": 100, "rate_out": 100}
"""The smallest range of a line chart (units: `webrtc_stats.compare`), so that noise stays small."""

RELAYED = "relay"


def rows(values: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return label, value in words, and series (empty where there is no chart), for each row of the table."""
    found = []
    for name in SERIES:
        value = values.get(name)
        found.append(
            (extra_texts.STATISTICS[name], extra_texts.UNKNOWN if value is None else _number(name, value), name)
        )
    for name in ("in", "out"):
        found.append((extra_texts.STATISTICS["picture_" + name], _picture(values, name), ""))
    for name in ("codecs_in", "codecs_out"):
        found.append((extra_texts.STATISTICS[name], values.get(name) or extra_texts.UNKNOWN, ""))
    found.append((extra_texts.STATISTICS["path"], _path(values), ""))
    limit = extra_texts.UNKNOWN if values.get("limit") is None else extra_texts.LIMITS[values["limit"] or "none"]
    found.append((extra_texts.STATISTICS["limit"], limit, ""))
    return found


def summary(bars: int | None, cause: str, values: dict[str, Any]) -> str:
    """Return in a few words how good a connection is, such as "Good: 20 ms, nothing lost".

    Arguments:
        bars: the number of bars (`RemotePeer.rating`); None before the first sample.
        cause: what is wrong, in words; empty for nothing.
        values: the figures of the last sample (`webrtc_stats.compare`).

    """
    if bars is None:
        return extra_texts.NOT_MEASURED
    words = [extra_texts.RATINGS[str(bars)]]
    if cause:
        words = [extra_texts.RATING_WHY.format(words[0], cause)]
    losses = [values[name] for name in ("loss_in", "loss_out") if values.get(name) is not None]
    if bars and values.get("rtt") is not None:
        words.append(_number("rtt", values["rtt"]))
    if bars and losses:
        lost = max(losses)
        words.append(extra_texts.LOST.format(_number("loss", lost)) if lost else extra_texts.NOTHING_LOST)
    return extra_texts.SUMMARIES[len(words) - 1].format(*words)


def _number(name: str, value: float) -> str:
    unit = extra_texts.UNITS[name.split("_")[0]]
    return unit.format(value)


def _picture(values: dict[str, Any], way: str) -> str:
    size, frames = values.get("size_" + way), values.get("frames_" + way)
    if size is None:
        return extra_texts.UNKNOWN
    if frames is None:
        return extra_texts.SIZE.format(size[0], size[1])
    return extra_texts.PICTURE.format(size[0], size[1], frames)


def _path(values: dict[str, Any]) -> str:
    local, remote = values.get("local"), values.get("remote")
    if not local or not remote:
        return extra_texts.UNKNOWN
    kind = extra_texts.WAYS["relayed" if RELAYED in (local, remote) else "direct"]
    ways = [way for way in (values.get("protocol"), values.get("relay")) if way]
    return kind.format(local, remote, "/".join(ways).upper())


def series(history: list[tuple[Any, ...]], name: str) -> list[float | None]:
    """Return the values of one series of `Quality.history`."""
    index = SERIES.index(name)
    return [sample[index] for sample in history]


def points(history: list[tuple[Any, ...]], name: str) -> str:
    """Return the points of a line chart (SVG 2 `points`), the newest at the right, without unknown values."""
    values = series(history, name)
    known = [value for value in values if value is not None]
    top = max([MIN_RANGE[name]] + known)  # noqa: RUF005 - MicroPython has no unpacking here
    first = SAMPLES - len(values)
    found = []
    for index, value in enumerate(values):
        if value is not None:
            found.append(f"{first + index},{HEIGHT - round(HEIGHT * value / top, 1)}")
    return " ".join(found)


def range_text(history: list[tuple[Any, ...]], name: str) -> str:
    """Return the range of a line chart in words."""
    known = [value for value in series(history, name) if value is not None]
    return extra_texts.REACH.format(min(known), _number(name, max(known))) if known else extra_texts.UNKNOWN
