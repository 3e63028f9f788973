"""Finds URLs in chat messages: only `http` and `https`, so that nothing else becomes a link."""

from __future__ import annotations

__all__ = ["segments"]

MAX_LINKS = 20
"""The largest number of links in one text."""

MAX_LENGTH = 2000
"""The largest number of characters of a URL; a longer one stays plain text."""

NEVER = (
    ' \n<>"`{}|\\^\u3000\ufeff'
    + "".join([chr(code) for code in range(33)])
    + "".join([chr(code) for code in range(127, 161)])
    + "".join(
        [chr(code) for code in range(0x2000, 0x2070) if not 0x2010 <= code <= 0x2027 and not 0x2030 <= code < 0x205F]
    )
)
"""Characters that end a URL: invisible ones, and those that RFC 3986 excludes. Browsers read a backslash as a slash."""

TRAILING = ".,;:!?'*_~…。、」』】》»”" + "\uff0c\uff01\uff1f\uff1b\uff1a\u203a\u2019"
"""Punctuation that belongs to the sentence around a URL and not to the URL."""

OPENED_BY = {")": "(", "]": "["}


def segments(text: str) -> list[tuple[str, str]]:
    """Return the text in segments: what is shown, and the URL that it links to, which is empty for plain text."""
    found: list[tuple[str, str]] = []
    plain = at = 0
    for _ in range(MAX_LINKS):
        at = text.find("://", at)
        if at < 0:
            break
        begin = _scheme(text, at)
        address = _address(text[begin : begin + MAX_LENGTH + 1], at + 3 - begin) if begin < at else ""
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
    """Return where the scheme begins that ends at `at`; `at` itself if it is not an allowed scheme."""
    before = text[max(0, at - 6) : at]
    for scheme in ("https", "http"):
        if before[-len(scheme) :].lower() == scheme:
            outside = before[: -len(scheme)][-1:]
            if not (outside.isalpha() or outside.isdigit() or (outside and outside in "+-.")):
                return at - len(scheme)
    return at


def _address(text: str, host: int) -> str:
    """Return the URL that a text begins with, whose host begins at `host`; empty if there is none."""
    address = text
    for character in NEVER:
        if character in address:
            address = address.split(character, 1)[0]
    if len(address) > MAX_LENGTH:
        return ""
    surplus = {closing: address.count(closing) - address.count(opening) for closing, opening in OPENED_BY.items()}
    while True:
        address = address.rstrip(TRAILING)
        last = address[-1:]
        if surplus.get(last, 0) <= 0:
            break
        surplus[last] -= 1
        address = address[:-1]
    place = address[host:]
    for end in "/?#":
        place = place.split(end, 1)[0]
    first = place[:1]
    # User information before an @ looks like the host that the link leads to, and is not.
    if not first or "@" in place or not (first.isalpha() or first.isdigit() or first == "[" or first > "\u007f"):
        return ""
    return address
