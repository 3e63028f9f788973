"""Maps a verification to what its dialog shows. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.verification import ANSWERABLE, CONFIRMED, DENIED, NOT_VERIFIED

from . import extra_texts
from .code_symbols import picture_id

if TYPE_CHECKING:
    from typing import Any

    from signald_client.signaling.verification import Verification

    View = dict[tuple[str, str], str | bool]

__all__ = ["path", "symbols", "view"]


def view(
    verification: Verification | None, name: str, way: str, people: int, without_turn: bool, relayed: bool = False
) -> View:
    """Return the value of each (element id, property).

    Arguments:
        verification: the verification with the participant; None when nobody is there.
        name: the participant's name.
        way: `direct`, `relayed`, or empty while it is unknown.
        people: the number of remote participants.
        without_turn: whether the server is known to name no TURN server.
        relayed: whether everybody in the session uses a TURN server only.

    """
    values: View = {
        ("verify-person", "hidden"): verification is None,
        ("verify-who", "hidden"): people < 2,
        ("verify-path", "text"): extra_texts.PATHS[way].format(name) if way else "",
        ("relay-note", "text"): extra_texts.NO_TURN if without_turn else extra_texts.RELAYED_CALL if relayed else "",
    }
    if verification is None:
        return values
    subject = extra_texts.CODE_REASONS[verification.reason] if verification.state == NOT_VERIFIED else name
    values["verify-status", "text"] = extra_texts.CODE_STATES[verification.state].format(subject)
    for element in ("verify-code", "verify-how", "verify-answers"):
        values[element, "hidden"] = verification.state not in ANSWERABLE
    values["verify-match", "pressed"] = verification.state == CONFIRMED
    values["verify-differ", "pressed"] = verification.state == DENIED
    return values


def symbols(code: list[int]) -> list[tuple[str, str]]:
    """Return the id of the picture and the word of each symbol."""
    words = extra_texts.CODE_WORDS.split()
    return [(picture_id(number), words[number]) for number in code]


def path(figures: dict[str, Any]) -> str:
    """Return `direct`, `relayed`, or empty without a path, from the totals of a connection's statistics."""
    pair = figures["selectedPair"]
    if pair is None:
        return ""
    return "relayed" if "relay" in (pair["local"], pair["remote"]) else "direct"
