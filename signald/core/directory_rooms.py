"""Rooms of the directory: clients that meet under a name, and reach the others of their group alone."""

from __future__ import annotations

from attrs import define, field

from signald.core.directory_messages import ClientId, Room
from signald.core.users import PeerId

__all__ = ["Group", "Rooms"]


@define(eq=False)
class Group:
    """Clients that reach each other.

    Attributes:
        room: the room in which they met.
        members: their connections by id, in the order in which they came.

    """

    room: Room
    members: dict[ClientId, PeerId] = field(factory=dict)


@define
class Rooms:
    """The groups of all rooms; a group exists while it has a member.

    Attributes:
        groups: how many groups there are.

    """

    groups: int = field(default=0, init=False)
    _open: dict[Room, Group] = field(factory=dict, init=False)
    """The groups that the next client of a room enters."""

    def enter(self, room: Room, id: ClientId, peer: PeerId, most: int) -> Group | None:
        """Add a client to the open group of a room; None, and add nothing, where that has `most` members.

        A group that has the size of its room is closed: whoever leaves it is not replaced.
        """
        group = self._open.get(room)
        if group is None:
            group = self._open[room] = Group(room)
            self.groups += 1
        elif len(group.members) >= most:
            return None
        group.members[id] = peer
        if len(group.members) == room.size:
            del self._open[room]
        return group

    def leave(self, group: Group, id: ClientId) -> None:
        """Remove a client from its group."""
        del group.members[id]
        if group.members:
            return
        self.groups -= 1
        if self._open.get(group.room) is group:
            del self._open[group.room]
