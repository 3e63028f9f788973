"""Sentences of the parts that are loaded on demand; the others stand in the model's `texts`."""

from __future__ import annotations

# Statistics of the connections

STATISTICS = {
    "rtt": "There and back",
    "loss_in": "Lost of what they send",
    "loss_out": "Lost of what you send",
    "jitter": "Jitter",
    "rate_in": "Received",
    "rate_out": "Sent",
    "picture_in": "Their picture",
    "picture_out": "Your picture",
    "codecs_in": "Codecs received",
    "codecs_out": "Codecs sent",
    "path": "Path",
    "limit": "What limits your picture",
}
UNITS = {"rtt": "{} ms", "jitter": "{} ms", "loss": "{} %", "rate": "{} kbit/s"}
SIZE = "{} by {}"
PICTURE = "{} by {}, {} frames/s"
WAYS = {"direct": "Direct ({} to {}, {})", "relayed": "Relayed ({} to {}, {})"}
LIMITS = {"none": "Nothing", "cpu": "This computer", "bandwidth": "The network"}
REACH = "{} to {} in the last two minutes"
UNKNOWN = "not known"
NAMELESS = "Somebody"
RATINGS = {"0": "Interrupted", "1": "Bad", "2": "Weak", "3": "Fair", "4": "Good"}
RATING_WHY = "{} ({})"
NOT_MEASURED = "Not measured yet"
NOTHING_LOST = "nothing lost"
LOST = "{} lost"
SUMMARIES = ("{}", "{}: {}", "{}: {}, {}")

# Keyboard shortcuts

KEYS = {" ": "Space", "Escape": "Esc"}
SHORTCUTS = {
    "mute": "Microphone on or off",
    "talk": "Talk while you hold it",
    "camera": "Camera on or off",
    "share": "Share your screen, or stop",
    "point": "Point and draw on a shared screen: arrow keys move, Space draws, Esc ends it",
    "chat-button": "Chat",
    "people-button": "People in the call",
    "layout": "All alike, or one large",
    "full-screen": "Full screen, and back",
    "close": "Close what is open",
    "shortcuts": "Open or close this list",
}

# The connectivity test: by check, then by outcome

TEST_START = "Start the test"
TEST_STOP = "Stop the test"
TEST_AGAIN = "Test again"
TEST_COPY = "Copy the result"
TEST_COPIED = "Copied"
TEST_COPY_REFUSED = "The browser did not allow copying"
TEST_NAMES = {
    "camera": "Camera",
    "microphone": "Microphone",
    "server": "Server",
    "stun": "Address (STUN)",
    "turn": "Relay (TURN)",
    "call": "A call with yourself",
}
TEST_STATES = {
    "waiting": "not tested yet",
    "running": "being tested",
    "passed": "works",
    "warned": "worth knowing",
    "failed": "does not work",
    "skipped": "not tested",
}
TEST_DOING = {
    "camera": "Starting your camera. If your browser asks, allow it.",
    "microphone": "Say something. If your browser asks, allow the microphone.",
    "server": "Reaching the server…",
    "stun": "Asking how others see your address…",
    "turn": "Asking for a relay…",
    "call": "Calling yourself through the server…",
}
TEST_STOPPED = "The test was stopped before."
TEST_SKIPPED = "This needs the server, which was not reached."
TEST_MILLISECONDS = "{} ms"
TEST_DIRECT = "directly"
TEST_RELAYED = "through the relay"
TEST_FOUND = {
    "camera": {
        "works": "{}, {} by {} pixels",
        "dark": "The camera was started, and no picture came.",
        "refused": "The browser does not let this page use your camera.",
        "busy": "The camera could not be started.",
        "missing": "No camera was found.",
        "insecure": "Browsers give a page a camera only when its address begins with https.",
        "unsupported": "This browser gives pages no camera.",
        "late": "The browser gave no camera within a minute.",
    },
    "microphone": {
        "works": "We hear you: {}",
        "silent": "It stayed silent for 3 seconds: {}",
        "unmeasured": "It was started, and this browser does not tell how loud it is: {}",
        "refused": "The browser does not let this page use your microphone.",
        "busy": "The microphone could not be started.",
        "missing": "No microphone was found.",
        "insecure": "Browsers give a page a microphone only when its address begins with https.",
        "unsupported": "This browser gives pages no microphone.",
        "late": "The browser gave no microphone within a minute.",
    },
    "server": {
        "works": "Reached through a WebSocket. It answers after {}.",
        "refused": "{}",
        "unreachable": "The server cannot be reached.",
    },
    "stun": {
        "works": "Servers that answer: {}.",
        "same": "Servers that answer: {}. Your device has no other address than its own.",
        "unnamed": "This server names no STUN server.",
        "some": "Servers that answer: {}.",
        "silent": "No STUN server answers.",
    },
    "turn": {
        "works": "There is a relay, over {}.",
        "some": "There is a relay over {}, and none over {}.",
        "unnamed": "This server names no TURN server.",
        "refused": "The TURN server does not accept the user and the secret that this server gives out.",
        "silent": "No TURN server answers.",
    },
    "call": {
        "works": "Connected {}, with an answer after {}.",
        "relay-works": "Connected {}, with an answer after {}. Through the relay: after {}.",
        "relay-fails": "Connected {}, with an answer after {}. Through the relay it did not work.",
        "one-way": "Connected, and nothing came through.",
        "refused": "{}",
        "fails": "No path was found, not even from this device to itself.",
    },
}
TEST_REMEDIES = {
    "camera": {
        "dark": "Look for a cover or a switch on the camera, or choose another one.",
        "refused": "Press the symbol to the left of the page's address, allow the camera, and test again.",
        "busy": "Close other programs that use the camera, and test again.",
        "missing": "Connect one, and test again. You can call without.",
        "insecure": "Open this page with https.",
        "unsupported": "Try a current Chrome, Firefox, Edge or Safari.",
        "late": "Answer the browser's question, and test again.",
    },
    "microphone": {
        "unmeasured": "Connect a loudspeaker or headphones, and test again.",
        "silent": "Speak louder, look for a switch on the microphone or the headset, or choose another one.",
        "refused": "Press the symbol to the left of the page's address, allow the microphone, and test again.",
        "busy": "Close other programs that use the microphone, and test again.",
        "missing": "Connect one, and test again. Without, you can only listen.",
        "insecure": "Open this page with https.",
        "unsupported": "Try a current Chrome, Firefox, Edge or Safari.",
        "late": "Answer the browser's question, and test again.",
    },
    "server": {
        "refused": "Wait a moment, and test again.",
        "unreachable": "Check your connection to the network. Some companies' proxies block WebSockets.",
    },
    "stun": {
        "unnamed": "Calls within one network work without. For others, whoever runs the server can add one.",
        "some": "Calls work. Whoever runs the server may look after the others.",
        "silent": "A firewall may block UDP. Then calls work only within your network, or through a relay.",
    },
    "turn": {
        "unnamed": "Most calls work without. Between two strict networks they need one: whoever runs the server can "
        "add it.",
        "some": "Calls work. A firewall may block the rest.",
        "refused": "Whoever runs the server has to correct them.",
        "silent": "A firewall may block it, or it is out of order. Calls between two strict networks do not work.",
    },
    "call": {
        "relay-fails": "Most calls work. Whoever runs the TURN server may look whether it forwards anything.",
        "one-way": "A program that protects this device may be in the way.",
        "refused": "Wait a moment, and test again.",
        "fails": "A browser extension or a setting may switch WebRTC off.",
    },
}
TEST_VERDICTS = {
    "ready": "Everything works.",
    "usable": "You can make calls. Some things are worth knowing.",
    "troubled": "You can make calls, but something needs your attention.",
    "broken": "Calls do not work from here.",
    "stopped": "The test was stopped.",
}

# Invitations for calendars

CALENDAR_SUMMARY = "Call"
CALENDAR_TEXT = "Join the call with this link, in a browser and without an account: {}"

# The verification code

CODE_WORDS = (
    "whale fox frog owl shark bee crab kangaroo hedgehog snake duck rooster bat crocodile giraffe ladybird "
    "lemon kiwi carrot cheese coconut peanuts doughnut cupcake grapes egg honey pineapple pretzel broccoli popcorn "
    "mushroom cactus sunflower rainbow snowman volcano leaf lightning palm sailboat balloon drum violin dice magnet "
    "telescope socks hat bell compass tractor helicopter castle tent piano puzzle target shower sponge diamond plug "
    "camera boot"
)
"""The names of the symbols of `code_symbols`, in their order; in English no two begin with the same three letters."""

CODE_STATES = {
    "none": "Not verified. The program of {} has no code, so nobody can tell whether somebody is between you.",
    "exchanging": "The code is being made…",
    "code": "Read this to each other. Does {} see the same?",
    "confirmed": "Verified: the codes match, so nobody is between you and {}.",
    "denied": "The codes differ. Somebody may be between you and {}, who sees and hears everything. End the call.",
    "not-verified": "Not verified. {} Say nothing that must stay private, and try a new call.",
}
CODE_REASONS = {
    "early-reveal": "The other side did not keep to the order that makes a code safe.",
    "mismatch": "The other side sent something else than it had committed to.",
    "repeated": "The other side wanted to change what was settled.",
    "reflected": "Your own message came back in the place of the other person's.",
    "malformed": "The other side sent something that belongs to no code.",
    "no-fingerprint": "The keys of the connection are not known.",
    "changed": "The key of the connection is another one than at its beginning.",
    "timeout": "The other side did not answer in time.",
}
PATHS = {
    "direct": "The path to {} is direct: there is no TURN server in it.",
    "relayed": "The path to {} is relayed: picture and sound pass a TURN server, encrypted.",
}
RELAYED_CALL = (
    "In this call everybody connects through the TURN server alone: who opened it wants it so, or the server."
)
NO_TURN = "This server names no TURN server: with this switched on, no connection comes about."

# Participants of a call

HOST = "host"
YOU_NAMED = "{} (you)"
SHARES = "shares their screen"
GONE_AWAY = "connection lost"
HAS_LOBBY = "The host lets in each who joins."
ASKED_TO_MUTE = "{} is asked to mute…"
ASKED_ALL_TO_MUTE = "Everybody is asked to mute…"
MICROPHONE_IS = {"true": "Microphone on", "false": "Muted"}
CAMERA_IS = {"true": "Camera on", "false": "Camera off"}
WHAT_TO_DO = "What to do with {}"
ACTIONS = {"mute": "Ask to mute", "host": "Make host", "remove": "Remove"}
QUESTIONS = {
    "host": "Make {} the host?",
    "remove": "Remove {} from the call?",
    "end": "End the call for all?",
    "leave": "Leave the call?",
}
CONSEQUENCES = {
    "host": "Only {} can then let people in, remove them or end the call. You stay in it.",
    "remove": "Whoever has the link can join again, unless you lock the call.",
    "end": "Everybody is disconnected.",
    "leave": "You are the host. The others can go on without you if one of them is the host.",
}
ANSWERS = {
    "host": "Make host",
    "remove": "Remove",
    "end": "End for all",
    "leave": "Leave, and make {} the host",
}

# Remote control of a shared screen

CONTROL_ASK = "Ask for control"
CONTROL_CODE = "Code for control"
CONTROL_CANCEL = "Cancel the request"
CONTROL_END = "Stop controlling"
CONTROL_UNVERIFIED = "Verify the connection before you type the code."
CONTROL_STATES = {
    "asking": "Waiting for an answer…",
    "controlling": "You control this computer. Ctrl+Alt+Shift+Esc gives it up.",
    "paused": "Suspended: somebody uses the computer itself.",
}
CONTROL_OVER = "You do not control this computer any more."
CONTROL_REASONS = {
    "unverified": "The user there has to verify your connection first.",
    "embedded": "Control needs this page in a window of its own.",
    "busy": "Not now. Try again in a moment.",
    "declined": "The user there said no.",
    "unanswered": "Nobody there answered.",
    "code-needed": "Type the code that the computer shows.",
    "wrong-code": "The code is wrong.",
    "code-off": "There were too many wrong codes: codes are not accepted any more.",
    "never": "This computer cannot be controlled.",
    "version": "The program there is too different from this page.",
}
CLIPBOARD_SEND = "Send my clipboard"
CLIPBOARD_GET = "Get its clipboard"
CLIPBOARD_REFUSED = "The browser does not allow access to the clipboard."

# Pointing on a shared screen

POINTING = "You point: press and move to draw. Esc ends it."
POINTING_OVER = "You no longer point."
POINT_HERE = "Shared screen: arrow keys move your pointer, Space draws, Esc ends it"
DRAWING = "You draw."
NOT_DRAWING = "You no longer draw."
