"""Applications and grants in SQLite: read in the event loop, written in the writer's thread."""

from typing import Any, Final

import apsw

from rapport.instant import Instant
from rapport.store.application_rows import (
    Params,
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
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one, translate_errors
from rapport.store.sqlite.engine import SHARED, Engine
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["applications"]


class SQLiteApplications:
    """Reads and writes applications and grants. See `ApplicationRepository`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._write = engine.write

    async def add_application(self, application: Application) -> None:
        """Insert or update its row."""
        await self._write(
            application.account_id,
            lambda connection: _run(connection, "add_application", application_params(application)),
        )

    async def find_application(self, client_id: str) -> Application | None:
        """Read its row."""
        row = self._fetch_one("find_application", {"client_id": client_id})
        return None if row is None else application_from_row(row)

    async def list_applications(self, account_id: str) -> list[Application]:
        """Read the account's rows."""
        return [application_from_row(row) for row in self._fetch_all("list_applications", {"account_id": account_id})]

    async def set_secret(self, account_id: str, client_id: str, secret_digest: bytes) -> bool:
        """Update its row."""
        params: Params = {"account_id": account_id, "client_id": client_id, "secret_digest": secret_digest}
        return await self._write(account_id, lambda connection: _changes(connection, "set_secret", params))

    async def delete_application(self, account_id: str, client_id: str) -> bool:
        """Delete its row, and what belongs to it."""

        def delete(connection: apsw.Connection) -> bool:
            named: Params = {"account_id": account_id, "client_id": client_id}
            if not _changes(connection, "delete_application", named):
                return False
            for statement in ("delete_codes", "delete_devices", "delete_grants"):
                _run(connection, statement, {"client_id": client_id})
            return True

        return await self._write(account_id, delete)

    async def add_code(self, code: AuthorizationCode, expired_before: Instant) -> None:
        """Insert its row."""

        def add(connection: apsw.Connection) -> None:
            _run(connection, "delete_expired_codes", {"expired_before": expired_before})
            _run(connection, "add_code", code_params(code))

        await self._write(code.account_id, add)

    async def find_code(self, digest: bytes) -> AuthorizationCode | None:
        """Read its row."""
        row = self._fetch_one("find_code", {"digest": digest})
        return None if row is None else code_from_row(row)

    async def redeem_code(self, digest: bytes, grant: Grant) -> bool:
        """Update its row and insert the grant's, in one transaction."""

        def redeem(connection: apsw.Connection) -> bool:
            if not _changes(connection, "redeem_code", {"digest": digest, "grant_id": grant.grant_id}):
                return False
            _run(connection, "add_grant", grant_params(grant))
            return True

        return await self._write(grant.account_id, redeem)

    async def add_device(self, device: DeviceAuthorization, expired_before: Instant, max_waiting: int) -> bool:
        """Insert its row."""

        def add(connection: apsw.Connection) -> bool:
            _run(connection, "delete_expired_devices", {"expired_before": expired_before})
            counted = fetch_one(connection, _SQL["count_devices"], {"client_id": device.client_id})
            if counted is None or counted[0] >= max_waiting:
                return False
            _run(connection, "add_device", device_params(device))
            return True

        return await self._write(device.account_id, add)

    async def find_device(self, digest: bytes) -> DeviceAuthorization | None:
        """Read its row."""
        row = self._fetch_one("find_device", {"digest": digest})
        return None if row is None else device_from_row(row)

    async def find_device_by_user_code(self, account_id: str, user_code_digest: bytes) -> DeviceAuthorization | None:
        """Read its row."""
        params: Params = {"account_id": account_id, "user_code_digest": user_code_digest}
        row = self._fetch_one("find_device_by_user_code", params)
        return None if row is None else device_from_row(row)

    async def poll_device(self, digest: bytes, now: Instant, interval: int) -> None:
        """Update its row."""
        params: Params = {"digest": digest, "now": now, "interval": interval}
        await self._write(SHARED, lambda connection: _run(connection, "poll_device", params))

    async def decide_device(
        self, account_id: str, user_code_digest: bytes, decision: str, consent: Consent | None, now: Instant
    ) -> bool:
        """Update its row."""
        params: Params = {
            "account_id": account_id,
            "user_code_digest": user_code_digest,
            "decision": decision,
            "consent": None if consent is None else encode_consent(consent),
            "now": now,
        }
        return await self._write(account_id, lambda connection: _changes(connection, "decide_device", params))

    async def redeem_device(self, digest: bytes, grant: Grant) -> bool:
        """Delete its row and insert the grant's, in one transaction."""

        def redeem(connection: apsw.Connection) -> bool:
            if not _changes(connection, "redeem_device", {"digest": digest}):
                return False
            _run(connection, "add_grant", grant_params(grant))
            return True

        return await self._write(grant.account_id, redeem)

    async def find_grant(self, grant_id: str) -> Grant | None:
        """Read its row."""
        row = self._fetch_one("find_grant", {"grant_id": grant_id})
        return None if row is None else grant_from_row(row)

    async def list_grants(self, account_id: str) -> list[Grant]:
        """Read the account's rows."""
        return [grant_from_row(row) for row in self._fetch_all("list_grants", {"account_id": account_id})]

    async def add_grant(self, grant: Grant, expired_before: Instant) -> None:
        """Insert or update its row."""

        def add(connection: apsw.Connection) -> None:
            _run(connection, "delete_expired_grants", {"expired_before": expired_before})
            _run(connection, "add_grant", grant_params(grant))

        await self._write(grant.account_id, add)

    async def rotate_refresh_token(self, grant_id: str, old: bytes, new: bytes, now: Instant, expires: Instant) -> bool:
        """Update its row."""
        params: Params = {"grant_id": grant_id, "old": old, "new": new, "now": now, "expires": expires}
        return await self._write(SHARED, lambda connection: _changes(connection, "rotate_refresh_token", params))

    async def extend_grant(self, grant_id: str, expires: Instant) -> None:
        """Update its row."""
        params: Params = {"grant_id": grant_id, "expires": expires}
        await self._write(SHARED, lambda connection: _run(connection, "extend_grant", params))

    async def revoke_grant(self, grant_id: str, now: Instant) -> bool:
        """Update its row."""
        params: Params = {"grant_id": grant_id, "now": now}
        return await self._write(SHARED, lambda connection: _changes(connection, "revoke_grant", params))

    def _fetch_one(self, statement: str, params: Values) -> tuple[Any, ...] | None:
        with translate_errors():
            return fetch_one(self._engine.reading, _SQL[statement], params)

    def _fetch_all(self, statement: str, params: Values) -> list[Any]:
        with translate_errors():
            return fetch_all(self._engine.reading, _SQL[statement], params)


def _run(connection: apsw.Connection, statement: str, params: Params) -> None:
    connection.execute(_SQL[statement], params)


def _changes(connection: apsw.Connection, statement: str, params: Params) -> bool:
    """Run a statement that returns the rows that it changes, and return True if there are any."""
    return bool(fetch_all(connection, _SQL[statement], params))
