"""Tests of the figures that are computed from WebRTC statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.webrtc_stats import KEYS, TYPES, by_id, compare, totals

MEDIA: list[dict[str, Any]] = [
    {"id": "1", "type": "inbound-rtp", "kind": "video", "framesDecoded": 40},
    {"id": "2", "type": "inbound-rtp", "kind": "video", "framesDecoded": 2},
    {"id": "3", "type": "inbound-rtp", "kind": "audio", "packetsReceived": 90, "totalAudioEnergy": 0.25},
    {"id": "4", "type": "outbound-rtp", "kind": "video", "framesSent": 41},
    {"id": "5", "type": "outbound-rtp", "kind": "audio"},
    {"id": "6", "type": "remote-inbound-rtp", "kind": "audio", "packetsReceived": 7},
]
CANDIDATES: list[dict[str, Any]] = [
    {"id": "l", "type": "local-candidate", "candidateType": "host"},
    {"id": "r", "type": "remote-candidate", "candidateType": "srflx"},
    {"id": "p", "type": "candidate-pair", "localCandidateId": "l", "remoteCandidateId": "r", "selected": True},
]


class TotalsTests(SynchronousTestCase):
    """`totals` adds up the entries of a sample."""

    def test_media(self) -> None:
        """Streams of a kind are added up, and missing values count as zero."""
        values = totals(MEDIA)
        self.assertEqual(
            values,
            {
                "framesDecoded": 42,
                "audioPacketsReceived": 90,
                "audioEnergy": 0.25,
                "framesSent": 41,
                "audioPacketsSent": 0,
                "selectedPair": None,
            },
        )

    def test_selected_path(self) -> None:
        """The selected path is that of the transport, or without transports the selected candidate pair."""
        transport = {"id": "t", "type": "transport", "selectedCandidatePairId": "p"}
        for entries in (CANDIDATES, [*CANDIDATES, transport]):
            self.assertEqual(totals(entries)["selectedPair"], {"local": "host", "remote": "srflx"})

    def test_unlisted_candidates(self) -> None:
        """A candidate that is not listed has an empty type."""
        self.assertEqual(totals(CANDIDATES[2:])["selectedPair"], {"local": "", "remote": ""})


Sample = dict[str, dict[str, Any]]


def recorded(browser: str) -> tuple[Sample, Sample]:
    """Return two recorded samples of one call, taken two seconds apart."""
    samples = json.loads(Path(__file__).parents[3].joinpath(f"recorded/statistics-{browser}.json").read_text("utf-8"))
    return by_id(samples[0]), by_id(samples[1])


def stream(kind: str = "inbound-rtp", milliseconds: int = 0, **values: Any) -> Sample:
    """Return a sample with one stream."""
    entry = {"id": "s", "type": kind, "kind": "audio", "ssrc": 7, "timestamp": 1.8e12 + milliseconds}
    return {"s": {**entry, **values}}


class CompareTests(SynchronousTestCase):
    """`compare` computes figures from two samples."""

    def test_chromium(self) -> None:
        """A call with Firefox, recorded in Chromium, gives these figures."""
        self.assertEqual(
            compare(*recorded("chromium")),
            {
                "rtt": 1,
                "jitter": 5,
                "loss_in": 0.0,
                "loss_out": 0.0,
                "rate_in": 508,
                "rate_out": 325,
                "size_in": (960, 540),
                "size_out": (480, 270),
                "frames_in": 30,
                "frames_out": 20,
                "codecs_in": "VP8, opus",
                "codecs_out": "VP8, opus",
                "local": "host",
                "remote": "host",
                "protocol": "udp",
                "relay": None,
                "limit": "bandwidth",
                "target": 2500000,
            },
        )

    def test_firefox(self) -> None:
        """The same call, recorded in Firefox, gives these figures without a limit, which Firefox does not report."""
        values = compare(*recorded("firefox"))
        self.assertEqual((values["limit"], values["target"]), (None, None))
        self.assertEqual((values["rate_in"], values["rate_out"]), (320, 501))
        self.assertEqual((values["size_in"], values["frames_in"], values["codecs_in"]), ((480, 270), 20, "VP8, opus"))
        self.assertEqual((values["local"], values["remote"], values["protocol"]), ("host", "prflx", "udp"))
        self.assertEqual((values["loss_in"], values["loss_out"], values["jitter"], values["rtt"]), (0.0, 0.0, 4, 5))

    def test_no_entries(self) -> None:
        """Without entries every figure is unknown."""
        self.assertEqual(set(compare({}, {}).values()), {None})

    def test_one_sample(self) -> None:
        """A single sample gives no rates, but the current values."""
        values = compare({}, recorded("chromium")[1])
        unknown = {name for name, value in values.items() if value is None}
        self.assertEqual(unknown, {"loss_in", "loss_out", "rate_in", "rate_out", "frames_in", "frames_out", "relay"})

    def test_private_values_are_not_read(self) -> None:
        """Addresses, ports and other private values are not among the keys that are read."""
        for browser in ("chromium", "firefox"):
            for sample in recorded(browser):
                for entry in sample.values():
                    self.assertIn(entry["type"], TYPES)
                    self.assertEqual(set(entry) - set(KEYS), set())
        self.assertEqual({"address", "ip", "port", "url", "relatedAddress", "usernameFragment"} & set(KEYS), set())

    def test_loss(self) -> None:
        """Incoming loss counts packets since the previous sample; outgoing loss is the other side's last report."""
        before = stream(packetsReceived=1000, packetsLost=100, bytesReceived=0)
        after = stream(milliseconds=2000, packetsReceived=1090, packetsLost=110, bytesReceived=1000)
        self.assertEqual(compare(before, after)["loss_in"], 10.0)
        self.assertEqual(compare(before, after)["rate_in"], 4)
        report = {"type": "remote-inbound-rtp", "localId": "s", "fractionLost": 0.05, "roundTripTime": 0.2}
        before = stream("outbound-rtp", packetsSent=0)
        after = stream("outbound-rtp", 2000, packetsSent=100)
        values = compare(before, {**after, "r": {"id": "r", "timestamp": 1.8e12, **report}})
        self.assertEqual((values["loss_out"], values["rtt"]), (5.0, 200))

    def test_late_packets(self) -> None:
        """Late packets decrease the counter of lost ones, which gives no negative loss."""
        before = stream(packetsReceived=1000, packetsLost=10)
        self.assertEqual(compare(before, stream(packetsReceived=1100, packetsLost=5))["loss_in"], 0.0)

    def test_few_packets(self) -> None:
        """A loss among few packets is unknown."""
        before = stream(packetsReceived=0, packetsLost=0)
        self.assertIsNone(compare(before, stream(packetsReceived=9, packetsLost=1))["loss_in"])

    def test_reset_counters(self) -> None:
        """Counters that decreased, or belong to another source, give no rate."""
        before = stream(packetsReceived=1000, packetsLost=0, bytesReceived=90000)
        again = stream(milliseconds=2000, packetsReceived=100, packetsLost=0, bytesReceived=9000)
        member = stream(milliseconds=2000, packetsReceived=2000, packetsLost=0, bytesReceived=99000, ssrc=8)
        for after in (again, member):
            self.assertEqual((compare(before, after)["rate_in"], compare(before, after)["loss_in"]), (None, None))

    def test_repeated_sample(self) -> None:
        """A repeated sample gives no rates."""
        sample = recorded("chromium")[1]
        self.assertEqual((compare(sample, sample)["rate_in"], compare(sample, sample)["frames_in"]), (None, None))

    def test_limit_of_several_videos(self) -> None:
        """If the computer is too slow for one of several videos, that is the limit of all."""
        video = {"type": "outbound-rtp", "kind": "video", "targetBitrate": 100}
        reasons = ("none", "cpu", "bandwidth")
        sample = {reason: {"id": reason, "qualityLimitationReason": reason, **video} for reason in reasons}
        self.assertEqual((compare({}, sample)["limit"], compare({}, sample)["target"]), ("cpu", 300))
        del sample["cpu"]
        self.assertEqual(compare({}, sample)["limit"], "bandwidth")
        del sample["bandwidth"]
        self.assertEqual(compare({}, sample)["limit"], "")

    def test_round_trip_time_of_the_path(self) -> None:
        """Without a report of the other side, the round-trip time is that of the candidate pair."""
        candidates = by_id(CANDIDATES)
        self.assertIsNone(compare({}, candidates)["rtt"])
        candidates["p"] = {**candidates["p"], "currentRoundTripTime": 0.0123}
        candidates["l"] = {**candidates["l"], "protocol": "udp", "relayProtocol": "tls"}
        values = compare({}, candidates)
        self.assertEqual((values["rtt"], values["protocol"], values["relay"]), (12, "udp", "tls"))
