"""Plays scripted exchanges with the Python signaling client, on CPython and on the page's MicroPython.

It imports nothing that MicroPython lacks. The results have the form of docs/behaviours.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import events, messages, negotiation_commands
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.rejoining import Rejoining
from signald_client.signaling.wire import FROM_SERVER, Message, read_value, to_plain

if TYPE_CHECKING:
    from typing import Any

    from signald_client.signaling.wire import Codec, Value

__all__ = ["play"]

REQUESTS: dict[str, Any] = {}
for _name in dir(messages):
    _class: Any = getattr(messages, _name)
    if getattr(_class, "type", "") and _class not in FROM_SERVER.values():
        REQUESTS[_class.type] = _class


class _Random:
    """Returns the numbers of a list in turn, again and again."""

    def __init__(self, numbers: list[float]) -> None:
        self._numbers = numbers
        self._next = 0

    def __call__(self) -> float:
        self._next += 1
        return self._numbers[(self._next - 1) % len(self._numbers)]


class _Player:
    """Plays the steps of one script."""

    def __init__(self, options: dict[str, Any], codec: Codec) -> None:
        self.connected: list[str] = options.get("connected", [])
        self._codec = codec
        random = _Random(options.get("random", [0.5]))
        self._client = SignalingClient(
            codec,
            random,
            options["instance"],
            options.get("agent"),
            options.get("features"),
            options.get("identity"),
            options.get("token"),
            lambda: self.connected,
        )
        self._rejoining = Rejoining(random)

    def results(self, step: dict[str, Any]) -> list[Any]:
        """Return the results of a step, in their plain form."""
        results: list[Any] = []
        for _ in range(step.get("times", 1)):
            results += self._run(step)
        return results

    def _run(self, step: dict[str, Any]) -> list[Any]:
        do, now, client = step["do"], step.get("at", 0), self._client
        if do == "connect":
            return self._plain(client.connect())
        if do == "disconnect":
            return self._plain(client.disconnect())
        if do == "opened":
            return self._plain(client.socket_opened(now))
        if do == "frame":
            text = step.get("text")
            if text is None:
                text = self._codec.dumps(_padded(step["frame"], step.get("pad")))
            return self._plain(client.frame_received(text, now))
        if do == "closed":
            return self._plain(client.socket_closed(step["code"], step.get("reason", ""), now))
        if do == "tick":
            return self._plain(client.tick(now))
        if do == "probe":
            return self._plain(client.probe_connection(now))
        if do == "send":
            plain = _padded(step["request"], step.get("pad"))
            return self._plain(client.send_request(read_value(REQUESTS[plain["type"]], plain)))
        if do == "connected":
            self.connected = step["users"]
            return []
        if do == "negotiate":
            return self._negotiate(step)
        if do == "return":
            return self._return(step, now)
        raise ValueError(do)

    def _negotiate(self, step: dict[str, Any]) -> list[Any]:
        negotiator: Any = self._client.negotiator(step["session"], step["user"])
        report = step["report"]
        if report == "needed":
            commands = negotiator.negotiation_needed()
        elif report == "restart-ice":
            commands = negotiator.restart_ice()
        elif report == "local-set":
            commands = negotiator.local_description_set(step["sdp"])
        elif report == "remote-set":
            commands = negotiator.remote_description_set()
        elif report == "failed":
            commands = negotiator.operation_failed("OperationError", "It failed.")
        elif report == "candidate":
            commands = negotiator.local_candidate(step["candidate"])
        elif report == "flush":
            commands = negotiator.flush_candidates()
        elif report == "continue":
            commands = negotiator.continue_negotiation()
        else:
            raise ValueError(report)
        return [{"command": _command(command)} for command in commands]

    def _return(self, step: dict[str, Any], now: float) -> list[Any]:
        report = step["report"]
        if report == "start":
            self._rejoining.start(now)
        elif report == "refused":
            return [{"again": self._rejoining.refused(step["code"], now)}]
        elif report == "tick":
            return [{"todo": self._rejoining.tick(now)}]
        return []

    def _plain(self, results: list[Value]) -> list[Any]:
        return [self._plain_result(result) for result in results]

    def _plain_result(self, result: Any) -> dict[str, Any]:
        if isinstance(result, events.SendFrame):
            return {"send": self._codec.loads(result.text)}
        if isinstance(result, events.CloseSocket):
            return {"close": [result.code, result.reason]}
        if isinstance(result, events.ConnectAfter):
            return {"connect": result.seconds}
        if isinstance(result, events.StoreIdentity):
            return {"store": None if result.text is None else self._codec.loads(result.text)}
        if isinstance(result, events.Negotiate):
            commands = [_command(command) for command in result.commands]
            return {"negotiate": [result.session, result.user, commands]}
        if isinstance(result, Message):
            return {"event": to_plain(result)}
        if isinstance(result, events.Refused):
            event = {"code": result.code, "about": result.about, "session": result.session, "user": result.user}
            return _event("refused", event)
        if isinstance(result, events.Interrupted):
            return _event("interrupted", {"seconds": result.seconds})
        if isinstance(result, events.Resumed):
            return _event("resumed", {"survival": result.survival})
        if isinstance(result, events.Disconnected):
            return _event("disconnected", {"code": result.code, "reason": result.reason})
        if isinstance(result, events.Dropped):
            return _event("dropped", {"messages": [_without_id(message) for message in result.messages]})
        return _event("invalid-message", {})


def play(scripts: list[Any], codec: Codec) -> list[Any]:
    """Return the results of every step of every script."""
    played = []
    for script in scripts:
        player = _Player(script["client"], codec)
        played.append([player.results(step) for step in script["steps"]])
    return played


def _event(type_: str, keys: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {"type": type_}
    event.update(keys)
    return {"event": event}


def _without_id(message: Message) -> dict[str, Any]:
    return {key: value for key, value in to_plain(message).items() if key != "id"}


def _padded(plain: Any, pad: int | None) -> Any:
    """Return a message whose text `content` has so many characters; the message itself without a number."""
    if pad is None:
        return plain
    plain = dict(plain)
    plain["content"] = "x" * pad
    return plain


def _command(command: Any) -> dict[str, Any]:
    commands = negotiation_commands
    if isinstance(command, commands.CreateAndSetLocal):
        return {"type": "create-and-set-local", "kind": command.kind}
    if isinstance(command, commands.SetRemote):
        return {"type": "set-remote", "kind": command.type, "sdp": command.sdp, "rollback": command.rollback}
    if isinstance(command, commands.AddCandidate):
        return {"type": "add-candidate", "candidate": command.candidate}
    if isinstance(command, commands.RestartIce):
        return {"type": "restart-ice"}
    if isinstance(command, commands.SendRequest):
        return {"type": "send-request", "message": to_plain(command.message)}
    if isinstance(command, commands.FlushLater):
        return {"type": "flush-later", "seconds": command.seconds}
    return {"type": "negotiation-failed", "operation": command.operation, "name": command.name}
