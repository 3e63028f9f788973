"""The symbols of a verification code, 64 that nobody mixes up by eye; `extra_texts.CODE_WORDS` names them. Pure."""

from __future__ import annotations

__all__ = ["EMOJI"]

EMOJI = (
    "🐳🦊🐸🦉🦈🐝🦀🦘🦔🐍🦆🐓🦇🐊🦒🐞"
    "🍋🥝🥕🧀🥥🥜🍩🧁🍇🥚🍯🍍🥨🥦🍿🍄"
    "🌵🌻🌈⛄🌋🍁⚡🌴⛵🎈🥁🎻🎲🧲🔭🧦"
    "🎩🔔🧭🚜🚁🏰⛺🎹🧩🎯🚿🧽💎🔌📷👢"
)
"""One code point each, of Unicode 11 (2018) or before. A symbol never changes its place."""
