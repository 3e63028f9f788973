"""Parts of the page that are loaded on demand; no call needs them."""

from __future__ import annotations

from ..model import translation
from . import extra_texts

translation.register("extras", extra_texts)
