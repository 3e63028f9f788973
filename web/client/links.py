"""Finds the addresses in what people write: `http` and `https` alone, so that nothing else can become a link. Pure."""

from __future__ import annotations

__all__ = ["pieces"]

MOST = 20
"""Addresses that are looked at in one text."""

NEVER = '<>"`{}|\\^'
"""Characters that end an address (RFC 3986 has none of them; browsers read a backslash as a slash)."""

SPACES = (("\u0000", " "), ("\u007f", "\u00a0"), ("\u2000", "\u200f"), ("\u2028", "\u202f"), ("\u205f", "\u206f"))
"""First and last of the ranges that are not seen, and end an address, too; U+3000 and U+FEFF besides."""

BEHIND = ".,;:!?'*_~…。、」』】》»”" + "\uff0c\uff01\uff1f\uff1b\uff1a\u203a\u2019"
"""Punctuation that ends the sentence around an address rather than the address."""

OPENED_BY = {")": "(", "]": "["}


def pieces(text: str) -> list[tuple[str, str]]:
    """Return the text in pieces: what is shown, and the address that it leads to, which is empty for plain text."""
    found: list[tuple[str, str]] = []
    plain = at = 0
    for _ in range(MOST):
        at = text.find("://", at)
        if at < 0:
            break
        begin = _scheme(text, at)
        address = _address(text[begin:], at + 3 - begin) if begin < at else ""
        if address:
            if plain < begin:
                found.append((text[plain:begin], ""))
            found.append((address, address))
            plain = at = begin + len(address)
        else:
            at += 3
    if plain < len(text):
        found.append((text[plain:], ""))
    return found


def _scheme(text: str, at: int) -> int:
    """Return where the scheme begins that ends at `at`; `at` itself when it is another one."""
    before = text[max(0, at - 6) : at]
    for scheme in ("https", "http"):
        if before[-len(scheme) :].lower() == scheme:
            outside = before[: -len(scheme)][-1:]
            if not (outside.isalpha() or outside.isdigit() or (outside and outside in "+-.")):
                return at - len(scheme)
    return at


def _address(text: str, host: int) -> str:
    """Return the address that a text begins with, whose host begins at `host`; empty when there is none."""
    length = 0
    for character in text:
        if character in NEVER or character in "\u3000\ufeff":
            break
        if any(first <= character <= last for first, last in SPACES):
            break
        length += 1
    address = text[:length]
    surplus = {closing: address.count(closing) - address.count(opening) for closing, opening in OPENED_BY.items()}
    while True:
        address = address.rstrip(BEHIND)
        last = address[-1:]
        if surplus.get(last, 0) <= 0:
            break
        surplus[last] -= 1
        address = address[:-1]
    place = address[host:]
    for end in "/?#":
        place = place.split(end, 1)[0]
    first = place[:1]
    # What stands before an @ looks like the place that the link leads to, and is not.
    if not first or "@" in place or not (first.isalpha() or first.isdigit() or first == "[" or first > "\u007f"):
        return ""
    return address
