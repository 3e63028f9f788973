"""What of the page is fetched when it is first wanted: no call needs it."""

from __future__ import annotations

from ..model import translation
from . import extra_texts

translation.register("extras", extra_texts)
