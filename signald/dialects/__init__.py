"""Wire protocols: one module a dialect, frames on one side and messages on the other."""

from signald.dialects.dialect import Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde

DIALECTS: tuple[type[Dialect], ...] = (Native, Serde)
"""All that is spoken here."""
