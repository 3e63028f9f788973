"""The report of a peer about its call, as plain data and as JSON."""

from __future__ import annotations

import json

from attrs import define, field

__all__ = ["MemberReport", "Report"]


@define
class MemberReport:
    """Figures of the connection with one other member.

    Attributes:
        user: the other member's user id.
        connection_state: last state of the peer connection before it was closed.
        ice_state: last state of its ICE connection before it was closed.
        dtls_state: last state of its DTLS transports before they were closed.
        seconds_to_connected: time from the moment at which both were members; None when they never connected.
        seconds_to_first_frame: time from the same moment to the first received frame of video, or of audio where there
            is no video.
        sends: kinds of media that this peer had to send.
        receives: kinds of media that the other member sends.
        video_frames_sent: frames given to the encoder.
        video_frames_received: decoded frames.
        audio_packets_sent: RTP packets.
        audio_packets_received: RTP packets.

    """

    user: str
    connection_state: str = "new"
    ice_state: str = "new"
    dtls_state: str = "new"
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
        """Whether media flowed both ways, in each kind that either side sends."""
        sent = {"video": self.video_frames_sent, "audio": self.audio_packets_sent}
        received = {"video": self.video_frames_received, "audio": self.audio_packets_received}
        return (
            bool(self.sends)
            and bool(self.receives)
            and all(sent[kind] for kind in self.sends)
            and all(received[kind] for kind in self.receives)
        )

    def as_plain(self) -> dict[str, object]:
        """Return the figures with the names and values of the JSON report."""
        return {
            "user": self.user,
            "flowed": self.flowed,
            "connection-state": self.connection_state,
            "ice-state": self.ice_state,
            "dtls-state": self.dtls_state,
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
    """The report about a peer's whole call.

    Attributes:
        session: the session's canonical id; None when the peer was in no session.
        reason: why the call ended: `duration`, `interrupted`, `left`, `gone`, `connection-failed`, `disconnected`, the
            reason for which the session ended, or the code of the error that refused a request.
        members: the other members in the order in which they came; a member that is renewed counts as another one.
        reconnects: how many times the connection to the server was lost and resumed.
        control: the figures about remote control of a shared screen; None where no screen was shared.
        reference: the pseudonym under which the server's log names the peer, the latest one; None before the welcome.

    """

    session: str | None = None
    reason: str = ""
    members: list[MemberReport] = field(factory=list)
    reconnects: int = 0
    control: dict[str, object] | None = None
    reference: str | None = None

    @property
    def flowed(self) -> bool:
        """Whether there were other members, and media flowed in both directions with every one of them."""
        return bool(self.members) and all(member.flowed for member in self.members)

    def as_json(self) -> str:
        """Return the report as JSON, with the sums over all members before the members."""
        plain: dict[str, object] = {"session": self.session, "reference": self.reference}
        plain |= {"reason": self.reason, "flowed": self.flowed}
        plain["reconnects"] = self.reconnects
        for name in ("video_frames_sent", "video_frames_received", "audio_packets_sent", "audio_packets_received"):
            plain[name.replace("_", "-")] = sum(getattr(member, name) for member in self.members)
        if self.control is not None:
            plain["control"] = self.control
        plain["members"] = [member.as_plain() for member in self.members]
        return json.dumps(plain, indent=2)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
