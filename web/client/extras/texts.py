"""Sentences of what is fetched on demand; the others stand in the page's `texts`."""

from __future__ import annotations

# The keyboard's shortcuts

KEYS = {" ": "Space", "Escape": "Esc"}
SHORTCUTS = {
    "mute": "Microphone on or off",
    "talk": "Talk while you hold it",
    "camera": "Camera on or off",
    "share": "Share your screen, or stop",
    "chat-button": "Chat",
    "people-button": "People in the call",
    "layout": "All alike, or one large",
    "full-screen": "Full screen, and back",
    "close": "Close what is open",
    "shortcuts": "Open or close this list",
}

# The verification code

CODE_WORDS = (
    "whale fox frog owl shark bee crab kangaroo hedgehog snake duck rooster bat crocodile giraffe ladybird "
    "lemon kiwi carrot cheese coconut peanuts doughnut cupcake grapes egg honey pineapple pretzel broccoli popcorn "
    "mushroom cactus sunflower rainbow snowman volcano leaf lightning palm sailboat balloon drum violin dice magnet "
    "telescope socks hat bell compass tractor helicopter castle tent piano puzzle target shower sponge diamond plug "
    "camera boot"
)
"""What the symbols of `code_words` are called, in their order; in English no two begin with the same three letters."""

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
    "direct": "The connection with {} is direct: picture and sound go from one browser to the other.",
    "relayed": "The connection with {} is relayed: picture and sound pass a TURN server, encrypted.",
}
NO_TURN = "This server names no TURN server: with this switched on, no connection comes about."
