"""What each element of the page shows, as a function of the page's state: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.session_ids import group_session_id

from . import devices, page_state, texts

if TYPE_CHECKING:
    from .devices import Device
    from .page_state import PageState

    View = dict[tuple[str, str], str | bool]

__all__ = ["PAGE", "view"]

PAGE = "page"
"""Stands for the page as a whole in the place of an element's id."""

BEFORE = (page_state.LOADING, page_state.START, page_state.CONNECTING, page_state.WAITING)
IN_CALL = (page_state.CALLING, page_state.CONNECTED)
WITH_OTHERS = (page_state.WAITING, page_state.CALLING, page_state.CONNECTED)
OVER = (page_state.ENDED, page_state.FAILED)

FOCUS = {
    page_state.START: "start",
    page_state.CONNECTING: "cancel",
    page_state.WAITING: "copy",
    page_state.CALLING: "stage",
    page_state.CONNECTED: "stage",
    page_state.ENDED: "again",
    page_state.FAILED: "again",
    page_state.TEST: "test-start",
}
"""The element where the keyboard goes on in a stage, if the one that had it is gone; in a call none that the space key,
which lets the person talk, would press."""


def view(now: PageState) -> View:
    """Return the value of each (element id, property).

    Properties are `text`, `hidden`, `disabled`, `value`, `expanded`, and for style sheets `on`, `picture`, `mirror` and
    `quiet`; of the page, `state`, `side`, `title` and `focus`.
    """
    stage = now.stage
    title = texts.TITLES.get(stage, texts.TITLE)
    values: View = {
        (PAGE, "state"): stage,
        (PAGE, "title"): f"({now.layout.unread}) {title}" if now.layout.unread else title,
        (PAGE, "focus"): _focus(now),
        ("stage", "hidden"): stage in OVER or stage == page_state.TEST,
        ("remotes", "hidden"): stage not in IN_CALL,
        ("start-screen", "hidden"): stage not in (page_state.LOADING, page_state.START),
        ("connecting-screen", "hidden"): stage != page_state.CONNECTING,
        ("waiting-screen", "hidden"): stage != page_state.WAITING,
        ("test-screen", "hidden"): stage != page_state.TEST,
        ("end-screen", "hidden"): stage not in OVER or (stage == page_state.FAILED and not now.role),
    }
    _messages(now, stage, values)
    _start_screen(now, stage, values)
    _waiting_screen(now, values)
    _end_screen(now, stage, values)
    _devices(now, stage, values)
    _call(now, stage, values)
    return values


def _focus(now: PageState) -> str:
    stage = now.stage
    if stage == page_state.START and (now.session.invited_id or now.notices.problem):
        return "session-input" if now.notices.problem else "join"
    return FOCUS.get(stage, "")


def _messages(now: PageState, stage: str, values: View) -> None:
    problem = now.notices.alarm if now.notices.alarm and stage in IN_CALL else now.notices.problem
    if not problem and stage not in OVER:
        problem = now.devices.problem
    values["status", "text"] = status(now)
    values["status", "quiet"] = status(now) == texts.CONNECTED
    values["knocks", "hidden"] = not now.participants.knocks
    values["people-badge", "hidden"] = not now.participants.knocks
    values["people-badge", "text"] = str(len(now.participants.knocks)) if now.participants.knocks else ""
    news = [texts.KNOCK.format(name or texts.SOMEBODY) for name in now.participants.knocks.values()]
    values["knock-news", "text"] = " ".join(news)
    values["problem", "hidden"] = not problem or problem == status(now)
    values["error", "text"] = problem
    values["dismiss", "hidden"] = stage in OVER


def status(now: PageState) -> str:
    """Return what is happening, in a sentence; empty where the screen says it all."""
    stage = now.stage
    if stage == page_state.CONNECTING:
        asking = devices.ASKING in (now.devices.microphone.status, now.devices.camera.status)
        return texts.STARTING_DEVICES if asking else now.notices.progress
    if (
        now.network.offline_for is not None
        and not now.network.detached
        and (stage == page_state.WAITING or stage in IN_CALL)
    ):
        sentence = texts.RECONNECTING_CONNECTED if stage == page_state.CONNECTED else texts.RECONNECTING
        return sentence.format(int(now.network.offline_for))
    if stage == page_state.WAITING:
        return now.notices.notice or texts.WAITING
    if stage == page_state.CALLING:
        return now.notices.notice or texts.CALLING
    if stage == page_state.CONNECTED:
        if now.participants.interrupted:
            return texts.INTERRUPTED
        away = [other for other in now.participants.others if other.away]
        if away:
            return texts.AWAY.format(away[0].name or texts.SOMEBODY)
        return now.notices.notice or (texts.SHARING if now.devices.sharing else texts.CONNECTED)
    if stage == page_state.ENDED:
        return now.notices.outcome
    if stage == page_state.FAILED:
        return now.notices.problem if now.notices.problem == texts.TAKEN_OVER else texts.FAILED
    return ""


def _start_screen(now: PageState, stage: str, values: View) -> None:
    waits = stage == page_state.LOADING
    for element in ("start", "join", "session-input", "preview"):
        values[element, "disabled"] = waits
    heading = texts.YOURS if now.session.has_host_key else texts.INVITED
    values["heading", "text"] = heading if now.session.invited_id else texts.HEADING
    values["password-row", "hidden"] = not now.session.password_required
    values["start-screen", "on"] = bool(now.session.invited_id)
    values["start", "text"] = texts.START_ANOTHER if now.session.invited_id else texts.START
    join = texts.OPEN_AGAIN if now.session.has_host_key else texts.JOIN_INVITED
    values["join", "text"] = join if now.session.invited_id else texts.JOIN
    values["preview", "hidden"] = stage not in (page_state.LOADING, page_state.START) or now.devices.previewing


def _waiting_screen(now: PageState, values: View) -> None:
    values["session-id", "text"] = group_session_id(now.session.id) if now.session.id else ""
    values["link", "value"] = now.session.link
    values["copy", "text"] = texts.COPIED if now.session.link_copied else texts.COPY
    values["tell-password", "text"] = texts.GUESTS_NEED.format(now.session.password) if now.session.password else ""
    values["only-here", "hidden"] = not now.session.link_is_local


def _end_screen(now: PageState, stage: str, values: View) -> None:
    again = texts.USE_HERE if now.notices.problem == texts.TAKEN_OVER else texts.AGAIN
    values["again", "text"] = again if stage == page_state.FAILED else texts.HOME
    values["home", "hidden"] = stage != page_state.FAILED


def _devices(now: PageState, stage: str, values: View) -> None:
    at_start = stage in (page_state.LOADING, page_state.START)
    asking = devices.ASKING in (now.devices.microphone.status, now.devices.camera.status)
    # Before the devices run, the buttons say what is wanted of them.
    heard = (
        now.devices.microphone.wanted
        if at_start and not now.devices.previewing
        else now.devices.microphone.status == devices.ON
    )
    seen = (
        now.devices.camera.wanted
        if at_start and not now.devices.previewing
        else now.devices.camera.status == devices.ON
    )
    values["controls", "hidden"] = stage in OVER or stage == page_state.CONNECTING
    values["mute", "on"] = heard
    values["mute-text", "text"] = texts.MUTE if heard else texts.UNMUTE
    values["mute", "disabled"] = stage == page_state.LOADING or now.devices.microphone.status == devices.ASKING
    values["camera", "on"] = seen
    values["camera-text", "text"] = texts.STOP_CAMERA if seen else texts.START_CAMERA
    values["camera", "disabled"] = stage == page_state.LOADING or now.devices.camera.status == devices.ASKING
    values["hang-up", "hidden"] = at_start
    values["hang-up-text", "text"] = texts.HANG_UP if stage in IN_CALL else texts.END
    values["self", "picture"] = now.devices.camera.status == devices.ON
    values["self-note", "text"] = "" if at_start and not now.devices.previewing else _camera_note(now.devices.camera)
    values["skip", "hidden"] = not asking
    values["self-level", "hidden"] = not (
        at_start and now.devices.previewing and now.devices.microphone.status == devices.ON
    )
    values["local-video", "mirror"] = now.devices.front_camera
    values["talking", "hidden"] = not (now.devices.talking_muted and stage in IN_CALL)
    values["talking", "text"] = texts.TALKING if now.devices.talking_muted else ""
    values["hear", "hidden"] = not (now.devices.sound_blocked and stage in IN_CALL)


def _call(now: PageState, stage: str, values: View) -> None:
    pictures, large = now.pictures if stage in IN_CALL else ([], "")
    values["share", "hidden"] = stage not in IN_CALL or not now.devices.can_share
    values["share", "on"] = now.devices.sharing
    values["share-text", "text"] = texts.STOP_SHARE if now.devices.sharing else texts.SHARE
    for button in ("chat-button", "people-button", "more-button"):
        values[button, "hidden"] = stage not in WITH_OTHERS
    values["layout", "hidden"] = len(pictures) < 2
    values["layout-text", "text"] = texts.GRID if large else texts.SPOTLIGHT
    values["full-screen-text", "text"] = texts.NO_FULL_SCREEN if now.layout.full_screen else texts.FULL_SCREEN
    values["self-tools", "hidden"] = stage not in IN_CALL
    values["swap", "hidden"] = len(pictures) != 1
    values["flip", "hidden"] = not now.devices.can_flip
    side = now.layout.side_panel if stage in WITH_OTHERS else ""
    values[PAGE, "side"] = side
    values["side", "hidden"] = not side
    values["side-heading", "text"] = {"chat": texts.CHAT, "people": texts.PEOPLE}.get(side, "")
    for name in ("chat", "people"):
        values[name + "-button", "expanded"] = side == name
        values[name + "-panel", "hidden"] = side != name


def _camera_note(camera: Device) -> str:
    if camera.status == devices.ASKING:
        return texts.CAMERA_STARTING
    return texts.CAMERA_NOTES.get(camera.problem, texts.CAMERA_OFF)
