"""Decides who may: checks tokens, asks the webhook, and has the registry decide what is left of an operation."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve
from twisted.internet.defer import Deferred

from signald.auth.passwords import Passwords
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.core.decisions import Identify, JoinSession, OpenSession, Operation, Outcome, Refused
from signald.core.errors import ErrorCode, SignalError
from signald.core.grant import Grant
from signald.core.permissions import TokenNeed, apply_grant, permission_error
from signald.core.questions import Verdict, make_question
from signald.core.registry import MemoryRegistry

__all__ = ["Access"]


@define
class Access:
    """Stands before the registry.

    Attributes:
        registry: decides about identities and membership.
        passwords: decides where a password is to be checked first.
        tokens: checks tokens.
        webhook: asks the operator's service.
        wall: wall time, seconds since the epoch: what tokens expire by.

    """

    registry: MemoryRegistry
    passwords: Passwords
    tokens: TokenVerifier
    webhook: Webhook
    wall: Callable[[], float]

    def decide(self, operation: Operation) -> Deferred[Outcome] | Outcome:
        """Carry out an operation, now or later, or refuse it and change nothing."""
        match operation:
            case Identify():
                return self._identify(operation)
            case OpenSession() | JoinSession():
                return self._enter(operation)
            case _:
                return self.registry.decide(operation)

    def _identify(self, operation: Identify) -> Outcome:
        if operation.token is None:
            if self.tokens.need is TokenNeed.EVERYONE:
                return Refused(ErrorCode.TOKEN_REQUIRED)
            return self.registry.decide(operation)
        try:
            grant = self.tokens.verify(operation.token, self.wall())
        except SignalError as error:
            return Refused(error.code)
        return self.registry.decide(evolve(operation, token=None, grant=grant))

    def _enter(self, operation: OpenSession | JoinSession) -> Deferred[Outcome] | Outcome:
        identity = self.registry.users.get(operation.user)
        grant = None if identity is None else identity.grant
        refused = permission_error(self.tokens.need, grant, operation, self.wall())
        if refused is not None:
            return Refused(refused)
        operation = apply_grant(grant, operation)
        if not self.webhook.is_on or not self._is_known(operation, grant):
            return self._admit(operation)

        def answered(verdict: Verdict) -> Deferred[Outcome] | Outcome:
            return self._admit(operation) if verdict is None else Refused(verdict)

        return self.webhook.ask(make_question(operation, grant)).addCallback(answered)

    def _is_known(self, operation: OpenSession | JoinSession, grant: Grant | None) -> bool:
        """Whether the webhook could say more than that there is no such session, as guesses are told without it."""
        if isinstance(operation, OpenSession):
            return True
        return operation.session in self.registry.sessions or (grant is not None and grant.session == operation.session)

    def _admit(self, operation: OpenSession | JoinSession) -> Deferred[Outcome] | Outcome:
        match operation:
            case OpenSession(password=str(password)):
                return self.passwords.open(operation, password)
            case JoinSession(password=str(password)):
                return self.passwords.join(operation, password)
            case _:
                return self.registry.decide(operation)
