"""The 64 symbols of verification codes, chosen to be distinct; `extra_texts.CODE_WORDS` names them."""

from __future__ import annotations

__all__ = ["EMOJI", "picture_id"]

EMOJI = (
    "🐳🦊🐸🦉🦈🐝🦀🦘🦔🐍🦆🐓🦇🐊🦒🐞"
    "🍋🥝🥕🧀🥥🥜🍩🧁🍇🥚🍯🍍🥨🥦🍿🍄"
    "🌵🌻🌈⛄🌋🍁⚡🌴⛵🎈🥁🎻🎲🧲🔭🧦"
    "🎩🔔🧭🚜🚁🏰⛺🎹🧩🎯🚿🧽💎🔌📷👢"
)
"""Each symbol is one code point of Unicode 11 (2018) or before. Its position must never change, because it is its
number."""


def picture_id(number: int) -> str:
    """Return the id of a symbol in `web/code-symbols.svg`: the code point of its emoji in hexadecimal."""
    return f"{ord(EMOJI[number]):x}"
