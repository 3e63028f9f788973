"""Computes call quality figures from the statistics of a peer connection. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["KEYS", "TYPES", "by_id", "compare", "totals"]

TYPES = [
    "inbound-rtp",
    "outbound-rtp",
    "remote-inbound-rtp",
    "candidate-pair",
    "local-candidate",
    "remote-candidate",
    "codec",
    "transport",
]
"""The types of statistics entries that are used."""

KEYS = [
    "id",
    "type",
    "timestamp",
    "kind",
    "ssrc",
    "codecId",
    "mimeType",
    "jitter",
    "packetsLost",
    "packetsReceived",
    "packetsSent",
    "bytesReceived",
    "bytesSent",
    "headerBytesReceived",
    "headerBytesSent",
    "framesDecoded",
    "framesSent",
    "frameWidth",
    "frameHeight",
    "totalAudioEnergy",
    "fractionLost",
    "roundTripTime",
    "currentRoundTripTime",
    "localId",
    "qualityLimitationReason",
    "targetBitrate",
    "selectedCandidatePairId",
    "selected",
    "localCandidateId",
    "remoteCandidateId",
    "candidateType",
    "protocol",
    "relayProtocol",
]
"""The keys that are read. The rest, addresses among it, stays in the browser: reading everything takes Python too long.
"""

FEWEST = 20
"""The number of packets from which a loss is computed: among fewer, one lost packet would look like a bad network."""

TOTALS = (
    ("inbound-rtp", "video", "framesDecoded", "framesDecoded"),
    ("inbound-rtp", "audio", "packetsReceived", "audioPacketsReceived"),
    ("inbound-rtp", "audio", "totalAudioEnergy", "audioEnergy"),
    ("outbound-rtp", "video", "framesSent", "framesSent"),
    ("outbound-rtp", "audio", "packetsSent", "audioPacketsSent"),
)
"""Type and kind of an entry, its key, and the total that the value is added to (W3C `webrtc-stats`)."""


def totals(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return totals of frames and packets, audio energy, and the candidate types of the selected path.

    `selectedPair` is `{"local": type, "remote": type}`, types of `RTCIceCandidate`; None before a path is selected.
    """
    values: dict[str, Any] = {total: 0 for _, _, _, total in TOTALS}
    for entry in entries:
        for kind_of_entry, kind, key, total in TOTALS:
            if entry.get("type") == kind_of_entry and entry.get("kind") == kind:
                values[total] += entry.get(key, 0)
    known = by_id(entries)
    pair = _selected_pair(known)
    values["selectedPair"] = None
    if pair is not None:
        ends = {}
        for end in ("local", "remote"):
            ends[end] = known.get(pair.get(end + "CandidateId", ""), {}).get("candidateType", "")
        values["selectedPair"] = ends
    return values


def by_id(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the entries by their ids."""
    return {entry.get("id", ""): entry for entry in entries}


def _selected_pair(known: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    for entry in known.values():
        if entry.get("type") == "transport" and entry.get("selectedCandidatePairId") in known:
            return known[entry["selectedCandidatePairId"]]
    for entry in known.values():
        # Firefox did not have transport entries in older versions.
        if entry.get("type") == "candidate-pair" and entry.get("selected"):
            return entry
    return None


def compare(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the figures between two samples of one connection (entries by their ids, the older sample first).

    A figure that the browser does not report, or that is not known yet, is None. `rtt`, `jitter`: milliseconds.
    `loss_in`, `loss_out`: percent of the received and of the sent packets. `rate_in`, `rate_out`: kbit/s of media.
    `size_in`, `size_out`: width and height of the largest video; `frames_in`, `frames_out`: its frames per second.
    `codecs_in`, `codecs_out`: names. `local`, `remote`: types of the path's `RTCIceCandidate`s; `protocol` and `relay`:
    the transport of the path, and the one to the TURN server. `limit`: what limits the outgoing video, `cpu`,
    `bandwidth`, or empty; `target`: its target bit rate in bits per second.
    """
    values: dict[str, Any] = {"limit": None, "target": None}
    for way, suffix, packets in (("in", "Received", "inbound-rtp"), ("out", "Sent", "outbound-rtp")):
        streams = [entry for entry in after.values() if entry.get("type") == packets]
        values["rate_" + way] = _rate(before, streams, suffix)
        values["codecs_" + way] = _codecs(after, streams)
        _picture(values, before, streams, way)
    values["loss_in"] = _loss_in(before, after)
    values["loss_out"] = _loss_out(before, after)
    jitters = [entry["jitter"] for entry in after.values() if _has(entry, "inbound-rtp", "jitter")]
    values["jitter"] = round(1000 * max(jitters)) if jitters else None
    _limit(values, after)
    _path(values, after)
    return values


def _has(entry: dict[str, Any], kind: str, key: str) -> bool:
    """Return whether an entry has this type and this key."""
    return entry.get("type") == kind and entry.get(key) is not None


def _rise(before: dict[str, dict[str, Any]], entry: dict[str, Any], key: str) -> float | None:
    """Return by how much a counter increased; None if that is unknown, or the counter was reset."""
    old = before.get(entry.get("id", ""))
    if old is None or old.get("ssrc") != entry.get("ssrc") or old.get(key) is None or entry.get(key) is None:
        return None
    increase: float = entry[key] - old[key]
    return increase if increase >= 0 else None


def _rate(before: dict[str, dict[str, Any]], streams: list[dict[str, Any]], suffix: str) -> int | None:
    rates = []
    for entry in streams:
        milliseconds = _rise(before, entry, "timestamp")
        octets = _rise(before, entry, "bytes" + suffix)
        if milliseconds and octets is not None:
            rates.append(8 * (octets + (_rise(before, entry, "headerBytes" + suffix) or 0)) / milliseconds)
    return round(sum(rates)) if rates else None


def _codecs(after: dict[str, dict[str, Any]], streams: list[dict[str, Any]]) -> str | None:
    names = []
    for entry in streams:
        name = after.get(entry.get("codecId", ""), {}).get("mimeType", "").split("/")[-1]
        if name and name not in names:
            names.append(name)
    return ", ".join(sorted(names)) if names else None


def _picture(
    values: dict[str, Any], before: dict[str, dict[str, Any]], streams: list[dict[str, Any]], way: str
) -> None:
    values["size_" + way] = values["frames_" + way] = None
    largest = 0
    for entry in streams:
        width = entry.get("frameWidth") or 0
        if width > largest:
            largest = width
            values["size_" + way] = (width, entry.get("frameHeight") or 0)
            milliseconds = _rise(before, entry, "timestamp")
            frames = _rise(before, entry, "framesDecoded" if way == "in" else "framesSent")
            values["frames_" + way] = (
                round(1000 * frames / milliseconds) if milliseconds and frames is not None else None
            )


def _loss_in(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> float | None:
    received = lost = 0.0
    for entry in after.values():
        if entry.get("type") == "inbound-rtp":
            received += _rise(before, entry, "packetsReceived") or 0
            # The counter decreases when a packet that counted as lost arrives late (RFC 3550 §6.4.1).
            lost += _rise(before, entry, "packetsLost") or 0
    return round(100 * lost / (received + lost), 1) if received + lost >= FEWEST else None


def _loss_out(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> float | None:
    """Return the loss that the other side reported last (RFC 3550 §6.4.1), weighted by the packets of each stream."""
    sent = lost = 0.0
    for entry in after.values():
        stream = after.get(entry.get("localId", ""))
        if _has(entry, "remote-inbound-rtp", "fractionLost") and stream is not None:
            packets = _rise(before, stream, "packetsSent") or 0
            sent += packets
            lost += packets * entry["fractionLost"]
    return round(100 * lost / sent, 1) if sent >= FEWEST else None


def _limit(values: dict[str, Any], after: dict[str, dict[str, Any]]) -> None:
    for entry in after.values():
        if _has(entry, "outbound-rtp", "qualityLimitationReason") and entry.get("kind") == "video":
            reason = entry["qualityLimitationReason"]
            if values["limit"] != "cpu":
                values["limit"] = reason if reason in ("cpu", "bandwidth") else values["limit"] or ""
            values["target"] = (values["target"] or 0) + (entry.get("targetBitrate") or 0)


def _path(values: dict[str, Any], after: dict[str, dict[str, Any]]) -> None:
    pair = _selected_pair(after) or {}
    local = after.get(pair.get("localCandidateId", ""), {})
    values["local"] = local.get("candidateType")
    values["protocol"] = local.get("protocol")
    values["relay"] = local.get("relayProtocol")
    values["remote"] = after.get(pair.get("remoteCandidateId", ""), {}).get("candidateType")
    # The newest report has the current round-trip time; that of the candidate pair can be many seconds old in Firefox.
    last, seconds = 0.0, pair.get("currentRoundTripTime")
    for entry in after.values():
        if _has(entry, "remote-inbound-rtp", "roundTripTime") and entry.get("timestamp", 0.0) > last:
            last, seconds = entry["timestamp"], entry["roundTripTime"]
    values["rtt"] = round(1000 * seconds) if seconds is not None else None
