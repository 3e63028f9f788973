"""The sentence about remote control on the picture of a screen. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.control_viewer import CODE, OFFERED
from . import extra_texts

if TYPE_CHECKING:
    from ..model.control_viewer import Offer

__all__ = ["sentence"]


def sentence(offer: Offer, verified: bool) -> str:
    """Return what the bar says about an offer; empty for nothing.

    Arguments:
        offer: what the member offers.
        verified: whether this person has verified the connection.

    """
    if offer.state != OFFERED:
        return extra_texts.CONTROL_STATES[offer.state]
    if offer.reason:
        return extra_texts.CONTROL_REASONS.get(offer.reason, extra_texts.CONTROL_OVER)
    # Whoever were between the two would see the code.
    return extra_texts.CONTROL_UNVERIFIED if offer.mode == CODE and not verified else ""
