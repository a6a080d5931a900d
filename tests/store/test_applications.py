"""How applications and grants are stored: by index, bound to their account, and taken along by a copy."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from rapport.instant import DAY, Instant
from rapport.settings import Settings
from rapport.store.applications import Application, AuthorizationCode, Consent, DeviceAuthorization, Grant
from rapport.store.engines import open_store
from rapport.store.sqlite.connection import connect
from rapport.store.sqlite.queries import SQL
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.server import create_store

NOW = Instant(1_767_225_600_000)
CONSENT = Consent(
    user="ada@example.com", role="owner", scopes=("contact_data",), ends=Instant(NOW + DAY), parent_tokens=("t",)
)
CODE = AuthorizationCode(
    digest=b"code",
    client_id="client",
    account_id="default",
    consent=CONSENT,
    redirect_uri="https://client.example.com/",
    code_challenge=None,
    expires=Instant(NOW + DAY),
)
DEVICE = DeviceAuthorization(
    digest=b"device",
    user_code_digest=b"user-code",
    client_id="client",
    account_id="default",
    scopes=("contact_data",),
    expires=Instant(NOW + DAY),
    interval=5_000,
)


def application(client_id: str = "client", account_id: str = "default", **changes: object) -> Application:
    values: dict[str, Any] = {
        "name": "Shop",
        "secret_digest": b"digest",
        "redirect_uris": ("https://a.example.com/", "https://b.example.com/"),
        "scopes": ("contact_data", "offline_access"),
        "refresh_policy": "rotating",
        "credentials_role": None,
        "created_time": NOW,
        "created_by": "tests",
        **changes,
    }
    return Application(client_id=client_id, account_id=account_id, **values)


def grant(grant_id: str = "grant", **changes: object) -> Grant:
    values: dict[str, Any] = {"digest": b"refresh", "created_time": NOW, "expires": Instant(NOW + DAY), **changes}
    return Grant(grant_id=grant_id, client_id="client", account_id="default", consent=CONSENT, **values)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A connection to an empty SQLite store."""
    folder = tmp_path_factory.mktemp("store")
    run_async(create_store(str(folder)))
    connection = connect(folder, busy_timeout=1)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", [name for name in SQL["applications"] if not name.startswith("add_")])
def test_each_statement_is_served_by_an_index(connection: apsw.Connection, name: str) -> None:
    query = SQL["applications"][name]
    values = dict.fromkeys(re.findall(r":(\w+)", query), 1)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert plan
    assert all(step.startswith("SEARCH") and "USING" in step for step in plan), plan


def test_applications_codes_devices_and_grants_are_stored(location: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=location)) as store:
            repository = store.applications
            confidential, public = application(), application("public", secret_digest=None, redirect_uris=())
            for each in (confidential, public, application("elsewhere", "other")):
                await repository.add_application(each)
            assert await repository.find_application("client") == confidential
            assert await repository.find_application("nobody") is None
            assert await repository.list_applications("default") == [confidential, public]
            await repository.add_code(CODE, NOW)
            assert await repository.find_code(b"code") == CODE
            assert await repository.add_device(DEVICE, NOW, 1)
            assert not await repository.add_device(DEVICE, NOW, 1)
            assert await repository.find_device(b"device") == DEVICE
            await repository.add_grant(grant(), NOW)
            assert await repository.find_grant("grant") == grant()
            assert await repository.list_grants("default") == [grant()]
            assert await repository.list_grants("other") == []

    run_async(work())


def test_another_account_changes_nothing(location: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=location)) as store:
            repository = store.applications
            await repository.add_application(application())
            assert await repository.add_device(DEVICE, NOW, 10)
            assert not await repository.set_secret("other", "client", b"another")
            assert not await repository.delete_application("other", "client")
            await repository.add_application(application(account_id="other", name="Stolen"))
            assert await repository.find_application("client") == application()
            assert await repository.find_device_by_user_code("other", b"user-code") is None
            assert not await repository.decide_device("other", b"user-code", "approved", CONSENT, NOW)
            assert await repository.decide_device("default", b"user-code", "approved", CONSENT, NOW)
            assert not await repository.decide_device("default", b"user-code", "denied", None, NOW)

    run_async(work())


def test_a_code_a_device_and_a_token_are_used_once(location: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=location)) as store:
            repository = store.applications
            await repository.add_code(CODE, NOW)
            redeemed = await asyncio.gather(*(repository.redeem_code(b"code", grant(f"g{n}")) for n in range(10)))
            assert sorted(redeemed) == [False] * 9 + [True]
            assert len(await repository.list_grants("default")) == 1
            await repository.add_device(DEVICE, NOW, 10)
            assert not await repository.redeem_device(b"device", grant("h"))
            await repository.decide_device("default", b"user-code", "approved", CONSENT, NOW)
            redeemed = await asyncio.gather(*(repository.redeem_device(b"device", grant(f"h{n}")) for n in range(10)))
            assert sorted(redeemed) == [False] * 9 + [True]
            await repository.add_grant(grant("k"), NOW)
            rotated = await asyncio.gather(
                *(repository.rotate_refresh_token("k", b"refresh", b"next", NOW, NOW) for _ in range(10))
            )
            assert sorted(rotated) == [False] * 9 + [True]
            assert await repository.revoke_grant("k", NOW)
            assert not await repository.revoke_grant("k", NOW)
            assert not await repository.rotate_refresh_token("k", b"next", b"other", NOW, NOW)

    run_async(work())


def test_expired_rows_and_rows_of_deleted_applications_are_deleted(location: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=location)) as store:
            repository = store.applications
            later = Instant(CODE.expires + 1)
            await repository.add_application(application())
            await repository.add_code(CODE, NOW)
            await repository.add_device(DEVICE, NOW, 10)
            await repository.add_grant(grant(), NOW)
            await repository.add_grant(grant("later", expires=Instant(later + DAY)), later)
            assert [each.grant_id for each in await repository.list_grants("default")] == ["later"]
            assert await repository.delete_application("default", "client")
            assert await repository.find_code(b"code") is None
            assert await repository.find_device(b"device") is None
            assert await repository.list_grants("default") == []

    run_async(work())


def test_a_copy_takes_applications_and_grants_along(location: str, tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_store(Settings(data=location)) as store:
            await store.accounts.ensure("default")
            await store.applications.add_application(application())
            await store.applications.add_grant(grant(), NOW)

    async def read(place: str) -> tuple[object, object]:
        async with open_store(Settings(data=place)) as store:
            repository = store.applications
            return await repository.list_applications("default"), await repository.list_grants("default")

    run_async(fill())
    copied = str(tmp_path / "copy")
    run_rapport("copy", "--from", location, "--to", copied, "--create")
    assert run_async(read(copied)) == run_async(read(location)) == ([application()], [grant()])
