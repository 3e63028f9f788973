"""Tests passwords and lobbies with the page and with signaling clients, as a guest and as a host."""

from __future__ import annotations

from tests.suites.e2e import report
from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.caller import Caller
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.waiting import until


class PasswordAndLobbyTests(CallTestCase):
    """Admission by password and lobby."""

    def caller(self) -> Caller:
        """Connect a signaling client."""
        caller = Caller(self.daemon.signaling_url, str(self.daemon.authority))
        self.addCleanup(caller.socket.close)
        return caller

    def test_password_and_lobby(self) -> None:
        """The page asks for the password, waits in the lobby, and admits and refuses visitors once it is the host."""
        host, page = self.caller(), self.page()
        host.send("open", password="open sesame", lobby=True, capacity=3)
        session = host.receive("opened")["session"]
        page.tab.type("#name", "Ann")
        page.join(session)
        page.wait_for_text("error", "has a password")
        self.assertTrue(page.shown("password"))
        page.tab.type("#password", "wrong")
        page.join()
        page.wait_for_text("error", "not the call's password")
        page.tab.evaluate("document.getElementById('password').value = ''")
        page.tab.type("#password", "open sesame")
        page.join()
        page.wait_for_text("status", "Waiting to be let in")
        knock = host.receive("knock")
        self.assertEqual(knock["name"], "Ann")
        host.send("admit", session=session, user=knock["user"])
        page.wait_for("calling")

        host.send("hand-over", session=session, user=knock["user"])
        host.receive("host-changed")
        guests = [self.caller(), self.caller()]
        for guest, name in zip(guests, ("Bob", "<b>Cat</b>"), strict=True):
            guest.send("join", session=session, name=name, password="open sesame")
            guest.receive("waiting")
        page.wait_for_text("knocks", "Bob wants to join")
        page.wait_for_text("knocks", "<b>Cat</b> wants to join")
        report.add_picture(page.tab, "knocks")
        page.tab.click("#knocks li:nth-child(2) button:nth-of-type(2)")
        self.assertEqual(guests[1].receive("not-admitted")["reason"], "refused")
        page.tab.click("#knocks li button")
        self.assertEqual(guests[0].receive("joined")["role"], "guest")
        until(lambda: not page.shown("knocks"), PATIENCE, "nobody to wait any more")
