"""Tests that all private names of Twisted, Autobahn and pyOpenSSL that signald uses are listed, and that they exist."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.epollreactor import EPollReactor
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel

import signald
import signald_client
from signald.server.compaction import HANDSHAKE_NAMES, INITIAL_VALUES

PRIVATE_NAMES: dict[type, dict[str, str]] = {
    WebSocketServerFactory: {
        "_batched_timer": "replaced: it rounds down to whole seconds and runs on the global reactor",
    },
    WebSocketServerProtocol: {
        **dict.fromkeys(INITIAL_VALUES, "shared by all connections while it has its initial value"),
        **dict.fromkeys(HANDSHAKE_NAMES, "dropped after the opening handshake: it would be most of an idle connection"),
        "CONFIG_ATTRS": "emptied: Autobahn would format all options as text for each connection, in 0.12 ms",
        "_connectionLost": "called: the methods of the adapter and of the server format lines for the log in 20 µs",
        "_connectionMade": "called: likewise, in 30 µs",
        "closeHandshakeTimeoutCall": "cancelled: Autobahn forgets it when the connection is lost",
        "consumeData": "called: it goes on with buffered input when the connection's turn has come",
        "current_frame": "read and set: whether the parser is between frames",
        "data": "read, appended to and emptied: the input that is not parsed yet",
        "dropConnection": "overridden: the output is bounded until the transport is closed",
        "failHandshake": "overridden: a refusal is answered with problem details",
        "failedByMe": "read and set: nothing is kept of what follows a failure",
        "http_headers": "read for the reflection, and set where Autobahn parses no request",
        "inside_message": "read and set: the deadline of a message runs while one is incomplete",
        "localCloseCode": "read: a close code that blames the peer counts as an offence",
        "message_data": "emptied: what arrived of a refused message is freed before the peer answers the close frame",
        "message_data_total_length": "read: a message is refused at the header of the frame that makes it too long",
        "onFrameData": "overridden: nothing is kept after a failure",
        "onMessageBegin": "overridden: binary messages are refused at their beginning",
        "onMessageFrameBegin": "overridden: bounds are checked at the frame's header",
        "onOpenHandshakeTimeout": "overridden: the limit is counted",
        "processData": "overridden: the parsing steps per read and after a close frame are bounded",
        "remoteCloseCode": "read: it tells why the client left",
        "sendCloseFrame": "called: sendClose takes no close code below 3000 but 1000",
        "sendData": "overridden: the output is bounded in bytes and in time",
        "state": "read, and set after an opening handshake that Autobahn has not parsed: there is no other way",
        "wasClean": "read: after an orderly handshake Autobahn would abort, and our close frame would be lost",
        "websocket_version": "set: Autobahn handles messages and close frames by it",
    },
    HTTPChannel: {
        "_command": "read: the method, before there is a request",
        "_path": "read: the target, before there is a request",
        "_receivedHeaderCount": "read: a request with too many headers is refused with 431",
        "_receivedHeaderSize": "read: likewise for their bytes",
        "_version": "read: HTTP/1.0 needs no Host header",
        "_respondToBadRequestAndDisconnect": "overridden: a refusal is answered with problem details",
        "allContentReceived": "overridden: a refused request is not processed",
        "allHeadersReceived": "overridden: a request is checked before anything of it is kept",
        "checkPersistence": "overridden: while draining each response is the last one",
        "maxHeaders": "set: Twisted would read 500 headers",
        "persistent": "set: the connection closes after the response",
        "requestDone": "overridden: the deadline of the next request begins",
        "requests": "read: whether a request is under way",
    },
    FileDescriptor: {
        "_tempDataBuffer": "read: whether the kernel has taken everything",
        "dataBuffer": "read: how far the transport is in sending",
        "offset": "read: likewise",
    },
    tcp.Server: {
        "_aborting": "read: nothing is sent after an abort",
        "doRead": "overridden: the output of the protocol is sent at the end of a read",
        "doWrite": "called: it sends what was written during a read, resumes the producer and closes",
        "readConnectionLost": "overridden: our own close at the end of a read is not the peer's",
    },
    tcp.Port: {
        "doRead": "replaced: a round accepts a bounded number of connections",
        "numberAccepts": "set: that number, which Twisted adapts",
        "_logger": "replaced: what a port logs has addresses in it, and a flood of accept errors would flood the log",
        "transport": "replaced: the class of the transports of accepted connections",
    },
    EPollReactor: {
        "_disconnectSelectable": "called: it closes a connection that a read has ended",
        "_doReadOrWrite": "called: it handles all events but those of bytes for our transports",
        "_pendingTimedCalls": "read: when the next delayed call is due",
        "_poller": "read: the `select.epoll` that is asked for events",
        "_newTimedCalls": "read: a delayed call was added, so that the next timeout has to be computed",
        "_selectables": "read: the descriptor's transport",
        "_stopped": "read: the reactor is to end its loop",
        "threadCallQueue": "read: a thread has asked for a call",
        "doPoll": "overridden: bytes reach our transports without a log context",
    },
    TLSMemoryBIOFactory: {
        "_creatorCallable": "called: it makes the OpenSSL connection of a transport",
    },
    TLSMemoryBIOProtocol: {
        "_aborted": "read and set: nothing is delivered after an abort",
        "_appSendBuffer": "set and read: what was written before the end of the handshake",
        "_bufferedWrite": "called: it keeps what is written before the end of the handshake",
        "_checkHandshakeStatus": "called: it begins the handshake",
        "_flushReceiveBIO": "overridden: each record is read once",
        "_flushSendBIO": "overridden: all output is taken at once, without an exception where there is none",
        "_handshakeDone": "read: records of plaintext follow",
        "_lostTLSConnection": "read and set: nothing can be encrypted any more",
        "_shutdownTLS": "called: it answers the peer's closing alert",
        "_tlsConnection": "set and read: the OpenSSL connection",
        "_tlsShutdownFinished": "called: it sends the alert of an error and closes the transport below",
        "_write": "overridden: records are sent at once",
    },
    SSL.Connection: {
        "_from_ssl": "replaced: a buffer of what OpenSSL has to send never shrinks",
        "_into_ssl": "replaced: a buffer of what OpenSSL has to read never shrinks",
        "_raise_ssl_error": "called: it tells why a call of OpenSSL failed",
        "_ssl": "read: OpenSSL's own object",
    },
}
"""The names that a library's documentation does not promise, by class, with signald's use of each."""

READERS: dict[type, tuple[str, ...]] = {
    FileDescriptor: ("signald.server.output",),
    WebSocketServerProtocol: ("signald.server.compaction",),
    tcp.Port: ("signald.server.listening",),
    SSL.Connection: ("signald.tls.memory_bio",),
    TLSMemoryBIOFactory: ("signald.tls.tls_transport",),
}
"""The modules that read names of a class from objects which are not signald's own; the other names belong to `self`."""

PRIVATE_MODULES = {
    "OpenSSL._util": "lib and ffi: OpenSSL's functions, called with buffers that are made once",
    "twisted.internet._resolver": "GAIResolver, to be given a thread pool whose threads do not hold up the end",
}
"""The modules of the libraries whose names begin with an underscore, with the reason why signald imports them."""

LIBRARIES = ("OpenSSL", "autobahn", "twisted", "txaio")

LISTED = {name for names in PRIVATE_NAMES.values() for name in names}


def modules() -> Iterator[ModuleType]:
    """Yield every module of the server and the client."""
    for package in (signald, signald_client):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


@cache
def nodes_of(module: str) -> list[ast.AST]:
    """Return all nodes of the syntax tree of an imported module."""
    path = sys.modules[module].__file__
    assert path is not None
    return list(ast.walk(ast.parse(Path(path).read_bytes())))


@cache
def body_of(class_: type) -> list[ast.AST]:
    """Return all nodes of a class's definition."""
    definitions = (node for node in nodes_of(class_.__module__) if isinstance(node, ast.ClassDef))
    return [node for found in definitions if found.name == class_.__name__ for node in ast.walk(found)]


def is_private(name: str) -> bool:
    """Return whether a name begins with one underscore and is not a documented name of an enum such as `_value_`."""
    return name.startswith("_") and not name.endswith("_")


def is_of_self(node: ast.Attribute) -> bool:
    """Return whether an attribute belongs to `self`, `cls` or `super()`."""
    owner = node.value.func if isinstance(node.value, ast.Call) else node.value
    return isinstance(owner, ast.Name) and owner.id in ("self", "cls", "super")


@cache
def attributes_of(class_: type) -> set[str]:
    """Return the names that a class defines or assigns to `self`."""
    assigned = {
        node.attr
        for node in body_of(class_)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_of_self(node)
    }
    return assigned | set(vars(class_))


def names_of_library(class_: type) -> set[str]:
    """Return the names that a class has from those of its bases, itself included, that belong to the libraries."""
    bases = (base for base in class_.__mro__ if base.__module__.partition(".")[0] in LIBRARIES)
    return set[str]().union(*map(attributes_of, bases))


def names_used_of(class_: type) -> set[str]:
    """Return the names that signald's subclasses of a class use, or the modules that read names of its objects."""
    nodes = [node for module in READERS.get(class_, ()) for node in nodes_of(module)]
    for module in modules():
        for value in vars(module).values():
            if isinstance(value, type) and class_ in value.__mro__ and value.__module__ == module.__name__:
                nodes += body_of(value)
    used = set[str]()
    for node in nodes:
        match node:
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.Name(id=name):
                used.add(name)
            case ast.Constant(value=str() as name):
                used.add(name)
    return used


class PrivateNameTests(SynchronousTestCase):
    """An upgrade of Twisted, Autobahn or pyOpenSSL that removes a private name is detected."""

    def test_every_listed_name_exists(self) -> None:
        """A name that was removed or renamed is reported with its class and signald's use of the name."""
        gone = [
            f"{class_.__qualname__}.{name}: {reason}"
            for class_, names in PRIVATE_NAMES.items()
            for name, reason in names.items()
            if name not in names_of_library(class_)
        ]
        self.assertEqual(gone, [])

    def test_every_listed_module_exists(self) -> None:
        """A private module that was removed raises ImportError with its name."""
        for name in PRIVATE_MODULES:
            importlib.import_module(name)

    def test_every_listed_name_is_used(self) -> None:
        """A listed name that signald's subclasses no longer use fails the test, so that it is removed from the list."""
        unused = {
            f"{class_.__qualname__}.{name}"
            for class_, names in PRIVATE_NAMES.items()
            for name in names.keys() - names_used_of(class_)
        }
        self.assertEqual(unused, set())

    def test_uses_elsewhere_do_not_count(self) -> None:
        """A name of which only a class without the listed base makes use counts as unused."""
        self.assertIn("maxHeaders", names_used_of(HTTPChannel))
        self.assertNotIn("maxHeaders", names_used_of(WebSocketServerProtocol))

    def test_subclasses_use_listed_names_alone(self) -> None:
        """A private name of a library's base class that one of our classes overrides or reads is listed."""
        found = list[str]()
        for module in modules():
            own = (value for value in vars(module).values() if isinstance(value, type))
            for class_ in own:
                if class_.__module__ != module.__name__:
                    continue
                inherited = {name for name in names_of_library(class_) if is_private(name)} - LISTED
                used = {node.attr for node in body_of(class_) if isinstance(node, ast.Attribute) and is_of_self(node)}
                found += [f"{class_.__qualname__}.{name}" for name in inherited & (used | set(vars(class_)))]
        self.assertEqual(found, [])

    def test_other_objects_are_asked_for_listed_names_alone(self) -> None:
        """A private attribute of an object other than `self` is defined by our own code, or listed."""
        nodes = {module.__name__: nodes_of(module.__name__) for module in modules()}
        own = set[str]()
        for module_nodes in nodes.values():
            for node in module_nodes:
                match node:
                    case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                        own.add(name)
                    case ast.Attribute(attr=name, ctx=ast.Store()) if is_of_self(node):
                        own.add(name)
                    case ast.Name(id=name, ctx=ast.Store()):
                        own.add(name)
        found = [
            f"{module}:{node.lineno} {ast.unparse(node)}"
            for module, module_nodes in nodes.items()
            for node in module_nodes
            if isinstance(node, ast.Attribute)
            and is_private(node.attr)
            and not is_of_self(node)
            and node.attr not in own | LISTED
            and ast.unparse(node) != "sys._current_frames"  # documented by Python
        ]
        self.assertEqual(found, [])

    def test_private_modules_are_listed(self) -> None:
        """A private module of the libraries is imported only if it is listed."""
        found = [
            f"{module.__name__}:{node.lineno} {node.module}"
            for module in modules()
            for node in nodes_of(module.__name__)
            if isinstance(node, ast.ImportFrom)
            and node.module is not None
            and node.module.partition(".")[0] in LIBRARIES
            and ("._" in node.module or any(is_private(name.name) for name in node.names))
            and node.module not in PRIVATE_MODULES
        ]
        self.assertEqual(found, [])
