"""A store is ready only if it accepts writes, and acknowledges nothing if its file is missing."""

import shutil
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from rapport.errors import DataNotFound, StoreUnavailable
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.sqlite.connection import DATABASE
from rapport.store.store import Store
from tests.helpers.activities import make_activity, record
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport, run_rapport_process
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql, fetch_all


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def postgresql_data(location: str, engine: str) -> str:
    if engine == "sqlite":
        pytest.skip("of PostgreSQL")
    return location


async def check_store(store: Store) -> None:
    await store.check()


async def test_check_writes_to_store(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        await check_store(store)
    ((before,),) = fetch_all(location, "SELECT checked_time FROM readiness")
    async with open_store(Settings(data=location)) as store:
        await check_store(store)
    ((after,),) = fetch_all(location, "SELECT checked_time FROM readiness")
    assert before < after


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_server_with_missing_file_acknowledges_nothing(folder: Path, how: str, suffix: str) -> None:
    file = folder / (DATABASE + suffix)
    with Server(str(folder)) as server, server.client("default") as client:
        client.record(make_line())
        if how == "deleted":
            file.unlink()
        else:
            file.rename(file.with_name("elsewhere"))
        if how == "replaced":
            shutil.copy(file.with_name("elsewhere"), file)
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        response = client.post("/track/v1/activities", json=[make_line(time="2026-03-01T11:00:00Z")])
        assert response.status_code == 503
        assert response.json()["error_key"] == "service_unavailable"
        assert client.post("/track/v1/contacts", json=[{"contact_id": "c2"}]).status_code == 503
        assert client.post("/track/v1/campaigns", json=[{"campaign_id": "k2"}]).status_code == 503
        assert client.delete("/track/v1/contacts/c1").status_code == 503
        assert "Traceback" not in server.log.read_text()
        if how == "moved":
            file.with_name("elsewhere").rename(file)
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            assert client.record(make_line(time="2026-03-01T11:00:00Z"))["accepted"] == 1


@pytest.mark.slow
def test_moved_folder_makes_server_not_ready(folder: Path) -> None:
    with Server(str(folder)) as server, server.client("default") as client:
        client.record(make_line())
        folder.rename(folder.with_name("elsewhere"))
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        assert client.post("/track/v1/activities", json=[make_line(time="2026-03-01T11:00:00Z")]).status_code == 503
        folder.with_name("elsewhere").rename(folder)
        assert httpx.get(f"{server.url}/readyz").status_code == 200


async def test_read_only_database_is_not_ready(postgresql_data: str) -> None:
    async with open_store(Settings(data=postgresql_data)) as store:
        await check_store(store)
    with pytest.raises(StoreUnavailable, match="read-only"):
        async with open_store(Settings(data=f"{postgresql_data}&default_transaction_read_only=on")) as store:
            await check_store(store)


async def test_missing_write_privilege_makes_store_not_ready(postgresql_data: str) -> None:
    role = f"rapport_{uuid.uuid4().hex}"
    ((schema,),) = fetch_all(postgresql_data, "SELECT current_schema")
    async with open_store(Settings(data=postgresql_data)) as store:
        await check_store(store)
    execute_sql(
        postgresql_data,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    )
    parts = urlsplit(postgresql_data)
    as_role = urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
    try:
        async with open_store(Settings(data=as_role)) as store:
            await check_store(store)
        execute_sql(postgresql_data, f"REVOKE INSERT ON feed FROM {role}", f"REVOKE DELETE ON person FROM {role}")
        with pytest.raises(StoreUnavailable, match="rows of feed, person"):
            async with open_store(Settings(data=as_role)) as store:
                await check_store(store)
        execute_sql(postgresql_data, f"REVOKE ALL ON readiness FROM {role}")
        with pytest.raises(StoreUnavailable, match="feed, person, readiness"):
            async with open_store(Settings(data=as_role)) as store:
                await check_store(store)
    finally:
        execute_sql(postgresql_data, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["emptied", "deleted"])
async def test_secrets_without_database_are_refused(folder: Path, how: str) -> None:
    async def fill(store: Store) -> None:
        await record(store, make_activity())

    async with open_store(Settings(data=str(folder))) as store:
        await fill(store)
    run_rapport("token", "create", "--data", str(folder))
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    for file in folder.glob(f"{DATABASE}*"):
        file.unlink()
    if how == "emptied":
        (folder / DATABASE).touch()
    with pytest.raises(DataNotFound, match=r"rapport\.db is empty or missing.*put it back from a backup"):
        async with open_store(Settings(data=str(folder))) as store:
            await fill(store)
    error = run_rapport_process("serve", "--data", str(folder), code=1).stderr
    assert "Traceback" not in error
    assert "put it back from a backup" in error
    shutil.copy(copy / DATABASE, folder / DATABASE)
    async with open_store(Settings(data=str(folder))) as store:
        await check_store(store)


async def test_empty_database_without_secrets_is_new_store(folder: Path) -> None:
    folder.mkdir()
    (folder / DATABASE).touch()
    async with open_store(Settings(data=str(folder))) as store:
        await check_store(store)


async def test_backup_keeps_unrelated_folders(folder: Path) -> None:
    async with open_store(Settings(data=str(folder))) as store:
        await check_store(store)
    target = folder.with_name("backup")
    mine = target.with_name("backup.unfinished")
    mine.mkdir()
    (mine / "file").write_text("mine")
    run_rapport("backup", str(target), "--data", str(folder))
    assert (mine / "file").read_text() == "mine"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["backup", "backup.unfinished", "data"]
    assert target.stat().st_mode & 0o777 == 0o700


async def test_failed_backup_leaves_nothing(folder: Path) -> None:
    async with open_store(Settings(data=str(folder))) as store:
        await check_store(store)

    async with open_store(Settings(data=str(folder))) as store:
        (folder / "loop.secret.json").symlink_to("loop.secret.json")
        with pytest.raises(StoreUnavailable, match="backup can't be written"):
            await store.backup(folder.with_name("backup"))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["data"]
