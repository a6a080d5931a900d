"""Applications and grants in PostgreSQL."""

from typing import Any, Final

from rapport.instant import Instant
from rapport.store.application_rows import (
    application_from_row,
    application_params,
    code_from_row,
    code_params,
    device_from_row,
    device_params,
    encode_consent,
    grant_from_row,
    grant_params,
)
from rapport.store.applications import Application, AuthorizationCode, Consent, DeviceAuthorization, Grant
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.pool import SHARED, Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["applications"]

_TIMEOUT: Final = 15.0


class PostgresApplications:
    """Reads and writes applications and grants. See `ApplicationRepository`."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.reading
        self._writing = engine.writing

    async def add_application(self, application: Application) -> None:
        """Insert or update its row."""
        async with self._writing.acquire(_TIMEOUT, application.account_id) as connection:
            await connection.execute(_SQL["add_application"], *application_params(application).values())

    async def find_application(self, client_id: str) -> Application | None:
        """Read its row."""
        row = await self._fetch_one(SHARED, "find_application", client_id)
        return None if row is None else application_from_row(row)

    async def list_applications(self, account_id: str) -> list[Application]:
        """Read the account's rows."""
        async with self._reading.acquire(_TIMEOUT, account_id) as connection:
            rows = await connection.fetch(_SQL["list_applications"], account_id)
        return [application_from_row(row) for row in rows]

    async def set_secret(self, account_id: str, client_id: str, secret_digest: bytes) -> bool:
        """Update its row."""
        return await self._changes(account_id, "set_secret", secret_digest, client_id, account_id)

    async def delete_application(self, account_id: str, client_id: str) -> bool:
        """Delete its row, and what belongs to it."""
        async with self._writing.acquire(_TIMEOUT, account_id) as connection, connection.transaction():
            if await connection.fetchval(_SQL["delete_application"], client_id, account_id) is None:
                return False
            for statement in ("delete_codes", "delete_devices", "delete_grants"):
                await connection.execute(_SQL[statement], client_id)
            return True

    async def add_code(self, code: AuthorizationCode, expired_before: Instant) -> None:
        """Insert its row."""
        async with self._writing.acquire(_TIMEOUT, code.account_id) as connection:
            await connection.execute(_SQL["delete_expired_codes"], expired_before)
            await connection.execute(_SQL["add_code"], *code_params(code).values())

    async def find_code(self, digest: bytes) -> AuthorizationCode | None:
        """Read its row."""
        row = await self._fetch_one(SHARED, "find_code", digest)
        return None if row is None else code_from_row(row)

    async def redeem_code(self, digest: bytes, grant: Grant) -> bool:
        """Update its row and insert the grant's, in one transaction."""
        async with self._writing.acquire(_TIMEOUT, grant.account_id) as connection, connection.transaction():
            if await connection.fetchval(_SQL["redeem_code"], grant.grant_id, digest) is None:
                return False
            await _add_grant(connection, grant)
            return True

    async def add_device(self, device: DeviceAuthorization, expired_before: Instant, max_waiting: int) -> bool:
        """Insert its row."""
        async with self._writing.acquire(_TIMEOUT, device.account_id) as connection:
            await connection.execute(_SQL["delete_expired_devices"], expired_before)
            if await connection.fetchval(_SQL["count_devices"], device.client_id) >= max_waiting:
                return False
            await connection.execute(_SQL["add_device"], *device_params(device).values())
            return True

    async def find_device(self, digest: bytes) -> DeviceAuthorization | None:
        """Read its row."""
        row = await self._fetch_one(SHARED, "find_device", digest)
        return None if row is None else device_from_row(row)

    async def find_device_by_user_code(self, account_id: str, user_code_digest: bytes) -> DeviceAuthorization | None:
        """Read its row."""
        row = await self._fetch_one(account_id, "find_device_by_user_code", user_code_digest, account_id)
        return None if row is None else device_from_row(row)

    async def poll_device(self, digest: bytes, now: Instant, interval: int) -> None:
        """Update its row."""
        async with self._writing.acquire(_TIMEOUT) as connection:
            await connection.execute(_SQL["poll_device"], now, interval, digest)

    async def decide_device(
        self, account_id: str, user_code_digest: bytes, decision: str, consent: Consent | None, now: Instant
    ) -> bool:
        """Update its row."""
        encoded = None if consent is None else encode_consent(consent)
        return await self._changes(account_id, "decide_device", decision, encoded, user_code_digest, account_id, now)

    async def redeem_device(self, digest: bytes, grant: Grant) -> bool:
        """Delete its row and insert the grant's, in one transaction."""
        async with self._writing.acquire(_TIMEOUT, grant.account_id) as connection, connection.transaction():
            if await connection.fetchval(_SQL["redeem_device"], digest) is None:
                return False
            await _add_grant(connection, grant)
            return True

    async def find_grant(self, grant_id: str) -> Grant | None:
        """Read its row."""
        row = await self._fetch_one(SHARED, "find_grant", grant_id)
        return None if row is None else grant_from_row(row)

    async def list_grants(self, account_id: str) -> list[Grant]:
        """Read the account's rows."""
        async with self._reading.acquire(_TIMEOUT, account_id) as connection:
            return [grant_from_row(row) for row in await connection.fetch(_SQL["list_grants"], account_id)]

    async def add_grant(self, grant: Grant, expired_before: Instant) -> None:
        """Insert or update its row."""
        async with self._writing.acquire(_TIMEOUT, grant.account_id) as connection:
            await connection.execute(_SQL["delete_expired_grants"], expired_before)
            await _add_grant(connection, grant)

    async def rotate_refresh_token(self, grant_id: str, old: bytes, new: bytes, now: Instant, expires: Instant) -> bool:
        """Update its row."""
        return await self._changes(SHARED, "rotate_refresh_token", new, now, expires, grant_id, old)

    async def extend_grant(self, grant_id: str, expires: Instant) -> None:
        """Update its row."""
        async with self._writing.acquire(_TIMEOUT) as connection:
            await connection.execute(_SQL["extend_grant"], expires, grant_id)

    async def revoke_grant(self, grant_id: str, now: Instant) -> bool:
        """Update its row."""
        return await self._changes(SHARED, "revoke_grant", now, grant_id)

    async def _fetch_one(self, account_id: str, statement: str, *params: object) -> Any:  # noqa: ANN401 - a row
        async with self._reading.acquire(_TIMEOUT, account_id) as connection:
            return await connection.fetchrow(_SQL[statement], *params)

    async def _changes(self, account_id: str, statement: str, *params: object) -> bool:
        """Run a statement that returns the rows that it changes, and return True if there are any."""
        async with self._writing.acquire(_TIMEOUT, account_id) as connection:
            return await connection.fetchval(_SQL[statement], *params) is not None


async def _add_grant(connection: Connection, grant: Grant) -> None:
    await connection.execute(_SQL["add_grant"], *grant_params(grant).values())
