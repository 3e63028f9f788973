"""Tests of the doctor's question to the running daemon what is degraded, against its own listener in memory."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.findings import Finding, Mark
from signald.doctor.own_readiness import check_readiness, judge_readiness
from signald.doctor.responses import Response
from tests.support.memory_network import MemoryNetwork
from tests.support.operations_world import OperationsWorld

PROBLEM = {"content-type": "application/problem+json"}


class ReadinessTests(SynchronousTestCase):
    """Tests of the findings about the readiness probe."""

    def setUp(self) -> None:
        """Create the operator's listener of a daemon."""
        self.world = OperationsWorld()

    def check(self) -> list[Finding]:
        """Return the findings about the listener."""
        network = MemoryNetwork(self.world.site)
        done = Deferred.fromCoroutine(check_readiness(network, "127.0.0.1", 9001))
        network.run_for(1.0)
        return self.successResultOf(done)

    def test_nothing_is_degraded(self) -> None:
        """A daemon that is ready without a warning is well."""
        self.assertEqual([found.mark for found in self.check()], [Mark.OK])

    def test_warnings(self) -> None:
        """Each warning is one finding."""
        self.world.readiness.set_warning("journal-degraded", "It cannot be written.")
        self.world.readiness.set_warning("reload-refused", "It was refused.")
        found = self.check()
        self.assertEqual({one.mark for one in found}, {Mark.WARNING})
        self.assertEqual(found[0].text, "The running signald says: journal-degraded: It cannot be written.")
        self.assertEqual(len(found), 2)

    def test_problems(self) -> None:
        """Each reason why it is not ready is a failure."""
        self.world.readiness.set_problem("full", "There are as many connections as there may be.")
        [found] = self.check()
        self.assertEqual((found.topic, found.mark), ("readiness", Mark.FAILURE))
        self.assertIn("full: There are as many connections as there may be.", found.text)

    def test_something_else(self) -> None:
        """What is no answer of signald's probe says nothing, and neither does a port without a listener."""
        for response in (
            Response(200, {}, b"", True),
            Response(200, {}, b"<html>\nok", True),
            Response(503, {}, b"busy", True),
            Response(404, PROBLEM, b"[]", True),
        ):
            self.assertEqual(judge_readiness(response), [], response)
        network = MemoryNetwork()
        done = Deferred.fromCoroutine(check_readiness(network, "127.0.0.1", 9001))
        network.run_for(1.0)
        self.assertEqual(self.successResultOf(done), [])

    def test_without_reasons(self) -> None:
        """A problem without a usable list of reasons is told by its code."""
        for body in (b'{"code":"degraded"}', b'{"code":"degraded","reasons":5}', b'{"code":"degraded","reasons":[5]}'):
            [found] = judge_readiness(Response(503, PROBLEM, body, True))
            self.assertEqual(found.text, "The running signald is not ready: degraded.")
