"""Generates the JSON Schema and the AsyncAPI document of the native protocol from the message classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from attrs import NOTHING, Attribute, resolve_types

from codegen.message_fields import summary
from signald import __version__
from signald.core.errors import ErrorCode
from signald.core.ids import SESSION_SYMBOLS, USER_SYMBOLS
from signald.core.messages import Ack, Count, Error, Instance, Request, RequestId, Secret, SessionId, UserId
from signald.dialects.native import EVENTS, NESTED, REQUESTS, key, wire_fields

FOLDER = Path(__file__).parents[1] / "signald" / "schema"
SCHEMA = FOLDER / "signald.1.schema.json"
ASYNCAPI = FOLDER / "signald.1.asyncapi.json"

Json = dict[str, Any]

_MOST_WHOLE = 2**31 - 1
_MOST_COUNT = 2**53 - 1


def _symbols(length: int) -> Json:
    """Return the schema of a text in Crockford's base 32."""
    # The length is given twice, since `$` in Python's regular expressions also matches before a final line break.
    return {"type": "string", "pattern": f"^[0-9A-HJKMNP-TV-Z]{{{length}}}$", "maxLength": length}


_IDS: dict[Any, Json] = {
    UserId: _symbols(USER_SYMBOLS),
    RequestId: {"type": "string", "minLength": 1, "maxLength": 64},
    Instance: {"type": "string", "minLength": 1, "maxLength": 64},
    Secret: {"type": "string", "maxLength": 64},
    Count: {"type": "integer", "minimum": 0, "maximum": _MOST_COUNT},
}
_SESSION_SAID: Json = {"type": "string", "maxLength": 64}
_SESSION_HEARD = _symbols(SESSION_SYMBOLS)


def schema() -> Json:
    """Return the JSON Schema (draft 2020-12). A message is a request or an event; each class has a definition."""
    requests = {type_: _message(type_, class_, strict=True) for type_, class_ in REQUESTS.items()}
    events = {type_: _message(type_, class_, strict=False) for class_, type_ in EVENTS.items()}
    events["error"] = _error()
    nested = {class_.__name__: _object(class_, strict=False) for class_ in NESTED}
    said = {f"{class_.__name__}-said": _object(class_, strict=True) for class_ in NESTED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:signald:signald.1",
        "title": "signald.1",
        "description": f"The native protocol of signald {__version__}; docs/protocol.md is normative.",
        # The schema does not use `oneOf`, since an ack is both a request and an event.
        "anyOf": [{"$ref": "#/$defs/request"}, {"$ref": "#/$defs/event"}],
        "$defs": {
            "request": {"oneOf": [{"$ref": f"#/$defs/request-{type_}"} for type_ in requests]},
            "event": {"oneOf": [{"$ref": f"#/$defs/event-{type_}"} for type_ in events]},
            **{f"request-{type_}": body for type_, body in requests.items()},
            **{f"event-{type_}": body for type_, body in events.items()},
            **said,
            **nested,
        },
    }


def asyncapi() -> Json:
    """Return the AsyncAPI 3.0 document: one channel with the messages that a client sends and receives."""
    definitions = schema()["$defs"]
    sent = [f"request-{type_}" for type_ in REQUESTS]
    received = [f"event-{type_}" for type_ in (*EVENTS.values(), "error")]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "signald.1",
            "version": __version__,
            "description": "WebRTC signaling over a WebSocket with the subprotocol signald.1.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "signald": {
                "host": "localhost:9000",
                "protocol": "wss",
                "description": "A server of your own. The path of its page, if it has one, precedes the address.",
            }
        },
        "channels": {
            "signaling": {
                "address": "/ws",
                "description": "Sec-WebSocket-Protocol is signald.1; each text message is one JSON object.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*sent, *received)},
            }
        },
        "operations": {
            "ask": {
                # The actions are those of the documented application, the server: it receives what clients send.
                "action": "receive",
                "channel": {"$ref": "#/channels/signaling"},
                "messages": [{"$ref": f"#/channels/signaling/messages/{name}"} for name in sent],
            },
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/signaling"},
                "messages": [{"$ref": f"#/channels/signaling/messages/{name}"} for name in received],
            },
        },
        "components": {
            "messages": {
                name: {
                    "name": name.partition("-")[2],
                    "summary": definitions[name]["description"],
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for name in (*sent, *received)
            },
            "schemas": {
                name: _with_moved_references(body)
                for name, body in definitions.items()
                if name not in ("request", "event")
            },
        },
    }


def write() -> Iterable[Path]:
    """Write both documents and yield their paths."""
    FOLDER.mkdir(exist_ok=True)
    for path, document in ((SCHEMA, schema()), (ASYNCAPI, asyncapi())):
        path.write_text(text(document), encoding="utf-8")
        yield path


def text(document: Json) -> str:
    """Return a document as JSON text, formatted as in its file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _message(type_: str, class_: Any, strict: bool) -> Json:
    body = _object(class_, strict)
    body["properties"] = {"type": {"const": type_}, **body["properties"]}
    body["required"] = ["type", *body["required"]]
    return body


def _object(class_: Any, strict: bool) -> Json:
    """Return the schema of a class's objects; `strict` is for those that a client sends, whose values have bounds.

    Surplus keys are valid in both directions, since each side ignores the keys that it does not know.
    """
    resolve_types(class_)
    # An ack has a request id only if a client sends it.
    attributes = [a for a in wire_fields(class_) if strict or class_ is not Ack or a.name != "id"]
    meanings = _meanings(class_)
    return {
        "type": "object",
        "description": summary(class_),
        "properties": {key(a.name): _property(a, meanings.get(a.name), strict) for a in attributes},
        "required": [key(a.name) for a in attributes if _is_required(a, strict)],
    }


def _property(attribute: Attribute[Any], meaning: str | None, strict: bool) -> Json:
    """Return the schema of a field: its values, its meaning, and its default."""
    body = _value(attribute.type, attribute.metadata, strict)
    if "$ref" in body:  # AsyncAPI allows nothing beside a reference.
        return body
    if meaning is not None:
        body = {**body, "description": meaning}
    if attribute.default not in (NOTHING, None):
        body = {**body, "default": attribute.default}
    return body


def _meanings(class_: Any) -> dict[str, str]:
    """Return the descriptions in the Attributes section of a class's docstring, by attribute name."""
    found: dict[str, str] = {}
    for line in (class_.__doc__ or "").partition("Attributes:\n")[2].splitlines():
        names, colon, meaning = line.strip().partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), meaning)
    return found


def _is_required(attribute: Attribute[Any], strict: bool) -> bool:
    # None as the receiver or the negotiation occurs only in dialects without addresses, so the key is required here.
    return attribute.default is NOTHING and (strict or NoneType not in get_args(attribute.type))


def _error() -> Json:
    codes = [code.value for code in ErrorCode]
    return {
        "type": "object",
        "description": summary(Error),
        "properties": {
            "type": {"const": "error"},
            "code": {"type": "string", "examples": codes},
            "message": {"type": "string"},
            "about": {"enum": list(REQUESTS)},
            "session": _SESSION_HEARD,
            "id": _IDS[RequestId],
        },
        "required": ["type", "code", "message"],
    }


def _value(type_: Any, bounds: Mapping[str, int], strict: bool) -> Json:
    """Return the schema of a field's values."""
    if type_ in _IDS:
        return _IDS[type_]
    if type_ is SessionId:
        return _SESSION_SAID if strict else _SESSION_HEARD
    inner = [argument for argument in get_args(type_) if argument not in (NoneType, Ellipsis)]
    if get_origin(type_) is tuple:
        return {"type": "array", "items": _value(inner[0], {}, strict)} | _sizes("Items", bounds)
    if inner and type_ != type[Request]:
        return _value(inner[0], bounds, strict)
    if type_ is bool:
        return {"type": "boolean"}
    if type_ is int:
        return {"type": "integer", "minimum": bounds.get("least", 0), "maximum": bounds.get("most", _MOST_WHOLE)}
    if type_ is float:
        return {"type": "number", "minimum": 0}
    if type_ is str:
        return {"type": "string"} | _sizes("Length", bounds)
    if issubclass(type_, Enum):
        return {"enum": [member.value for member in type_]}
    return {"$ref": f"#/$defs/{type_.__name__}{'-said' if strict else ''}"}


def _sizes(what: str, bounds: Mapping[str, int]) -> Json:
    sizes = {f"max{what}": bounds["most"]} if "most" in bounds else {}
    return sizes | ({f"min{what}": bounds["least"]} if bounds.get("least") else {})


def _with_moved_references(body: Any) -> Any:
    """Return a definition with its references rewritten to AsyncAPI's path for schemas."""
    if isinstance(body, dict):
        return {
            name: value.replace("#/$defs/", "#/components/schemas/")
            if name == "$ref"
            else _with_moved_references(value)
            for name, value in body.items()
        }
    return [_with_moved_references(item) for item in body] if isinstance(body, list) else body
