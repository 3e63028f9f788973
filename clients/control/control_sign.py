"""The sign on the screen while somebody controls the computer; a click on it ends the control."""

from __future__ import annotations

from typing import Any

from Xlib import X
from Xlib.ext import randr

__all__ = ["ControlSign"]

RED, WHITE = 0xB3261E, 0xFFFFFF
"""Colours as RGB numbers, with a contrast of 6.5 to 1 (WCAG 2.2, 1.4.3)."""

PADDING = 8
"""Pixels around the text."""

FONTS = ("-*-helvetica-bold-r-normal--18-*-*-*-*-*-iso8859-1", "9x15bold", "fixed")
"""Names of core fonts, of which the first that exists is used; every X server has `fixed`."""


MONITORS_VERSION = (1, 5)
"""The version of RandR that tells where monitors are."""


class ControlSign:
    """A strip at the upper edge of the primary monitor, above all windows."""

    def __init__(self, display: Any) -> None:
        """Prepare the window, which is not shown yet."""
        self._display = display
        screen = display.screen()
        self._root = screen.root
        # The window manager must not move or cover it.
        self.window = self._root.create_window(
            0,
            0,
            1,
            1,
            0,
            screen.root_depth,
            override_redirect=1,
            background_pixel=_pixel(screen, RED),
            event_mask=X.ExposureMask | X.ButtonPressMask,
        )
        self.window.set_wm_name("Remote control")
        self._font = next(found for found in (_open_font(display, name) for name in FONTS) if found is not None)
        self._context = self.window.create_gc(
            font=self._font, foreground=_pixel(screen, WHITE), background=_pixel(screen, RED)
        )
        self._text = b""
        self._shown = False
        self._has_monitors = _randr_version(display) >= MONITORS_VERSION

    def show(self, text: str) -> None:
        """Show the sign with a text, of which the font has the letters of Latin-1 only."""
        self._text = text.encode("latin-1", "replace")
        self._shown = True
        self.place()
        self.window.map()

    def hide(self) -> None:
        """Remove the sign from the screen."""
        self._shown = False
        self.window.unmap()

    def place(self) -> None:
        """Put the sign where it belongs, above windows that have come above it."""
        if not self._shown:
            return
        extents = self._font.query_text_extents(self._text)
        left, top, available = self._upper_edge()
        width = min(available, extents.overall_width + 2 * PADDING)
        height = extents.font_ascent + extents.font_descent + 2 * PADDING
        x = left + (available - width) // 2
        self.window.configure(x=x, y=top, width=width, height=height, stack_mode=X.Above)

    def _upper_edge(self) -> tuple[int, int, int]:
        """Return x, y and the width of the upper edge of the primary monitor, as far as it is within the screen."""
        size = self._root.get_geometry()
        monitors = self._root.xrandr_get_monitors().monitors if self._has_monitors else []
        # The X server names the primary one first, if there is one.
        for monitor in monitors:
            right = min(size.width, monitor.x + monitor.width_in_pixels)
            if 0 <= monitor.x < right and 0 <= monitor.y < size.height:
                return monitor.x, monitor.y, right - monitor.x
        return 0, 0, size.width

    def is_end(self, event: Any) -> bool:
        """Handle an X event, and return whether it is a click on the sign."""
        if event.type == X.Expose and event.window.id == self.window.id:
            extents = self._font.query_text_extents(self._text)
            self.window.draw_text(self._context, PADDING, PADDING + extents.font_ascent, self._text)
        return bool(self._shown and event.type == X.ButtonPress and event.window.id == self.window.id)


def _pixel(screen: Any, color: int) -> int:
    """Return the pixel value of an RGB number, for any visual."""
    parts = [(color >> shift & 255) * 257 for shift in (16, 8, 0)]
    pixel: int = screen.default_colormap.alloc_color(*parts).pixel
    return pixel


def _open_font(display: Any, name: str) -> Any:
    """Return a core font; None when the X server lacks it."""
    return display.open_font(name) if display.list_fonts(name, 1) else None


def _randr_version(display: Any) -> tuple[int, int]:
    """Return the version of RandR; (0, 0) when the X server lacks it."""
    if not display.has_extension(randr.extname):
        return 0, 0
    version = display.xrandr_query_version()
    return version.major_version, version.minor_version
