"""Tests of the rows of the statistics panel."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import extra_texts
from signald_page.client.extras.statistics_rows import HEIGHT, WIDTH, points, range_text, rows, summary
from signald_page.client.model.quality import SAMPLES, SERIES

VALUES: dict[str, Any] = {
    "rtt": 21,
    "loss_in": 0.5,
    "loss_out": 0.0,
    "jitter": 4,
    "rate_in": 1500,
    "rate_out": None,
    "size_in": (1280, 720),
    "size_out": None,
    "frames_in": 30,
    "frames_out": None,
    "codecs_in": "VP8, opus",
    "codecs_out": None,
    "local": "host",
    "remote": "srflx",
    "protocol": "udp",
    "relay": None,
    "limit": "",
    "target": None,
}


def row_values(**changes: Any) -> dict[str, str]:
    """Return the value of each row by its label."""
    return {label: value for label, value, _ in rows({**VALUES, **changes})}


class SummaryTests(SynchronousTestCase):
    """`summary` says in a few words how good a connection is."""

    def test_good(self) -> None:
        """The sentence has the rating, the round-trip time and the greater loss."""
        self.assertEqual(summary(4, "", {**VALUES, "loss_in": 0.0}), "Good: 21 ms, nothing lost")
        self.assertEqual(
            summary(2, "their network", {**VALUES, "loss_out": 6.5}), "Weak (their network): 21 ms, 6.5 % lost"
        )

    def test_unknown_figures(self) -> None:
        """Unknown figures are left out."""
        self.assertEqual(summary(3, "", {"rtt": 120}), "Fair: 120 ms")
        self.assertEqual(summary(4, "", {"loss_in": 0.0}), "Good: nothing lost")
        self.assertEqual(summary(4, "", {}), "Good")

    def test_no_connection(self) -> None:
        """An interrupted connection has no figures, and one that was not measured yet has no rating."""
        self.assertEqual(summary(0, "", VALUES), "Interrupted")
        self.assertEqual(summary(None, "", {}), "Not measured yet")


def history(*values: float | None) -> list[tuple[Any, ...]]:
    """Return a history with these round-trip times."""
    return [(value, *[None] * len(SERIES)) for value in values]


class RowsTests(SynchronousTestCase):
    """`rows` formats figures as text."""

    def test_known_figures(self) -> None:
        """Known figures have units, and unknown figures are shown as unknown."""
        self.assertEqual(
            list(row_values().values()),
            [
                "21 ms",
                "0.5 %",
                "0.0 %",
                "4 ms",
                "1500 kbit/s",
                "not known",
                "1280 by 720, 30 frames/s",
                "not known",
                "VP8, opus",
                "not known",
                "Direct (host to srflx, UDP)",
                "Nothing",
            ],
        )

    def test_rows_before_a_sample(self) -> None:
        """The panel has the same rows and charts before the first sample as after it."""
        self.assertEqual([(label, name) for label, _, name in rows({})], [(row[0], row[2]) for row in rows(VALUES)])
        self.assertEqual({value for _, value, _ in rows({})}, {extra_texts.UNKNOWN})
        self.assertEqual([name for _, _, name in rows({}) if name], list(SERIES))

    def test_path(self) -> None:
        """A path is relayed if either end is, and the transport to the TURN server is named."""
        label = extra_texts.STATISTICS["path"]
        self.assertEqual(row_values(local="relay", relay="tls")[label], "Relayed (relay to srflx, UDP/TLS)")
        self.assertEqual(row_values(remote="relay")[label], "Relayed (host to relay, UDP)")

    def test_limits(self) -> None:
        """The computer or the network limits the video."""
        label = extra_texts.STATISTICS["limit"]
        self.assertEqual(row_values(limit="cpu")[label], "This computer")
        self.assertEqual(row_values(limit="bandwidth")[label], "The network")
        self.assertEqual(row_values(limit=None)[label], "not known")

    def test_unknown_frame_rate(self) -> None:
        """Without a frame rate only the size is shown."""
        self.assertEqual(row_values(frames_in=None)[extra_texts.STATISTICS["picture_in"]], "1280 by 720")


class ChartTests(SynchronousTestCase):
    """`points` and `range_text` describe the charts."""

    def test_empty_chart(self) -> None:
        """Without samples the chart is empty."""
        self.assertEqual((points([], "rtt"), range_text([], "rtt")), ("", extra_texts.UNKNOWN))

    def test_points(self) -> None:
        """The newest value is at the right, the largest at the top, and unknown ones are omitted."""
        self.assertEqual(
            points(history(0, None, 100, 200), "rtt"),
            f"{WIDTH - 3},{HEIGHT}.0 {WIDTH - 1},{HEIGHT / 2} {WIDTH},0.0",
        )

    def test_small_noise(self) -> None:
        """Small values stay near the bottom of the chart."""
        self.assertEqual(points(history(5), "rtt"), f"{WIDTH},{HEIGHT - 1.6}")

    def test_full_chart(self) -> None:
        """Two minutes of samples fill the chart."""
        self.assertTrue(points(history(*[1.0] * SAMPLES), "rtt").startswith("0,"))

    def test_range_text(self) -> None:
        """The range of a chart is given in words."""
        self.assertEqual(range_text(history(7, None, 30), "rtt"), "7 to 30 ms in the last two minutes")
