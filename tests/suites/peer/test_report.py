"""Tests the report of a call."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.report import MemberReport, Report


def member(**changes: Any) -> MemberReport:
    """Return the report of a peer connection whose audio and video flowed both ways, with some fields changed."""
    values: dict[str, Any] = {
        "connection_state": "connected",
        "ice_state": "completed",
        "seconds_to_connected": 0.12345,
        "sends": ["video", "audio"],
        "receives": ["video", "audio"],
        "video_frames_sent": 10,
        "video_frames_received": 20,
        "audio_packets_sent": 30,
        "audio_packets_received": 40,
    }
    return MemberReport("ANN", **(values | changes))


class FlowedTests(SynchronousTestCase):
    """Tests of `flowed`, which returns whether media flowed both ways."""

    def test_both_ways(self) -> None:
        """Media flowed when every kind that a side sends has arrived."""
        self.assertTrue(member().flowed)
        self.assertTrue(member(sends=["audio"], video_frames_sent=0).flowed)

    def test_one_kind_missing(self) -> None:
        """Media did not flow when one kind was not sent or not received."""
        for name in ("video_frames_sent", "video_frames_received", "audio_packets_sent", "audio_packets_received"):
            self.assertFalse(member(**{name: 0}).flowed, name)

    def test_one_way(self) -> None:
        """Media did not flow both ways when one side sends no media."""
        self.assertFalse(member(sends=[]).flowed)
        self.assertFalse(member(receives=[]).flowed)

    def test_all_members(self) -> None:
        """Media of a call flowed when there was at least one other member, and media flowed with each member."""
        self.assertTrue(Report(members=[member(), member()]).flowed)
        self.assertFalse(Report(members=[member(), member(video_frames_sent=0)]).flowed)
        self.assertFalse(Report().flowed)


class JsonTests(SynchronousTestCase):
    """Tests of the report as JSON."""

    def test_sums(self) -> None:
        """The report has the session, the reason and the sums over all members."""
        plain = json.loads(Report("7Q2M9RT6ZC", "duration", [member(), member()], reference="7F3K9QXM").as_json())
        self.assertEqual(plain.pop("members")[0]["user"], "ANN")
        self.assertEqual(
            plain,
            {
                "session": "7Q2M9RT6ZC",
                "reference": "7F3K9QXM",
                "reason": "duration",
                "flowed": True,
                "reconnects": 0,
                "video-frames-sent": 20,
                "video-frames-received": 40,
                "audio-packets-sent": 60,
                "audio-packets-received": 80,
            },
        )

    def test_member(self) -> None:
        """Each member has its states and times, in seconds to the millisecond."""
        plain = json.loads(Report(members=[member()]).as_json())["members"][0]
        self.assertEqual((plain["connection-state"], plain["ice-state"]), ("connected", "completed"))
        self.assertEqual((plain["seconds-to-connected"], plain["seconds-to-first-frame"]), (0.123, None))
        self.assertEqual((plain["sends"], plain["receives"]), (["video", "audio"], ["video", "audio"]))
