"""Draws the test pattern's images: colour bars, a clock in large digits and a moving square, as planes of bytes."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PatternImage"]

BARS = ((180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212), (35, 212, 114))
"""Colours of the bars from left to right as Y, Cb and Cr: 75 % bars (SMPTE EG 1)."""

WHITE = 235
BLACK = 16
"""Luma of white and black in video range (ITU-R BT.601)."""

GLYPHS = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 3, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7),
    "6": (7, 4, 7, 5, 7),
    "7": (7, 1, 2, 2, 2),
    "8": (7, 5, 7, 5, 7),
    "9": (7, 5, 7, 1, 7),
    ":": (0, 2, 0, 2, 0),
    ".": (0, 0, 0, 0, 2),
}
"""Bitmaps of the clock's symbols: five rows of three bits each."""


class PatternImage:
    """Draws images of one size in YUV 4:2:0.

    Attributes:
        width: pixels.
        height: pixels.

    """

    def __init__(self, width: int, height: int, strides: Sequence[int]) -> None:
        """Draw the bars, which are the same in every image.

        Arguments:
            width: pixels, even.
            height: pixels, even.
            strides: bytes from one row to the next in each of the three planes.

        """
        self.width = width
        self.height = height
        self._stride = strides[0]
        self._luma = _bar_row(0, width, strides[0]) * height
        self._chroma = [_bar_row(index, width // 2, strides[index]) * (height // 2) for index in (1, 2)]

    def draw(self, index: int, text: str) -> tuple[bytes, bytes, bytes]:
        """Return the planes of the image with this index, which sets the square's place; the clock shows the text."""
        luma = bytearray(self._luma)
        self._draw_clock(luma, text)
        side = min(self.width, self.height) // 8
        travel = self.width - side
        # The place goes up and down like a triangle wave, so the square moves from side to side.
        x = travel - abs(travel - index * max(1, self.width // 60) % (2 * travel))
        self._fill(luma, x, self.height - side, side, side, WHITE)
        return bytes(luma), self._chroma[0], self._chroma[1]

    def _draw_clock(self, luma: bytearray, text: str) -> None:
        """Draw the text into a box in the middle; an image that is too small for the box gets none."""
        columns = 4 * len(text) + 1
        cell = min(self.width // columns, self.height // 12)
        left = (self.width - columns * cell) // 2
        top = (self.height - 7 * cell) // 2
        self._fill(luma, left, top, columns * cell, 7 * cell, BLACK)
        for place, symbol in enumerate(text):
            for row, bits in enumerate(GLYPHS[symbol]):
                for column in range(3):
                    if bits & 4 >> column:
                        x = left + (4 * place + 1 + column) * cell
                        self._fill(luma, x, top + (1 + row) * cell, cell, cell, WHITE)

    def _fill(self, luma: bytearray, x: int, y: int, width: int, height: int, value: int) -> None:
        """Fill a rectangle of pixels with one luma value."""
        row = bytes([value]) * width
        for start in range(y * self._stride + x, (y + height) * self._stride + x, self._stride):
            luma[start : start + width] = row


def _bar_row(plane: int, width: int, stride: int) -> bytes:
    """Return one row of the bars in a plane, padded to the stride."""
    row = bytes(BARS[column * len(BARS) // width][plane] for column in range(width))
    return row + bytes(stride - width)
