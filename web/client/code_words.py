"""The symbols of a verification code: 64 that nobody mixes up by eye, and words that nobody mixes up by ear."""

from __future__ import annotations

__all__ = ["EMOJI", "WORDS"]

EMOJI = (
    "🐳🦊🐸🦉🦈🐝🦀🦘🦔🐍🦆🐓🦇🐊🦒🐞"
    "🍋🥝🥕🧀🥥🥜🍩🧁🍇🥚🍯🍍🥨🥦🍿🍄"
    "🌵🌻🌈⛄🌋🍁⚡🌴⛵🎈🥁🎻🎲🧲🔭🧦"
    "🎩🔔🧭🚜🚁🏰⛺🎹🧩🎯🚿🧽💎🔌📷👢"
)
"""One code point each, of Unicode 11 (2018) or before. A symbol never changes its place."""

WORDS = (  # noqa: SIM905 - shorter to read and to load
    "whale fox frog owl shark bee crab kangaroo hedgehog snake duck rooster bat crocodile giraffe ladybird "
    "lemon kiwi carrot cheese coconut peanuts doughnut cupcake grapes egg honey pineapple pretzel broccoli popcorn "
    "mushroom cactus sunflower rainbow snowman volcano leaf lightning palm sailboat balloon drum violin dice magnet "
    "telescope socks hat bell compass tractor helicopter castle tent piano puzzle target shower sponge diamond plug "
    "camera boot"
).split()
"""What each is called; no two begin with the same three letters."""
