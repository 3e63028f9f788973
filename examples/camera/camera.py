"""A camera by GStreamer's webrtcbin, for one viewer at a time: `camera.py SERVER [DEVICE]`, such as /dev/video0.

Without a device it sends a test pattern.
"""

import json
import random
import re
import signal
import sys
import uuid
from pathlib import Path
from urllib.parse import quote, urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("Soup", "3.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC, Soup

# The signaling client imports nothing else: in an application of its own this is a copy of the folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients"))
from signaling.client import NO_ROLLBACK, SUBPROTOCOL, SignalingClient
from signaling.events import CloseSocket, ConnectAfter, Disconnected, Negotiate, Refused, SendFrame
from signaling.messages import Ended, Joined, MemberJoined, MemberLeft, MemberRenewed, Opened
from signaling.negotiation_commands import (
    AddCandidate,
    CreateAndSetLocal,
    FlushLater,
    NegotiationFailed,
    SendRequest,
    SetRemote,
)

TYPES = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}

ENCODER = "videoconvert ! queue ! vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt={} ! webrtcbin."


def now():
    return GLib.get_monotonic_time() / 1e6


class Viewer:
    """The peer connection with one member: a pipeline that follows a negotiator.

    The pipeline is made for the first description: an offer says by which number it calls VP8.
    """

    def __init__(self, camera, negotiator):
        self.camera = camera
        self.negotiator = negotiator
        self.pipeline = None

    def run(self, commands):
        for command in commands:
            match command:
                case CreateAndSetLocal():
                    self.start(96)
                    self.request(f"create-{command.kind}", None, then=self.set_local)
                case SetRemote():
                    found = re.search(r"(?m)^a=rtpmap:(\d+) VP8/90000", command.sdp)
                    self.start(int(found[1]) if found else 96)
                    _, sdp = GstSdp.SDPMessage.new_from_text(command.sdp)
                    description = GstWebRTC.WebRTCSessionDescription.new(TYPES[command.type], sdp)
                    self.request(
                        "set-remote-description", description, then=lambda _: self.negotiator.remote_description_set()
                    )
                case AddCandidate():
                    if command.candidate:
                        index = command.candidate.get("sdpMLineIndex", 0)
                        self.webrtc.emit("add-ice-candidate", index, command.candidate["candidate"])
                case SendRequest():
                    self.camera.perform(self.camera.client.send_request(command.message))
                case FlushLater():
                    later(command.seconds, lambda: self.run(self.negotiator.flush_candidates()))
                case NegotiationFailed():
                    print(f"No picture for this viewer: {command.message}")

    def start(self, number):
        if self.pipeline:
            return
        self.pipeline = Gst.parse_launch(
            f"webrtcbin name=webrtcbin bundle-policy=max-bundle {self.camera.source} ! {ENCODER.format(number)}"
        )
        self.webrtc = webrtc = self.pipeline.get_by_name("webrtcbin")
        for server in self.camera.client.ice_servers:
            for url in server.urls:
                scheme, _, rest = url.partition(":")
                if scheme == "stun":
                    webrtc.set_property("stun-server", f"stun://{rest}")
                else:
                    login = f"{quote(server.username, '')}:{quote(server.credential, '')}"
                    webrtc.emit("add-turn-server", f"{scheme}://{login}@{rest}")
        transceiver = webrtc.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        webrtc.connect("on-ice-candidate", self.candidate_found)
        webrtc.connect("pad-added", self.drop_received)
        self.pipeline.set_state(Gst.State.PLAYING)

    def request(self, action, argument, then):
        """Have webrtcbin do something, and run what the negotiator says to its reply; or to its error."""

        def replied(promise):
            # webrtcbin calls from a thread of its own, and the reply lives as long as the promise.
            GLib.idle_add(lambda: self.pipeline and self.run(judge(promise)) and None)

        def judge(promise):
            reply = promise.get_reply()
            if reply and reply.has_field("error"):
                return self.negotiator.operation_failed("GError", str(reply.get_value("error")))
            return then(reply)

        self.webrtc.emit(action, argument, Gst.Promise.new_with_change_func(replied))

    def set_local(self, reply):
        description = reply.get_value("answer" if reply.has_field("answer") else "offer")
        text = description.sdp.as_text()
        self.request("set-local-description", description, then=lambda _: self.negotiator.local_description_set(text))
        return []

    def candidate_found(self, webrtc, index, candidate):
        found = {"candidate": candidate, "sdpMLineIndex": index}
        GLib.idle_add(lambda: self.run(self.negotiator.local_candidate(found)))

    def drop_received(self, webrtc, pad):
        """Discard what the viewer sends."""
        if pad.get_direction() == Gst.PadDirection.SRC:
            sink = Gst.ElementFactory.make("fakesink")
            self.pipeline.add(sink)
            sink.sync_state_with_parent()
            pad.link(sink.get_static_pad("sink"))

    def close(self):
        if self.pipeline:
            self.pipeline.set_state(Gst.State.NULL)
        self.pipeline = None


class Camera:
    def __init__(self, page, device=None):
        self.page, self.url = page, urljoin(page, "ws").replace("http", "ws", 1)
        self.source = f"v4l2src device={device}" if device else "videotestsrc is-live=true"
        self.client = SignalingClient(json, random.random, str(uuid.uuid4()), "camera.py", [NO_ROLLBACK])
        self.loop = GLib.MainLoop()
        self.soup = Soup.Session()
        self.attempt = 0  # The number of the newest WebSocket.
        self.socket = None
        self.viewers = {}

    # The edge of the signaling client

    def perform(self, results):
        for result in results:
            match result:
                case SendFrame():
                    self.socket.send_text(result.text)
                case CloseSocket():
                    self.discard(result.code, result.reason)
                case ConnectAfter():
                    self.discard(1000, "")
                    later(result.seconds, self.connect, self.attempt)
                case Negotiate():
                    if result.user in self.viewers:
                        self.viewers[result.user].run(result.commands)
                case _:
                    self.handle(result)

    def discard(self, code, reason):
        if self.socket and self.socket.get_state() == Soup.WebsocketState.OPEN:
            self.socket.close(code, reason or None)
        self.socket = None
        self.attempt += 1

    def connect(self, attempt):
        if attempt == self.attempt:
            message = Soup.Message.new("GET", self.url)
            self.soup.websocket_connect_async(message, None, [SUBPROTOCOL], 0, None, self.connected, attempt)

    def connected(self, soup, result, attempt):
        try:
            socket = soup.websocket_connect_finish(result)
        except GLib.Error:
            return self.report(attempt, "socket_closed", 1006, "")
        if attempt != self.attempt:
            return socket.close(1000, None)
        self.socket = socket
        socket.connect(
            "message", lambda _, kind, data: self.report(attempt, "frame_received", data.get_data().decode())
        )
        socket.connect("closed", lambda _: self.report(attempt, "socket_closed", socket.get_close_code() or 1006, ""))
        return self.report(attempt, "socket_opened")

    def report(self, attempt, what, *facts):
        if attempt == self.attempt:  # A WebSocket that was discarded has nothing to say any more.
            self.perform(getattr(self.client, what)(*facts, now()))

    # The camera itself

    def handle(self, event):
        match event:
            case Opened():
                print(f"Open {self.page}#{event.session}", flush=True)
                self.session = event.session
            case Joined():
                for member in event.members:
                    self.meet(member)
            case MemberJoined() | MemberRenewed():
                self.meet(event.member)
            case MemberLeft():
                self.drop(event.user)
            case Refused():
                print(event.sentence)
                self.loop.quit()
            case Ended() | Disconnected():
                self.loop.quit()

    def meet(self, member):
        self.drop(member.user)
        viewer = self.viewers[member.user] = Viewer(self, self.client.negotiator(self.session, member.user))
        if member.offers_first:
            viewer.run(viewer.negotiator.negotiation_needed())

    def drop(self, user):
        if viewer := self.viewers.pop(user, None):
            viewer.close()

    def tick(self):
        self.perform(self.client.tick(now()))
        return GLib.SOURCE_CONTINUE

    def run(self):
        self.perform(self.client.connect())
        self.perform(self.client.open_session(2, "Camera"))
        GLib.timeout_add_seconds(1, self.tick)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, self.loop.quit)
        self.loop.run()
        for user in list(self.viewers):
            self.drop(user)
        self.perform(self.client.disconnect())


def later(seconds, action, *arguments):
    """Call a function once."""
    GLib.timeout_add(int(seconds * 1000), lambda: action(*arguments) and None)


Gst.init(None)
Camera(*sys.argv[1:]).run()
