"""Fairness between addresses: what the connections of each may have handled in one round of the reactor, in turn.

A round is one iteration of the reactor: it calls what is due, then reads from every connection that has input. Without
a bound for each address a round lasts as long as the input of all of an attacker's connections takes, and everybody
else waits for its end. This module decides who goes on and who waits; it has no socket and no clock of its own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from signald.core.budgets import AddressBudget, message_rate
from signald.core.limits import AddressKey, Limits, network_key
from signald.monitoring.metrics import Metrics
from signald.server.costs import FRAME_POINTS, READ_POINTS
from signald.server.forwarding_traffic import ForwardingTraffic

__all__ = ["AddressShare", "FairRounds", "Turns", "WaitingConnection"]

QUANTUM = 24
"""Points that the connections of one address may spend together in a round. A point is worth 25 µs at most, so that
six small messages make 0.6 ms."""

LEAST_QUANTUM = QUANTUM // 2
"""The same where many addresses have spent much: those that cannot have so many in one round have them in the next."""

ROUND_SECONDS = 48 * 25e-6
"""Seconds that a round may take, in which all addresses together spend their points: 48 where a point takes 25 µs."""

MOST_POINT_SECONDS, LEAST_POINT_SECONDS = 25e-6, 2.5e-6
"""Seconds that a point takes. It is measured, since a forwarded message costs a tenth of a decision, and a machine may
be fast: more points make a round then, and their overhead is a smaller part of it."""

ALONE_QUANTUM = 8 * QUANTUM
"""The same for an address that is alone: rounds of some milliseconds harm nobody then, and hardly ever does a
connection have to wait."""

ALONE_SECONDS = 1.0
"""Seconds for which no other address may have sent anything before an address is alone."""

SETTLED_POINTS = QUANTUM
"""Points after which what an address spent is taken from its rate limit."""

REFILL_BELOW = QUANTUM // 4
"""Points below which a new round is announced for an address, since the delayed call costs 8 µs. A part of what it
spent may be of earlier rounds, so that it may spend between a quarter of the quantum and the whole in one round."""

MAX_DEBT = 16 * QUANTUM
"""The greatest debt of an address in points, so that it waits for a bounded number of rounds."""

ADDRESSES_PER_ROUND = 8
"""Addresses whose waiting connections get turns in one round, so that their number does not make it longer."""

HOLD_SECONDS = 0.05
"""Least time in seconds between two moments at which all connections of an address are held, at about 5 µs each."""


class WaitingConnection(Protocol):
    """A connection of an address, which may have to wait for its turn."""

    def hold(self) -> bool:
        """Stop to read until the connection's turn; False if it waits for one already, or takes none."""

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Handle buffered input, or read again; returns whether another turn is wanted.

        While others wait, a message is a turn, and to read again is one.
        """


@define(eq=False)
class Turns:
    """Shares one round's points among the connections of an address, or of an IPv6 /48, and queues those that wait.

    The IPv6 addresses of a /48 take turns together: its holder has 65,536 networks of the size that counts as one
    address elsewhere. This refuses nothing, since whoever has spent the points of a round waits for others alone.

    Attributes:
        key: the address, or the network.
        left: points that are left in this round; negative where the last message cost more than was left.
        waiting: the connections that wait, in the order of their turns, each with the share of its address.
        addresses: the number of addresses that take these turns and have connections.

    """

    key: AddressKey
    _rounds: FairRounds = field(repr=False)
    addresses: int = field(default=0, init=False)
    left: int = field(default=QUANTUM, init=False)
    waiting: deque[tuple[WaitingConnection, AddressShare]] = field(factory=deque, init=False, repr=False)
    _paid_reads: set[WaitingConnection] = field(factory=set, init=False, repr=False)
    _is_spent: bool = field(default=False, init=False)
    _is_queued: bool = field(default=False, init=False)

    def charge(self, points: int) -> None:
        """Spend points of this round."""
        self.left = left = self.left - points
        rounds = self._rounds
        rounds.points += points
        if rounds.latest is not self:
            rounds.switch_to(self)
        if left < REFILL_BELOW and not self._is_spent:
            self._is_spent = True
            rounds.refill_later(self)

    def refill(self, quantum: int) -> bool:
        """Add the points of a new round; returns whether those of the next one are needed too."""
        self._paid_reads.clear()
        self.left = min(quantum, max(self.left, -MAX_DEBT) + quantum)
        self._is_spent = self.left < REFILL_BELOW
        return self._is_spent

    def take_paid_read(self, member: WaitingConnection) -> bool:
        """Whether a connection reads in its turn; what that turn cost is given back, since the read is charged now.

        A read whose round has been spent by a costly message of another one has to wait again: five messages of 1.4 ms
        would make a round of 7 ms.
        """
        if member not in self._paid_reads:
            return False
        self._paid_reads.remove(member)
        self.left += READ_POINTS + FRAME_POINTS
        return self.left > 0

    def take_paid_reads(self) -> list[WaitingConnection]:
        """Take back the turns to read that were not used yet, and return the connections that had them."""
        members = list(self._paid_reads)
        self._paid_reads.clear()
        return members

    def add_waiting(self, members: Iterable[tuple[WaitingConnection, AddressShare]]) -> None:
        """Add connections that are held to those that wait for their turn."""
        self.waiting.extend(members)
        self._queue()

    def remove(self, member: WaitingConnection, share: AddressShare) -> None:
        """Remove a connection that has ended."""
        self._paid_reads.discard(member)
        if (member, share) in self.waiting:
            self.waiting.remove((member, share))

    def give_turns(self) -> None:
        """Give the waiting connections their turns, a message each, until the points of the round are spent."""
        self._is_queued = False
        waiting = self.waiting
        while waiting and self.left > 0:
            member, share = waiting.popleft()
            if share.is_over_rate:
                share.park(member)
                continue
            others_wait = bool(waiting)
            wants_another = member.take_turn(share, others_wait)
            if not share.has(member):
                continue
            if wants_another:
                waiting.append((member, share))
            elif others_wait:
                self._paid_reads.add(member)
                self.charge(READ_POINTS + FRAME_POINTS)
        self._queue()

    def _queue(self) -> None:
        """Have turns given to the waiting connections in the next round, if there are any."""
        if self.waiting and not self._is_queued:
            self._is_queued = True
            self._rounds.add_waiting(self)


@define(eq=False)
class AddressShare:
    """What an address may spend: its part of each round, and in the long run the rate limit of its messages.

    Attributes:
        key: the address.
        turns: divides each round among the connections of the address, or of its IPv6 /48.
        is_over_rate: whether the address has spent its rate limit. None of its connections is read from until it has
            tokens again; nothing is refused, and TLS, unmasking and JSON are not paid meanwhile.

    """

    key: AddressKey
    turns: Turns
    _rounds: FairRounds = field(repr=False)
    is_over_rate: bool = field(default=False, init=False)
    _members: dict[WaitingConnection, None] = field(factory=dict, init=False, repr=False)
    """All connections, in the order in which they joined."""

    _parked: list[WaitingConnection] = field(factory=list, init=False, repr=False)
    """The connections that wait until the address has tokens, in their order."""

    _unpaid: int = field(default=0, init=False)
    """Points that were not taken from the rate limit yet, since to take them at each charge would cost 2 µs."""

    _release_call: IDelayedCall | None = field(default=None, init=False, repr=False)
    _postponed_round: int = field(default=-1, init=False)
    _hold_at: float = field(default=0.0, init=False)

    @property
    def left(self) -> int:
        """Points that are left in this round."""
        return self.turns.left

    @property
    def is_open(self) -> bool:
        """Whether a connection may have its input handled at once: points are left, and nobody waits."""
        turns = self.turns
        return turns.left > 0 and not turns.waiting and not self.is_over_rate

    def charge(self, points: int) -> None:
        """Spend points of this round, and of the address's rate limit."""
        self.turns.charge(points)
        self._unpaid += points
        if self._unpaid >= SETTLED_POINTS:
            self.settle()

    def settle(self) -> None:
        """Take the points that were spent from the rate limit, and hold all connections if the address exceeds it."""
        points, self._unpaid = self._unpaid, 0
        seconds = self._rounds.pay(self.key, points)
        if seconds > 0 and not self.is_over_rate:
            self.is_over_rate = True
            self._rounds.metrics.count_limit_hit("address_message_rate")
            self._parked.extend(member for member in self._members if member.hold())
            self._release_call = self._rounds.call_later(seconds, self._release)

    def take_paid_read(self, member: WaitingConnection) -> bool:
        """Whether a connection reads in its turn; what that turn cost is given back, since the read is charged now."""
        return self.turns.take_paid_read(member)

    def wait(self, member: WaitingConnection) -> None:
        """Add a connection that is held to those that wait for their turn."""
        self.turns.add_waiting([(member, self)])

    def park(self, member: WaitingConnection) -> None:
        """Keep a connection that is held until the address has tokens again."""
        self._parked.append(member)

    def postpone_read(self, member: WaitingConnection) -> None:
        """Add a connection that is held, with what it has just read, to those that wait for their turn.

        The second one in a round shows that more connections of the address have input. All are held then, so that
        nothing is received from them before their turn: to read 64 KiB from each of 200 over TLS would take 30 ms.
        """
        self.wait(member)
        rounds = self._rounds
        if self._postponed_round != rounds.number:
            self._postponed_round = rounds.number
            return
        self._hold_others()

    def charge_end(self, points: int) -> None:
        """Charge the end of a connection, and hold the others where that has spent the round.

        Those that have ended, too, are found in their turns: the ends of 144 members of sessions took 130 ms at once.
        """
        if not self._members:
            self._rounds.pay(self.key, points)
            return
        self.charge(points)
        if not self.is_open:
            self.turns.add_waiting([(other, self) for other in self.turns.take_paid_reads() if other.hold()])
            self._hold_others()

    def _hold_others(self) -> None:
        """Hold all connections of the address, unless that was done just before."""
        now = self._rounds.seconds()
        if now >= self._hold_at:
            self._hold_at = now + HOLD_SECONDS
            self.turns.add_waiting([(other, self) for other in self._members if other.hold()])

    def join(self, member: WaitingConnection) -> None:
        """Add an open connection of the address."""
        self._members[member] = None

    def has(self, member: WaitingConnection) -> bool:
        """Whether a connection has joined, and not left meanwhile: one may become a WebSocket, or end, in its turn."""
        return member in self._members

    def leave(self, member: WaitingConnection) -> None:
        """Remove a connection that has ended."""
        self._members.pop(member, None)
        self.turns.remove(member, self)
        if member in self._parked:
            self._parked.remove(member)
        if not self._members:
            self._rounds.pay(self.key, self._unpaid)
            self._unpaid = 0
            if self._release_call is not None:
                self._release_call.cancel()
                self._release_call = None
            self._rounds.remove(self)

    def _release(self) -> None:
        """Give the connections turns again, unless the rest of the IPv6 /48 has spent the tokens meanwhile."""
        self._release_call = None
        self.is_over_rate = False
        self.settle()
        if not self.is_over_rate:
            parked, self._parked = self._parked, []
            self.turns.add_waiting((member, self) for member in parked)


@define(eq=False)
class FairRounds:
    """The shares of all addresses of a server, and the rounds of its reactor.

    Attributes:
        seconds: gives monotonic seconds.
        call_later: calls a function once after so many seconds.
        call_next_round: calls a function once when the next round begins.
        budget: the rate limit of each address's messages.
        metrics: counts how often an address exceeded it.
        traffic: counts what addresses spend, to find a proxy that was not named.
        number: counts the rounds, without those before which no address had spent much.
        points: the points that all addresses have spent in this round.
        latest: the turns of the address that spent points last, though its connections may have ended.
        shares: the shares of the addresses that have connections.

    """

    seconds: Callable[[], float]
    call_later: Callable[..., IDelayedCall]
    call_next_round: Callable[[Callable[[], None]], object]
    budget: AddressBudget
    metrics: Metrics = field(factory=Metrics)
    traffic: ForwardingTraffic = field(factory=ForwardingTraffic)
    number: int = field(default=0, init=False)
    points: int = field(default=0, init=False)
    latest: Turns | None = field(default=None, init=False)
    _alone_from: float = field(default=-math.inf, init=False)
    shares: dict[AddressKey, AddressShare] = field(factory=dict, init=False)
    _turns: dict[AddressKey, Turns] = field(factory=dict, init=False)
    """The turns of each IPv4 address and IPv6 /48 that has connections."""

    _spent: list[Turns] = field(factory=list, init=False)
    _waiting: deque[Turns] = field(factory=deque, init=False)
    _is_announced: bool = field(default=False, init=False)
    _began: float | None = field(default=None, init=False)
    """When this round began, if it did so right after another one: the reactor has not waited in it."""

    _point_seconds: float = field(default=MOST_POINT_SECONDS, init=False)

    @classmethod
    def of(
        cls,
        clock: IReactorTime,
        limits: Limits,
        metrics: Metrics | None = None,
        call_next_round: Callable[[Callable[[], None]], object] | None = None,
    ) -> FairRounds:
        """Create the rounds of a reactor, with full rate limits; by default a round begins by a call after 0 s."""
        call_next = call_next_round or partial(clock.callLater, 0)
        budget = AddressBudget(message_rate(limits))
        return cls(clock.seconds, clock.callLater, call_next, budget, metrics or Metrics())

    def reload_limits(self, limits: Limits) -> None:
        """Replace the rate limit; what addresses have spent stays charged."""
        self.budget.rate_limit = message_rate(limits)

    def join(self, address: AddressKey, member: WaitingConnection) -> AddressShare:
        """Add an open connection to its address, and return the share; `AddressShare.leave` removes it again."""
        share = self.shares.get(address)
        if share is None:
            network = network_key(address) or address
            turns = self._turns.get(network)
            if turns is None:
                turns = self._turns[network] = Turns(network, self)
            turns.addresses += 1
            share = self.shares[address] = AddressShare(address, turns, self)
            # Otherwise the last connection to end and the next one to come would bring tokens.
            share.settle()
        share.join(member)
        return share

    def remove(self, share: AddressShare) -> None:
        """Forget an address that has no connection left."""
        if self.shares.pop(share.key, None) is None:
            return
        share.turns.addresses -= 1
        if not share.turns.addresses:
            del self._turns[share.turns.key]

    def pay(self, address: AddressKey, points: int) -> float:
        """Take points from the rate limit of an address; returns the seconds until it may spend more, or 0."""
        now, budget = self.seconds(), self.budget
        self.traffic.count(address, points, now)
        budget.charge(address, points / FRAME_POINTS, now)
        if budget.seconds_until(address, 0, now) == 0:
            return 0.0
        # Not until the first token, since to hold and to release 200 connections takes 2 ms.
        return budget.seconds_until(address, budget.rate_limit.rate * HOLD_SECONDS, now)

    def switch_to(self, turns: Turns) -> None:
        """Note that another address than the last one spends points, so that neither is alone for a while."""
        if self.latest is not None:
            self.latest.left = min(self.latest.left, QUANTUM)
            self._alone_from = self.seconds() + ALONE_SECONDS
        self.latest = turns

    def refill_later(self, turns: Turns) -> None:
        """Refill the points of an address when the next round begins."""
        self._spent.append(turns)
        self._announce()

    def add_waiting(self, turns: Turns) -> None:
        """Give the waiting connections of an address turns when the next round begins."""
        self._waiting.append(turns)
        self._announce()

    def _announce(self) -> None:
        if not self._is_announced:
            self._is_announced = True
            self.call_next_round(self._begin)

    def _begin(self) -> None:
        """Begin a round: refill what was spent, then give turns to the waiting connections of some addresses."""
        now = self.seconds()
        self.number += 1
        self._is_announced = False
        self._measure(now)
        self._refill(now)
        self._give_turns()
        if self._waiting:
            self._announce()
        self._began = now if self._is_announced else None

    def _give_turns(self) -> None:
        """Give turns to the waiting connections of some addresses that have points; the others keep their places."""
        waiting, self._waiting = self._waiting, deque()
        served: list[Turns] = []
        for turns in waiting:
            if turns.left > 0 and len(served) < ADDRESSES_PER_ROUND:
                served.append(turns)
            else:
                self._waiting.append(turns)
        # Those that wait again come behind all others.
        for turns in served:
            turns.give_turns()

    def _measure(self, now: float) -> None:
        """Measure the seconds that a point takes, in a round that has followed another one without a pause."""
        points, self.points = self.points, 0
        if self._began is not None and now > self._began and points >= LEAST_QUANTUM:
            measured = min(max((now - self._began) / points, LEAST_POINT_SECONDS), MOST_POINT_SECONDS)
            self._point_seconds += (measured - self._point_seconds) / 8

    def _refill(self, now: float) -> None:
        """Divide the points of a round among the addresses that have spent theirs.

        Those that are not in debt come before others, since they have spent little, except the one that has waited
        longest; the others take turns. Without that an attacker with 16 addresses would make each round 16 times as
        long.
        """
        spent, self._spent = self._spent, []
        total = round(ROUND_SECONDS / self._point_seconds)
        quantum = max(LEAST_QUANTUM, total // max(2, len(spent)))
        count = total // quantum
        if now >= self._alone_from:
            quantum = max(quantum, ALONE_QUANTUM)
        debtors = [turns for turns in spent if turns.left <= 0]
        spent = [*debtors[:1], *(turns for turns in spent if turns.left > 0), *debtors[1:]]
        for turns in spent[count:]:
            self.refill_later(turns)
        for turns in spent[:count]:
            if turns.refill(quantum):
                self.refill_later(turns)
