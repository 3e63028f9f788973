"""What the page makes of a connection's statistics."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.statistics import figures

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


class FiguresTests(SynchronousTestCase):
    """`figures`."""

    def test_media(self) -> None:
        """Streams of a kind are added up; what an entry does not say counts as nothing."""
        values = figures(MEDIA)
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

    def test_the_path(self) -> None:
        """The path in use is the transport's, or, where there are no transports, the one that says so."""
        transport = {"id": "t", "type": "transport", "selectedCandidatePairId": "p"}
        for entries in (CANDIDATES, [*CANDIDATES, transport]):
            self.assertEqual(figures(entries)["selectedPair"], {"local": "host", "remote": "srflx"})

    def test_a_path_with_unknown_ends(self) -> None:
        """A candidate that is not listed has no type."""
        self.assertEqual(figures(CANDIDATES[2:])["selectedPair"], {"local": "", "remote": ""})
