"""Who may have an id in the directory."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.auth.directory_access import DirectoryAccess
from signald.auth.tokens import TokenVerifier
from signald.config.settings import Tokens
from signald.core.budgets import GuessBudgets
from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import Limits
from signald.core.token_need import TokenNeed
from signald.dialects.dialect import Claim
from tests.support.access import NOW, SECRET, minted
from tests.support.world import HOME


class AccessTests(SynchronousTestCase):
    """Keys and tokens."""

    def access(self, need: TokenNeed = TokenNeed.NOBODY) -> DirectoryAccess:
        """Return the access rule of a server where so many clients need a token."""
        path = Path(self.mktemp())
        path.write_bytes(SECRET)
        path.chmod(0o600)
        tokens = TokenVerifier(Tokens(need=need, secret_file=path))
        return DirectoryAccess("peerjs", tokens, GuessBudgets.of(Limits(failed_guesses=2)).tokens, lambda: NOW)

    def refusal(self, access: DirectoryAccess, claim: Claim) -> ErrorCode:
        """Assert that a claim is refused, and return the code."""
        code: ErrorCode = self.assertRaises(SignalError, access.holder, claim, HOME, 0.0).code
        return code

    def test_random_secrets(self) -> None:
        """Without tokens, clients are told apart by their random secrets, of which a digest is kept."""
        access = self.access()
        first, again, other = (access.holder(Claim("ann", text, "peerjs"), HOME, 0.0) for text in ("abc", "abc", "abd"))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertNotIn("abc", first)

    def test_keys(self) -> None:
        """Another key is refused, also one that is not ASCII."""
        for key in ("", "peer", "peerjs2", "\u00e9"):
            self.assertIs(self.refusal(self.access(), Claim("ann", "abc", key)), ErrorCode.NOT_PERMITTED)

    def test_tokens(self) -> None:
        """Where anybody needs a token, an id belongs to the token's user, whichever of its tokens it shows."""
        for need in (TokenNeed.HOSTS, TokenNeed.EVERYONE):
            access = self.access(need)
            holders = {
                access.holder(Claim("any", token, "peerjs"), HOME, 0.0)
                for token in (minted(), minted(exp=NOW + 60), minted(name="Ann"))
            }
            self.assertEqual(holders, {"user ann"})
            self.assertEqual(access.holder(Claim("any", minted(sub="ben"), "peerjs"), HOME, 0.0), "user ben")

    def test_a_holder_is_of_one_kind(self) -> None:
        """No random secret makes its client the user of a token."""
        self.assertNotEqual(self.access().holder(Claim("ann", "user ann", "peerjs"), HOME, 0.0), "user ann")

    def test_refused_tokens(self) -> None:
        """An expired token and one for a session are refused."""
        access = self.access(TokenNeed.EVERYONE)
        self.assertIs(self.refusal(access, Claim("ann", minted(exp=NOW - 60), "peerjs")), ErrorCode.TOKEN_EXPIRED)
        scope = {"session": "7Q2M9RT6ZC"}
        self.assertIs(self.refusal(access, Claim("ann", minted(signald=scope), "peerjs")), ErrorCode.NOT_PERMITTED)
        self.assertEqual(access.bad_tokens.full_at, {})

    def test_guesses(self) -> None:
        """Invalid tokens are counted as guesses of the address, beyond which none is checked."""
        access = self.access(TokenNeed.EVERYONE)
        for _ in range(2):
            self.assertIs(self.refusal(access, Claim("ann", "abc", "peerjs")), ErrorCode.TOKEN_INVALID)
        self.assertIs(self.refusal(access, Claim("ann", minted(), "peerjs")), ErrorCode.TOO_MANY_GUESSES)
        self.assertEqual(access.holder(Claim("ann", minted(), "peerjs"), HOME, 10_000.0), "user ann")
