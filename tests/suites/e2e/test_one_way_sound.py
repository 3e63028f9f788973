"""Tests that the page says when sound goes one way only."""

from __future__ import annotations

from tests.suites.e2e.browsers import browser, chromium
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.case import CallTestCase

#: JavaScript that makes a page negotiate sound in another direction than both.
DIRECTION = """(() => {{
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function (track, options) {{
        const sound = track === "audio" || track.kind === "audio";
        return add.call(this, track, sound ? {{ ...options, direction: "{}" }} : options);
    }};
}})()"""


class OneWaySoundTests(CallTestCase):
    """Tests of a host whose guest negotiates sound in one direction only."""

    def check(self, direction: str, words: str, name: str = "Chromium") -> None:
        """Let a guest join who negotiates this direction; the host reads these words."""
        host_tab, guest_tab = browser(name).tab(), chromium().tab()
        for tab in (host_tab, guest_tab):
            self.addCleanup(tab.close)
        guest_tab.page.add_init_script(DIRECTION.format(direction))
        host, guest = CallPage(host_tab), CallPage(guest_tab)
        for page in (host, guest):
            page.open(self.daemon.url)
        guest.tab.type("#name", "Bob")
        guest.join(host.host())
        host.wait_for("connected")
        host.wait_for_text("status", words)

    def test_a_guest_who_only_listens(self) -> None:
        """The host is told that the guest's program sends no sound."""
        self.check("recvonly", "You do not hear Bob")

    def test_a_guest_who_only_speaks(self) -> None:
        """The host is told that the guest's program takes no sound, in Firefox."""
        self.check("sendonly", "Bob does not hear you", "Firefox")

    def test_both_ways(self) -> None:
        """Between two pages there is nothing to say."""
        self.check("sendrecv", "Connected.")
