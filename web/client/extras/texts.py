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
