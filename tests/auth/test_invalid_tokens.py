"""Many invalid tokens: what they cost the store, and that a new key is still found."""

import asyncio
from pathlib import Path

import pytest

from rapport.auth.authenticator import Authenticator
from rapport.auth.keys import Keys, rotate_keys
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import create_token_id
from rapport.cli.command import now
from rapport.errors import InvalidToken
from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.secrets import SecretRepository

OWNER = Principal("default", "tests", "tests", Role.OWNER, frozenset(Scope))


def create_token(keys: Keys, audience: str = "rapport") -> str:
    return sign_token(
        keys,
        OWNER,
        issuer="rapport",
        audience=audience,
        now=now(),
        expires=Instant(now() + HOUR),
        token_id=create_token_id(),
    )


class CountingSecrets:
    """Secrets that count how often they are read."""

    def __init__(self, secrets: SecretRepository) -> None:
        self._secrets = secrets
        self.reads = 0

    async def read(self, name: str) -> bytes | None:
        self.reads += 1
        return await self._secrets.read(name)

    def __getattr__(self, name: str) -> object:
        return getattr(self._secrets, name)


@pytest.mark.slow
@pytest.mark.parametrize("activity_type", ["no token", "another audience", "another key"])
async def test_repeated_invalid_tokens_do_not_read_store(tmp_path: Path, activity_type: str) -> None:
    settings = Settings(data=str(tmp_path / "data"))

    async with open_store(settings) as store, open_store(Settings(data=str(tmp_path / "other"))) as other:
        counting = CountingSecrets(store.secrets)
        authenticator = Authenticator(counting, settings)  # type: ignore[arg-type]
        await authenticator.start()
        foreign = Authenticator(other.secrets, settings)
        await foreign.load()
        counting.reads = 0
        for _ in range(10):
            tokens = {
                "no token": [f"a.b.c{number}" for number in range(100)],
                "another audience": [create_token(authenticator.keys, f"x{number}") for number in range(100)],
                "another key": [create_token(foreign.keys, f"x{number}") for number in range(100)],
            }[activity_type]
            outcomes = await asyncio.gather(*map(authenticator.verify, tokens), return_exceptions=True)
            assert all(isinstance(outcome, InvalidToken) for outcome in outcomes)
            # A repeated token is rejected from the cache.
            again = await asyncio.gather(*map(authenticator.verify, tokens), return_exceptions=True)
            assert all(isinstance(outcome, InvalidToken) for outcome in again)
        # The key cache itself reads two secrets every 2 s.
        assert counting.reads < 60
        await authenticator.stop()


@pytest.mark.slow
async def test_new_key_is_found_during_flood_of_invalid_tokens(location: str) -> None:
    settings = Settings(data=location)

    async with open_store(settings) as store:
        authenticator = Authenticator(store.secrets, settings)
        await authenticator.start()

        async def send_refused() -> None:
            for number in range(1_000_000):
                with pytest.raises(InvalidToken):
                    await authenticator.verify(create_token(authenticator.keys, f"x{number}"))
                await asyncio.sleep(0)

        attacks = [asyncio.create_task(send_refused()) for _ in range(60)]
        await asyncio.sleep(0.2)
        token = create_token(await rotate_keys(store.secrets, now(), drop_old=False))
        async with asyncio.timeout(20):
            while True:
                try:
                    assert (await authenticator.verify(token)).principal == OWNER
                    break
                except InvalidToken:
                    # As often as a client that retries; the documented maximum is 3 s.
                    await asyncio.sleep(0.1)
        for attack in attacks:
            attack.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        await authenticator.stop()
