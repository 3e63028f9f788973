"""The words of the verification code's symbols, in the order of the call page (docs/verification.md)."""

from __future__ import annotations

__all__ = ["code_sentence"]

CODE_WORDS = (
    "whale fox frog owl shark bee crab kangaroo hedgehog snake duck rooster bat crocodile giraffe ladybird "
    "lemon kiwi carrot cheese coconut peanuts doughnut cupcake grapes egg honey pineapple pretzel broccoli popcorn "
    "mushroom cactus sunflower rainbow snowman volcano leaf lightning palm sailboat balloon drum violin dice magnet "
    "telescope socks hat bell compass tractor helicopter castle tent piano puzzle target shower sponge diamond plug "
    "camera boot"
)


def code_sentence(code: list[int]) -> str:
    """Return the words of a code."""
    words = CODE_WORDS.split()
    return " ".join(words[number] for number in code)
