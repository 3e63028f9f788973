"""The checks of the connectivity test, their outcomes and what follows. The caller passes the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import extra_texts

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Check",
    "Checks",
    "answer",
    "milliseconds",
    "stun_outcome",
    "stun_servers",
    "turn_outcome",
    "turn_servers",
]

# These are the checks, in the order in which they run.
CAMERA = "camera"
MICROPHONE = "microphone"
SERVER = "server"
STUN = "stun"
TURN = "turn"
CALL = "call"
ORDER = (CAMERA, MICROPHONE, SERVER, STUN, TURN, CALL)

NEEDS = {STUN: SERVER, TURN: SERVER, CALL: SERVER}
"""The check that each check depends on: the server names STUN and TURN servers, and relays the signaling of the call.
"""

# These are the states of a check.
WAITING = "waiting"
RUNNING = "running"
PASSED = "passed"
WARNED = "warned"
FAILED = "failed"
SKIPPED = "skipped"

NEXT = {
    WAITING: (RUNNING, SKIPPED),
    RUNNING: (PASSED, WARNED, FAILED, SKIPPED),
    PASSED: (),
    WARNED: (),
    FAILED: (),
    SKIPPED: (),
}
"""The states that may follow a state."""

SECONDS = {CAMERA: 60.0, MICROPHONE: 60.0, SERVER: 12.0, STUN: 8.0, TURN: 12.0, CALL: 40.0}
"""The timeout of each check in seconds; that of a device includes the time in which the person answers the browser's
prompt."""

TIMEOUTS = {
    CAMERA: "late",
    MICROPHONE: "late",
    SERVER: "unreachable",
    STUN: "silent",
    TURN: "silent",
    CALL: "fails",
}
"""The outcome of each check that times out."""

OUTCOMES = {
    CAMERA: {
        "works": PASSED,
        "missing": WARNED,
        "dark": FAILED,
        "refused": FAILED,
        "busy": FAILED,
        "insecure": FAILED,
        "unsupported": FAILED,
        "late": FAILED,
    },
    MICROPHONE: {
        "works": PASSED,
        "missing": WARNED,
        "silent": WARNED,
        "unmeasured": WARNED,
        "refused": FAILED,
        "busy": FAILED,
        "insecure": FAILED,
        "unsupported": FAILED,
        "late": FAILED,
    },
    SERVER: {"works": PASSED, "refused": FAILED, "unreachable": FAILED},
    STUN: {"works": PASSED, "same": PASSED, "unnamed": WARNED, "some": WARNED, "silent": FAILED},
    TURN: {"works": PASSED, "unnamed": WARNED, "some": WARNED, "refused": FAILED, "silent": FAILED},
    CALL: {
        "works": PASSED,
        "relay-works": PASSED,
        "relay-fails": WARNED,
        "one-way": FAILED,
        "refused": FAILED,
        "fails": FAILED,
    },
}
"""The state that each outcome of each check leads to; the outcomes of devices include the problem codes of
`devices.Device`."""

REFUSALS = {CAMERA: "unsupported", MICROPHONE: "unsupported"}
"""The outcome of each check that the browser refuses unexpectedly; others have the outcome of a timeout."""

# These are the verdicts about the whole test.
READY = "ready"
USABLE = "usable"
TROUBLED = "troubled"
BROKEN = "broken"
STOPPED = "stopped"

MAX_SERVERS = 8
"""The largest number of STUN servers, and of TURN servers, that are tried."""

# These are the results of asking a STUN or TURN server.
FOUND = "found"
SAME = "same"
REFUSED = "refused"
SILENT = "silent"


class Check:
    """One check.

    Attributes:
        name: the name of the check.
        state: one of the states above.
        found: the outcome, as a sentence; empty before there is one.
        remedy: what a person can do about it, as a sentence; empty where nothing is wrong.
        deadline: the time in seconds at which it times out.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = WAITING
        self.found = ""
        self.remedy = ""
        self.deadline = 0.0

    def enter(self, state: str) -> bool:
        """Change the state and return True if it may follow the present one."""
        if state not in NEXT[self.state]:
            return False
        self.state = state
        return True


class Checks:
    """The checks of one test.

    Attributes:
        checks: the checks in the order in which they run.
        active: whether the test was begun, and is neither over nor stopped.
        stopped: whether the person stopped the test.
        relay_works: whether a TURN server provided a relay.

    """

    def __init__(self) -> None:
        self.checks = [Check(name) for name in ORDER]
        self.active = False
        self.stopped = False
        self.relayed = False

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    # Transitions

    def begin(self) -> None:
        """Begin the test."""
        self.active = True

    def stop(self) -> None:
        """Stop the test, because the person wants it or leaves; outcomes that come later are ignored."""
        if self.active:
            self.active = False
            self.stopped = True
            for check in self.checks:
                if check.enter(SKIPPED):
                    check.found = extra_texts.TEST_STOPPED

    def start(self, name: str, now: float) -> bool:
        """Start a check; return False if it is skipped, or the test is not active."""
        check = self[name]
        if not self.active or not check.enter(RUNNING):
            return False
        check.deadline = now + SECONDS[name]
        return True

    def finish(self, name: str, outcome: str, *values: object) -> None:
        """Store the outcome of a running check, as listed in `OUTCOMES`; `values` fill in its sentence."""
        check = self[name]
        if not self.active or not check.enter(OUTCOMES[name][outcome]):
            return
        check.found = extra_texts.TEST_FOUND[name][outcome].format(*values)
        check.remedy = extra_texts.TEST_REMEDIES[name].get(outcome, "")
        if name == TURN:
            self.relayed = outcome in ("works", "some")
        if check.state == FAILED:
            self._skip(name)
        self.active = self.current is not None

    def tick(self, now: float) -> None:
        """End the running check if it has timed out."""
        check = self.current
        if check is not None and check.state == RUNNING and now >= check.deadline:
            self.finish(check.name, TIMEOUTS[check.name])

    def refused(self, name: str) -> None:
        """End a check, because the browser unexpectedly refused a call."""
        self.finish(name, REFUSALS.get(name, TIMEOUTS[name]))

    def _skip(self, needed: str) -> None:
        for check in self.checks:
            if NEEDS.get(check.name) == needed and check.enter(SKIPPED):
                check.found = extra_texts.TEST_SKIPPED

    # Queries

    def running(self, name: str) -> bool:
        """Return whether a check is running."""
        return self.active and self[name].state == RUNNING

    @property
    def current(self) -> Check | None:
        """The first check that is not over; None when the test is over."""
        for check in self.checks:
            if check.state in (WAITING, RUNNING):
                return check
        return None

    @property
    def verdict(self) -> str:
        """The verdict: `ready`, `usable`, `troubled` (calls work, another check failed), `broken` or `stopped`.

        It is empty while the test is not over.
        """
        if self.current is not None:
            return ""
        if self.stopped:
            return STOPPED
        if self[CALL].state in (FAILED, SKIPPED):
            return BROKEN
        states = [check.state for check in self.checks]
        if FAILED in states:
            return TROUBLED
        return USABLE if WARNED in states else READY

    def summary(self, *about: str) -> str:
        """Return the result as text for whoever helps the person; it has no network addresses.

        Arguments:
            about: lines to begin with, such as the page's address and the browser.

        """
        lines = list(about)
        for check in self.checks:
            lines.append(
                f"{extra_texts.TEST_NAMES[check.name]}: {extra_texts.TEST_STATES[check.state]}. {check.found}".rstrip()
            )
        if self.verdict:
            lines.append(extra_texts.TEST_VERDICTS[self.verdict])
        return "\n".join(lines) + "\n"


def milliseconds(seconds: float) -> str:
    """Return a duration in words; one that is too short to be measured counts as 1 ms."""
    return extra_texts.TEST_MILLISECONDS.format(max(1, int(seconds * 1000 + 0.5)))


# STUN and TURN


def _each(ice_servers: list[dict[str, Any]], schemes: tuple[str, str]) -> list[dict[str, Any]]:
    """Return a W3C `RTCIceServer` for each URL of these schemes."""
    found = []
    for server in ice_servers:
        for url in server["urls"]:
            if url.split(":")[0].lower() in schemes:
                each = {"urls": [url]}
                each.update({key: server[key] for key in ("username", "credential") if key in server})
                found.append(each)
    return found[:MAX_SERVERS]


def stun_servers(ice_servers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the STUN servers among the ICE servers, with one URL each."""
    return _each(ice_servers, ("stun", "stuns"))


def turn_servers(ice_servers: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the TURN servers with one URL each, and their transports `UDP`, `TCP` or `TLS` (RFC 7065)."""
    named = []
    for server in _each(ice_servers, ("turn", "turns")):
        url = server["urls"][0].lower()
        tcp = url.endswith("transport=tcp")
        if url.startswith("turns:"):
            # TLS runs over TCP unless the URL says otherwise.
            transport = "DTLS" if url.endswith("transport=udp") else "TLS"
        else:
            transport = "TCP" if tcp else "UDP"
        named.append((transport, server))
    return named


def answer(wanted: str, candidates: list[str], errors: list[int], complete: bool) -> str:
    """Return how the only server of a configuration answered.

    A browser omits a `srflx` candidate that equals a `host` one (RFC 8445 §5.1.3), so that for STUN gathering that ends
    without an error is an answer, too.

    Arguments:
        wanted: the type of candidate that the server provides, `srflx` or `relay`.
        candidates: the gathered candidates, as in `RTCIceCandidate.candidate`.
        errors: the codes of `icecandidateerror`.
        complete: whether gathering is complete.

    """
    for candidate in candidates:
        if f" typ {wanted}" in candidate:
            return FOUND
    # The server sends 401 and 403 itself (RFC 8656 §19); the browser reports 701 when it gets no answer.
    if 401 in errors or 403 in errors:
        return REFUSED
    return SAME if wanted == "srflx" and complete and candidates and not errors else SILENT


def stun_outcome(answers: list[str]) -> tuple[str, str]:
    """Return the outcome for the answers of all STUN servers, and how many of them answered."""
    count = len([each for each in answers if each in (FOUND, SAME)])
    values = f"{count}/{len(answers)}"
    if not answers:
        return "unnamed", values
    if count < len(answers):
        return "some" if count else "silent", values
    return "works" if FOUND in answers else "same", values


def turn_outcome(answers: list[tuple[str, str]]) -> tuple[str, str, str]:
    """Return the outcome for the (transport, answer) pairs, the transports that work, and those that do not."""
    works = [transport for transport, each in answers if each == FOUND]
    fails = [transport for transport, each in answers if each != FOUND and transport not in works]
    if not answers:
        outcome = "unnamed"
    elif works:
        outcome = "some" if fails else "works"
    else:
        outcome = "refused" if [each for _, each in answers if each == REFUSED] else "silent"
    return outcome, _listed(works), _listed(fails)


def _listed(words: list[str]) -> str:
    once: list[str] = []
    for word in words:
        if word not in once:
            once.append(word)
    return ", ".join(once)
