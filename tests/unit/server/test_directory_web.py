"""The paths of the directory's clients, and their plain HTTP requests."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald.net.origins import EVERY_ORIGIN, FILE_ORIGIN, NULL_ORIGIN, OriginRule
from signald.page.assets import Asset, Representation
from signald.server.directory_web import LIST_SECONDS, DirectoryPaths, PathInUseError
from tests.support.directory_server import DirectoryCase, DirectoryServer, PeerJsClient
from tests.support.endpoints import CLIENT, Endpoint, request
from tests.support.memory_server import MemoryServer

PAGE = Asset("/", "text/html", "no-cache", {"identity": Representation(b"page", '"etag"')})


ROOMS = ("/matchbox", "/matchbox/", "/matchbox/room", "/matchbox/room?next=2")


class WebCase(DirectoryCase):
    """Requests over HTTP."""

    def get(self, path: str, origin: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Make a request, and return the response."""
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        more = {} if origin is None else {"Origin": origin}
        endpoint.send(request(path, {"Host": "signald.example", **more}, method))
        return endpoint.response()


class RequestTests(WebCase):
    """Ids, the list of ids and the banner."""

    def test_new_id(self) -> None:
        """An id is a random UUID of version 4 as text, which no cache keeps."""
        for path in ("/peerjs/id", "/peerjs/id?ts=1700000000000.5&version=1.5.5"):
            status, headers, body = self.get(path)
            self.assertEqual((status, body), (200, b"17171717-1717-4717-9717-171717171717"))
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(self.get("/peerjs/id", method="HEAD")[2], b"")

    def test_peers(self) -> None:
        """The list is refused with 401, which PeerJS's client explains, unless it is allowed."""
        self.connect("ann")
        status, _, body = self.get("/peerjs/peers")
        self.assertEqual((status, json.loads(body)["code"]), (401, "not-permitted"))
        self.serve(lists_ids=True)
        self.connect("ann")
        self.connect("ben")
        status, headers, body = self.get("/peerjs/peers")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        self.assertEqual(json.loads(body), ["ann", "ben"])

    def test_list_is_shared(self) -> None:
        """The list is encoded once in a second, however many ask for it."""
        self.serve(lists_ids=True)
        self.connect("ann")
        self.get("/peerjs/peers")
        self.connect("ben")
        self.assertEqual(json.loads(self.get("/peerjs/peers")[2]), ["ann"])
        self.clock.advance(LIST_SECONDS)
        self.assertEqual(json.loads(self.get("/peerjs/peers")[2]), ["ann", "ben"])

    def test_unknown_paths(self) -> None:
        """No other path, and no other key, is answered."""
        for path in ("/peerjs/", "/peerjs/ids", "/peerjs/id/", "/peerjs/peers/x", "/other/id", "/id", "/peerjs//id"):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_origins(self) -> None:
        """The origin of a page that may connect is named in the response, and no other."""
        own, other = "http://signald.example", "https://other.example"
        for path in ("/peerjs/id", "/peerjs/peers"):
            self.assertEqual(self.get(path, own)[1]["access-control-allow-origin"], own)
            for refused in (other, "null", "http://signald.example\xff", None):
                status, headers, _ = self.get(path, refused)
                self.assertIn(status, {200, 401})
                self.assertNotIn("access-control-allow-origin", headers)
                self.assertEqual(headers["vary"], "Origin")
        self.serve(origins=OriginRule.of(tls=False, others=[EVERY_ORIGIN], every=True))
        self.assertEqual(self.get("/peerjs/id", other)[1]["access-control-allow-origin"], other)
        self.assertEqual(PeerJsClient(self.server, "ann", headers={"origin": other}).status, 101)

    def test_files(self) -> None:
        """Pages that are opened as files may connect where their origin is named, and not where every site may."""
        for others, status in (([EVERY_ORIGIN], 403), ([FILE_ORIGIN], 101), ([NULL_ORIGIN], 403)):
            self.serve(origins=OriginRule.of(tls=False, others=others, every=True))
            self.assertEqual(PeerJsClient(self.server, "ann", headers={"origin": "file://"}).status, status)

    def test_every_origin_is_for_this_alone(self) -> None:
        """Where every origin is allowed for clients of PeerJS, the native WebSocket still refuses other origins."""
        self.serve(origins=OriginRule.of(tls=False, others=[EVERY_ORIGIN], every=True))
        self.server.page.signaling_port.allow_origins([EVERY_ORIGIN])
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        self.assertEqual(endpoint.upgrade(origin="https://other.example"), 403)


class PathTests(WebCase):
    """Other paths and keys."""

    def test_path_and_key(self) -> None:
        """Everything is below the path, where a banner stands too."""
        self.serve(paths=DirectoryPaths("/my/app/", "peerjs", "key1"))
        client = PeerJsClient(self.server, "ann", key="key1")
        self.assertEqual(client.types(), ["OPEN"])
        self.assertEqual(self.get("/my/app/key1/id")[0], 200)
        status, headers, body = self.get("/my/app/", "http://signald.example")
        self.assertEqual((status, json.loads(body)["name"]), (200, "signald"))
        self.assertEqual(headers["access-control-allow-origin"], "http://signald.example")
        for path in ("/my/app/peerjs/id", "/key1/id", "/my/key1/id", "/my/", "/my", "/my/app", "/my/app//"):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_the_page_stays(self) -> None:
        """With the path `/` the page is where it was."""
        self.serve(assets={"/": PAGE})
        self.assertEqual(self.get("/")[2], b"page")

    def test_below_the_page(self) -> None:
        """Where the page has a path, the base path is below it, and may be the same."""
        self.serve(assets={"/": PAGE}, base="/calls/", paths=DirectoryPaths("/calls/", "peerjs", "peerjs", "/calls/"))
        self.assertEqual(self.get("/calls/")[2], b"page")
        self.assertEqual(self.get("/calls/peerjs/id")[0], 200)
        self.assertEqual(self.get("/calls")[0], 308)
        self.assertEqual(self.get("/peerjs/id")[0], 404)
        self.serve(assets={"/": PAGE}, base="/calls/", paths=DirectoryPaths("/calls/p/", "peerjs", "key", "/calls/"))
        self.assertEqual(json.loads(self.get("/calls/p/")[2])["name"], "signald")
        self.assertEqual(self.get("/calls/p/key/id")[0], 200)
        paths = DirectoryPaths("/calls/ws/", "peerjs", "key", "/calls/")
        self.assertRaises(PathInUseError, DirectoryServer, paths=paths, assets={"/": PAGE}, base="/calls/")

    def test_paths_in_use(self) -> None:
        """A path of the page is refused."""
        assets = {"/": PAGE, "/assets/id": PAGE, "/app.js": PAGE}
        for base, socket, key in (
            ("/", "peerjs", "ws"),
            ("/", "app.js", "key"),
            ("/app.js/", "peerjs", "key"),
            ("/", "peerjs", "assets"),
            ("/ws/", "peerjs", "key"),
        ):
            paths = DirectoryPaths(base, socket, key)
            self.assertRaises(PathInUseError, DirectoryServer, paths=paths, assets=assets)

    def test_rooms_in_use(self) -> None:
        """A path of PeerJS's clients that is that of the rooms is refused."""
        for paths in (DirectoryPaths("/matchbox/", "peerjs", "key"), DirectoryPaths("/", "peerjs", "matchbox")):
            error = self.assertRaises(PathInUseError, DirectoryServer, paths=paths)
            self.assertEqual(str(error), "/matchbox")
        paths = DirectoryPaths("/calls/matchbox/", "peerjs", "key", "/calls/")
        error = self.assertRaises(PathInUseError, DirectoryServer, paths=paths, base="/calls/")
        self.assertEqual(str(error), "/calls/matchbox")


class OffTests(SynchronousTestCase):
    """A server that serves no clients of the directory."""

    def test_unknown(self) -> None:
        """Their paths are answered as any unknown path is, byte for byte."""
        server = MemoryServer()
        for headers in ({}, {"Origin": "https://a.example"}):
            answers = set()
            for path in (
                "/peerjs/id",
                "/peerjs/peers",
                "/peerjs",
                "/peerjs?id=a&token=b&key=peerjs",
                "/unknown",
                *ROOMS,
            ):
                endpoint = Endpoint(server.site, CLIENT, server.clock)
                endpoint.send(request(path, {"Host": "signald.example", **headers}))
                answers.add(endpoint.answer().partition(b"Date")[2].partition(b"\r\n")[2])
            self.assertEqual(len(answers), 1)
