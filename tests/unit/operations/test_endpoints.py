"""Tests of `signald.operations.endpoints`, the resources of the operator's listener."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.directory_messages import ClientId, Registration, Room
from signald.core.users import PeerId
from signald.monitoring.readiness import Readiness
from signald.operations.endpoints import CONNECTIONS, SCRAPE_SECONDS, make_operations_site
from signald.operations.operations_service import answered_hosts
from tests.support.endpoints import Endpoint
from tests.support.operations_world import OperationsWorld
from tests.support.world import HOME


class OperationsTests(SynchronousTestCase):
    """Tests of the metrics and of the health and readiness probes."""

    def setUp(self) -> None:
        """Create the operator's listener."""
        self.operations = OperationsWorld()

    def scrape(self) -> dict[tuple[str, ...], float]:
        """Scrape the metrics, and return the samples by name and labels."""
        self.operations.clock.advance(SCRAPE_SECONDS)
        status, headers, body = self.operations.ask("/metrics")
        self.assertEqual((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def test_a_scrape_tells_what_was_counted(self) -> None:
        """A scrape has the counted values, in a format that the parser of the Prometheus client reads."""
        world, metrics = self.operations.world, self.operations.metrics
        world.pair()
        metrics.count_opened("native", "ws")
        metrics.count_opened("native", "ws")
        metrics.count_closed("native", "ws")
        metrics.bytes_in += 7
        metrics.count_limit_hit("connections")
        metrics.forward.observe(0.0015)
        for room in (Room("a"), Room("b"), Room("b")):
            peer = PeerId(len(self.operations.rooms.clients))
            registration = Registration(ClientId(str(peer)), "", room=room)
            self.operations.rooms.register(peer, HOME, registration, 0.0)
        found = self.scrape()
        self.assertEqual(found["signald_websockets", "native", "ws"], 1)
        self.assertEqual(found["signald_websockets_opened_total", "native", "ws"], 2)
        self.assertEqual((found["signald_sessions", "open"], found["signald_members",]), (1, 2))
        self.assertEqual(found["signald_users", "present"], 2)
        self.assertEqual((found["signald_rooms",], found["signald_directory_clients", "connected"]), (2, 0))
        self.assertEqual(found["signald_received_bytes_total",], 7)
        self.assertEqual(found["signald_limits_hit_total", "connections"], 1)
        self.assertEqual(found["signald_forward_seconds_bucket", "0.001"], 0)
        self.assertEqual(found["signald_forward_seconds_bucket", "0.002"], 1)
        self.assertEqual(found["signald_forward_seconds_bucket", "+Inf"], 1)
        self.assertEqual(found["signald_forward_seconds_count",], 1)
        self.assertEqual((found["signald_log_lines_total",], found["signald_log_lines_dropped_total",]), (5, 1))
        self.assertEqual(found["signald_http_connections",], 3)
        self.assertGreater(found["process_resident_memory_bytes",], 0)

    def test_a_flood_of_scrapes_is_answered_from_one(self) -> None:
        """A second scrape within the cache time receives the same values."""
        self.scrape()
        self.operations.metrics.bytes_in += 1
        body = self.operations.ask("/metrics")[2]
        self.assertIn(b"signald_received_bytes_total 0.0", body)
        self.assertEqual(self.scrape()["signald_received_bytes_total",], 1)

    def test_health(self) -> None:
        """The liveness probe responds with 200 even if the daemon is not ready."""
        self.operations.readiness.drain()
        status, _, body = self.operations.ask("/healthz")
        self.assertEqual((status, body), (200, b"ok\n"))

    def test_readiness(self) -> None:
        """The readiness probe responds with 200, or with 503 and problem details that list the reasons."""
        self.assertEqual(self.operations.ask("/readyz")[0], 200)
        self.operations.readiness.set_problem("redis", "Redis does not answer.")
        status, headers, body = self.operations.ask("/readyz")
        self.assertEqual((status, headers["content-type"]), (503, "application/problem+json"))
        problem = json.loads(body)
        self.assertEqual((problem["status"], problem["code"]), (503, "degraded"))
        self.assertEqual(problem["reasons"], [{"name": "redis", "detail": "Redis does not answer."}])
        self.operations.readiness.drain()
        self.assertEqual(json.loads(self.operations.ask("/readyz")[2])["code"], "draining")
        self.assertEqual(self.scrape()["signald_ready",], 0)

    def test_a_degraded_server_is_ready(self) -> None:
        """A warning is told by the readiness probe and the metrics, and new clients are still welcome."""
        self.assertEqual(self.operations.ask("/readyz")[2], b"ok\n")
        self.operations.readiness.set_warning("journal-degraded", "It cannot be written.")
        self.operations.metrics.journal_degraded = True
        self.operations.metrics.journal_bytes = 7
        status, _, body = self.operations.ask("/readyz")
        self.assertEqual((status, body), (200, b"ok\njournal-degraded: It cannot be written.\n"))
        scraped = self.scrape()
        names = ("signald_ready", "signald_journal_degraded", "signald_journal_bytes")
        self.assertEqual([scraped[name,] for name in names], [1, 1, 7])

    def test_head_has_no_body(self) -> None:
        """The response to HEAD has no body, but the Content-Length of the body for GET."""
        for path in ("/metrics", "/healthz", "/readyz"):
            status, headers, body = self.operations.ask(path, "HEAD")
            self.assertEqual((status, body), (200, b""), path)
            self.assertGreater(int(headers["content-length"]), 0)

    def test_health_checks_of_the_old_version(self) -> None:
        """Health checks in HTTP/1.0 without a Host header get the status of the probe, by GET, HEAD and OPTIONS."""
        readiness, clock = self.operations.readiness, self.operations.clock
        site = make_operations_site(CollectorRegistry(), readiness, [], clock, frozenset())

        def status(method: str, path: str) -> int:
            line = Endpoint(site, "127.0.0.1")
            line.send(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
            return line.response()[0]

        paths = ("/healthz", "/readyz", "/")
        self.assertEqual([status("GET", path) for path in paths], [200, 200, 404])
        self.assertEqual([status("HEAD", path) for path in paths], [200, 200, 404])
        self.assertEqual([status("OPTIONS", path) for path in paths], [204, 204, 204])
        self.operations.readiness.drain()
        self.assertEqual([status(method, "/readyz") for method in ("GET", "HEAD", "OPTIONS")], [503] * 3)

    def test_other_methods(self) -> None:
        """Any other method is refused with 405, and the Allow header lists the allowed methods."""
        for method in ("POST", "PUT", "DELETE", "TRACE", "CONNECT"):
            status, headers, _ = self.operations.ask("/metrics", method)
            self.assertEqual(status, 405, method)
            self.assertTrue(headers["allow"].startswith("GET, HEAD"))

    def test_other_paths(self) -> None:
        """Any other path, including those of the public port, is refused with 404 and problem details."""
        for path in (
            "/",
            "/metrics/",
            "/metrics/x",
            "/ws",
            "/healthz%00",
            "/..",
            "//metrics",
            "/admin",
            "/admin/state",
        ):
            status, headers, _ = self.operations.ask(path)
            self.assertEqual((status, headers["content-type"]), (404, "application/problem+json"), path)

    def test_no_bodies(self) -> None:
        """A request with a body is refused with 413, as on the public port."""
        self.assertEqual(self.operations.ask("/metrics", "POST", Content_Length="5")[0], 413)
        self.assertEqual(self.operations.ask("/metrics", "GET", Transfer_Encoding="chunked")[0], 413)

    def test_no_name_of_a_stranger_leads_to_loopback(self) -> None:
        """On a loopback address, only local host names are allowed, which prevents DNS rebinding.

        On any other address, every host name is allowed.
        """
        for host, status in (
            ("127.0.0.1:9090", 200),
            ("[::1]:9090", 200),
            ("localhost", 200),
            ("signald.localhost:9090", 200),
            ("evil.example:9090", 400),
            ("127.0.0.1.evil.example", 400),
            ("localhost.evil.example", 400),
        ):
            for is_local, expected in ((True, status), (False, 200)):
                self.assertEqual(self.status(host, is_local=is_local), expected, host)

    def test_named_hosts(self) -> None:
        """The names that the operator lists are answered on a loopback address; elsewhere no others are then."""
        for is_local in (True, False):
            for host, status in (("signald.internal:9090", 200), ("SIGNALD.internal.", 200), ("127.0.0.1", 200)):
                self.assertEqual(self.status(host, "signald.internal", is_local=is_local), status)
            self.assertEqual(self.status("evil.example", "signald.internal", is_local=is_local), 400)

    def status(self, host: str, *names: str, is_local: bool) -> int:
        """Ask a listener, on a loopback address or not, under a host name, and return the status."""
        hosts = answered_hosts(names, is_local=is_local)
        line = Endpoint(make_operations_site(CollectorRegistry(), Readiness(), (), Clock(), hosts))
        line.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return line.response()[0]

    def test_headers(self) -> None:
        """Every response forbids caching, framing, content sniffing and scripts."""
        for path in ("/metrics", "/nothing", "/readyz"):
            headers = self.operations.ask(path)[1]
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertTrue(headers["content-security-policy"].startswith("default-src 'none'"))

    def test_connections_are_bounded(self) -> None:
        """The number of TCP connections to the operator's listener has a limit of its own."""
        lines = [Endpoint(self.operations.site) for _ in range(CONNECTIONS)]
        self.assertEqual(len(self.operations.site.http_connections), CONNECTIONS)
        self.assertIsNone(self.operations.site.buildProtocol(lines[0].transport.getPeer()))
