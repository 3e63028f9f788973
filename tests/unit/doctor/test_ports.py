"""Tests of the doctor's check of a port."""

from __future__ import annotations

import errno
import os
import socket

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.findings import Finding, Mark
from signald.doctor.ports import PortProblem, check_port, judge_port, local_host, port_problem
from signald.doctor.processes import Process, listening_process
from signald.server.problems import SERVER
from tests.support.memory_network import MemoryNetwork

SIGNALD = Process(1234, "signald", 0, None)


class PortTests(SynchronousTestCase):
    """Tests of the check of a port."""

    def listen(self) -> int:
        """Listen on a free port and return its number."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        port: int = listening.getsockname()[1]
        return port

    def test_taken(self) -> None:
        """A port in use is detected, and so is the process that listens on it, which is this one."""
        port = self.listen()
        self.assertEqual(port_problem("127.0.0.1", port), PortProblem(errno.EADDRINUSE))
        found = listening_process(port)
        assert found is not None
        self.assertEqual((found.id, found.owner), (os.getpid(), os.geteuid()))

    def test_free(self) -> None:
        """A port whose socket has been closed is free, and no process is found for it."""
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listening.close()
        self.assertIsNone(port_problem("127.0.0.1", port))
        self.assertIsNone(listening_process(port))

    def test_no_address_of_this_machine(self) -> None:
        """An interface address that this machine does not have cannot be bound."""
        self.assertEqual(port_problem("192.0.2.1", 0), PortProblem(errno.EADDRNOTAVAIL))

    def test_sentences(self) -> None:
        """A free port, and a port on which signald listens, are OK; every other result has a remedy."""
        process = Process(1234, "apache2", 0, None)
        for number, ours, said in (
            (None, False, "is free"),
            (errno.EADDRINUSE, True, "signald listens on port 443"),
            (errno.EADDRINUSE, False, "is taken by apache2 (process 1234)"),
            (errno.EACCES, False, "is for privileged processes"),
            (errno.EADDRNOTAVAIL, False, "has no address 192.0.2.1"),
            (errno.ENOBUFS, False, os.strerror(errno.ENOBUFS)),
        ):
            problem = None if number is None else PortProblem(number)
            found = judge_port("port", "192.0.2.1", 443, problem, process, ours=ours)
            self.assertIn(said, found.text)
            self.assertEqual(found.mark is Mark.FAILURE, bool(found.remedy), said)
            self.assertEqual(found.mark is Mark.OK, number is None or ours)

    def test_unknown_process(self) -> None:
        """A process that the doctor cannot see is reported as another program."""
        found = judge_port("port", None, 443, PortProblem(errno.EADDRINUSE), None, ours=False)
        self.assertIn("Port 443 (port) is taken by another program", found.text)

    def test_local_host(self) -> None:
        """A wildcard interface is reached at the loopback address, and any other interface at its own address."""
        hosts = [local_host(interface) for interface in (None, "0.0.0.0", "::", "192.0.2.1")]  # noqa: S104 # binds nothing
        self.assertEqual(hosts, ["127.0.0.1", "127.0.0.1", "::1", "192.0.2.1"])


class ServerProtocol(Protocol):
    """Sends the same HTTP response to each request."""

    name = SERVER

    def dataReceived(self, data: bytes) -> None:
        """Send the response."""
        assert self.transport is not None
        self.transport.write(f"HTTP/1.1 204 No Content\r\nServer: {self.name}\r\n\r\n".encode())


class OtherProtocol(ServerProtocol):
    """Names another server."""

    name = "nginx"


class CheckTests(SynchronousTestCase):
    """Tests of `check_port`, with a real listening socket and a server in memory that responds in its place."""

    def setUp(self) -> None:
        """Listen on a free port."""
        self.network = MemoryNetwork()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.socket.close)
        self.port = self.socket.getsockname()[1]

    def check(self, process: Process | None = SIGNALD, *, answers: bool = True, port: int | None = None) -> Finding:
        """Check the port, and return the finding."""
        port = self.port if port is None else port
        check = check_port(self.network, "port", "127.0.0.1", port, tls=False, process=process, answers=answers)
        done: Deferred[list[Finding]] = Deferred.fromCoroutine(check)
        self.network.run_for(0.5)
        (found,) = self.successResultOf(done)
        return found

    def test_any_port(self) -> None:
        """Port 0 is always OK."""
        self.assertEqual(self.check(port=0).text, "port is 0: any free port is taken.")

    def test_free(self) -> None:
        """A free port is OK."""
        self.socket.close()
        self.assertIn("is free: signald does not run", self.check().text)

    def test_signald(self) -> None:
        """A port is OK if the server that responds on it names itself signald."""
        self.network.site = Factory.forProtocol(ServerProtocol)
        self.assertEqual(self.check().text, f"signald listens on port {self.port} (port).")

    def test_another_program(self) -> None:
        """A port on which another server or no server responds is a failure."""
        for site in (Factory.forProtocol(OtherProtocol), None):
            self.network.site = site
            found = self.check(Process(1234, "nginx", 0, None))
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn("is taken by nginx (process 1234)", found.text)

    def test_proxy_header(self) -> None:
        """If signald would expect a PROXY header from this machine, the check is skipped."""
        for process, who in ((SIGNALD, "signald (process 1234)"), (None, "a program")):
            found = self.check(process, answers=False)
            self.assertEqual(found.mark, Mark.SKIPPED)
            self.assertIn(f"is {who}'s", found.text)
