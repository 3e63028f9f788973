"""A page of another application, from another origin, that uses the JavaScript client as a daemon serves it."""

from __future__ import annotations

import json
from typing import Any

from tests.suites.e2e.application import Application
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until

#: The seconds within which two pages have to connect.
PATIENCE = 30.0

#: The page: it starts nothing by itself, so that a test decides what happens.
PAGE = b"<!doctype html><meta charset=utf-8><title>An application</title><video autoplay playsinline muted></video>"

#: A WebSocket whose messages wait while `held` is a list, so that two sides can offer at the same time.
HELD_SOCKET = """
globalThis.held = null;
globalThis.release = () => { const waiting = held; held = null; for (const send of waiting) send(); };
globalThis.HeldSocket = class extends WebSocket {
  send(text) { if (held) held.push(() => super.send(text)); else super.send(text); }
};
"""

#: Statements that make `seen` collect the events of a call as texts, and `servers` its lists of ICE servers.
RECORD = """
globalThis.seen = [];
globalThis.servers = [];
call.addEventListener("ice-servers", ({ detail }) => servers.push(detail["ice-servers"]));
(async () => { for await (const event of call) seen.push(event.type + (event.state ? ":" + event.state : "")); })();
call.addEventListener("track", ({ detail }) => (document.querySelector("video").srcObject = detail.member.stream));
"""


def make_application() -> Application:
    """Start to serve the page."""
    return Application({"/": (PAGE, "text/html")})


class JavascriptPage:
    """The application in a browser tab, with one `Call` in the global variable `call`.

    Attributes:
        tab: the browser tab.

    """

    def __init__(self, tab: Tab, application: Application, daemon: Daemon) -> None:
        self.tab = tab
        self._url = application.origin + "/"
        self._module = f"{daemon.url}client.mjs"
        tab.open(self._url)

    def make_call(self, media: bool = True, **options: Any) -> None:
        """Load the module and create a call, which keeps its identity for a reload."""
        use_media = "await call.useMedia();" if media else ""
        self.execute(
            f"""
            {HELD_SOCKET}
            const client = await import({json.dumps(self._module)});
            const fixed = {{ storage: sessionStorage, WebSocket: HeldSocket }};
            globalThis.call = new client.Call({{ ...fixed, ...{json.dumps(options)} }});
            {RECORD}
            {use_media}
            """
        )

    def execute(self, statements: str) -> Any:
        """Run statements in an async function, and return the JSON value that they return."""
        return self.tab.evaluate(f"(async () => {{ {statements} }})()")

    def open_session(self) -> str:
        """Open a session, and return its id."""
        session: str = self.execute("return (await call.open()).session;")
        return session

    def join_session(self, session: str) -> None:
        """Join a session."""
        self.execute(f"await call.join({json.dumps(session)});")

    def members(self) -> list[dict[str, Any]]:
        """Return user and connection state of each member."""
        found: list[dict[str, Any]] = self.execute(
            "return [...call.members.values()].map(({user, state}) => ({user, state}));"
        )
        return found

    def wait_until_connected(self, count: int = 1) -> None:
        """Wait until there are so many members, and all are connected."""
        until(
            lambda: [member["state"] for member in self.members()] == ["connected"] * count,
            PATIENCE,
            f"{count} connected members",
        )

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true."""
        until(lambda: self.execute(f"return !!({expression});"), PATIENCE, expression)

    def reload(self, media: bool = True, **options: Any) -> None:
        """Reload the page, and come back into the session."""
        self.tab.reload()
        self.make_call(media, **options)
        self.execute("await call.restore();")

    def wait_until_seen(self, event: str, times: int = 1) -> None:
        """Wait until an event was seen so many times since the page was loaded."""
        self.wait_until(f"seen.filter((type) => type === '{event}').length >= {times}")

    def frames(self) -> tuple[int, int]:
        """Return the frames of video that were decoded and sent, over all members."""
        decoded, sent = self.execute(
            """
            let decoded = 0, sent = 0;
            for (const { connection } of call.members.values()) {
              for (const entry of (await connection.getStats()).values()) {
                if (entry.type === "inbound-rtp" && entry.kind === "video") decoded += entry.framesDecoded ?? 0;
                if (entry.type === "outbound-rtp" && entry.kind === "video") sent += entry.framesSent ?? 0;
              }
            }
            return [decoded, sent];
            """
        )
        return decoded, sent

    def watch(self, least: int = 10) -> None:
        """Wait until so many more frames were decoded and sent than there are now."""
        decoded, sent = self.frames()

        def look() -> bool:
            now = self.frames()
            return now[0] >= decoded + least and now[1] >= sent + least

        until(look, PATIENCE, "video both ways")
