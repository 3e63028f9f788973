"""Tests of the connection quality in bars, and of the side at fault."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.quality import CPU, GOOD, NETWORK, SAMPLES, SERIES, WARM_UP, WINDOW, Quality, local_fault

FINE: dict[str, Any] = {
    "rtt": 20,
    "jitter": 3,
    "loss_in": 0.0,
    "loss_out": 0.0,
    "rate_in": 1000,
    "rate_out": 1000,
    "frames_out": 30,
    "limit": "",
    "target": 2_500_000,
}
BOUND = 2_500_000


def connection(*changes: dict[str, Any]) -> Quality:
    """Return a connection with these samples; figures that are not given are good."""
    quality = Quality()
    for change in changes:
        quality.add({**FINE, **change}, BOUND)
    return quality


def bars(**values: Any) -> int | None:
    """Return the bars of a connection whose samples are all like this."""
    return connection(*[values] * (WARM_UP + WINDOW)).bars


class BarsTests(SynchronousTestCase):
    """The bars follow from the samples."""

    def test_before_a_sample(self) -> None:
        """Before the first sample the bars are unknown, and neither side is at fault."""
        self.assertIsNone(Quality().bars)
        self.assertEqual(Quality().fault(NETWORK), "")

    def test_a_good_connection(self) -> None:
        """A good connection has four bars and no fault."""
        self.assertEqual(bars(), GOOD)
        self.assertEqual(connection({}).fault(NETWORK), "")

    def test_unknown_figures(self) -> None:
        """Figures that a browser does not report take no bars away."""
        self.assertEqual(bars(**dict.fromkeys(FINE)), GOOD)

    def test_thresholds(self) -> None:
        """Loss in either direction, delay and jitter take bars away from their thresholds on."""
        for name in ("loss_in", "loss_out"):
            self.assertEqual([bars(**{name: loss}) for loss in (1.9, 2.0, 5.0, 10.0, 60.0)], [4, 3, 2, 1, 1])
        self.assertEqual([bars(rtt=rtt) for rtt in (299, 300, 500, 800)], [4, 3, 2, 1])
        self.assertEqual([bars(jitter=jitter) for jitter in (49, 50, 100, 5000)], [4, 3, 2, 2])

    def test_bandwidth_limit(self) -> None:
        """A low share of the highest bit rate takes bars away, if bandwidth limits the video."""
        for share, expected in ((0.6, 4), (0.4, 3), (0.2, 2), (0.05, 1)):
            self.assertEqual(bars(limit="bandwidth", target=share * BOUND), expected)
            self.assertEqual(bars(target=share * BOUND), GOOD)
        self.assertEqual(bars(limit="bandwidth", target=None), GOOD)

    def test_sufficient_bandwidth(self) -> None:
        """A bandwidth limit is ignored while the video has its highest bit rate."""
        fine = connection(*[{"limit": "bandwidth"}] * (WARM_UP + WINDOW))
        self.assertEqual((fine.bars, fine.values["limit"]), (GOOD, ""))
        narrow = connection(*[{"limit": "bandwidth", "target": 500_000}] * (WARM_UP + WINDOW))
        self.assertEqual((narrow.bars, narrow.values["limit"]), (2, "bandwidth"))

    def test_bandwidth_probing(self) -> None:
        """A bandwidth limit is ignored in the first samples, while the browser probes the path."""
        self.assertEqual(connection(*[{"limit": "bandwidth", "target": 300_000}] * WARM_UP).bars, GOOD)

    def test_a_slow_computer(self) -> None:
        """A slow computer reduces the rating to fair, and to weak if the frame rate is low."""
        self.assertEqual(bars(limit="cpu"), 3)
        self.assertEqual(bars(limit="cpu", frames_out=8), 2)
        self.assertEqual(bars(limit="cpu", frames_out=None), 2)

    def test_no_flicker(self) -> None:
        """A single bad sample changes nothing, but two do; the bars rise only after three good samples."""
        bad = {"loss_in": 20.0}
        seen = []
        quality = Quality()
        for change in ({}, {}, bad, {}, {}, bad, bad, {}, {}, bad, {}, {}, {}):
            quality.add({**FINE, **change}, BOUND)
            seen.append(quality.bars)
        self.assertEqual(seen, [4, 4, 4, 4, 4, 4, 1, 1, 1, 1, 1, 1, 4])

    def test_lower_rating_counts(self) -> None:
        """The lower rating of the two sides counts."""
        quality = connection({})
        quality.receive({"type": "quality", "bars": 2, "fault": ""})
        self.assertEqual(quality.bars, 2)
        self.assertEqual(quality.local_bars, 4)
        quality = connection({"loss_in": 20.0})
        quality.receive({"type": "quality", "bars": 2, "fault": ""})
        self.assertEqual(quality.bars, 1)

    def test_malformed_ratings(self) -> None:
        """Malformed ratings are ignored."""
        quality = connection({})
        for message in (
            {},
            {"bars": 1},
            {"bars": 5, "fault": ""},
            {"bars": -1, "fault": ""},
            {"bars": True, "fault": ""},
            {"bars": 1.5, "fault": ""},
            {"bars": "1", "fault": ""},
            {"bars": 1, "fault": "them"},
            {"bars": 1, "fault": ["network"]},
        ):
            quality.receive(message)
            self.assertEqual((quality.bars, quality.fault("")), (GOOD, ""))

    def test_new_connection(self) -> None:
        """A new connection forgets the ratings of the old one, but keeps the history."""
        quality = connection({"loss_in": 20.0})
        quality.receive({"bars": 1, "fault": "network"})
        quality.reset()
        self.assertIsNone(quality.bars)
        quality.add(FINE, BOUND)
        self.assertEqual((quality.bars, len(quality.history)), (4, 2))


class HistoryTests(SynchronousTestCase):
    """The history of the statistics panel is stored."""

    def test_stored_sample(self) -> None:
        """Each sample stores its series and the bars."""
        self.assertEqual(connection({}, {"loss_in": 12.5}).history[-1], (20, 12.5, 0.0, 3, 1000, 1000, 4))
        self.assertEqual(len(SERIES), 6)

    def test_bounded_history(self) -> None:
        """Samples older than two minutes are dropped."""
        quality = connection(*[{"rtt": number} for number in range(SAMPLES + 9)])
        self.assertEqual([sample[0] for sample in quality.history], list(range(9, SAMPLES + 9)))


class FaultTests(SynchronousTestCase):
    """The side at fault is determined."""

    def test_one_connection(self) -> None:
        """With one participant the side at fault is unknown, and the symptom is reported."""
        lossy = connection({"loss_out": 20.0})
        self.assertEqual(local_fault([lossy]), "")
        self.assertEqual(lossy.fault(""), "out")
        self.assertEqual(connection({"loss_in": 20.0}).fault(""), "in")
        self.assertEqual(connection({"jitter": 200}).fault(""), "delay")
        self.assertEqual(connection({"rtt": 600}).fault(""), "delay")

    def test_all_connections_are_weak(self) -> None:
        """Several connections that are all weak indicate a fault of the local network."""
        connections = [connection({"loss_out": 20.0}), connection({"loss_in": 6.0})]
        self.assertEqual(local_fault([*connections, Quality()]), NETWORK)
        self.assertEqual(connections[0].fault(NETWORK), "yours")
        self.assertEqual(connections[0].report(NETWORK), {"type": "quality", "bars": 1, "fault": "network"})

    def test_one_connection_is_good(self) -> None:
        """One good connection among several clears the local network."""
        self.assertEqual(local_fault([connection({"loss_out": 20.0}), connection({})]), "")

    def test_their_network(self) -> None:
        """A participant whose connections are all weak reports their own network."""
        quality = connection({"loss_in": 20.0})
        quality.receive({"bars": 1, "fault": "network"})
        self.assertEqual(quality.fault(""), "theirs")

    def test_both_networks(self) -> None:
        """If both sides report a fault of their own network, the symptom is reported."""
        quality = connection({"loss_in": 20.0})
        quality.receive({"bars": 1, "fault": "network"})
        self.assertEqual(quality.fault(NETWORK), "in")

    def test_slow_computers(self) -> None:
        """A slow local computer is known, and a slow remote one is reported by its page."""
        slow = connection({"limit": "cpu", "frames_out": 5})
        self.assertEqual(slow.fault(NETWORK), CPU)
        self.assertEqual(slow.report(""), {"type": "quality", "bars": 2, "fault": "cpu"})
        member = connection({})
        member.receive({"bars": 2, "fault": "cpu"})
        self.assertEqual(member.fault(""), "their-cpu")

    def test_slow_computer_and_local_cause(self) -> None:
        """If this side measures less than the slow remote computer explains, the local cause is reported."""
        lossy = connection({"loss_in": 20.0})
        lossy.receive({"bars": 3, "fault": "cpu"})
        self.assertEqual((lossy.bars, lossy.fault(""), lossy.fault(NETWORK)), (1, "in", "yours"))

    def test_remote_rating_only(self) -> None:
        """Bars that only the other side misses have no cause on this side."""
        quality = connection({})
        quality.receive({"bars": 2, "fault": ""})
        self.assertEqual(quality.fault(""), "")

    def test_cause_of_the_bars(self) -> None:
        """The cause is that of the samples that determined the bars."""
        loss, delay = {"loss_in": 20.0}, {"rtt": 900}
        self.assertEqual(connection(loss, loss, delay, delay, delay).fault(""), "delay")
        self.assertEqual(connection({}, loss, {}).fault(""), "")

    def test_report_before_a_sample(self) -> None:
        """Before the first sample the report to the other side has no fault."""
        self.assertEqual(Quality().report(""), {"type": "quality", "bars": 4, "fault": ""})
