"""Computes where the content of a picture lies in its element. It does not touch the browser."""

from __future__ import annotations

__all__ = ["content_box", "picture_place"]


def content_box(
    width: float, height: float, size: tuple[float, float], fills: bool
) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a picture's content within its element; zeros before its size is known.

    Arguments:
        width: the width of the element.
        height: the height of the element.
        size: width and height of the picture in its own pixels.
        fills: whether the picture fills the element and loses its edges (`object-fit: cover`), so that its content is
            larger than the element; otherwise the whole picture is shown (`contain`).

    """
    if not (size[0] > 0 and size[1] > 0 and width > 0 and height > 0):
        return 0.0, 0.0, 0.0, 0.0
    scales = (width / size[0], height / size[1])
    scale = max(scales) if fills else min(scales)
    shown = (size[0] * scale, size[1] * scale)
    return (width - shown[0]) / 2, (height - shown[1]) / 2, shown[0], shown[1]


def picture_place(point: tuple[float, float], box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return a place as parts of a picture's width and height; outside of 0 to 1 beside it.

    Arguments:
        point: x and y in the window.
        box: left, top, width and height of the picture's content in the window.

    """
    left, top, width, height = box
    if not (width and height):
        return 0.0, 0.0
    return (point[0] - left) / width, (point[1] - top) / height
