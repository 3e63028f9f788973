"""What of the page is fetched when it is first wanted: no call needs it."""

from __future__ import annotations

from .. import translation
from . import texts

translation.offer("extras", texts)
