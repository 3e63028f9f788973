"""Every sentence of the page that depends on its state; the static ones stand in index.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .devices import Device

TITLE = "signald: a private call"
TITLES = {
    "waiting": "Waiting · signald",
    "calling": "Connecting · signald",
    "connected": "In a call · signald",
    "ended": "Call ended · signald",
    "test": "Test · signald",
}
HEADLINE = "{} · signald"
JOINED_NEWS = "{} joined"
LEFT_NEWS = "{} left"
HEADING = "A private call"
INVITED = "You are invited to a call"
YOURS = "Your call"

# Headings and labels of buttons

START = "Start a call"
START_ANOTHER = "Start another call"
JOIN = "Join"
JOIN_INVITED = "Join the call"
MUTE = "Mute"
UNMUTE = "Unmute"
STOP_CAMERA = "Camera off"
START_CAMERA = "Camera on"
SHARE = "Share"
STOP_SHARE = "Stop"
SPOTLIGHT = "One large picture"
GRID = "All pictures alike"
FULL_SCREEN = "Full screen"
NO_FULL_SCREEN = "Leave full screen"
CHAT = "Chat"
PEOPLE = "People"
HANG_UP = "Hang up"
END = "End call"
COPY = "Copy link"
COPIED = "Copied"
MAIL_SUBJECT = "Invitation to a call"
MAIL_BODY = "Join my call with this link, in a browser and without an account:\n\n{}\n"
NAME_INVITER = "Let the link say that {} invites"
INVITED_BY = "The link says that {} invites you."
ADMIT = "Let in"
REFUSE = "Turn away"
USE_HERE = "Use it here"
OPEN_AGAIN = "Open the call"
AGAIN = "Try again"
HOME = "Back to the start"

# Progress and events of the call

STARTING_DEVICES = "Starting your camera and microphone. If your browser asks, allow them."
REACHING_SERVER = "Reaching the server…"
OPENING = "Opening the call…"
JOINING = "Joining the call…"
WAITING = "Waiting for the other person."
WAITING_FOR = {
    "host": "The host is not here yet. You are let in as soon as they come.",
    "lobby": "Waiting to be let in by the host.",
}
KNOCK = "{} wants to join."
SOMEBODY = "Somebody"
THE_OTHER = "the other person"
SCREEN_OF = "{}: screen"
NO_PICTURE = "No picture from {}"
CONNECTING_TO = "Connecting to {}…"
AWAY = "{} lost the connection to the server and may be back soon."
RECONNECTING = "Reconnecting to the server… {} s"
RECONNECTING_CONNECTED = "Reconnecting to the server… {} s. Your call goes on."
CALLING = "Connecting to the other person…"
CALLING_LONG = "Still looking for a path to the other person…"
CONNECTED = "Connected."
INTERRUPTED = "The connection is interrupted. Trying to restore it…"
LEFT_WAITING = "The other person left. Your link still works."
LOST_WAITING = "The other person's connection was lost. Your link still works."
SERVER_RESTARTED = "The server was restarted; waiting for the others."
SERVER_LOST_CONNECTED = "The connection to the server is lost. Your call goes on without it."
OTHER_LOST_SERVER = (
    "The other person lost the connection to the server. While you see and hear each other, the call goes on."
)

YOU = "You"
YOU_ARE_HOST = "You are the host now."
IS_HOST = "{} is the host now."
LOCKED = "The call is locked: nobody else can join."
UNLOCKED = "The call is open again to those who have the link."
GUESTS_NEED = "Password: {}"
MUTED_BY_HOST = "The host asked for silence, so your microphone is muted. You can switch it on again."

# Verification

TRUST = {
    "none": "{}: cannot be verified",
    "exchanging": "{}: the code is being made",
    "code": "{}: not verified yet, compare the codes",
    "confirmed": "{}: verified",
    "denied": "{}: the codes differ",
    "not-verified": "{}: not verified",
}
VERIFY_AGAIN = "The connection with {} began anew: compare the codes again."
VERIFIED_NO_MORE = (
    "The connection with {} is not verified any more: it may have been taken over. Say nothing that must stay private."
)
VERIFY_OFFER = "Is anybody between you and {}? Compare seven pictures to find out."
NEW_DEVICE = "Another device was plugged in. You can choose it under “Devices and settings”."
TALKING = "You are muted: nobody hears you."
SHARING = "You are showing your screen."
ONE_WAY = {
    "sendonly": "You do not hear {}: their program sends no sound.",
    "recvonly": "{} does not hear you: their program takes no sound.",
    "inactive": "There is no sound between you and {}: their program has none.",
}
# Connection quality

QUALITY = "Connection with {}: {}"
QUALITY_WHY = "Connection with {}: {} ({})"
BARS = {"0": "interrupted", "1": "bad", "2": "weak", "3": "fair", "4": "good"}
FAULTS = {
    "yours": "your network",
    "theirs": "their network",
    "cpu": "your computer is too slow",
    "their-cpu": "their computer is too slow",
    "in": "not all that they send arrives",
    "out": "not all that you send arrives",
    "delay": "long or uneven delay",
}
TROUBLE = "Reconnecting… {} s"
TROUBLE_AWAY = "They lost their network. Waiting… {} s"
NOT_LOADED = "This part of the page could not be loaded. Check your connection to the network."

# Outcomes of a call

DURATION = "Duration: {}."
DURATION_QUALITY = "Duration: {}. Connection: {}."
REJOIN = "Rejoin"
OPEN_SAME = "Open the same call again"

HUNG_UP = "You left the call."
YOU_ENDED = "You ended the call."
HUNG_UP_HOST = "You ended the call. Its link opens it again, here."
CALL_OVER = "The call has ended."
ENDED = {
    "host-left": "The other person ended the call.",
    "host-gone": "The other person's connection was lost, and the call has ended.",
    "idle": "The call was closed, since nobody joined for a long time.",
    "expired": "The call was closed, since it had reached the longest time that this server allows.",
    "by-host": "The host ended the call for all.",
    "removed": "The host removed you from the call.",
    "replaced": "You opened this call in another place.",
    "gone": "The other person's program cannot begin this call anew.",
}
TURNED_AWAY = {
    "refused": "The host did not let you in.",
    "full": "The call is full.",
    "ended": "The call is over.",
}
TAKEN_OVER = "This call goes on in another tab."
FAILED = "The call did not work."

# Problems


REFUSALS = {
    "unknown-session": "There is no call with this ID. It may have ended, or a letter is wrong.",
    "session-full": "This call is full.",
    "session-locked": "The host has locked this call.",
    "password-needed": "This call has a password. Type it, and join again.",
    "wrong-password": "This is not the call's password.",
    "token-required": "This takes a personal link. Ask for one where you got this link from.",
    "token-invalid": "Your personal link is not valid here. Ask for a new one.",
    "token-too-large": "Your personal link is too long for this server. Ask for a new one.",
    "token-expired": "Your personal link has expired. Ask for a new one.",
    "not-permitted": "Your personal link does not allow this.",
    "decision-unavailable": "It cannot be found out now whether you may do this. Try again in a moment.",
    "too-many-passwords": "The server is busy with other passwords. Try again in a moment.",
    "lobby-full": "Too many people wait to be let in. Try again later.",
    "wrong-role": "Only the host can do this, and you are not the host now.",
    "unknown-member": "This person is no longer there.",
    "not-connected": "There is no connection to the server. Try again in a moment.",
    "outbox-full": "The other person's connection does not keep up.",
    "too-many-guesses": "Too many unknown IDs or wrong passwords were tried from your network. Wait half an hour, "
    "then try again.",
    "secret-reused": "This call was copied to another place, so the server ended it here. Join again.",
    "too-many-connections": "Too many connections come from your network. Wait a minute, then try again.",
    "too-many-new-connections": "Too many connections come from your network. Wait a minute, then try again.",
    "too-many-new-sessions": "Too many calls were opened from your network. Wait a minute, then try again.",
    "too-many-bytes": "Too much was sent in too short a time, so the server ended the connection.",
    "too-many-messages": "Too much was sent in too short a time, so the server ended the connection.",
    "server-full": "The server is full. Try again later.",
    "going-away": "The server is being restarted. Try again in a minute.",
    "server-silent": "The server no longer answers. Check your connection to the network.",
}
REFERENCE = "Reference: {}"
SERVER_UNREACHABLE = "The server cannot be reached. Check your connection to the network."
SERVER_LOST = "The connection to the server was lost."
OTHER_LOST = "The connection to the other person was lost."
NO_PATH = (
    "No direct path between you and the other person was found. This needs a TURN server, and this server names none: "
    "whoever runs it can add one."
)
NO_PATH_RELAY_ONLY = (
    "You hide your address, for which a TURN server is needed, and this server names none. Under “Privacy” you can "
    "change that."
)
NO_PATH_WITH_TURN = (
    "No path to the other person was found, not even through the TURN server. A firewall on one of the two sides may "
    "be in the way, or the TURN server is out of order."
)
NEGOTIATION_FAILED = "The two browsers could not agree on how to talk to each other."
CONNECTION_REFUSED = (
    "This browser opens no connection to other people. Too many may be open in other tabs, or an extension or a "
    "setting forbids it."
)
OTHER_REFUSED = "The other person's program could not open a connection. They may try again, or use another browser."
NO_EXTRAS = "This part of the page could not be fetched. Check your connection to the network, and try again."
NO_ID = "Type or paste the call's ID, or its link."
BAD_ID = "An ID has ten letters and digits, like ABC-DEFG-HJK. In a link it stands behind the sign #."
COPY_REFUSED = "The browser did not allow copying. The link is marked: copy it by hand."

SCREEN_REFUSED = "The browser cannot show your screen. Perhaps the system does not allow it to."

# Devices

CAMERA = "camera"
MICROPHONE = "microphone"
TAKE_PART = "You can still see and hear the other person."
PROBLEMS_BOTH = {
    "refused": "The browser does not let this page use your camera and microphone.",
    "missing": "No camera and no microphone were found.",
    "busy": "The camera and the microphone could not be started. Perhaps another program is using them.",
    "lost": "The camera and the microphone were disconnected.",
    "insecure": "Browsers give a page a camera and a microphone only when its address begins with https.",
    "unsupported": "This browser gives pages neither a camera nor a microphone.",
}
PROBLEMS = {
    "refused": "The browser does not let this page use your {}.",
    "missing": "No {} was found.",
    "busy": "The {} could not be started. Perhaps another program is using it.",
    "lost": "The {} was disconnected.",
}
WAY_OUT = {
    "chromium": "To allow it, press “View site information” to the left of the page's address, then switch on camera "
    "and microphone there, and try again here.",
    "firefox": "To allow it, press the crossed-out symbol to the left of the page's address, take away “Blocked”, and "
    "try again here.",
    "safari": "To allow it, open the page's menu beside its address, then “Website Settings”, choose “Allow” for "
    "camera and microphone, and try again here.",
}

CAMERA_NOTES = {
    "refused": "Camera not allowed",
    "missing": "No camera",
    "busy": "Camera in use elsewhere",
    "lost": "Camera disconnected",
    "insecure": "No camera without https",
    "unsupported": "No camera in this browser",
}
DEVICE_NAMES = {"videoinput": "Camera {}", "audioinput": "Microphone {}", "audiooutput": "Speaker {}"}
CAMERA_OFF = "Camera off"
CAMERA_STARTING = "Camera is starting…"


# Chat

CHAT_UNREAD = "Unread messages: {}"
CHAT_TOO_LONG = "This message has {} characters, and may have {}. Shorten it, or send it in parts."
CHAT_ALONE = "Nobody else is here yet. What you write waits for the first person who comes."
CHAT_DEAF = "{} cannot read messages."
CHAT_MARKS = {
    "waiting": "Waiting to be sent",
    "sent": "Sent",
    "part": "Delivered to {} of {}",
    "delivered": "Delivered",
    "missed": "Not delivered",
}


def devices_problem(microphone: Device, camera: Device, browser: str) -> str:
    """Return what is wrong with the devices and what that means; empty when nothing is.

    Arguments:
        microphone: the local microphone.
        camera: the local camera.
        browser: the browser's family (`devices.browser_family`), which decides how the way out is described.

    """
    if microphone.problem == camera.problem:
        if not camera.problem:
            return ""
        sentences = [PROBLEMS_BOTH[camera.problem]]
        last = [TAKE_PART]
    else:
        sentences, last = [], []
        for device, name in ((camera, CAMERA), (microphone, MICROPHONE)):
            if device.problem:
                sentences.append(PROBLEMS.get(device.problem, PROBLEMS_BOTH["unsupported"]).format(name))
    if "refused" in (microphone.problem, camera.problem):
        sentences.append(WAY_OUT[browser])
    return " ".join(sentences + last)


def refusal(code: str, sentence: str) -> str:
    """Return the page's sentence for an error code of the server, or else the server's own sentence."""
    return REFUSALS.get(code, sentence)


def quality(name: str, bars: int | None, fault: str) -> str:
    """Return a sentence about the quality of a connection (`RemotePeer.rating`); empty before it is known."""
    if bars is None:
        return ""
    name = name or THE_OTHER
    if fault:
        return QUALITY_WHY.format(name, BARS[str(bars)], FAULTS[fault])
    return QUALITY.format(name, BARS[str(bars)])
