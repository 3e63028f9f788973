"""The plain HTTP requests of the directory's clients: an unused id, the list of ids, and a banner."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from http import HTTPStatus

import orjson
from attrs import frozen
from twisted.web.resource import Resource

from signald.core.errors import ErrorCode
from signald.net.origins import read_host
from signald.server.factory import DirectoryFactory
from signald.server.problems import problem_of
from signald.server.site import SignalingSite
from signald.server.web import Folder, SignalingRequest, SignalingResource

__all__ = ["LIST_SECONDS", "DirectoryPaths", "PathInUseError", "add_directory"]

LIST_SECONDS = 1.0
"""Seconds for which the encoded list of ids is sent again: that of 18,000 clients has 700 kB, and anybody may ask."""

_ID_BYTES = 16
"""Random bytes of an id that the server chooses (RFC 9562 §5.4)."""


class PathInUseError(Exception):
    """A path of the directory belongs to the page already; the text is the path."""


@frozen
class DirectoryPaths:
    """The paths of the directory.

    Attributes:
        base: the base path, below that of the page; it ends with a slash.
        socket: the name of the WebSocket below it.
        key: the name below it of the folder with the other requests.
        page: the path of the page, which ends with a slash.

    """

    base: str
    socket: str
    key: str
    page: str = "/"

    @property
    def websocket(self) -> str:
        """The path of the WebSocket."""
        return self.base + self.socket


def add_directory(
    site: SignalingSite,
    factory: DirectoryFactory,
    paths: DirectoryPaths,
    *,
    random_bytes: Callable[[int], bytes],
    lists_ids: bool,
) -> None:
    """Serve the directory's clients on a site.

    Arguments:
        site: the site of the page's port.
        factory: makes their WebSockets.
        paths: where they are served; the page stays where it is, also if that is the base path.
        random_bytes: returns so many random bytes, for the ids that the server chooses.
        lists_ids: whether everybody may read the ids of all clients.

    Raises:
        PathInUseError: a path belongs to the page.

    """
    folder: Resource = site.resource
    for name in paths.base.split("/")[1:-1]:
        folder = _child_folder(folder, name, paths)
    if paths.base != paths.page:
        _put(folder, "", _Banner(factory), paths)
    socket = _SocketFolder(factory)
    _put(folder, paths.socket, socket, paths)
    requests = _child_folder(folder, paths.key, paths)
    _put(requests, "id", _NewId(factory, random_bytes), paths)
    _put(requests, "peers", _Peers(factory, lists_ids=lists_ids), paths)
    site.websockets[paths.websocket] = factory


def _child_folder(parent: Resource, name: str, paths: DirectoryPaths) -> Resource:
    """Return the folder of this name, which is made if there is none."""
    child = parent.children.get(name.encode())
    if child is None:
        child = Folder()
        parent.putChild(name.encode(), child)
    if not isinstance(child, Folder):
        raise PathInUseError(f"{paths.base}{name}")
    return child


def _put(folder: Resource, name: str, resource: Resource, paths: DirectoryPaths) -> None:
    if name.encode() in folder.children:
        raise PathInUseError(f"{paths.base}{name}")
    folder.putChild(name.encode(), resource)


class _SocketFolder(Folder):
    """The WebSocket, which is a folder too where the key has the same name."""

    def __init__(self, factory: DirectoryFactory) -> None:
        super().__init__()
        self._socket = SignalingResource(factory)

    def render(self, request: SignalingRequest) -> bytes | int:
        """Open the WebSocket."""
        return self._socket.render(request)


class _OpenResource(Resource):
    """A resource that pages of the allowed origins may read (Fetch §3.2.5, "CORS check")."""

    isLeaf = True

    def __init__(self, factory: DirectoryFactory) -> None:
        super().__init__()
        self._port = factory.signaling_port

    def allow_origin(self, request: SignalingRequest) -> bool:
        """Name the request's origin in the response if it is allowed; returns whether the path is exactly this one."""
        if request.postpath:
            return False
        headers = request.requestHeaders
        # For a name that is text Twisted decodes the values as UTF-8, and raises where they are not.
        origins = [value.decode("latin-1") for value in headers.getRawHeaders(b"origin", [])]
        host = read_host([value.decode("latin-1") for value in headers.getRawHeaders(b"host", [])])
        request.setHeader("Vary", "Origin")
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("Cross-Origin-Resource-Policy", "cross-origin")
        if origins and host is not None and self._port.rule.origins.allows(origins[0], host):
            request.setHeader("Access-Control-Allow-Origin", origins[0])
        return True


class _Banner(_OpenResource):
    """Says what answers here."""

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send the banner."""
        if not self.allow_origin(request):
            return request.send_error(ErrorCode.NOT_FOUND)
        request.setHeader("Content-Type", "application/json")
        return request.send(orjson.dumps({"name": "signald", "description": "A server for clients of PeerJS."}))


class _NewId(_OpenResource):
    """An id that nobody has."""

    def __init__(self, factory: DirectoryFactory, random_bytes: Callable[[int], bytes]) -> None:
        super().__init__(factory)
        self._random_bytes = random_bytes

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send a random UUID; that somebody else has it is less likely than a fault of the memory."""
        if not self.allow_origin(request):
            return request.send_error(ErrorCode.NOT_FOUND)
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        return request.send(str(uuid.UUID(bytes=self._random_bytes(_ID_BYTES), version=4)).encode())


class _Peers(_OpenResource):
    """The ids of all connected clients, where the operator allows everybody to read them."""

    def __init__(self, factory: DirectoryFactory, *, lists_ids: bool) -> None:
        super().__init__(factory)
        self._lists_ids = lists_ids
        self._list = b""
        self._list_at = -math.inf

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send the list, or 401, by which PeerJS's client knows that it is off."""
        if not self.allow_origin(request):
            return request.send_error(ErrorCode.NOT_FOUND)
        if not self._lists_ids:
            code = ErrorCode.NOT_PERMITTED
            status = HTTPStatus.UNAUTHORIZED
            return request.send_problem(status, problem_of(status, code.value, code.sentence))
        request.setHeader("Content-Type", "application/json")
        now = self._port.clock.seconds()
        if now >= self._list_at + LIST_SECONDS:
            self._list, self._list_at = orjson.dumps(list(self._port.directory.directory.clients)), now
        return request.send(self._list)
