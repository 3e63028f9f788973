"""The paths of the directory's clients: WebSockets, and requests for an unused id, the list of ids, and a banner."""

from __future__ import annotations

import math
from http import HTTPStatus

import orjson
from attrs import frozen
from twisted.web.resource import Resource
from twisted.web.server import Request

from signald.core.errors import ErrorCode
from signald.net.origins import read_host
from signald.server.factory import DirectoryFactory
from signald.server.problems import problem_of
from signald.server.site import SignalingSite
from signald.server.upgrade_request import ANY_NAME
from signald.server.web import Folder, SignalingRequest, SignalingResource

__all__ = ["LIST_SECONDS", "DirectoryPaths", "PathInUseError", "add_directory", "add_rooms", "rooms_path"]

LIST_SECONDS = 1.0
"""Seconds for which the encoded list of ids is sent again: that of 18,000 clients has 700 kB, and anybody may ask."""


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
    lists_ids: bool,
) -> None:
    """Serve the directory's clients on a site.

    Arguments:
        site: the site of the page's port.
        factory: makes their WebSockets.
        paths: where they are served; the page stays where it is, also if that is the base path.
        lists_ids: whether everybody may read the ids of all clients.

    Raises:
        PathInUseError: a path belongs to the page.

    """
    folder = _folder_at(site, paths.base)
    if paths.base != paths.page:
        _put(folder, "", _Banner(factory), paths.base)
    socket = _SocketFolder(factory)
    _put(folder, paths.socket, socket, paths.base)
    requests = _child_folder(folder, paths.key, paths.base)
    _put(requests, "id", _NewId(factory), paths.base)
    _put(requests, "peers", _Peers(factory, lists_ids=lists_ids), paths.base)
    site.websockets[paths.websocket] = factory


def rooms_path(base: str, name: str) -> str:
    """Return the path of the WebSockets in a folder of this name below a path; each is named like its room."""
    return f"{base}{name}/{ANY_NAME}"


def add_rooms(site: SignalingSite, factory: DirectoryFactory, base: str, name: str) -> None:
    """Serve clients in rooms on a site.

    Arguments:
        site: the site of the page's port.
        factory: makes their WebSockets.
        base: the path of the page, which ends with a slash.
        name: the name below it of the folder whose names are rooms.

    Raises:
        PathInUseError: the folder's path is in use.

    """
    _put(_folder_at(site, base), name, _RoomFolder(factory), base)
    site.websockets[rooms_path(base, name)] = factory


def _folder_at(site: SignalingSite, base: str) -> Resource:
    """Return the folder of a path that ends with a slash; folders that there are not are made."""
    folder: Resource = site.resource
    for name in base.split("/")[1:-1]:
        folder = _child_folder(folder, name, base)
    return folder


def _child_folder(parent: Resource, name: str, base: str) -> Resource:
    """Return the folder of this name, which is made if there is none."""
    child = parent.children.get(name.encode())
    if child is None:
        child = Folder()
        parent.putChild(name.encode(), child)
    if not isinstance(child, Folder):
        raise PathInUseError(f"{base}{name}")
    return child


def _put(folder: Resource, name: str, resource: Resource, base: str) -> None:
    if name.encode() in folder.children:
        raise PathInUseError(f"{base}{name}")
    folder.putChild(name.encode(), resource)


class _SocketFolder(Folder):
    """The WebSocket, which is a folder too where the key has the same name."""

    def __init__(self, factory: DirectoryFactory) -> None:
        super().__init__()
        self._socket = SignalingResource(factory)

    def render(self, request: SignalingRequest) -> bytes | int:
        """Open the WebSocket."""
        return self._socket.render(request)


class _RoomFolder(Folder):
    """The folder of the rooms: every name in it is a WebSocket."""

    def __init__(self, factory: DirectoryFactory) -> None:
        super().__init__()
        self._socket = _SocketFolder(factory)

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the WebSocket, which reads the name itself; the empty name is no room."""
        return self._socket if path else Folder()


class _OpenResource(Resource):
    """A resource that pages of the allowed origins may read (Fetch §3.2.5, "CORS check")."""

    isLeaf = True

    def __init__(self, factory: DirectoryFactory) -> None:
        super().__init__()
        self._port = factory.signaling_port

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send the response of `answer`; a path below this one is answered with 404."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        self._allow_origin(request)
        return self.answer(request)

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Respond to a request; the result is that of `render`.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    def _allow_origin(self, request: SignalingRequest) -> None:
        """Name the request's origin in the response if it is allowed."""
        headers = request.requestHeaders
        # For a name that is text Twisted decodes the values as UTF-8, and raises where they are not.
        origins = [value.decode("latin-1") for value in headers.getRawHeaders(b"origin", [])]
        host = read_host([value.decode("latin-1") for value in headers.getRawHeaders(b"host", [])])
        request.setHeader("Vary", "Origin")
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("Cross-Origin-Resource-Policy", "cross-origin")
        if origins and host is not None and self._port.rule.origins.allows(origins[0], host):
            request.setHeader("Access-Control-Allow-Origin", origins[0])


class _Banner(_OpenResource):
    """Says what answers here."""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send the banner."""
        request.setHeader("Content-Type", "application/json")
        return request.send(orjson.dumps({"name": "signald", "description": "A server for clients of PeerJS."}))


class _NewId(_OpenResource):
    """An id that nobody has."""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send an id that is random."""
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        return request.send(self._port.make_id().encode())


class _Peers(_OpenResource):
    """The ids of all connected clients, where the operator allows everybody to read them."""

    def __init__(self, factory: DirectoryFactory, *, lists_ids: bool) -> None:
        super().__init__(factory)
        self._lists_ids = lists_ids
        self._list = b""
        self._list_at = -math.inf

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send the list, or 401, by which PeerJS's client knows that it is off."""
        if not self._lists_ids:
            code = ErrorCode.NOT_PERMITTED
            status = HTTPStatus.UNAUTHORIZED
            return request.send_problem(status, problem_of(status, code.value, code.sentence))
        request.setHeader("Content-Type", "application/json")
        now = self._port.clock.seconds()
        if now >= self._list_at + LIST_SECONDS:
            self._list, self._list_at = orjson.dumps(list(self._port.directory.directory.clients)), now
        return request.send(self._list)
