"""The details of the session that the page is in, or is about to open or join. It does not touch the browser."""

from __future__ import annotations

__all__ = ["SessionDetails"]


class SessionDetails:
    """The session's identity, its invitation and its settings.

    Attributes:
        id: the canonical session id, empty until it is known.
        invited_id: the id that the page's address names, or empty.
        inviter: the person who invites, as that address says; empty for nobody.
        has_host_key: whether this browser stores the host key of the session that `invited_id` or `id` names.
        link: the invitation link.
        link_is_local: whether the link works on this computer only.
        link_copied: whether the link was copied a moment ago.
        password: the password that guests need, where this person chose it; else empty.
        password_required: whether the session that the person joins has a password.
        locked: whether nobody may join any more.
        lobby: whether the host admits each guest.
        relay_only: whether everybody in the session connects through a TURN server only; before the session is opened,
            whether this person wants it so.

    """

    def __init__(self) -> None:
        self.invited_id = self.inviter = ""
        self.has_host_key = False
        self.link_is_local = self.link_copied = False
        self.password_required = False
        self.relay_only = False
        self.reset("")

    def reset(self, session_id: str) -> None:
        """Prepare for another session; an empty id stands for one that is yet to be opened."""
        self.id = session_id
        self.link = self.password = ""
        self.locked = self.lobby = False
