"""The admin page's server side."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Operations
from signald.config.values import ConfigError
from signald.core.limits import Limits
from signald.core.messages import Instance, Open, Opened
from signald.operations.admin_state import MOST_SESSIONS, SHOWN_SYMBOLS
from signald.operations.admin_token import LEAST_TOKEN, AdminToken
from tests.support.operations_world import TOKEN, OperationsWorld
from tests.support.world import Client

BEARER = f"Bearer {TOKEN}"


class AdminCase(SynchronousTestCase):
    """An operator side with an admin page."""

    def setUp(self) -> None:
        """Set the token."""
        self.operations = OperationsWorld()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.operations.set_token(self.directory)


class TokenTests(AdminCase):
    """Who may see it."""

    def test_without_a_token_there_is_no_page(self) -> None:
        """Nothing below it either, nor any hint of it."""
        self.operations.token.configure(Operations())
        nothing = self.operations.ask("/nothing")[2]
        for path in ("/admin", "/admin/admin.js", "/admin/state", "/admin/"):
            status, _, body = self.operations.ask(path, Authorization=BEARER)
            self.assertEqual((status, body), (404, nothing), path)

    def test_the_page_itself_is_no_secret(self) -> None:
        """Its files hold nothing of the daemon."""
        for path, kind in (("", "text/html"), ("/admin.css", "text/css"), ("/admin.js", "text/javascript")):
            status, headers, _ = self.operations.ask(f"/admin{path}")
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith(kind))
            self.assertIn("require-trusted-types-for 'script'", headers["content-security-policy"])
            self.assertNotIn("unsafe", headers["content-security-policy"])

    def test_the_state_needs_the_token(self) -> None:
        """In the header alone, once, as Bearer."""
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=f"bearer  {TOKEN}")[0], 200)
        for wrong in ("", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"{BEARER}x", BEARER[:-1], "Bearer \xff"):
            status, headers, body = self.operations.ask("/admin/state", address="192.0.2.7", Authorization=wrong)
            self.assertEqual((status, headers["www-authenticate"]), (401, "Bearer"), wrong)
            self.assertEqual(json.loads(body)["code"], "wrong-token")
        self.assertEqual(self.operations.ask(f"/admin/state?token={TOKEN}")[0], 401)

    def test_wrong_tokens_are_throttled(self) -> None:
        """After ten of one address it is not heard, with the right one either; others are. Then it may try again."""
        for _ in range(Limits().failed_guesses):
            self.assertEqual(self.operations.ask("/admin/state", Authorization="Bearer wrong")[0], 401)
        self.assertEqual(self.operations.ask("/admin/state", Authorization="Bearer wrong")[0], 429)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 429)
        self.assertEqual(self.operations.ask("/admin/drain", "POST", Authorization=BEARER)[0], 429)
        self.assertEqual(self.operations.ask("/admin/state", address="192.0.2.9", Authorization=BEARER)[0], 200)
        self.operations.clock.advance(Limits().failed_guesses_seconds)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)

    def test_a_question_without_a_token_is_no_try(self) -> None:
        """A browser that opens the address by itself does not lock anybody out."""
        for _ in range(50):
            self.assertEqual(self.operations.ask("/admin/state")[0], 401)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)

    def test_a_file_that_cannot_be_used_changes_nothing(self) -> None:
        """Missing, open to others, too short: the operator is told, and the old token stays."""
        open_to_all = self.directory / "open"
        open_to_all.write_text(TOKEN)
        open_to_all.chmod(0o644)
        short = self.directory / "short"
        short.write_text("x" * (LEAST_TOKEN - 1))
        short.chmod(0o600)
        for path in (self.directory / "missing", open_to_all, short):
            settings = Operations(admin_token_file=path)
            self.assertRaises(ConfigError, self.operations.token.configure, settings)
            self.assertRaises(ConfigError, AdminToken().configure, settings)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)

    def test_a_new_token_takes_the_place_of_the_old(self) -> None:
        """At once."""
        self.operations.set_token(self.directory, "another-token-that-is-long")
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 401)


class StateTests(AdminCase):
    """What is shown."""

    def state(self) -> dict[str, Any]:
        """The state, as JSON has it."""
        status, headers, body = self.operations.ask("/admin/state", Authorization=BEARER)
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        found: dict[str, Any] = json.loads(body)
        return found

    def test_sessions_by_a_few_symbols(self) -> None:
        """The id is the right to knock, so most of it is not shown; nor are users' ids."""
        _, host, _, guest, session = self.operations.world.pair()
        state = self.state()
        [shown] = state["sessions"]
        self.assertEqual(
            shown,
            {
                "id": session[:SHOWN_SYMBOLS],
                "state": "open",
                "capacity": 2,
                "locked": False,
                "lobby": False,
                "password": False,
                "waiting": 0,
                "idle": 0,
                "left": 86400,
                "members": [{"role": "host", "away": False}, {"role": "guest", "away": False}],
            },
        )
        for secret in (session, host, guest):
            self.assertNotIn(secret, json.dumps(state))

    def test_nothing_that_people_chose(self) -> None:
        """No names, labels or passwords."""
        client = Client(self.operations.world, instance=Instance("canary-instance"))
        self.operations.world.receive(client.peer)
        opened = client.send(Open(8, label="canary-label", password="canary-password", name="canary-name"))
        self.assertTrue(any(isinstance(event, Opened) for event in opened))
        client.lose()
        text = json.dumps(self.state())
        self.assertNotIn("canary", text)
        self.assertIn('"away": true', text)

    def test_few_of_many_sessions(self) -> None:
        """Those that were active last; the number of the others is told."""
        for _ in range(MOST_SESSIONS + 5):
            self.operations.world.open_session()
            self.operations.world.now += 1.0
        self.operations.clock.advance(MOST_SESSIONS + 5.0)
        state = self.state()
        idle = [session["idle"] for session in state["sessions"]]
        self.assertEqual((len(idle), state["moreSessions"]), (MOST_SESSIONS, 5))
        self.assertEqual(idle, sorted(idle))

    def test_why_it_is_not_ready(self) -> None:
        """By name and sentence."""
        self.operations.readiness.set_problem("redis", "<b>Redis</b>")
        state = self.state()
        self.assertEqual((state["ready"], state["draining"]), (False, False))
        self.assertEqual(state["reasons"], [{"name": "redis", "detail": "<b>Redis</b>"}])


class DrainTests(AdminCase):
    """The button."""

    def drain(self, **headers: str) -> int:
        """Ask to drain, as the page does but for these headers; the status."""
        asked = {"Authorization": BEARER, "X_Signald_Confirm": "drain", "Sec_Fetch_Site": "same-origin", **headers}
        return self.operations.ask("/admin/drain", "POST", **{name: text for name, text in asked.items() if text})[0]

    def test_it_drains_once(self) -> None:
        """Readiness is off at once, and a second press does nothing more."""
        self.assertEqual(self.drain(), 200)
        self.assertTrue(self.operations.readiness.draining)
        self.assertEqual(self.drain(), 200)
        self.assertEqual(self.operations.drained, 1)

    def test_a_script_without_a_browser_may(self) -> None:
        """It sends no Fetch Metadata."""
        self.assertEqual(self.drain(Sec_Fetch_Site=""), 200)

    def test_nobody_else(self) -> None:
        """No other site, none without the token or the confirmation, and not by a link."""
        for headers, status in (
            ({"Authorization": ""}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"X_Signald_Confirm": ""}, 400),
            ({"X_Signald_Confirm": "yes"}, 400),
            ({"Sec_Fetch_Site": "cross-site"}, 403),
            ({"Sec_Fetch_Site": "same-site"}, 403),
            ({"Sec_Fetch_Site": "none"}, 403),
        ):
            self.assertEqual(self.drain(**headers), status, headers)
        self.assertEqual(self.operations.ask("/admin/drain", Authorization=BEARER)[0], 405)
        self.assertEqual(self.operations.ask("/admin/drain", "OPTIONS", Origin="https://evil.example")[0], 405)
        self.assertEqual(self.operations.drained, 0)
        self.assertFalse(self.operations.readiness.draining)


class PageTests(SynchronousTestCase):
    """The files of the page."""

    def test_text_alone(self) -> None:
        """What comes from the daemon never becomes markup, code or an address."""
        script = files("signald").joinpath("operations", "admin_page", "admin.js").read_text()
        for dangerous in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Storage", "cookie"):
            self.assertNotIn(dangerous, script)
        page = files("signald").joinpath("operations", "admin_page", "index.html").read_text()
        for dangerous in (" style=", " onclick", "http:", "https:", "<script>"):
            self.assertNotIn(dangerous, page)
