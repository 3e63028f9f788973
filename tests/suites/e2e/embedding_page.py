"""A page of somebody else's, from another origin, that shows the call page in a frame."""

from __future__ import annotations

import json
from typing import Any

from tests.suites.e2e.application import Application
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until

#: The seconds within which the call page has to load, and a call to connect.
PATIENCE = 30.0

PAGE = (
    b"<!doctype html><meta charset=utf-8><title>An application</title>"
    b"<style>body { margin: 0 } iframe { display: block; width: 100vw; height: 100vh }</style><div></div>"
)

#: A page that passes what it is told in its fragment to its neighbour, the frame of the call.
NEIGHBOUR = (
    b"<!doctype html><script>parent.frames[0].postMessage(JSON.parse(decodeURI(location.hash.slice(1))), '*')</script>"
)

#: JavaScript that embeds the call page, and keeps its events.
EMBED = """(async () => {
    const { embed } = await import(%s);
    globalThis.seen = [];
    globalThis.call = embed(document.querySelector("div"), %s, %s);
    for (const type of ["ready", "state", "members", "media", "devices", "error"])
        call.addEventListener(type, ({ detail }) => seen.push({ type, ...detail }));
})()"""


def make_application(**options: Any) -> Application:
    """Start to serve the page, and its frame `/neighbour`; the options are those of `Application`."""
    return Application({"/": (PAGE, "text/html"), "/neighbour": (NEIGHBOUR, "text/html")}, **options)


class EmbeddingPage:
    """The application in a browser tab, with the embedded call in the global variable `call`.

    Attributes:
        tab: the browser tab.

    """

    def __init__(self, tab: Tab, application: Application, daemon: Daemon) -> None:
        self.tab = tab
        self._server = daemon.url
        tab.open(application.origin + "/")

    def embed(self, **options: Any) -> None:
        """Embed the call page, with these options of `embed`."""
        module = json.dumps(f"{self._server}embed.mjs")
        self.tab.evaluate(EMBED % (module, json.dumps(self._server), json.dumps(options)))

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true."""
        until(lambda: self.tab.evaluate(f"!!({expression})"), PATIENCE, expression)

    def wait_until_ready(self) -> None:
        """Wait until the call page has answered."""
        self.wait_until("call.ready && call.state.state === 'start'")

    def wait_for(self, state: str) -> None:
        """Wait until the call is in a state."""
        try:
            self.wait_until(f"call.state.state === '{state}'")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.tab.evaluate('seen')}, console: {self.tab.messages}") from None

    def perform(self, statement: str) -> None:
        """Have the page perform a statement."""
        self.tab.evaluate(f"void ({statement})")

    def seen(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind that were seen."""
        found: list[dict[str, Any]] = self.tab.evaluate(f"seen.filter(({{ type }}) => type === '{kind}')")
        return found
