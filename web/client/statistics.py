"""What the statistics of a peer connection say about a call: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["figures"]

COUNTED = (
    ("inbound-rtp", "video", "framesDecoded", "framesDecoded"),
    ("inbound-rtp", "audio", "packetsReceived", "audioPacketsReceived"),
    ("inbound-rtp", "audio", "totalAudioEnergy", "audioEnergy"),
    ("outbound-rtp", "video", "framesSent", "framesSent"),
    ("outbound-rtp", "audio", "packetsSent", "audioPacketsSent"),
)
"""Type and kind of an entry, its key, and the figure that it adds to (W3C `webrtc-stats`)."""


def figures(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts of frames and packets, audio energy, and the candidate types of the path in use.

    `selectedPair` is `{"local": type, "remote": type}`, types of `RTCIceCandidate`; None before there is a path.
    """
    values: dict[str, Any] = {figure: 0 for _, _, _, figure in COUNTED}
    by_id = {}
    for entry in entries:
        by_id[entry.get("id")] = entry
        for kind_of_entry, kind, key, figure in COUNTED:
            if entry.get("type") == kind_of_entry and entry.get("kind") == kind:
                values[figure] += entry.get(key, 0)
    pair = _selected_pair(entries, by_id)
    values["selectedPair"] = None
    if pair is not None:
        ends = {}
        for end in ("local", "remote"):
            ends[end] = by_id.get(pair.get(end + "CandidateId"), {}).get("candidateType", "")
        values["selectedPair"] = ends
    return values


def _selected_pair(entries: list[dict[str, Any]], by_id: dict[Any, dict[str, Any]]) -> dict[str, Any] | None:
    for entry in entries:
        if entry.get("type") == "transport" and entry.get("selectedCandidatePairId") in by_id:
            return by_id[entry["selectedCandidatePairId"]]
    for entry in entries:
        # Firefox has no transport entries.
        if entry.get("type") == "candidate-pair" and entry.get("selected"):
            return entry
    return None
