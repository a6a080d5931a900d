"""How users and sessions are stored: by index, bound to their account, changed once, and included in a copy."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rapport.instant import DAY, Instant
from rapport.settings import Settings
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.sqlite.connection import connect
from rapport.store.sqlite.queries import SQL
from rapport.store.store import Store
from rapport.store.users import User, UserSession
from tests.helpers.command import run_rapport

pytestmark = pytest.mark.slow

NOW = Instant(1_767_225_600_000)
LATER = Instant(NOW + DAY)


def make_user(user_id: str = "u1", account_id: str = "default", **changes: object) -> User:
    values: dict[str, Any] = {
        "email_address": f"{user_id}@example.com",
        "email_key": f"{user_id}@example.com",
        "role": "owner",
        "created_time": NOW,
        "created_by": "tests",
        **changes,
    }
    return User(user_id=user_id, account_id=account_id, **values)


def make_session(session_id: str = "s1", **changes: object) -> UserSession:
    values: dict[str, Any] = {
        "account_id": "default",
        "user_id": "u1",
        "user_name": "u1@example.com",
        "role": "owner",
        "method": "password",
        "client": "Firefox",
        "token_ids": ("t1", "t2"),
        "started_time": NOW,
        "expires": LATER,
        **changes,
    }
    return UserSession(session_id=session_id, **values)


@pytest.mark.parametrize("name", [name for name in SQL["users"] if not name.startswith(("add_", "count_"))])
def test_each_statement_is_served_by_an_index(tmp_path: Path, name: str) -> None:
    run_rapport("token", "create", "--create", "--data", str(tmp_path))
    connection = connect(tmp_path, busy_timeout=1)
    query = SQL["users"][name]
    values = dict.fromkeys(re.findall(r":(\w+)", query), 1)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    connection.close()
    assert plan
    assert all((step.startswith("SEARCH") and "USING" in step) or "SCALAR SUBQUERY" in step for step in plan), plan


async def test_user_and_session_come_back_as_stored(store: Store) -> None:
    user = make_user(
        password_hash="hash",  # noqa: S106 - not a password
        totp_secret=b"secret",
        totp_step=7,
        identity_issuer="https://id.example.com",
        identity_subject="ada",
        link_digest=b"link",
        link_expires=LATER,
        generation=3,
        joined_time=NOW,
        signed_in_time=NOW,
    )
    assert await store.users.add_user(user)
    assert not await store.users.add_user(replace(user, user_id="u2", link_digest=None))
    assert await store.users.find_user("default", "u1") == user
    assert await store.users.find_by_email("default", "u1@example.com") == user
    assert await store.users.list_by_email("u1@example.com") == [user]
    assert await store.users.list_by_identity("https://id.example.com", "ada") == [user]
    assert await store.users.find_by_link(b"link", NOW) == user
    assert await store.users.find_by_link(b"link", LATER) is None
    session = make_session()
    await store.users.add_session(session, NOW)
    assert await store.users.list_sessions("default", NOW) == [session]
    assert await store.users.list_sessions("default", LATER) == []
    await store.users.add_session(make_session("s2", started_time=LATER, expires=Instant(LATER + 1)), LATER)
    assert await store.users.find_session("default", "s1") is None


async def test_another_account_changes_nothing(store: Store) -> None:
    user = make_user(joined_time=NOW)
    await store.users.add_user(user)
    await store.users.add_user(make_user("boss", joined_time=NOW))
    await store.users.add_session(make_session(), NOW)
    assert await store.users.find_user("other", "u1") is None
    assert await store.users.find_by_email("other", "u1@example.com") is None
    assert not await store.users.set_link("other", "u1", b"link", LATER)
    assert not await store.users.set_password("other", "u1", 0, "stolen")
    assert not await store.users.set_role("other", "u1", "manager")
    assert not await store.users.remove_user("other", "u1")
    assert not await store.users.set_totp("other", "u1", b"secret", 0, b"")
    assert not await store.users.use_totp_step("other", "u1", 5)
    assert not await store.users.set_identity("other", "u1", "issuer", "subject", NOW)
    assert await store.users.find_session("other", "s1") is None
    await store.users.delete_session("other", "s1")
    await store.users.delete_user_sessions("other", "u1")
    await store.users.delete_account("other")
    assert await store.users.find_user("default", "u1") == user
    assert len(await store.users.list_sessions("default", NOW)) == 1


async def test_link_is_redeemed_once_under_load(store: Store) -> None:
    await store.users.add_user(make_user(link_digest=b"link", link_expires=LATER))
    results = await asyncio.gather(
        *(store.users.redeem_link("default", b"link", f"hash {number}", NOW) for number in range(20))
    )
    assert sorted(results) == [False] * 19 + [True]
    user = await store.users.find_user("default", "u1")
    assert user is not None
    assert (user.generation, user.joined_time, user.link_digest) == (1, NOW, None)
    assert user.password_hash == f"hash {results.index(True)}"


async def test_expired_link_is_not_redeemed(store: Store) -> None:
    await store.users.add_user(make_user(link_digest=b"link", link_expires=NOW))
    assert not await store.users.redeem_link("default", b"link", "hash", NOW)


async def test_one_of_two_concurrent_password_changes_wins(store: Store) -> None:
    await store.users.add_user(make_user())
    results = await asyncio.gather(*(store.users.set_password("default", "u1", 0, str(n)) for n in range(5)))
    assert sorted(results) == [False] * 4 + [True]


async def test_totp_step_is_used_once(store: Store) -> None:
    await store.users.add_user(make_user())
    results = await asyncio.gather(*(store.users.use_totp_step("default", "u1", 9) for _ in range(5)))
    assert sorted(results) == [False] * 4 + [True]
    assert not await store.users.use_totp_step("default", "u1", 8)


async def test_account_keeps_one_owner(store: Store) -> None:
    names = [f"u{number}" for number in range(5)]
    for name in names:
        await store.users.add_user(make_user(name, joined_time=NOW))
    await store.users.add_user(make_user("invited"))
    results = await asyncio.gather(
        *(store.users.remove_user("default", name) for name in names[:3]),
        *(store.users.set_role("default", name, "manager") for name in names[3:]),
    )
    assert sorted(results) == [False, True, True, True, True]
    (owner,) = [u for u in await store.users.list_users("default") if u.role == "owner" and u.joined_time is not None]
    assert not await store.users.remove_user("default", owner.user_id)
    assert await store.users.remove_user("default", "invited")
    assert await store.users.set_role("default", owner.user_id, "owner")


async def test_attempts_are_counted_until_they_expire(store: Store) -> None:
    counts = await asyncio.gather(*(store.users.count_attempt(b"ada", NOW, LATER) for _ in range(10)))
    assert sorted(count.attempts for count in counts) == list(range(1, 11))
    assert {count.expires for count in counts} == {LATER}
    assert (await store.users.count_attempt(b"bob", NOW, LATER)).attempts == 1
    assert (await store.users.count_attempt(b"ada", LATER, Instant(LATER + 1))).attempts == 1
    await store.users.reset_attempts(b"ada")
    assert (await store.users.count_attempt(b"ada", LATER, Instant(LATER + 1))).attempts == 1


async def test_copy_includes_users_and_leaves_out_removed_ones(location: str, tmp_path: Path) -> None:
    async with (
        open_store(Settings(data=location)) as source,
        open_store(Settings(data=str(tmp_path / "copy"))) as target,
    ):
        await source.accounts.ensure("default")
        users = [make_user("u1", link_digest=b"link", link_expires=LATER), make_user("u2")]
        for user in users:
            await source.users.add_user(user)
        await source.users.add_session(make_session(), NOW)
        await copy(source, target, lambda _: None)
        assert await target.users.list_users("default") == users
        assert await target.users.list_sessions("default", NOW) == [make_session()]
        assert await source.users.remove_user("default", "u1")
        await copy(source, target, lambda _: None)
        assert await target.users.list_users("default") == users[1:]
