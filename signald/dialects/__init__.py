"""Dialects: the wire protocols of clients. Each module translates between text frames and the core's messages."""

from signald.dialects.dialect import Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde

DIALECTS: tuple[type[Dialect], ...] = (Native, Serde)
"""The dialects of the hub, whose clients meet in sessions."""
