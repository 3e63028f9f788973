"""Tests of `signald.operations.admin`, the server side of the admin page."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Operations
from signald.config.values import ConfigError
from signald.core.limits import Limits
from signald.core.messages import Instance, Open, Opened
from signald.operations.admin_state import MOST_SESSIONS, SHOWN_SYMBOLS
from signald.operations.admin_token import LEAST_TOKEN, AdminToken, Check
from tests.support.operations_world import TOKEN, OperationsWorld
from tests.support.world import Client

BEARER = f"Bearer {TOKEN}"


class AdminCase(SynchronousTestCase):
    """The base of tests of an operator's listener with an admin page."""

    def setUp(self) -> None:
        """Create the operator's listener, and set the token of the admin page."""
        self.operations = OperationsWorld()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.operations.set_token(self.directory)


class TokenTests(AdminCase):
    """Tests of the authentication by the token."""

    def test_without_a_token_there_is_no_page(self) -> None:
        """Without a token, the responses at and below `/admin` are the same as those at a path that does not exist."""
        self.operations.token.prepare(Operations())()
        nothing = self.operations.ask("/nothing")[2]
        for path in ("/admin", "/admin/admin.js", "/admin/state", "/admin/"):
            status, _, body = self.operations.ask(path, Authorization=BEARER)
            self.assertEqual((status, body), (404, nothing), path)

    def test_the_page_itself_is_no_secret(self) -> None:
        """The static files of the page are served without the token, and with a strict Content-Security-Policy."""
        for path, kind in (("", "text/html"), ("/admin.css", "text/css"), ("/admin.js", "text/javascript")):
            status, headers, _ = self.operations.ask(f"/admin{path}")
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith(kind))
            self.assertIn("require-trusted-types-for 'script'", headers["content-security-policy"])
            self.assertNotIn("unsafe", headers["content-security-policy"])

    def test_the_state_needs_the_token(self) -> None:
        """The state is only served to a request with the token as Bearer in its Authorization header."""
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=f"bearer  {TOKEN}")[0], 200)
        for wrong in ("", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"{BEARER}x", BEARER[:-1], "Bearer \xff"):
            status, headers, body = self.operations.ask("/admin/state", address="192.0.2.7", Authorization=wrong)
            self.assertEqual((status, headers["www-authenticate"]), (401, "Bearer"), wrong)
            self.assertEqual(json.loads(body)["code"], "wrong-token")
        self.assertEqual(self.operations.ask(f"/admin/state?token={TOKEN}")[0], 401)

    def test_wrong_tokens_are_throttled(self) -> None:
        """After ten wrong tokens of a client address, further wrong ones are refused with 429.

        Other addresses are not affected, and the address can try again after half an hour.
        """
        for _ in range(Limits().failed_guesses):
            self.assertEqual(self.status("wrong"), 401)
        self.assertEqual(self.status("wrong"), 429)
        self.assertEqual(self.status("wrong", address="192.0.2.9"), 401)
        self.operations.clock.advance(Limits().failed_guesses_seconds)
        self.assertEqual(self.status("wrong"), 401)

    def test_the_right_token_is_never_locked_out(self) -> None:
        """The right token is accepted from an address that has sent too many wrong ones."""
        for _ in range(50):
            self.status("wrong")
        self.assertEqual(self.status(TOKEN), 200)
        drained = self.operations.ask("/admin/drain", "POST", Authorization=BEARER, X_Signald_Confirm="drain")
        self.assertEqual(drained[0], 200)

    def test_wrong_tokens_are_logged_within_the_limit(self) -> None:
        """Wrong tokens beyond the limit add no lines to the log."""
        with capturedLogs() as logs:
            for _ in range(50):
                self.status("wrong")
        self.assertEqual(len([line for line in logs if line["event"] == "admin-token-wrong"]), 10)

    def test_the_configured_limits(self) -> None:
        """The number of wrong tokens follows `failed_guesses`, also after a reload."""
        self.operations.token.reload_limits(Limits(failed_guesses=2, failed_guesses_seconds=10.0))
        self.assertEqual([self.status("wrong") for _ in range(3)], [401, 401, 429])
        self.operations.clock.advance(5)
        self.assertEqual([self.status("wrong") for _ in range(2)], [401, 429])
        token = AdminToken(Limits(failed_guesses=1))
        self.assertEqual(
            [token.refusal([b"Bearer wrong"], "192.0.2.1", 0.0) for _ in range(2)], [Check.WRONG, Check.TOO_MANY]
        )

    def status(self, token: str, address: str = "127.0.0.1") -> int:
        """Request the state with a token, and return the status."""
        return self.operations.ask("/admin/state", address=address, Authorization=f"Bearer {token}")[0]

    def test_a_question_without_a_token_is_no_try(self) -> None:
        """Requests without a token, as of a browser that opens the page, do not count as wrong tokens."""
        for _ in range(50):
            self.assertEqual(self.operations.ask("/admin/state")[0], 401)
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)

    def test_a_file_that_cannot_be_used_changes_nothing(self) -> None:
        """A token file that is missing, open to others or too short raises ConfigError, and the old token stays."""
        open_to_all = self.directory / "open"
        open_to_all.write_text(TOKEN)
        open_to_all.chmod(0o644)
        short = self.directory / "short"
        short.write_text("x" * (LEAST_TOKEN - 1))
        short.chmod(0o600)
        for path in (self.directory / "missing", open_to_all, short):
            settings = Operations(admin_token_file=path)
            self.assertRaises(ConfigError, self.operations.token.prepare, settings)
            error = self.assertRaises(ConfigError, AdminToken().prepare, settings)
        self.assertIn("openssl rand", str(error))
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 200)

    def test_a_new_token_takes_the_place_of_the_old(self) -> None:
        """A new token replaces the old one immediately."""
        self.operations.set_token(self.directory, "another-token-that-is-long")
        self.assertEqual(self.operations.ask("/admin/state", Authorization=BEARER)[0], 401)


class StateTests(AdminCase):
    """Tests of the state that the page shows."""

    def state(self) -> dict[str, Any]:
        """Request the state and return the decoded JSON."""
        status, headers, body = self.operations.ask("/admin/state", Authorization=BEARER)
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        found: dict[str, Any] = json.loads(body)
        return found

    def test_sessions_by_a_few_symbols(self) -> None:
        """Sessions are shown with the first characters of their IDs only, because a whole ID allows to join.

        The IDs of users are not shown at all; sessions and members have the references under which the log names them.
        """
        _, host, _, guest, session = self.operations.world.pair()
        state = self.state()
        [shown] = state["sessions"]
        references = self.operations.world.hub.references
        self.assertEqual(
            shown,
            {
                "id": session[:SHOWN_SYMBOLS],
                "reference": references.of_session(session),
                "state": "open",
                "capacity": 2,
                "locked": False,
                "lobby": False,
                "password": False,
                "waiting": 0,
                "idle": 0,
                "left": 86400,
                "members": [
                    {"role": "host", "away": False, "reference": references.of_user(host)},
                    {"role": "guest", "away": False, "reference": references.of_user(guest)},
                ],
            },
        )
        for secret in (session, host, guest):
            self.assertNotIn(secret, json.dumps(state))

    def test_nothing_that_people_chose(self) -> None:
        """The state contains no names, labels, passwords or instances that users have chosen."""
        client = Client(self.operations.world, instance=Instance("canary-instance"))
        self.operations.world.receive(client.peer)
        opened = client.send(Open(8, label="canary-label", password="canary-password", name="canary-name"))
        self.assertTrue(any(isinstance(event, Opened) for event in opened))
        client.lose()
        text = json.dumps(self.state())
        self.assertNotIn("canary", text)
        self.assertIn('"away": true', text)

    def test_few_of_many_sessions(self) -> None:
        """If there are many sessions, the most recently active ones are shown, and the number of the others."""
        for _ in range(MOST_SESSIONS + 5):
            self.operations.world.open_session()
            self.operations.world.now += 1.0
        self.operations.clock.advance(MOST_SESSIONS + 5.0)
        state = self.state()
        idle = [session["idle"] for session in state["sessions"]]
        self.assertEqual((len(idle), state["moreSessions"]), (MOST_SESSIONS, 5))
        self.assertEqual(idle, sorted(idle))

    def test_why_it_is_not_ready(self) -> None:
        """The reasons for which the daemon is not ready are shown with their names and sentences."""
        self.operations.readiness.set_problem("redis", "<b>Redis</b>")
        state = self.state()
        self.assertEqual((state["ready"], state["draining"]), (False, False))
        self.assertEqual(state["reasons"], [{"name": "redis", "detail": "<b>Redis</b>"}])


class DrainTests(AdminCase):
    """Tests of the request to drain."""

    def drain(self, **headers: str) -> int:
        """Send a request to drain as the page does, except for these headers, and return the status."""
        sent = {"Authorization": BEARER, "X_Signald_Confirm": "drain", "Sec_Fetch_Site": "same-origin", **headers}
        return self.operations.ask("/admin/drain", "POST", **{name: text for name, text in sent.items() if text})[0]

    def test_it_drains_once(self) -> None:
        """The daemon is not ready immediately after the request, and a second request does not drain again."""
        self.assertEqual(self.drain(), 200)
        self.assertTrue(self.operations.readiness.draining)
        self.assertEqual(self.drain(), 200)
        self.assertEqual(self.operations.drained, 1)

    def test_a_script_without_a_browser_may(self) -> None:
        """A request without Sec-Fetch-Site, as of a script without a browser, is allowed."""
        self.assertEqual(self.drain(Sec_Fetch_Site=""), 200)

    def test_nobody_else(self) -> None:
        """A request of another site, without the token or the confirmation, or with another method is refused."""
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
    """Tests of the static files of the page."""

    def test_text_alone(self) -> None:
        """The page uses no API that could turn data of the daemon into markup, code or a URL."""
        script = files("signald").joinpath("operations", "admin_page", "admin.js").read_text()
        for dangerous in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Storage", "cookie"):
            self.assertNotIn(dangerous, script)
        page = files("signald").joinpath("operations", "admin_page", "index.html").read_text()
        for dangerous in (" style=", " onclick", "http:", "https:", "<script>"):
            self.assertNotIn(dangerous, page)
