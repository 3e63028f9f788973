"""Reads what a link's fragment asks of the page after the session id, such as `&name=Ann&camera=off`.

Whoever made the link wrote it, so it can take away and suggest: no parameter starts a device or enters a call.
"""

from __future__ import annotations

from signald_client.signaling.names import clean_name

from .call_urls import MAX_ENCODED, unquote

__all__ = ["PageParameters", "read_parameters"]

MAX_PARAMETERS = 16
"""The most parts of a fragment that are looked at."""

OFF = "off"


class PageParameters:
    """The parameters of a link.

    Attributes:
        name: the name that is suggested to the person; empty for none.
        language: the language tag of the page (RFC 5646); empty for none.
        microphone: whether the microphone is wanted when a call starts.
        camera: whether the camera is wanted when a call starts.
        preview: whether the page may show the person to themselves before a call without being asked.

    """

    def __init__(self) -> None:
        self.name = self.language = ""
        self.microphone = self.camera = self.preview = True


def read_parameters(fragment: str) -> PageParameters:
    """Return the parameters of a fragment; what is unknown, malformed or too long counts as missing."""
    found = PageParameters()
    for part in fragment.split("&", MAX_PARAMETERS)[1:MAX_PARAMETERS]:
        key, _, value = part.partition("=")
        if len(value) > MAX_ENCODED:
            continue
        if key == "name":
            found.name = clean_name(unquote(value))
        elif key == "language":
            found.language = value
        elif key == "microphone":
            found.microphone = value != OFF
        elif key == "camera":
            found.camera = value != OFF
        elif key == "preview":
            found.preview = value != OFF
    return found
