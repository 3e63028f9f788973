"""What a peer reports at its end, as plain data and as JSON."""

from __future__ import annotations

import json

from attrs import define, field

__all__ = ["MemberReport", "Report"]


@define
class MemberReport:
    """What went between this peer and one other member.

    Attributes:
        user: the other member.
        connection_state: of the peer connection, the last before it was closed.
        ice_state: of its ICE connection, likewise.
        seconds_to_connected: from the moment at which both were members; None when it never came to that.
        seconds_to_first_frame: from the same moment to the first received frame of video, or of audio where there
            is no video.
        sends: the kinds of media that this peer had to send.
        receives: the kinds that the other one sends.
        video_frames_sent: frames that were given to the encoder.
        video_frames_received: frames that were decoded.
        audio_packets_sent: RTP packets.
        audio_packets_received: RTP packets.

    """

    user: str
    connection_state: str = "new"
    ice_state: str = "new"
    seconds_to_connected: float | None = None
    seconds_to_first_frame: float | None = None
    sends: list[str] = field(factory=list)
    receives: list[str] = field(factory=list)
    video_frames_sent: int = 0
    video_frames_received: int = 0
    audio_packets_sent: int = 0
    audio_packets_received: int = 0

    @property
    def flowed(self) -> bool:
        """Whether media went both ways, in each kind that either side sends."""
        sent = {"video": self.video_frames_sent, "audio": self.audio_packets_sent}
        received = {"video": self.video_frames_received, "audio": self.audio_packets_received}
        return (
            bool(self.sends)
            and bool(self.receives)
            and all(sent[kind] for kind in self.sends)
            and all(received[kind] for kind in self.receives)
        )

    def as_plain(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "user": self.user,
            "flowed": self.flowed,
            "connection-state": self.connection_state,
            "ice-state": self.ice_state,
            "seconds-to-connected": _rounded(self.seconds_to_connected),
            "seconds-to-first-frame": _rounded(self.seconds_to_first_frame),
            "sends": self.sends,
            "receives": self.receives,
            "video-frames-sent": self.video_frames_sent,
            "video-frames-received": self.video_frames_received,
            "audio-packets-sent": self.audio_packets_sent,
            "audio-packets-received": self.audio_packets_received,
        }


@define
class Report:
    """What a peer did, from its beginning to its end.

    Attributes:
        session: the session's id, canonical; None when it was in none.
        reason: why it ended: `duration`, `interrupted`, `left`, `gone`, `connection-failed`, `disconnected`, the reason
            for which the session ended, or the code of the error that refused it.
        members: the other members, in the order in which they came; one that begins anew counts as another.
        reconnects: how often the connection to the server was lost and came back.

    """

    session: str | None = None
    reason: str = ""
    members: list[MemberReport] = field(factory=list)
    reconnects: int = 0

    @property
    def flowed(self) -> bool:
        """Whether there was another member, and media went both ways with each."""
        return bool(self.members) and all(member.flowed for member in self.members)

    def as_json(self) -> str:
        """Return it as JSON, the sums of all members before the members."""
        plain: dict[str, object] = {"session": self.session, "reason": self.reason, "flowed": self.flowed}
        plain["reconnects"] = self.reconnects
        for name in ("video_frames_sent", "video_frames_received", "audio_packets_sent", "audio_packets_received"):
            plain[name.replace("_", "-")] = sum(getattr(member, name) for member in self.members)
        plain["members"] = [member.as_plain() for member in self.members]
        return json.dumps(plain, indent=2)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
