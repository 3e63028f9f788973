"""Who may have an id in the directory."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.auth.directory_access import DirectoryAccess
from signald.auth.tokens import TokenVerifier
from signald.config.settings import Tokens
from signald.core.budgets import GuessBudgets
from signald.core.directory_messages import ClientId, Registration, Room
from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import Limits
from signald.core.token_need import TokenNeed
from signald.dialects.dialect import Claim
from tests.support.access import FORGED, NOW, SECRET, minted
from tests.support.world import HOME

ANN = ClientId("ann")


def register(access: DirectoryAccess, token: str) -> Registration:
    """Return the registration of a client with a token."""
    return access.registration(ANN, Claim("ann", token, "peerjs"), HOME, 0.0)


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
        code: ErrorCode = self.assertRaises(SignalError, access.registration, ANN, claim, HOME, 0.0).code
        return code

    def test_random_secrets(self) -> None:
        """Without tokens, clients are told apart by their random secrets, of which a digest is kept."""
        access = self.access()
        first, again, other = (register(access, text).holder for text in ("abc", "abc", "abd"))
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
            holders = {register(access, token).holder for token in (minted(), minted(exp=NOW + 60), minted(name="Ann"))}
            self.assertEqual(holders, {"user ann"})
            self.assertEqual(register(access, minted(sub="ben")).holder, "user ben")

    def test_missing_tokens(self) -> None:
        """A client without a token is told that one is needed, which is no guess; elsewhere it needs none."""
        access = self.access(TokenNeed.HOSTS)
        for _ in range(3):
            self.assertIs(self.refusal(access, Claim(None, "", "peerjs")), ErrorCode.TOKEN_REQUIRED)
        self.assertEqual(access.bad_tokens.full_at, {})
        self.assertTrue(self.access().registration(ANN, Claim(None, "", "peerjs"), HOME, 0.0).holder)

    def test_rooms(self) -> None:
        """The room is the one that the client names, whatever its token is."""
        room, token = Room("a", 2), minted()
        for need, texts in ((TokenNeed.NOBODY, ("", "abc", "a.b.c", token)), (TokenNeed.EVERYONE, (token,))):
            for text in texts:
                claim = Claim(None, text, "peerjs", room)
                self.assertEqual(self.access(need).registration(ANN, claim, HOME, 0.0).room, room)

    def test_a_holder_is_of_one_kind(self) -> None:
        """No random secret makes its client the user of a token."""
        self.assertNotEqual(register(self.access(), "user ann").holder, "user ann")

    def test_refused_tokens(self) -> None:
        """An expired token and one for a session are refused."""
        access = self.access(TokenNeed.EVERYONE)
        self.assertIs(self.refusal(access, Claim("ann", minted(exp=NOW - 60), "peerjs")), ErrorCode.TOKEN_EXPIRED)
        scope = {"session": "7Q2M9RT6ZC"}
        self.assertIs(self.refusal(access, Claim("ann", minted(signald=scope), "peerjs")), ErrorCode.NOT_PERMITTED)
        self.assertEqual(access.bad_tokens.full_at, {})

    def test_changed_need(self) -> None:
        """Who has proven to be its holder by one rule gets the id back by the other; the same token always suffices."""
        free, needed = self.access(), self.access(TokenNeed.HOSTS)
        token = minted()
        before, after = (register(access, token) for access in (free, needed))
        self.assertEqual((before.other_holders, after.other_holders), ((after.holder,), (before.holder,)))
        another = register(free, minted(exp=NOW + 60))
        self.assertEqual(another.other_holders, ("user ann",))

    def test_no_proof(self) -> None:
        """Where nobody needs a token, one that is not valid proves nothing, and random secrets are no guesses."""
        access = self.access()
        for token in (minted(exp=NOW - 60), minted(signald={"session": "7Q2M9RT6ZC"}), "abc", "a.b", "a" * 3000):
            registration = register(access, token)
            self.assertEqual(registration, Registration(ANN, registration.holder))
        self.assertEqual(access.bad_tokens.full_at, {})
        register(access, "a.b.c")
        self.assertEqual(access.bad_tokens.full_at, {})
        register(access, FORGED)
        self.assertEqual(len(access.bad_tokens.full_at), 1)
        keyless = DirectoryAccess("peerjs", TokenVerifier(Tokens()), access.bad_tokens, lambda: NOW)
        self.assertEqual(register(keyless, minted()).other_holders, ())

    def test_guesses(self) -> None:
        """Forged tokens are counted as guesses of the address, beyond which none is checked; other mistakes are not."""
        access = self.access(TokenNeed.EVERYONE)
        for _ in range(2):
            for token in ("abc", minted(aud="app"), FORGED):
                self.assertIs(self.refusal(access, Claim("ann", token, "peerjs")), ErrorCode.TOKEN_INVALID)
        self.assertIs(self.refusal(access, Claim("ann", minted(), "peerjs")), ErrorCode.TOO_MANY_GUESSES)
        self.assertEqual(access.registration(ANN, Claim("ann", minted(), "peerjs"), HOME, 10_000.0).holder, "user ann")
