"""The authorization chain: token → webhook → password → registry. Each link decides an operation or passes it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, evolve
from twisted.internet.defer import Deferred

from signald.auth.token_claims import TokenError
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.core.budgets import AddressBudget
from signald.core.decisions import Identify, JoinSession, OpenSession, Operation, Outcome, Refused
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.registry import MemoryRegistry
from signald.core.token_need import TokenNeed
from signald.core.token_permissions import apply_grant, refuse_operation
from signald.core.webhook_messages import Verdict, make_question

__all__ = ["Decider", "TokenLink", "WebhookLink"]


class Decider(Protocol):
    """Decides operations: a link of the chain, or the registry at its end."""

    def decide(self, operation: Operation) -> Outcome | Deferred[Outcome]:
        """Carry out an operation, now or later, or refuse it and change nothing."""


@define
class TokenLink:
    """Verifies the token of a new identity, and refuses to open or join a session where its grant does not allow it.

    Attributes:
        tokens: verifies tokens.
        registry: holds the grant of each identity.
        wall: returns wall time, in seconds since the epoch, against which tokens expire.
        next: the next link.

    """

    tokens: TokenVerifier
    registry: MemoryRegistry
    wall: Callable[[], float]
    next: Decider

    def decide(self, operation: Operation) -> Outcome | Deferred[Outcome]:
        """Refuse what the token does not allow; pass on the rest, with the token replaced by its grant."""
        match operation:
            case Identify(token=None) if self.tokens.need is TokenNeed.EVERYONE:
                return Refused(ErrorCode.TOKEN_REQUIRED)
            case Identify(token=str(token)):
                try:
                    grant = self.tokens.verify(token, self.wall())
                except TokenError as error:
                    return Refused(error.code, error.is_guess, error.mismatch)
                return self.next.decide(evolve(operation, token=None, grant=grant))
            case OpenSession() | JoinSession():
                held = _grant_of(self.registry, operation)
                refused = refuse_operation(self.tokens.need, held, operation, self.wall())
                return self.next.decide(apply_grant(held, operation)) if refused is None else refused
            case _:
                return self.next.decide(operation)


@define
class WebhookLink:
    """Asks the operator's webhook, if one is configured, whether a session may be opened or joined.

    A webhook can hide a session by the answer `unknown-session`. So that nothing tells a hidden session from one that
    does not exist, neither the time of the answer nor the number of answers, it is asked about both.

    Attributes:
        webhook: asks the operator's service.
        registry: holds the sessions that exist, and the grant of each identity.
        guesses: the budget of each address for joining sessions that do not exist; the hub charges it.
        clock: returns monotonic seconds.
        next: the next link.

    """

    webhook: Webhook
    registry: MemoryRegistry
    guesses: AddressBudget
    clock: Callable[[], float]
    next: Decider

    def decide(self, operation: Operation) -> Outcome | Deferred[Outcome]:
        """Pass on what the webhook allows, and everything that it has no say in."""
        if not self.webhook.is_on or not isinstance(operation, OpenSession | JoinSession):
            return self.next.decide(operation)
        grant = _grant_of(self.registry, operation)
        answer = self.webhook.ask(make_question(operation, grant), operation.address)
        return answer.addCallback(self._answered, operation, grant)

    def _answered(
        self, verdict: Verdict, operation: OpenSession | JoinSession, grant: Grant | None
    ) -> Outcome | Deferred[Outcome]:
        if isinstance(operation, JoinSession):
            if operation.former is None and not self.guesses.has_token(operation.address, self.clock()):
                # Guesses that were asked about at once have used up the budget meanwhile.
                return Refused(ErrorCode.TOO_MANY_GUESSES)
            if verdict is not ErrorCode.DECISION_UNAVAILABLE and not self._may_exist(operation, grant):
                # The registry refuses the session as unknown, whatever the webhook said about it.
                return self.next.decide(operation)
        return self.next.decide(operation) if verdict is None else Refused(verdict, by_webhook=True)

    def _may_exist(self, operation: JoinSession, grant: Grant | None) -> bool:
        """Tell whether a session exists, or begins to exist with a guest whose token or rejoin ticket is for it."""
        if operation.former is not None:
            return True
        return operation.session in self.registry.sessions or (grant is not None and grant.session == operation.session)


def _grant_of(registry: MemoryRegistry, operation: OpenSession | JoinSession) -> Grant | None:
    """Return the grant of the identity that asks; None where it showed no token."""
    identity = registry.users.get(operation.user)
    return None if identity is None else identity.grant
