"""Maps the page's state to the properties of each element. It does not touch the browser."""

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
"""The pseudo element id that stands for the page as a whole."""

IN_CALL = (page_state.CALLING, page_state.CONNECTED)
IN_SESSION = (page_state.WAITING, page_state.CALLING, page_state.CONNECTED)
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
"""The element that receives the keyboard focus in a stage if the focused one is gone. During a call it must not be a
button, because the space key is push-to-talk and would press it."""


def view(now: PageState) -> View:
    """Return the value of each (element id, property).

    Properties are `text`, `hidden`, `disabled`, `value`, `expanded`, and for style sheets `on`, `picture`, `mirror` and
    `quiet`; the page itself has `state`, `side`, `title` and `focus`.
    """
    stage = now.stage
    title = texts.TITLES.get(stage, texts.TITLE).replace(page_state.BRAND, now.brand)
    if now.notices.headline and stage in IN_SESSION:
        # A brand may have braces, and a headline the default brand, so neither is part of a template.
        parts = [part.replace(page_state.BRAND, now.brand) for part in texts.HEADLINE.split("{}")]
        title = now.notices.headline.join(parts)
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
        ("end-screen", "hidden"): stage not in OVER,
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
        if now.session.password_required:
            return "password"
        return "session-input" if now.notices.problem else "join"
    if stage == page_state.ENDED and now.returnable:
        return "rejoin"
    return FOCUS.get(stage, "")


def _messages(now: PageState, stage: str, values: View) -> None:
    problem = now.notices.alarm if now.notices.alarm and stage in IN_CALL else now.notices.problem
    note = False
    if not problem and stage not in OVER:
        problem, note = now.devices.problem, now.devices.problem_is_note
    values["status", "text"] = status(now)
    values["status", "quiet"] = status(now) == texts.CONNECTED
    values["knocks", "hidden"] = not now.participants.knocks
    values["people-badge", "hidden"] = not now.participants.knocks
    values["people-badge", "text"] = str(len(now.participants.knocks)) if now.participants.knocks else ""
    news = [texts.KNOCK.format(name or texts.SOMEBODY) for name in now.participants.knocks.values()]
    values["knock-news", "text"] = " ".join(news)
    values["problem", "hidden"] = not problem or problem == status(now)
    values["problem", "quiet"] = note
    values["error", "role"] = "status" if note else "alert"
    values["error", "text"] = problem
    reference = now.network.reference if problem and problem == now.notices.problem else ""
    values["reference", "text"] = texts.REFERENCE.format(reference) if reference else ""
    values["reference", "hidden"] = not reference
    values["dismiss", "hidden"] = stage in OVER


def status(now: PageState) -> str:
    """Return the status line as a sentence; empty where the screen itself says it."""
    notices = now.notices
    stage = now.stage
    if stage == page_state.CONNECTING:
        requested = devices.REQUESTED in (now.devices.microphone.status, now.devices.camera.status)
        return texts.STARTING_DEVICES if requested else notices.progress
    if (
        now.network.offline_for is not None
        and not now.network.detached
        and (stage == page_state.WAITING or stage in IN_CALL)
    ):
        sentence = texts.RECONNECTING_CONNECTED if stage == page_state.CONNECTED else texts.RECONNECTING
        return sentence.format(int(now.network.offline_for))
    if now.network.returning and stage in IN_SESSION:
        return texts.SERVER_RESTARTED
    if stage == page_state.WAITING:
        return notices.notice or texts.WAITING
    if stage == page_state.CALLING:
        return notices.notice or texts.CALLING
    if stage == page_state.CONNECTED:
        if now.participants.interrupted:
            return texts.INTERRUPTED
        away = [member for member in now.participants.members if member.away]
        if away:
            return texts.AWAY.format(away[0].name or texts.SOMEBODY)
        if not notices.notice:
            for member in now.participants.members:
                if member.sound in texts.ONE_WAY and member.was_connected:
                    return texts.ONE_WAY[member.sound].format(member.name or texts.SOMEBODY)
        return notices.notice or (texts.SHARING if now.devices.sharing else texts.CONNECTED)
    if stage == page_state.ENDED:
        return notices.outcome
    if stage == page_state.FAILED:
        return notices.problem if notices.problem == texts.TAKEN_OVER else texts.FAILED
    return ""


def _start_screen(now: PageState, stage: str, values: View) -> None:
    session = now.session
    waits = stage == page_state.LOADING
    for element in ("start", "join", "session-input", "preview"):
        values[element, "disabled"] = waits
    heading = texts.YOURS if session.has_host_key else texts.INVITED
    values["heading", "text"] = heading if session.invited_id else texts.HEADING
    guest = bool(session.invited_id) and not session.has_host_key
    for element in ("start", "options", "open-test", "shortcuts-button"):
        values[element, "hidden"] = guest
    # An id that does not work can be corrected.
    corrects = bool(now.notices.problem) and not session.password_required
    for element in ("session-input", "session-input-label"):
        values[element, "hidden"] = guest and not corrects
    values["inviter", "text"] = texts.INVITED_BY.format(session.inviter) if guest and session.inviter else ""
    values["password-row", "hidden"] = not session.password_required
    values["start-screen", "on"] = bool(session.invited_id)
    values["start", "text"] = texts.START_ANOTHER if session.invited_id else texts.START
    join = texts.OPEN_AGAIN if session.has_host_key else texts.JOIN_INVITED
    values["join", "text"] = join if session.invited_id else texts.JOIN
    values["preview", "hidden"] = stage not in (page_state.LOADING, page_state.START) or now.devices.previewing


def _waiting_screen(now: PageState, values: View) -> None:
    session = now.session
    values["session-id", "text"] = group_session_id(session.id) if session.id else ""
    values["link", "value"] = session.link
    values["copy", "text"] = texts.COPIED if session.link_copied else texts.COPY
    values["tell-password", "text"] = texts.GUESTS_NEED.format(session.password) if session.password else ""
    values["only-here", "hidden"] = not session.link_is_local


def _end_screen(now: PageState, stage: str, values: View) -> None:
    returnable = now.returnable and stage == page_state.ENDED
    values["rejoin", "hidden"] = not returnable
    values["rejoin", "text"] = texts.OPEN_SAME if now.role == page_state.HOST else texts.REJOIN
    values["call-summary", "text"] = now.summary.sentence() if stage in OVER else ""
    values["end-report", "hidden"] = not now.summary.seconds
    again = texts.USE_HERE if now.notices.problem == texts.TAKEN_OVER else texts.AGAIN
    values["again", "text"] = again if stage == page_state.FAILED else texts.HOME
    values["home", "hidden"] = stage != page_state.FAILED


def _devices(now: PageState, stage: str, values: View) -> None:
    local = now.devices
    at_start = stage in (page_state.LOADING, page_state.START)
    requested = devices.REQUESTED in (local.microphone.status, local.camera.status)
    # Before the devices run, the buttons show whether the person wants them on.
    sends_sound = (
        local.microphone.wanted if at_start and not local.previewing else local.microphone.status == devices.ON
    )
    sends_picture = local.camera.wanted if at_start and not local.previewing else local.camera.status == devices.ON
    values["controls", "hidden"] = stage in OVER or stage == page_state.CONNECTING
    values["mute", "on"] = sends_sound
    values["mute-text", "text"] = texts.MUTE if sends_sound else texts.UNMUTE
    values["mute", "disabled"] = stage == page_state.LOADING or local.microphone.status == devices.REQUESTED
    values["camera", "on"] = sends_picture
    values["camera-text", "text"] = texts.STOP_CAMERA if sends_picture else texts.START_CAMERA
    values["camera", "disabled"] = stage == page_state.LOADING or local.camera.status == devices.REQUESTED
    values["hang-up", "hidden"] = at_start
    values["hang-up-text", "text"] = texts.HANG_UP if stage in IN_CALL else texts.END
    values["self", "picture"] = local.camera.status == devices.ON
    values["self-note", "text"] = "" if at_start and not local.previewing else _camera_note(local.camera)
    values["skip", "hidden"] = not requested
    values["self-level", "hidden"] = not (at_start and local.previewing and local.microphone.status == devices.ON)
    values["local-video", "mirror"] = local.front_camera
    values["talking", "hidden"] = not (local.talking_muted and stage in IN_CALL)
    values["talking", "text"] = texts.TALKING if local.talking_muted else ""
    values["hear", "hidden"] = not (local.sound_blocked and stage in IN_CALL)


def _call(now: PageState, stage: str, values: View) -> None:
    pictures, large = now.pictures if stage in IN_CALL else ([], "")
    values["share", "hidden"] = stage not in IN_CALL or not now.devices.can_share
    values["share", "on"] = now.devices.sharing
    values["share-text", "text"] = texts.STOP_SHARE if now.devices.sharing else texts.SHARE
    for button in ("chat-button", "people-button", "more-button"):
        values[button, "hidden"] = stage not in IN_SESSION
    values["layout", "hidden"] = len(pictures) < 2
    values["layout-text", "text"] = texts.GRID if large else texts.SPOTLIGHT
    values["full-screen-text", "text"] = texts.NO_FULL_SCREEN if now.layout.full_screen else texts.FULL_SCREEN
    values["self-tools", "hidden"] = stage not in IN_CALL
    values["swap", "hidden"] = len(pictures) != 1
    values["flip", "hidden"] = not now.devices.can_flip
    side = now.layout.side_panel if stage in IN_SESSION else ""
    values[PAGE, "side"] = side
    values["side", "hidden"] = not side
    values["side-heading", "text"] = {"chat": texts.CHAT, "people": texts.PEOPLE}.get(side, "")
    for name in ("chat", "people"):
        values[name + "-button", "expanded"] = side == name
        values[name + "-panel", "hidden"] = side != name


def _camera_note(camera: Device) -> str:
    if camera.status == devices.REQUESTED:
        return texts.CAMERA_STARTING
    return texts.CAMERA_NOTES.get(camera.problem, texts.CAMERA_OFF)
