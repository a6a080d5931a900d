"""Named tokens: created, listed and revoked."""

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from rapport.auth.keys import Keys, load_keys, rotate_keys
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal
from rapport.auth.token_registry import MAX_TOKENS, TokenStatus, get_token, list_tokens, revoke_token
from rapport.auth.token_service import issue_token
from rapport.cli.command import now
from rapport.errors import InvalidField, StoreUnavailable, TooManyTokens, UnknownToken
from rapport.instant import DAY, HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.sqlite.secrets import read_secret, replace_secret
from rapport.store.store import Store
from tests.helpers.api import details_path, make_line
from tests.helpers.command import run_rapport, run_rapport_process
from tests.helpers.loop import run_async
from tests.helpers.server import Server
from tests.helpers.waiting import wait_until

T = TypeVar("T")

LOOKS_WITHIN = 3.0
"""Seconds, as documented."""

ASKED = f"{details_path('c1')}?tracking_activity_type=em_opens"


def with_store(location: str, do: Callable[[Store], Awaitable[T]]) -> T:
    async def done() -> T:
        async with open_store(Settings(data=location)) as store:
            return await do(store)

    return run_async(done())


def make_principal(account_id: str) -> Principal:
    return Principal(account_id, account_id, "somebody", Role.OWNER, frozenset(Scope))


async def create_token(store: Store, account_id: str, name: str, expires: Instant, keys: Keys | None = None) -> str:
    _, token = await issue_token(
        store.secrets,
        keys or await load_keys(store.secrets),
        Settings(),
        make_principal(account_id),
        name=name,
        now=now(),
        expires=expires,
    )
    return token


async def list_statuses(store: Store, account_id: str, at: Instant | None = None) -> list[TokenStatus]:
    return await list_tokens(store.secrets, await load_keys(store.secrets), account_id, at or now())


def send_request(server: Server, token: str) -> int:
    return httpx.get(server.url + ASKED, headers={"authorization": f"Bearer {token}"}).status_code


def list_rows(location: str, account: str) -> list[list[str]]:
    output = run_rapport("token", "list", "--data", location, "--account", account).stdout
    return [row.split("\t") for row in output.splitlines()[1:]]


@pytest.mark.slow
def test_revoked_token_is_rejected_by_every_worker(server: Server, account: str) -> None:
    async def made(store: Store) -> list[str]:
        return [await create_token(store, account, name, Instant(now() + HOUR)) for name in "ab"]

    with server.client(account) as client:
        client.record(make_line())
        lost, kept = with_store(server.data, made)
        # Both workers of the other server cache the tokens of requests.
        with Server(server.data, workers=2) as other:
            everywhere = [server, *[other] * 8]
            assert [send_request(client, token) for client in everywhere for token in (lost, kept)] == [200] * 18
            with httpx.Client(base_url=other.url) as browser:
                browser.post("/sign-in", data={"token": lost})
                assert browser.get("/").status_code == 200
                session = {"cookie": f"rapport_session={browser.cookies['rapport_session']}"}
            newest, oldest = list_rows(server.data, account)
            assert (newest[1], oldest[1], oldest[-1]) == ("b", "a", "valid")
            output = run_rapport("token", "revoke", oldest[0], "--data", server.data, "--account", account).stdout
            assert output == f"Revoked token {oldest[0]} (a).\n"
            wait_until(lambda: [send_request(client, lost) for client in everywhere] == [401] * 9, LOOKS_WITHIN)
            assert [send_request(item, token) for item in everywhere for token in (kept, client.token)] == [200] * 18
            assert [httpx.get(client.url, headers=session).status_code for client in everywhere] == [303] * 9
    states = {row[1]: row[-1] for row in list_rows(server.data, account)}
    assert states["a"].startswith("revoked 20")
    assert states["b"] == "valid"
    assert list_rows(server.data, f"{account}-other") == []


def test_registry_stores_permissions_and_never_the_token(location: str) -> None:
    async def do(store: Store) -> None:
        token = await create_token(store, "acme", " the shop's ", Instant(now() + DAY))
        ((results, revocation),) = await list_statuses(store, "acme")
        assert revocation is None
        assert (results.name, results.role, results.scopes) == ("the shop's", Role.OWNER, frozenset(Scope))
        assert results.created_by == "somebody"
        assert results.expires - results.created_time == pytest.approx(DAY, abs=1_000)
        kept = b"".join([await store.secrets.read(name) or b"" for name in await store.secrets.list_names()])
        assert token.rpartition(".")[2].encode() not in kept

    with_store(location, do)


def test_registry_of_earlier_version_is_read(location: str) -> None:
    async def do(store: Store) -> None:
        await create_token(store, "acme", "new", Instant(now() + DAY))
        (name,) = [name for name in await store.secrets.list_names() if name.startswith("tokens-")]
        stored = await store.secrets.read(name)
        assert stored is not None
        (fields,) = json.loads(stored)
        # The field names that version 0.1 wrote and reads.
        fields |= {"name": "old", "made_time": 1_790_000_000_000, "made_by": "alice", "made_with": ["p"]}
        assert await store.secrets.replace(name, stored, json.dumps([fields]).encode())
        ((token, _),) = await list_statuses(store, "acme")
        assert (token.name, token.created_time, token.created_by) == ("old", 1_790_000_000_000, "alice")
        assert token.parent_tokens == ("p",)

    with_store(location, do)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\tb", "\u202e", "a\udc80"])
def test_token_name_must_be_printable(tmp_path: Path, name: str) -> None:
    async def do(store: Store) -> None:
        with pytest.raises(InvalidField, match="1 to 64 printable characters"):
            await create_token(store, "acme", name, Instant(now() + DAY))
        assert await list_statuses(store, "acme") == []

    with_store(str(tmp_path), do)


def test_token_lists_of_accounts_are_case_sensitive(location: str) -> None:
    async def do(store: Store) -> None:
        for account_id in ("acme", "Acme"):
            await create_token(store, account_id, account_id, Instant(now() + DAY))
        keys = await load_keys(store.secrets)
        ((mine, _),) = await list_statuses(store, "acme")
        assert mine.name == "acme"
        with pytest.raises(UnknownToken):
            await get_token(store.secrets, keys, "Acme", mine.token_id, now())
        await revoke_token(store.secrets, mine, by="somebody", now=now())
        assert [revocation for _, revocation in await list_statuses(store, "Acme")] == [None]

    with_store(location, do)


@pytest.mark.slow
def test_expired_tokens_are_dropped_and_count_is_limited(location: str) -> None:
    async def do(store: Store) -> None:
        keys = await load_keys(store.secrets)
        await create_token(store, "acme", "short", Instant(now() + HOUR), keys)
        for number in range(MAX_TOKENS - 1):
            await create_token(store, "acme", str(number), Instant(now() + DAY), keys)
        with pytest.raises(TooManyTokens, match=f"the maximum is {MAX_TOKENS}"):
            await create_token(store, "acme", "one more", Instant(now() + DAY), keys)
        *others, (short, _) = await list_statuses(store, "acme")
        for token, _ in others:
            await revoke_token(store.secrets, token, by="somebody", now=now())
        # Every server keeps the list of revoked tokens.
        with pytest.raises(TooManyTokens):
            await create_token(store, "acme", "one more", Instant(now() + DAY), keys)
        await create_token(store, "other", "not concerned", Instant(now() + DAY), keys)
        assert short.token_id not in {token.token_id for token, _ in await list_statuses(store, "acme", short.expires)}

        # Dropping the keys invalidates all tokens, so there is room for new ones.
        keys = await rotate_keys(store.secrets, now(), drop_old=True)
        assert await list_statuses(store, "acme") == []
        await create_token(store, "acme", "anew", Instant(now() + DAY), keys)
        assert [token.name for token, _ in await list_statuses(store, "acme")] == ["anew"]
        stored = [
            await store.secrets.read(name) for name in await store.secrets.list_names() if name.startswith("tokens-")
        ]
        assert sum(text.count(b'"token_id"') for text in stored if text) == 2

        # The list of revoked tokens doesn't grow forever either.
        ((token, _),) = await list_statuses(store, "acme")
        await revoke_token(store.secrets, token, by="somebody", now=Instant(now() + 3 * DAY))
        revoked = await store.secrets.read("revoked-tokens")
        assert revoked is not None
        assert revoked.count(b'"token_id"') == 1

    with_store(location, do)


def test_concurrently_created_tokens_are_all_kept(location: str) -> None:
    async def do(store: Store) -> None:
        keys = await load_keys(store.secrets)
        await asyncio.gather(
            *(create_token(store, "acme", str(number), Instant(now() + DAY), keys) for number in range(8))
        )
        results = await list_statuses(store, "acme")
        await asyncio.gather(*(revoke_token(store.secrets, token, by="somebody", now=now()) for token, _ in results))
        assert {token.name for token, revocation in await list_statuses(store, "acme") if revocation} == set("01234567")

    with_store(location, do)


@pytest.mark.slow
def test_damaged_registry_is_reported(tmp_path: Path) -> None:
    data = str(tmp_path)
    run_rapport("token", "create", "--create", "--name", "a", "--data", data)
    (registry,) = tmp_path.glob("tokens-*")
    registry.write_text("[{}]")
    assert "the token registry is damaged" in run_rapport("token", "list", "--data", data, code=1).stderr
    (tmp_path / "revoked-tokens.secret.json").write_text("{")
    error = run_rapport_process("serve", "--data", data, "--port", "1", code=1).stderr
    assert "the list of revoked tokens is damaged" in error

    async def do(store: Store) -> None:
        with pytest.raises(StoreUnavailable):
            await create_token(store, "default", "b", Instant(now() + DAY))

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


@pytest.mark.slow
def test_revoking_unknown_token_fails(tmp_path: Path) -> None:
    run_rapport("token", "create", "--create", "--name", "a", "--data", str(tmp_path))
    error = run_rapport("token", "revoke", "nothing", "--data", str(tmp_path), code=1).stderr
    assert "no token nothing; `rapport token list`" in error
    assert "1 to 64" in run_rapport("token", "create", "--name", "", "--data", str(tmp_path), code=1).stderr
