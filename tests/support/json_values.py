"""Values of JSON as hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["JSON"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)
"""Any value that every dialect can forward: numbers are integers of at most 53 bits."""
