"""Tests of the checks of the connectivity test and their outcomes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import checks, extra_texts
from signald_page.client.extras.checks import Checks

GOOD: dict[str, tuple[str, tuple[object, ...]]] = {
    checks.CAMERA: ("works", ("A camera", 1280, 720)),
    checks.MICROPHONE: ("works", ("A microphone",)),
    checks.SERVER: ("works", ("3 ms",)),
    checks.STUN: ("works", ("1/1",)),
    checks.TURN: ("works", ("UDP", "")),
    checks.CALL: ("relay-works", ("directly", "1 ms", "2 ms")),
}
"""The good outcome of each check."""


def run(**outcomes: str) -> Checks:
    """Return a finished test, in which the named checks have these outcomes."""
    test = Checks()
    test.begin()
    for name in checks.ORDER:
        if test.start(name, 0.0):
            outcome, values = GOOD[name]
            test.finish(name, outcomes.get(name, outcome), *values, "", "")
    return test


class OrderTests(SynchronousTestCase):
    """The checks run one after the other."""

    def test_before_the_start(self) -> None:
        """Before the test starts, all checks are waiting and there is no verdict."""
        test = Checks()
        self.assertEqual({check.state for check in test.checks}, {checks.WAITING})
        self.assertEqual([check.name for check in test.checks], list(checks.ORDER))
        self.assertFalse(test.active)
        self.assertEqual(test.verdict, "")
        self.assertFalse(test.start(checks.CAMERA, 0.0))

    def test_current_check(self) -> None:
        """The current check is the first one that is not over."""
        test = Checks()
        test.begin()
        self.assertTrue(test.start(checks.CAMERA, 5.0))
        self.assertTrue(test.running(checks.CAMERA))
        test.finish(checks.CAMERA, "works", "A camera", 640, 480)
        self.assertFalse(test.running(checks.CAMERA))
        self.assertEqual(test[checks.CAMERA].found, "A camera, 640 by 480 pixels")
        self.assertEqual(test[checks.CAMERA].remedy, "")
        now = test.current
        assert now is not None
        self.assertEqual(now.name, checks.MICROPHONE)

    def test_late_outcomes(self) -> None:
        """Outcomes after the end of a check are ignored."""
        test = Checks()
        test.begin()
        test.start(checks.CAMERA, 0.0)
        test.finish(checks.CAMERA, "refused")
        test.finish(checks.CAMERA, "works", "A camera", 1, 1)
        self.assertEqual(test[checks.CAMERA].state, checks.FAILED)
        self.assertFalse(test.start(checks.CAMERA, 1.0))

    def test_timeout(self) -> None:
        """A check that times out has failed."""
        test = Checks()
        test.begin()
        test.start(checks.CAMERA, 100.0)
        test.tick(100.0 + checks.SECONDS[checks.CAMERA] - 0.1)
        self.assertTrue(test.running(checks.CAMERA))
        test.tick(100.0 + checks.SECONDS[checks.CAMERA])
        self.assertEqual(test[checks.CAMERA].state, checks.FAILED)
        self.assertIn("minute", test[checks.CAMERA].found)
        test.tick(1000.0)
        self.assertEqual(test[checks.MICROPHONE].state, checks.WAITING)

    def test_without_the_server(self) -> None:
        """Without the server the checks that depend on it are skipped."""
        test = run(server="unreachable")
        for name in (checks.STUN, checks.TURN, checks.CALL):
            self.assertEqual(test[name].state, checks.SKIPPED)
            self.assertEqual(test[name].found, extra_texts.TEST_SKIPPED)
        self.assertEqual(test.verdict, checks.BROKEN)
        self.assertFalse(test.active)

    def test_stop(self) -> None:
        """Stopping the test skips the remaining checks and ignores later outcomes."""
        test = Checks()
        test.begin()
        test.start(checks.CAMERA, 0.0)
        test.stop()
        self.assertFalse(test.running(checks.CAMERA))
        test.finish(checks.CAMERA, "refused")
        self.assertEqual({check.state for check in test.checks}, {checks.SKIPPED})
        self.assertFalse(test.start(checks.MICROPHONE, 0.0))
        self.assertFalse(test.active)
        self.assertEqual(test.verdict, checks.STOPPED)

    def test_stop_after_the_end(self) -> None:
        """A finished test cannot be stopped."""
        test = run()
        test.stop()
        self.assertEqual(test.verdict, checks.READY)

    def test_browser_refused(self) -> None:
        """Each check has an outcome for an unexpected refusal by the browser."""
        test = Checks()
        test.begin()
        for name in checks.ORDER:
            if test.start(name, 0.0):
                test.refused(name)
        self.assertEqual([check.state for check in test.checks], [checks.FAILED] * 3 + [checks.SKIPPED] * 3)
        self.assertIn("gives pages no camera", test[checks.CAMERA].found)
        for name in checks.ORDER:
            self.assertIn(checks.TIMEOUTS[name], checks.OUTCOMES[name])

    def test_relay_works(self) -> None:
        """A call through the relay is tried only if a relay was provided."""
        self.assertTrue(run().relayed)
        self.assertTrue(run(turn="some").relayed)
        self.assertFalse(run(turn="silent").relayed)
        self.assertFalse(run(turn="unnamed").relayed)


class VerdictTests(SynchronousTestCase):
    """The verdict and the summary follow from the outcomes."""

    def test_verdicts(self) -> None:
        """The loopback call decides whether calls work, and the worst of the other checks how well."""
        self.assertEqual(run().verdict, checks.READY)
        self.assertEqual(run(stun="unnamed").verdict, checks.USABLE)
        self.assertEqual(run(camera="missing").verdict, checks.USABLE)
        self.assertEqual(run(camera="refused").verdict, checks.TROUBLED)
        self.assertEqual(run(turn="silent", stun="unnamed").verdict, checks.TROUBLED)
        self.assertEqual(run(call="fails").verdict, checks.BROKEN)

    def test_summary(self) -> None:
        """The summary has a line for each check and the verdict."""
        lines = run(turn="refused").summary("about").splitlines()
        self.assertEqual(lines[0], "about")
        self.assertEqual(lines[1], "Camera: works. A camera, 1280 by 720 pixels")
        self.assertIn("does not work. The TURN server does not accept", lines[5])
        self.assertEqual(lines[-1], extra_texts.TEST_VERDICTS[checks.TROUBLED])
        self.assertEqual(len(lines), len(checks.ORDER) + 2)

    def test_summary_of_an_unfinished_test(self) -> None:
        """The summary of an unfinished test says so for each check."""
        test = Checks()
        self.assertEqual(test.summary().splitlines()[0], "Camera: not tested yet.")

    def test_every_outcome_has_words(self) -> None:
        """Each outcome has a sentence, and each that is not good has a remedy."""
        for name, outcomes in checks.OUTCOMES.items():
            for outcome, state in outcomes.items():
                self.assertIn(outcome, extra_texts.TEST_FOUND[name])
                self.assertEqual(
                    state == checks.PASSED, outcome not in extra_texts.TEST_REMEDIES[name], (name, outcome)
                )

    def test_every_state_has_words(self) -> None:
        """Each check, state and verdict has a name."""
        self.assertEqual(set(extra_texts.TEST_NAMES), set(checks.ORDER))
        self.assertEqual(set(extra_texts.TEST_DOING), set(checks.ORDER))
        self.assertEqual(set(extra_texts.TEST_STATES), set(checks.NEXT))

    def test_milliseconds(self) -> None:
        """Durations are whole milliseconds, and at least one."""
        self.assertEqual(checks.milliseconds(0.0), "1 ms")
        self.assertEqual(checks.milliseconds(0.0126), "13 ms")


class IceServerTests(SynchronousTestCase):
    """STUN and TURN servers are tested one by one."""

    ICE_SERVERS = (
        {"urls": ["stun:a.example:3478", "turn:a.example"], "username": "u", "credential": "c"},
        {"urls": ["turn:b.example?transport=tcp", "turns:b.example"], "username": "u", "credential": "c"},
        {"urls": ["STUN:c.example"]},
    )

    def test_stun_servers(self) -> None:
        """Each STUN URL becomes a server of its own."""
        found = checks.stun_servers(list(self.ICE_SERVERS))
        self.assertEqual([server["urls"] for server in found], [["stun:a.example:3478"], ["STUN:c.example"]])

    def test_turn_servers(self) -> None:
        """Each TURN URL becomes a server of its own, with credentials and the name of its transport."""
        found = checks.turn_servers(list(self.ICE_SERVERS))
        self.assertEqual([transport for transport, _ in found], ["UDP", "TCP", "TLS"])
        self.assertEqual(found[0][1], {"urls": ["turn:a.example"], "username": "u", "credential": "c"})

    def test_bounded_servers(self) -> None:
        """The number of tested servers is bounded."""
        self.assertEqual(len(checks.stun_servers([{"urls": ["stun:a.example"] * 100}])), checks.MAX_SERVERS)

    def test_answer(self) -> None:
        """A candidate of the wanted type counts as a response; without one the error codes give the reason."""
        host = "candidate:1 1 udp 2122194687 192.0.2.2 53773 typ host"
        seen = "candidate:2 1 udp 1686052607 198.51.100.7 53773 typ srflx raddr 192.0.2.2 rport 53773"
        relay = "candidate:3 1 udp 58597375 203.0.113.1 54194 typ relay raddr 0.0.0.0 rport 0"
        self.assertEqual(checks.answer("srflx", [host, seen], [], True), checks.FOUND)
        self.assertEqual(checks.answer("srflx", [host, seen], [701], False), checks.FOUND)
        self.assertEqual(checks.answer("srflx", [host], [], True), checks.SAME)
        self.assertEqual(checks.answer("srflx", [host], [701], True), checks.SILENT)
        self.assertEqual(checks.answer("srflx", [host], [], False), checks.SILENT)
        self.assertEqual(checks.answer("srflx", [], [], True), checks.SILENT)
        self.assertEqual(checks.answer("relay", [relay], [], True), checks.FOUND)
        self.assertEqual(checks.answer("relay", [], [], True), checks.SILENT)
        self.assertEqual(checks.answer("relay", [], [401], True), checks.REFUSED)

    def test_stun_outcome(self) -> None:
        """The outcome of STUN counts the servers that respond."""
        self.assertEqual(checks.stun_outcome([]), ("unnamed", "0/0"))
        self.assertEqual(checks.stun_outcome([checks.FOUND, checks.SAME]), ("works", "2/2"))
        self.assertEqual(checks.stun_outcome([checks.SAME]), ("same", "1/1"))
        self.assertEqual(checks.stun_outcome([checks.FOUND, checks.SILENT]), ("some", "1/2"))
        self.assertEqual(checks.stun_outcome([checks.SILENT]), ("silent", "0/1"))

    def test_turn_outcome(self) -> None:
        """The outcome of TURN lists each working transport once, and each that works with no server."""
        found, silent, refused = checks.FOUND, checks.SILENT, checks.REFUSED
        self.assertEqual(checks.turn_outcome([]), ("unnamed", "", ""))
        self.assertEqual(checks.turn_outcome([("UDP", found), ("UDP", found)]), ("works", "UDP", ""))
        self.assertEqual(checks.turn_outcome([("UDP", silent), ("TCP", found)]), ("some", "TCP", "UDP"))
        self.assertEqual(checks.turn_outcome([("UDP", silent), ("UDP", found)]), ("works", "UDP", ""))
        self.assertEqual(checks.turn_outcome([("UDP", silent), ("TCP", refused)]), ("refused", "", "UDP, TCP"))
        self.assertEqual(checks.turn_outcome([("TLS", silent)]), ("silent", "", "TLS"))
