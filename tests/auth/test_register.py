"""Tokens that have a name: listed, revoked, and void everywhere then."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from rapport.auth.grant import give
from rapport.auth.keys import Keys, load_keys, rotate_keys
from rapport.auth.register import MOST, ListedToken, listed_token, listed_tokens, revoke
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal
from rapport.cli.command import now
from rapport.errors import InvalidField, StoreUnavailable, TooManyTokens, UnknownToken
from rapport.instant import DAY, HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.sqlite.secrets import read_secret, replace_secret
from rapport.store.store import Store
from tests.cli.command import rapport
from tests.world import Server, details, line

T = TypeVar("T")

ASKED = f"{details('c1')}?tracking_activity_type=em_opens"
LOOKS_WITHIN = 3.0
"""Seconds, as the docs say."""


def with_store(data: str, do: Callable[[Store], Awaitable[T]]) -> T:
    async def done() -> T:
        async with open_store(Settings(data=data)) as store:
            return await do(store)

    return asyncio.run(done())


def principal(account_id: str) -> Principal:
    return Principal(account_id, account_id, "somebody", Role.OWNER, frozenset(Scope))


async def named(store: Store, account_id: str, name: str, expires: Instant, keys: Keys | None = None) -> str:
    _, token = await give(
        store.secrets,
        keys or await load_keys(store.secrets),
        Settings(),
        principal(account_id),
        name=name,
        now=now(),
        expires=expires,
    )
    return token


async def listed(store: Store, account_id: str, at: Instant | None = None) -> list[ListedToken]:
    return await listed_tokens(store.secrets, await load_keys(store.secrets), account_id, at or now())


def ask(server: Server, token: str) -> int:
    return httpx.get(server.url + ASKED, headers={"authorization": f"Bearer {token}"}).status_code


def rows(data: str, account: str) -> list[list[str]]:
    told = rapport("tokens", "list", "--data", data, "--account", account).stdout
    return [row.split("\t") for row in told.splitlines()[1:]]


def test_revoked_token_is_rejected_by_every_worker(server: Server, account: str) -> None:
    async def made(store: Store) -> list[str]:
        return [await named(store, account, name, Instant(now() + HOUR)) for name in "ab"]

    with server.caller(account) as caller:
        caller.record(line())
        lost, kept = with_store(server.data, made)
        # Both workers of the other server remember the tokens that they are asked with.
        with Server(server.data, workers=2) as other:
            everywhere = [server, *[other] * 8]
            assert [ask(each, token) for each in everywhere for token in (lost, kept)] == [200] * 18
            with httpx.Client(base_url=other.url) as browser:
                browser.post("/sign-in", data={"token": lost})
                assert browser.get("/").status_code == 200
                session = {"cookie": f"rapport_session={browser.cookies['rapport_session']}"}
            newest, oldest = rows(server.data, account)
            assert (newest[1], oldest[1], oldest[-1]) == ("b", "a", "good")
            told = rapport("tokens", "revoke", oldest[0], "--data", server.data, "--account", account).stdout
            assert told == f"The token {oldest[0]}, a, is revoked.\n"
            time.sleep(LOOKS_WITHIN)
            assert [ask(each, lost) for each in everywhere] == [401] * 9
            assert [ask(each, token) for each in everywhere for token in (kept, caller.bearer)] == [200] * 18
            assert [httpx.get(each.url, headers=session).status_code for each in everywhere] == [303] * 9
    states = {row[1]: row[-1] for row in rows(server.data, account)}
    assert states["a"].startswith("revoked 20")
    assert states["b"] == "good"
    assert rows(server.data, f"{account}-other") == []


def test_register_stores_permissions_and_never_the_token(data: str) -> None:
    async def do(store: Store) -> None:
        token = await named(store, "acme", " the shop's ", Instant(now() + DAY))
        ((found, revocation),) = await listed(store, "acme")
        assert revocation is None
        assert (found.name, found.role, found.scopes) == ("the shop's", Role.OWNER, frozenset(Scope))
        assert found.made_by == "somebody"
        assert found.expires - found.made_time == pytest.approx(DAY, abs=1_000)
        kept = b"".join([await store.secrets.read(name) or b"" for name in await store.secrets.list_names()])
        assert token.rpartition(".")[2].encode() not in kept

    with_store(data, do)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\tb", "\u202e", "a\udc80"])
def test_token_name_must_be_printable(tmp_path: Path, name: str) -> None:
    async def do(store: Store) -> None:
        with pytest.raises(InvalidField, match="1 to 64 characters"):
            await named(store, "acme", name, Instant(now() + DAY))
        assert await listed(store, "acme") == []

    with_store(str(tmp_path), do)


def test_token_lists_of_accounts_are_case_sensitive(data: str) -> None:
    async def do(store: Store) -> None:
        for account_id in ("acme", "Acme"):
            await named(store, account_id, account_id, Instant(now() + DAY))
        keys = await load_keys(store.secrets)
        ((mine, _),) = await listed(store, "acme")
        assert mine.name == "acme"
        with pytest.raises(UnknownToken):
            await listed_token(store.secrets, keys, "Acme", mine.token_id, now())
        await revoke(store.secrets, mine, by="somebody", now=now())
        assert [revocation for _, revocation in await listed(store, "Acme")] == [None]

    with_store(data, do)


def test_expired_tokens_are_dropped_and_count_is_limited(data: str) -> None:
    async def do(store: Store) -> None:
        keys = await load_keys(store.secrets)
        await named(store, "acme", "short", Instant(now() + HOUR), keys)
        for number in range(MOST - 1):
            await named(store, "acme", str(number), Instant(now() + DAY), keys)
        with pytest.raises(TooManyTokens, match=f"{MOST} is the most"):
            await named(store, "acme", "one more", Instant(now() + DAY), keys)
        *others, (short, _) = await listed(store, "acme")
        for token, _ in others:
            await revoke(store.secrets, token, by="somebody", now=now())
        # Every server has to remember what is revoked.
        with pytest.raises(TooManyTokens):
            await named(store, "acme", "one more", Instant(now() + DAY), keys)
        await named(store, "other", "not concerned", Instant(now() + DAY), keys)
        assert short.token_id not in {token.token_id for token, _ in await listed(store, "acme", short.expires)}

        # Dropped with the keys, all of them are void: there is room again.
        keys = await rotate_keys(store.secrets, now(), drop_old=True)
        assert await listed(store, "acme") == []
        await named(store, "acme", "anew", Instant(now() + DAY), keys)
        assert [token.name for token, _ in await listed(store, "acme")] == ["anew"]
        stored = [
            await store.secrets.read(name) for name in await store.secrets.list_names() if name.startswith("tokens-")
        ]
        assert sum(text.count(b'"token_id"') for text in stored if text) == 2

        # Nor does the list of the revoked grow for ever.
        ((token, _),) = await listed(store, "acme")
        await revoke(store.secrets, token, by="somebody", now=Instant(now() + 3 * DAY))
        revoked = await store.secrets.read("revoked-tokens")
        assert revoked is not None
        assert revoked.count(b'"token_id"') == 1

    with_store(data, do)


def test_concurrently_created_tokens_are_all_kept(data: str) -> None:
    async def do(store: Store) -> None:
        keys = await load_keys(store.secrets)
        await asyncio.gather(*(named(store, "acme", str(each), Instant(now() + DAY), keys) for each in range(8)))
        found = await listed(store, "acme")
        await asyncio.gather(*(revoke(store.secrets, token, by="somebody", now=now()) for token, _ in found))
        assert {token.name for token, revocation in await listed(store, "acme") if revocation} == set("01234567")

    with_store(data, do)


def test_damaged_register_is_reported(tmp_path: Path) -> None:
    data = str(tmp_path)
    rapport("token", "--create", "--name", "a", "--data", data)
    (register,) = tmp_path.glob("tokens-*")
    register.write_text("[{}]")
    assert "the register of tokens is damaged" in rapport("tokens", "list", "--data", data, code=1).stderr
    (tmp_path / "revoked-tokens.secret.json").write_text("{")
    told = rapport("serve", "--data", data, "--port", "1", code=1).stderr
    assert "the list of revoked tokens is damaged" in told

    async def do(store: Store) -> None:
        with pytest.raises(StoreUnavailable):
            await named(store, "default", "b", Instant(now() + DAY))

    with_store(data, do)


def test_replace_secret_is_atomic_on_enospc(tmp_path: Path) -> None:
    assert replace_secret(tmp_path, "tokens", None, b"old")
    earlier, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, most))
    try:
        with pytest.raises(StoreUnavailable):
            replace_secret(tmp_path, "tokens", b"old", bytes(8_192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (earlier, most))
    assert read_secret(tmp_path, "tokens") == b"old"


def test_revoking_unknown_token_fails(tmp_path: Path) -> None:
    rapport("token", "--create", "--name", "a", "--data", str(tmp_path))
    told = rapport("tokens", "revoke", "nothing", "--data", str(tmp_path), code=1).stderr
    assert "there is no token nothing in the list" in told
    assert "1 to 64" in rapport("token", "--name", "", "--data", str(tmp_path), code=1).stderr
