"""The resources and headers of the page's port."""

from __future__ import annotations

import json
import re
import ssl
from urllib.parse import unquote, urljoin

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request
from zope.interface import implementer

from signald.core.errors import ErrorCode
from signald.net.origins import OriginRule, origin_from
from signald.page.assets import FOREVER, REVALIDATED, Asset, Representation, load_assets
from signald.page.schemas import load_schemas
from tests.support.endpoints import CLIENT, Endpoint, parse_response, problem_code, request
from tests.support.memory_server import MemoryServer

HOST = {"Host": "signald.example"}
INDEX, ENGINE = b"<!doctype html>", b"engine" * 1000

ASSETS = {
    "/": Asset("/", "text/html; charset=utf-8", REVALIDATED, {"identity": Representation(INDEX, '"index"')}),
    "/assets/engine.1.wasm": Asset(
        "/assets/engine.1.wasm",
        "application/wasm",
        FOREVER,
        {"identity": Representation(ENGINE, '"plain"'), "br": Representation(b"small", '"brotli"')},
    ),
}


class Broken(Resource):
    """A resource whose rendering raises an exception."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """Raise an exception."""
        raise ArithmeticError("secret")


class WebCase(SynchronousTestCase):
    """A test with a site."""

    assets = ASSETS

    def setUp(self) -> None:
        """Create the site, with a certificate that devices can install."""
        self.serve(b"certificate", hsts=False)

    def serve(self, ca_der: bytes | None, *, hsts: bool, base: str = "/") -> None:
        """Create another site."""
        origins = OriginRule.of(tls=True)
        server = MemoryServer(assets=self.assets, ca_der=ca_der, hsts=hsts, origins=origins, base=base)
        self.site, self.clock = server.site, server.clock

    def fetch(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request, and return the response."""
        endpoint = Endpoint(self.site, clock=self.clock)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        endpoint.send(request(path, {**HOST, **named}, method=method))
        return parse_response(endpoint.answer())


class SchemaTests(WebCase):
    """The site serves the JSON Schemas of the protocol."""

    def test_documents(self) -> None:
        """The index lists the schemas, and each schema has a media type and an ETag."""
        self.assets = load_schemas()
        self.serve(None, hsts=False)
        status, headers, body = self.fetch("/schema/")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        types = []
        for reference in json.loads(body)["documents"]:
            self.assertTrue(reference.startswith("./"), reference)
            path = urljoin("/schema/", reference)
            status, headers, body = self.fetch(path)
            self.assertEqual(status, 200)
            self.assertIn("signald.", json.dumps(json.loads(body)))
            self.assertEqual(self.fetch(path, If_None_Match=headers["etag"])[0], 304)
            self.assertEqual(self.fetch(path, accept_encoding="br")[1]["content-encoding"], "br")
            types.append(headers["content-type"])
        schema = "application/schema+json"
        self.assertEqual(types, [schema, "application/vnd.aai.asyncapi+json", schema, schema, schema])
        self.assertEqual(self.fetch("/schema/other.json")[0], 404)
        self.assertEqual(self.fetch("/schema")[0], 404)


class AssetTests(WebCase):
    """The site serves the page and its assets."""

    def test_page(self) -> None:
        """The page has a media type and an ETag, and caches have to revalidate it."""
        status, headers, body = self.fetch("/")
        self.assertEqual((status, body), (200, INDEX))
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(headers["cache-control"], "no-cache")
        self.assertEqual(headers["etag"], '"index"')
        self.assertEqual(headers["vary"], "Accept-Encoding")
        self.assertEqual(headers["content-length"], str(len(INDEX)))
        self.assertEqual(self.fetch("/?session=7Q2M9RT6ZC")[2], INDEX)

    def test_asset(self) -> None:
        """An asset may be cached without limit, and its content coding is negotiated."""
        status, headers, body = self.fetch("/assets/engine.1.wasm")
        self.assertEqual((status, body, headers["etag"]), (200, ENGINE, '"plain"'))
        self.assertEqual(headers["cache-control"], "public, max-age=31536000, immutable")
        self.assertNotIn("content-encoding", headers)
        status, headers, body = self.fetch("/assets/engine.1.wasm", accept_encoding="gzip, br")
        self.assertEqual((status, body, headers["etag"]), (200, b"small", '"brotli"'))
        self.assertEqual((headers["content-encoding"], headers["content-length"]), ("br", "5"))
        self.assertEqual((headers["content-type"], headers["vary"]), ("application/wasm", "Accept-Encoding"))

    def test_head(self) -> None:
        """A HEAD response has all headers and no body (RFC 9110 §9.3.2), for errors too; nothing is logged."""
        for path in ("/", "/assets/engine.1.wasm", "/ca.crt", "/nothing", "/ws"):
            got, head = self.fetch(path), self.fetch(path, "HEAD")
            for _, headers, _ in (got, head):
                headers.pop("date")
            self.assertEqual(head, (got[0], got[1], b""), path)

    def test_conditional(self) -> None:
        """A client that has the current representation gets 304 (RFC 9110 §15.4.5).

        A client that has the representation of another content coding gets the body.
        """
        status, headers, body = self.fetch("/", if_none_match='"index"')
        self.assertEqual((status, body, headers["etag"]), (304, b"", '"index"'))
        self.assertEqual((headers["vary"], headers["cache-control"]), ("Accept-Encoding", "no-cache"))
        self.assertNotIn("content-type", headers)
        for value in ('"other", "index"', '"index", "other"', '"index","other"', 'W/"index"', "*"):
            self.assertEqual(self.fetch("/", if_none_match=value)[0], 304, value)
        self.assertEqual(self.fetch("/", if_none_match='"other"')[0], 200)
        path = "/assets/engine.1.wasm"
        self.assertEqual(self.fetch(path, if_none_match='"plain"', accept_encoding="br")[0], 200)
        self.assertEqual(self.fetch(path, if_none_match='"brotli"', accept_encoding="br")[0], 304)

    def test_strange_headers(self) -> None:
        """Header bytes that are not UTF-8 cause no error."""
        self.assertEqual(self.fetch("/", accept_encoding="\xff\xfe", if_none_match="\xff", cookie="\xff=\xff;")[0], 200)

    def test_nothing_else(self) -> None:
        """There is no directory listing, no other spelling of a path, and no access to files."""
        for path in (
            "/assets", "/assets/", "/assets/engine.wasm", "/assets/engine.1.wasm/", "/assets/engine.1.wasm/x", "//",
            "/index.html", "/assets/../index.html", "/assets/%2e%2e/", "/..%2f..%2fetc/passwd", "/etc/passwd", "/%00",
            "/ca.crt/", "/ca.crt/x", "/.git/config", "/assets//engine.1.wasm", "/ws/", "/ws/x",
        ):  # fmt: skip
            self.assertIs(problem_code(self.fetch(path)), ErrorCode.NOT_FOUND, path)

    def test_no_ranges(self) -> None:
        """Range requests get the whole representation, which RFC 9110 §14.2 allows."""
        self.assertEqual(self.fetch("/", range="bytes=0-1,2-3,1-2")[2], INDEX)

    def test_installed_page(self) -> None:
        """The site serves every file that the installed page refers to."""
        self.assets = load_assets()
        self.serve(None, hsts=False)
        page = self.fetch("/")[2].decode()
        paths = {path.removeprefix(".") for path in re.findall(r"\./assets/[\w.-]+", page)}
        self.assertGreaterEqual(len(paths), 4)
        for path in paths:
            self.assertEqual(self.fetch(path)[0], 200, path)


class BelowAPathTests(WebCase):
    """A site whose page has a path of its own."""

    def setUp(self) -> None:
        """Create the site."""
        self.assets = ASSETS | load_schemas()
        self.serve(b"certificate", hsts=False, base="/a/calls/")

    def test_everything_is_below(self) -> None:
        """Page, assets, schemas, certificate and socket are below the path, and nothing is outside."""
        names = ("", "assets/engine.1.wasm", "schema/", "schema/signald.1.schema.json", "ca.crt")
        for name in names:
            self.assertEqual(self.fetch(f"/a/calls/{name}")[0], 200, name)
        self.assertIs(problem_code(self.fetch("/a/calls/ws")), ErrorCode.UPGRADE_REQUIRED)
        for path in (
            *(f"/{name}" for name in (*names, "ws")),
            "/a",
            "/a/",
            "/calls/",
            "//a/calls",
            "/a/calls//",
            "/A/calls/",
        ):
            self.assertIs(problem_code(self.fetch(path)), ErrorCode.NOT_FOUND, path)

    def test_websocket(self) -> None:
        """The WebSocket opens below the path alone, by the short way and by the general one."""
        for path, status in (("/a/calls/ws", 101), ("/ws", 404), ("/calls/ws", 404)):
            for headers in ({}, {"accept_language": "\xe9"}):
                endpoint = Endpoint(self.site, clock=self.clock)
                self.assertEqual(endpoint.upgrade(path, **headers), status, path)

    def test_whole_server(self) -> None:
        """OPTIONS for the whole server (RFC 9112 §3.2.4), as health checks send it, is answered below a path too."""
        self.assertEqual(self.fetch("*", "OPTIONS")[0], 204)
        self.assertEqual(self.fetch("/", "OPTIONS")[0], 404)

    def test_without_the_slash(self) -> None:
        """The path without its slash is redirected to the one with it, and the query stays."""
        for path, location in (
            ("/a/calls", "./calls/"),
            ("/a/calls?", "./calls/?"),
            ("/a/calls?a=/b&c=%0d%0aX:%20y", "./calls/?a=/b&c=%0d%0aX:%20y"),
            ("/a/c%61lls?//evil.example", "./c%61lls/?//evil.example"),
        ):
            for method in ("GET", "HEAD"):
                status, headers, body = self.fetch(path, method)
                self.assertEqual((status, headers["location"], body), (308, location, b""), path)
                self.assertEqual(headers["cache-control"], "no-cache")
                found = unquote(urljoin(f"https://h/x{path}", location).partition("?")[0])
                self.assertEqual(found, "https://h/x/a/calls/")
        self.assertIs(problem_code(self.fetch("/a/calls", "POST")), ErrorCode.METHOD_NOT_ALLOWED)


class CertificateTests(WebCase):
    """The site serves the local authority's certificate."""

    def test_der(self) -> None:
        """The certificate has the media type for which devices offer to install it."""
        status, headers, body = self.fetch("/ca.crt")
        self.assertEqual((status, body), (200, b"certificate"))
        self.assertEqual(headers["content-type"], "application/x-x509-ca-cert")

    def test_pem(self) -> None:
        """Programs that read PEM alone, as curl does, get the same certificate in that format (RFC 8555 §9.1)."""
        status, headers, body = self.fetch("/ca.pem")
        self.assertEqual((status, headers["content-type"]), (200, "application/pem-certificate-chain"))
        self.assertEqual(ssl.PEM_cert_to_DER_cert(body.decode()), b"certificate")

    def test_none(self) -> None:
        """Without a local authority the certificate's paths are answered with 404."""
        self.serve(None, hsts=True)
        for path in ("/ca.crt", "/ca.pem"):
            self.assertIs(problem_code(self.fetch(path)), ErrorCode.NOT_FOUND)


class SocketTests(WebCase):
    """The signaling socket's address."""

    def test_plain_request(self) -> None:
        """A plain request for the signaling socket is answered with 426 (RFC 9110 §15.5.22)."""
        response = self.fetch("/ws")
        self.assertIs(problem_code(response), ErrorCode.UPGRADE_REQUIRED)
        self.assertEqual(response[1]["upgrade"], "websocket")


class HeaderTests(WebCase):
    """Every response has the security headers."""

    def responses(self) -> list[dict[str, str]]:
        """Return the headers of one response of each kind."""
        root = self.site.resource
        root.putChild(b"broken", Broken())
        found = [
            self.fetch("/"),
            self.fetch("/", if_none_match='"index"'),
            self.fetch("/assets/engine.1.wasm"),
            self.fetch("/ca.crt"),
            self.fetch("/nothing"),
            self.fetch("/ws"),
            self.fetch("/", "POST"),
            self.fetch("/broken"),
        ]
        self.flushLoggedErrors(ArithmeticError)
        self.assertEqual([status for status, _, _ in found], [200, 304, 200, 200, 404, 426, 405, 500])
        return [headers for _, headers, _ in found]

    def test_security(self) -> None:
        """Every response has the security headers, and the software's name without a version."""
        for headers in self.responses():
            policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
            self.assertEqual(
                policy,
                {
                    "default-src": "'self'",
                    "script-src": "'self' 'wasm-unsafe-eval'",
                    "connect-src": "'self'",
                    "img-src": "'self' data: blob:",
                    "media-src": "'self' blob:",
                    "frame-ancestors": "'none'",
                    "base-uri": "'none'",
                    "form-action": "'none'",
                    "object-src": "'none'",
                },
            )
            permissions = dict(part.strip().split("=") for part in headers["permissions-policy"].split(","))
            for feature in ("camera", "microphone", "display-capture"):
                self.assertEqual(permissions[feature], "(self)")
            self.assertEqual(permissions["geolocation"], "()")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertEqual(headers["cross-origin-opener-policy"], "same-origin")
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")
            self.assertEqual(headers["server"], "signald")
            self.assertNotIn("strict-transport-security", headers)
            self.assertNotIn("set-cookie", headers)

    def test_in_a_frame(self) -> None:
        """With origins that may frame the page, these alone are its ancestors, and no other header of a file changes.

        The document may be shown by pages with an embedder policy too; other responses stay with the page's origin.
        """
        before = [self.fetch(path)[1] for path in ("/", "/assets/engine.1.wasm", "/nothing")]
        origins = [
            origin_from(text) for text in ("https://a.example", "http://localhost:8000", "https://b.example:8443")
        ]
        server = MemoryServer(assets=self.assets, origins=OriginRule.of(tls=True), embed_origins=origins)
        self.site, self.clock = server.site, server.clock
        after = [self.fetch(path)[1] for path in ("/", "/assets/engine.1.wasm", "/nothing")]
        for was, headers in zip(before, after, strict=True):
            policy = headers.pop("content-security-policy")
            listed = "frame-ancestors https://a.example http://localhost:8000 https://b.example:8443;"
            self.assertIn(listed, policy)
            self.assertEqual(policy.replace(listed, "frame-ancestors 'none';"), was.pop("content-security-policy"))
            self.assertNotIn("x-frame-options", headers)
        self.assertEqual(after[0].pop("cross-origin-embedder-policy"), "require-corp")
        self.assertEqual(after[0].pop("cross-origin-resource-policy"), "cross-origin")
        self.assertEqual(before[0].pop("cross-origin-resource-policy"), "same-origin")
        self.assertEqual(after, before)

    def test_for_all_origins(self) -> None:
        """Pages of other origins may load an asset that is meant for them, and no other one."""
        path = "/client.mjs"
        self.assets |= {path: evolve(self.assets["/"], path=path, for_all_origins=True)}
        self.serve(None, hsts=False)
        etag = self.fetch(path)[1]["etag"]
        for response in (self.fetch(path), self.fetch(path, "HEAD"), self.fetch(path, if_none_match=etag)):
            self.assertEqual(response[1]["access-control-allow-origin"], "*")
            self.assertEqual(response[1]["cross-origin-resource-policy"], "cross-origin")
        for headers in (self.fetch("/")[1], self.fetch("/nothing")[1], self.fetch(path, "POST")[1]):
            self.assertNotIn("access-control-allow-origin", headers)
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")

    def test_hsts(self) -> None:
        """Strict-Transport-Security is sent only if it is configured."""
        self.serve(None, hsts=True)
        self.assertEqual(self.fetch("/")[1]["strict-transport-security"], "max-age=31536000")
        self.assertEqual(self.fetch("/", "POST")[1]["strict-transport-security"], "max-age=31536000")


class FailureTests(WebCase):
    """An exception in a resource is an internal error."""

    def test_rendering(self) -> None:
        """The response is a problem document without details of the exception, which is logged once.

        The next request on the connection gets its response.
        """
        root = self.site.resource
        root.putChild(b"broken", Broken())
        for method in ("GET", "HEAD"):
            endpoint = Endpoint(self.site, clock=self.clock)
            endpoint.send(request("/broken", HOST, method=method))
            response = endpoint.response()
            self.assertEqual(response[0], 500)
            self.assertNotIn(b"secret", response[2])
            self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
            endpoint.send(request("/", HOST))
            self.assertEqual(endpoint.response()[2], INDEX)
        self.assertIs(problem_code(self.fetch("/broken")), ErrorCode.INTERNAL_ERROR)
        self.flushLoggedErrors(ArithmeticError)


class LogTests(WebCase):
    """Requests are not logged."""

    def test_silence(self) -> None:
        """No request is logged, neither with its address nor with its path."""
        events: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append(formatEvent(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.site.doStart()
        for path, method in (("/", "GET"), ("/", "HEAD"), ("/secret", "GET"), ("/secret", "POST"), ("/ws", "GET")):
            self.fetch(path, method)
        endpoint = Endpoint(self.site, CLIENT, self.clock)
        endpoint.send(b"GET /secret HTTP/1.1\r\n")
        clock = self.site.reactor
        assert isinstance(clock, Clock)
        clock.advance(60)
        self.site.doStop()
        self.assertEqual(events, [])
