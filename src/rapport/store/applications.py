"""Storage of the OAuth authorization server: applications, and the grants that users gave them.

Scopes, roles and policies are plain text here; `rapport.oauth` gives them their types. Secrets are stored as digests.
"""

from typing import Final

import msgspec
from msgspec.structs import asdict

from rapport.errors import StoreUnavailable
from rapport.instant import Instant
from rapport.store.sql_engine import Params, Row, SqlEngine
from rapport.store.sql_repository import SqlRepository

_ANY_ACCOUNT: Final = ""
"""Stands for all accounts, if a statement's account isn't known."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client of an account. Without a `secret_digest` it is public.

    With a `credentials_role` it may get tokens for itself, by the client credentials grant.
    """

    client_id: str
    account_id: str
    name: str
    secret_digest: bytes | None
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    refresh_policy: str
    credentials_role: str | None
    created_time: Instant
    created_by: str


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A user's consent: the permissions that an application gets, and when they end.

    `parent_tokens` are the ids of the tokens that the user signed in with; the grant ends when one is revoked.
    """

    user: str
    role: str
    scopes: tuple[str, ...]
    ends: Instant
    parent_tokens: tuple[str, ...] = msgspec.field(default=(), name="made_with")
    """Stored under its first name."""


class AuthorizationCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that an application redeems for tokens. `grant_id` is set once it has."""

    digest: bytes
    client_id: str
    account_id: str
    consent: Consent
    redirect_uri: str
    code_challenge: str | None
    expires: Instant
    grant_id: str | None = None


class DeviceAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """A device that waits until its user approves it: `decision` is pending, approved or denied."""

    digest: bytes
    user_code_digest: bytes
    client_id: str
    account_id: str
    scopes: tuple[str, ...]
    expires: Instant
    interval: int
    """Milliseconds that the device has to wait between two polls."""
    polled_time: Instant | None = None
    decision: str = "pending"
    consent: Consent | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A permission to act on behalf of a user, with the digests of the current and the previous refresh token."""

    grant_id: str
    client_id: str
    account_id: str
    consent: Consent
    digest: bytes | None
    previous_digest: bytes | None = None
    rotated_time: Instant | None = None
    created_time: Instant
    expires: Instant
    revoked_time: Instant | None = None


class ApplicationRepository(SqlRepository):
    """Reads and writes applications and grants. Every method raises StoreUnavailable, and has then changed nothing.

    Objects that are looked up by a client id or a digest contain their account; lists and changes are bound to an
    account.
    """

    def __init__(self, engine: SqlEngine) -> None:
        super().__init__(engine, "applications")

    async def add_application(self, application: Application) -> None:
        """Add an application, or replace the one with its client id."""
        params = {
            **asdict(application),
            "redirect_uris": "\n".join(application.redirect_uris),
            "scopes": " ".join(application.scopes),
        }
        await self._execute(application.account_id, ("add_application", params))

    async def find_application(self, client_id: str) -> Application | None:
        """Return the application with this client id."""
        row = await self._fetch_one(_ANY_ACCOUNT, "find_application", {"client_id": client_id})
        return None if row is None else _read_application(row)

    async def list_applications(self, account_id: str) -> list[Application]:
        """Return the account's applications, oldest first."""
        rows = await self._fetch_all(account_id, "list_applications", {"account_id": account_id})
        return list(map(_read_application, rows))

    async def set_secret(self, account_id: str, client_id: str, secret_digest: bytes) -> bool:
        """Replace the secret of a confidential application. Return False if the account has none with this id."""
        params = {"account_id": account_id, "client_id": client_id, "secret_digest": secret_digest}
        return bool(await self._execute(account_id, ("set_secret", params)))

    async def delete_application(self, account_id: str, client_id: str) -> bool:
        """Delete an application with its codes and grants. Return False if the account has none with this id."""
        params = {"account_id": account_id, "client_id": client_id}
        return await self._execute_if(
            account_id,
            ("delete_application", params),
            ("delete_codes", params),
            ("delete_devices", params),
            ("delete_grants", params),
        )

    async def add_code(self, code: AuthorizationCode, expired_before: Instant) -> None:
        """Add an authorization code, and delete those that expired before a time."""
        await self._execute(
            code.account_id,
            ("delete_expired_codes", {"expired_before": expired_before}),
            ("add_code", {**asdict(code), "consent": _encode_consent(code.consent)}),
        )

    async def find_code(self, digest: bytes) -> AuthorizationCode | None:
        """Return the authorization code with this digest, also when it was redeemed."""
        row = await self._fetch_one(_ANY_ACCOUNT, "find_code", {"digest": digest})
        return None if row is None else _read_code(row)

    async def redeem_code(self, digest: bytes, grant: Grant) -> bool:
        """Add the grant that a code is redeemed for. Return False, and add nothing, if the code was redeemed before."""
        return await self._execute_if(
            grant.account_id,
            ("redeem_code", {"digest": digest, "grant_id": grant.grant_id}),
            ("add_grant", _grant_params(grant)),
        )

    async def add_device(self, device: DeviceAuthorization, expired_before: Instant, max_waiting: int) -> bool:
        """Add a device, and delete those that expired before a time.

        Return False, and add nothing, if the application has `max_waiting` devices already.
        """
        params = {
            **asdict(device),
            "scopes": " ".join(device.scopes),
            "expired_before": expired_before,
            "max_waiting": max_waiting,
        }
        return await self._execute_if(
            device.account_id, ("can_add_device", params), ("delete_expired_devices", params), ("add_device", params)
        )

    async def find_device(self, digest: bytes) -> DeviceAuthorization | None:
        """Return the device whose device code has this digest."""
        row = await self._fetch_one(_ANY_ACCOUNT, "find_device", {"digest": digest})
        return None if row is None else _read_device(row)

    async def find_device_by_user_code(self, account_id: str, user_code_digest: bytes) -> DeviceAuthorization | None:
        """Return the account's device whose user code has this digest."""
        params = {"account_id": account_id, "user_code_digest": user_code_digest}
        row = await self._fetch_one(account_id, "find_device_by_user_code", params)
        return None if row is None else _read_device(row)

    async def poll_device(self, digest: bytes, now: Instant, interval: int) -> None:
        """Record that a device polled, and how long it has to wait from now on."""
        params = {"digest": digest, "now": now, "interval": interval}
        await self._execute(_ANY_ACCOUNT, ("poll_device", params))

    async def decide_device(
        self, account_id: str, user_code_digest: bytes, decision: str, consent: Consent | None, now: Instant
    ) -> bool:
        """Approve or deny a pending device. Return False if it isn't pending any more, or has expired."""
        params = {
            "account_id": account_id,
            "user_code_digest": user_code_digest,
            "decision": decision,
            "consent": None if consent is None else _encode_consent(consent),
            "now": now,
        }
        return bool(await self._execute(account_id, ("decide_device", params)))

    async def redeem_device(self, digest: bytes, grant: Grant) -> bool:
        """Delete an approved device, and add the grant that it is redeemed for. Return False if it doesn't exist."""
        return await self._execute_if(
            grant.account_id, ("redeem_device", {"digest": digest}), ("add_grant", _grant_params(grant))
        )

    async def find_grant(self, grant_id: str) -> Grant | None:
        """Return the grant with this id."""
        row = await self._fetch_one(_ANY_ACCOUNT, "find_grant", {"grant_id": grant_id})
        return None if row is None else _read_grant(row)

    async def list_grants(self, account_id: str) -> list[Grant]:
        """Return the account's grants that weren't revoked, oldest first."""
        return list(map(_read_grant, await self._fetch_all(account_id, "list_grants", {"account_id": account_id})))

    async def add_grant(self, grant: Grant, expired_before: Instant) -> None:
        """Add a grant, or replace the one with its id, and delete those that expired before a time."""
        await self._execute(
            grant.account_id,
            ("delete_expired_grants", {"expired_before": expired_before}),
            ("add_grant", _grant_params(grant)),
        )

    async def rotate_refresh_token(self, grant_id: str, old: bytes, new: bytes, now: Instant, expires: Instant) -> bool:
        """Replace the digest of the refresh token. Return False if it is no longer `old`, or the grant is revoked."""
        params = {"grant_id": grant_id, "old": old, "new": new, "now": now, "expires": expires}
        return bool(await self._execute(_ANY_ACCOUNT, ("rotate_refresh_token", params)))

    async def extend_grant(self, grant_id: str, expires: Instant) -> None:
        """Move the end of a grant."""
        await self._execute(_ANY_ACCOUNT, ("extend_grant", {"grant_id": grant_id, "expires": expires}))

    async def revoke_grant(self, grant_id: str, now: Instant) -> bool:
        """Revoke a grant. Return False if it was revoked before."""
        return bool(await self._execute(_ANY_ACCOUNT, ("revoke_grant", {"grant_id": grant_id, "now": now})))


def _read_application(row: Row) -> Application:
    values = dict(zip(Application.__struct_fields__, row, strict=True))
    redirect_uris = values["redirect_uris"]
    values["redirect_uris"] = tuple(redirect_uris.split("\n")) if redirect_uris else ()
    values["scopes"] = tuple(values["scopes"].split())
    return Application(**values)


def _read_code(row: Row) -> AuthorizationCode:
    values = dict(zip(AuthorizationCode.__struct_fields__, row, strict=True))
    values["consent"] = _decode_consent(values["consent"])
    return AuthorizationCode(**values)


def _read_device(row: Row) -> DeviceAuthorization:
    values = dict(zip(DeviceAuthorization.__struct_fields__, row, strict=True))
    values["scopes"] = tuple(values["scopes"].split())
    values["consent"] = None if values["consent"] is None else _decode_consent(values["consent"])
    return DeviceAuthorization(**values)


def _read_grant(row: Row) -> Grant:
    values = dict(zip(Grant.__struct_fields__, row, strict=True))
    values["consent"] = _decode_consent(values["consent"])
    return Grant(**values)


def _grant_params(grant: Grant) -> Params:
    return {**asdict(grant), "user_name": grant.consent.user, "consent": _encode_consent(grant.consent)}


def _encode_consent(consent: Consent) -> str:
    return msgspec.json.encode(consent).decode()


def _decode_consent(text: str) -> Consent:
    try:
        return msgspec.json.decode(text, type=Consent)
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(f"a stored consent is damaged ({exc}): restore a backup") from None
