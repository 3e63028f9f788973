"""Computes where each picture of a call lies on the stage. It does not touch the browser."""

from __future__ import annotations

__all__ = ["CROP_LIMIT", "OWN", "Picture", "Place", "Room", "cut_off", "place"]

OWN = "/own"
"""The id of the own picture, which no user id is."""

CROP_LIMIT = 0.3
"""The greatest part of a picture that may be cut off, so that it fills its tile."""

WIDE = 16 / 9
TALL = 3 / 4

TILE_SHAPES = {False: (WIDE,), True: (WIDE, 4 / 3, 1.0, TALL)}
"""The aspect ratios of tiles by whether the room is taller than wide, as on a phone."""

STRIPS = (0.2, 0.3, 0.4)
TALL_STRIPS = (0.3, 0.4)
"""The part of the room that the small pictures beside a large one take: of the width, or of the height if it is tall.
The first one is taken in which they have `STRIP_TILE`, otherwise the last one."""

STRIP_TILE = 6.0
"""The width of a small picture beside a large one from which on it shows enough, in units of `Room.unit`."""

RIM = 0.6
NO_PICTURE = 0.1
"""What a unit of area counts in a picture with empty rims, and in a tile without a picture, when tiles are chosen."""

OWN_WIDTHS = (6.5, 14.0)
"""The least and the greatest width of the own picture in its corner, in units of `Room.unit`."""

OWN_PART = 0.17
OWN_HEIGHT = 0.35
"""The part of the stage's width that the own picture in its corner takes, and the most that it takes of the height."""


class Picture:
    """A picture to place.

    Attributes:
        name: its id; `OWN` for the own picture.
        ratio: its width divided by its height; 0.0 if there is no picture, so that the tile shows initials.
        screen: whether it is a shared screen, of which nothing is ever cut off.

    """

    def __init__(self, name: str, ratio: float = 0.0, screen: bool = False) -> None:
        self.name = name
        self.ratio = ratio
        self.screen = screen


class Room:
    """The stage; all lengths are in CSS pixels.

    Attributes:
        width, height: its size.
        top: the height at its upper edge that belongs to the status and the clock.
        bottom: the height at its lower edge that belongs to the controls.
        unit: the size of a rem, in which gaps and the own picture are measured.
        mirrored: whether lines run from right to left.

    """

    def __init__(self, width: int, height: int, top: int, bottom: int, unit: int = 16, mirrored: bool = False) -> None:
        self.width = width
        self.height = height
        self.top = top
        self.bottom = bottom
        self.unit = unit
        self.mirrored = mirrored


class Place:
    """A rectangle on the stage, in CSS pixels from its upper left corner.

    Attributes:
        x, y, width, height: the rectangle.
        filled: whether the picture fills it and loses its edges; otherwise the whole picture is shown inside.

    """

    def __init__(self, picture: Picture, x: int, y: int, width: int, height: int) -> None:
        self.x = x
        self.y = y
        # A hidden window has no room at all.
        self.width = max(1, width)
        self.height = max(1, height)
        self.filled = not picture.screen and cut_off(picture.ratio, self.width / self.height) <= CROP_LIMIT


def cut_off(ratio: float, tile: float) -> float:
    """Return the part of a picture that is cut off if it fills a tile; both are given by width divided by height."""
    if not ratio:
        return 0.0
    return 1 - min(ratio, tile) / max(ratio, tile)


def place(
    others: list[Picture], own: Picture, large: str, room: Room, corner: str, own_large: bool
) -> dict[str, Place]:
    """Return the place of each picture by its id.

    With one other picture, that one fills the stage down to its lower edge, and the own picture lies in a corner above
    it. In all other cases no two pictures overlap, and the controls cover none.

    Arguments:
        others: the pictures of the others, in their order.
        own: the own picture, which comes last.
        large: the id of the large picture; empty, or one that is not there, for a grid of equals.
        room: the stage.
        corner: the corner of the own picture (`layout.CORNERS`).
        own_large: whether the own picture and the only other one change places.

    """
    if len(others) == 1 and not large:
        back, front = (own, others[0]) if own_large else (others[0], own)
        return {back.name: _below_all(back, room), front.name: _in_corner(front, room, corner)}
    pictures = others + [own]  # noqa: RUF005 - MicroPython has no unpacking here
    gap = room.unit // 2
    area = (gap, room.top, room.width - 2 * gap, max(1, room.height - room.top - max(gap, room.bottom)))
    places = _equal(pictures, area, gap)
    for picture in pictures:
        if picture.name == large:
            places = _beside(picture, [other for other in pictures if other is not picture], area, room.unit)
    if room.mirrored:
        for found in places.values():
            found.x = room.width - found.x - found.width
    return places


def _equal(pictures: list[Picture], area: tuple[int, int, int, int], gap: int) -> dict[str, Place]:
    """Return the places of equal pictures in the middle of an area (x, y, width, height)."""
    x, y, width, height = area
    cells, used, high = _grid(pictures, width, height, gap, TILE_SHAPES[height > width])
    return _tiles(pictures, cells, x + (width - used) // 2, y + (height - high) // 2)


def _beside(main: Picture, small: list[Picture], area: tuple[int, int, int, int], unit: int) -> dict[str, Place]:
    """Return the places of a large picture and of the strip of all others, below it if the area is tall."""
    x, y, width, height = area
    gap = unit // 2
    tall = height > width
    for part in TALL_STRIPS if tall else STRIPS:
        strip = (width, int(part * height)) if tall else (int(part * width), height)
        cells, used, high = _grid(small, strip[0], strip[1], gap, (WIDE,))
        if cells[0][2] >= STRIP_TILE * unit:
            break
    if tall:
        places = _tiles(small, cells, x + (width - used) // 2, y + height - high)
        places[main.name] = Place(main, x, y, width, max(1, height - high - gap))
    else:
        places = _tiles(small, cells, x + width - used, y + (height - high) // 2)
        places[main.name] = Place(main, x, y, max(1, width - used - gap), height)
    return places


def _tiles(pictures: list[Picture], cells: list[tuple[int, int, int, int]], x: int, y: int) -> dict[str, Place]:
    """Return the places of pictures in cells that begin at a point."""
    places = {}
    for picture, cell in zip(pictures, cells):  # noqa: B905 - MicroPython's zip has no `strict`
        places[picture.name] = Place(picture, x + cell[0], y + cell[1], cell[2], cell[3])
    return places


def _grid(
    pictures: list[Picture], width: int, height: int, gap: int, shapes: tuple[float, ...]
) -> tuple[list[tuple[int, int, int, int]], int, int]:
    """Return the cells (x, y, width, height) of equal tiles, and the width and the height that they use.

    Of all numbers of columns and all shapes, those are chosen that show the largest pictures.
    """
    count = len(pictures)
    best = (-1.0, 1, 1, 1)
    for columns in range(1, count + 1):
        rows = (count + columns - 1) // columns
        cell_width = max(1, (width - gap * (columns - 1)) // columns)
        cell_height = max(1, (height - gap * (rows - 1)) // rows)
        for shape in shapes:
            tile_width = max(1, min(cell_width, int(cell_height * shape)))
            tile_height = max(1, min(cell_height, int(tile_width / shape)))
            shown = sum([_shown(picture, tile_width, tile_height) for picture in pictures])
            if shown > best[0]:
                best = (shown, columns, tile_width, tile_height)
    _, columns, tile_width, tile_height = best
    rows = (count + columns - 1) // columns
    cells = []
    for index in range(count):
        row, column = index // columns, index % columns
        # The last row is centred.
        missing = rows * columns - count if row == rows - 1 else 0
        left = column * (tile_width + gap) + missing * (tile_width + gap) // 2
        cells.append((left, row * (tile_height + gap), tile_width, tile_height))
    return cells, columns * (tile_width + gap) - gap, rows * (tile_height + gap) - gap


def _shown(picture: Picture, width: int, height: int) -> float:
    """Return the area that a picture covers in a tile, as it counts."""
    lost = cut_off(picture.ratio, width / height)
    whole = float(width * height)
    if not picture.ratio:
        return whole * NO_PICTURE
    return whole if lost <= CROP_LIMIT and not picture.screen else whole * (1 - lost) * RIM


def _below_all(picture: Picture, room: Room) -> Place:
    """Return the place of the only other picture, which reaches below the controls."""
    gap = room.unit // 2
    return Place(picture, gap, room.top, room.width - 2 * gap, max(1, room.height - room.top - gap))


def _in_corner(picture: Picture, room: Room, corner: str) -> Place:
    """Return the place of the small picture in a corner, above the controls and below the status."""
    margin = room.unit
    tall = room.height > room.width
    shape = min(WIDE, max(TALL, picture.ratio or (TALL if tall else WIDE)))
    least, most = OWN_WIDTHS
    width = int(min(most * room.unit, max(least * room.unit, OWN_PART * room.width)))
    height = int(width / shape)
    limit = int(OWN_HEIGHT * room.height)
    if height > limit:
        width, height = int(limit * shape), limit
    vertical, horizontal = corner.split("-")
    x = margin if horizontal == "left" else room.width - margin - width
    y = room.top + margin if vertical == "top" else room.height - max(margin, room.bottom) - height
    return Place(picture, x, y, width, height)
