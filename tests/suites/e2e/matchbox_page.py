"""A page with a client of matchbox, written from the description of its protocol, that opens a channel to each peer."""

from __future__ import annotations

import json
from typing import Any

from tests.suites.e2e.application import Application
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.waiting import until

__all__ = ["PATIENCE", "MatchboxPage", "make_application"]

#: The seconds within which clients have to connect, on a machine that other tests load.
PATIENCE = 40.0

_PAGE = b"<!doctype html><meta charset=utf-8><title>matchbox</title>"

#: As matchbox's own clients do, whoever is told of a peer sends the offer, and candidates are JSON in a string.
_CLIENT = """
globalThis.seen = [];
globalThis.channels = new Map();
globalThis.enter = (url) => {
  const socket = globalThis.socket = new WebSocket(url);
  const links = new Map();
  let me = "";
  const signal = (receiver, data) => socket.send(JSON.stringify({ Signal: { receiver, data } }));
  const makeLink = (id) => {
    const connection = new RTCPeerConnection({ iceServers: [] });
    const channel = connection.createDataChannel("data", { negotiated: true, id: 0 });
    channel.onopen = () => channel.send(`hello from ${me}`);
    channel.onmessage = ({ data }) => seen.push(data);
    connection.onicecandidate = ({ candidate }) => signal(id, { IceCandidate: JSON.stringify(candidate) });
    channels.set(id, channel);
    const link = { connection, last: Promise.resolve() };
    links.set(id, link);
    return link;
  };
  const describe = async (id, connection, kind) => {
    await connection.setLocalDescription();
    signal(id, { [kind]: connection.localDescription.sdp });
  };
  const read = async (id, connection, data) => {
    if ("Offer" in data) {
      await connection.setRemoteDescription({ type: "offer", sdp: data.Offer });
      await describe(id, connection, "Answer");
    } else if ("Answer" in data) {
      await connection.setRemoteDescription({ type: "answer", sdp: data.Answer });
    } else if (data.IceCandidate !== "null") {
      await connection.addIceCandidate(JSON.parse(data.IceCandidate));
    }
  };
  socket.onclose = ({ code, reason }) => seen.push(`closed ${code} ${reason}`);
  socket.onmessage = ({ data: text }) => {
    const [[name, value]] = Object.entries(JSON.parse(text));
    if (name === "IdAssigned") {
      me = value;
      seen.push(`id ${me}`);
    } else if (name === "NewPeer") {
      const link = makeLink(value);
      link.last = describe(value, link.connection, "Offer");
    } else if (name === "PeerLeft") {
      seen.push(`left ${value}`);
    } else {
      const { sender, data } = value;
      const link = links.get(sender) ?? makeLink(sender);
      link.last = link.last.then(() => read(sender, link.connection, data));
      link.last.catch((error) => seen.push(`failed ${error}`));
    }
  };
};
"""


def make_application() -> Application:
    """Start to serve the page."""
    return Application({"/": (_PAGE, "text/html")})


class MatchboxPage:
    """A page with a client of matchbox."""

    def __init__(self, tab: Tab, application: Application) -> None:
        self._tab = tab
        tab.open(application.origin + "/")
        self.execute(_CLIENT)

    def execute(self, statements: str) -> Any:
        """Run statements in an async function, and return the JSON value that they return."""
        return self._tab.evaluate(f"(async () => {{ {statements} }})()")

    def start(self, port: int, room: str) -> None:
        """Ask to enter a room, whose name a query may follow; the page forgets what it has recorded."""
        url = f"ws://localhost:{port}/matchbox/{room}"
        self.execute(f"seen.length = 0; enter({json.dumps(url)});")

    def enter(self, port: int, room: str) -> str:
        """Enter a room, and return the id."""
        self.start(port, room)
        return self.wait_for("id ").removeprefix("id ")

    def leave(self) -> None:
        """Leave the room."""
        self.execute("socket.close();")

    def seen(self) -> list[str]:
        """Return what the page has recorded."""
        found: list[str] = self.execute("return seen;")
        return found

    def wait_for(self, beginning: str) -> str:
        """Wait until the page has recorded a text that begins so, and return it."""

        def has_seen() -> bool:
            return any(text.startswith(beginning) for text in self.seen())

        until(has_seen, PATIENCE, f"{beginning!r} in the page")
        return next(text for text in self.seen() if text.startswith(beginning))
