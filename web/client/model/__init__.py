"""The pure part of the page: state, decisions and texts, with neither DOM nor WebRTC nor JavaScript."""
