"""Storage of the OAuth authorization server: applications, and the grants that users gave them.

Scopes, roles and policies are plain text here; `rapport.oauth` gives them their types. Secrets are stored as digests.
"""

from typing import Protocol

import msgspec

from rapport.instant import Instant


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


class ApplicationRepository(Protocol):
    """Applications and grants. Every call may raise StoreUnavailable, and has then changed nothing.

    Objects that are looked up by a client id or a digest contain their account; lists and changes are bound to an
    account.
    """

    async def add_application(self, application: Application) -> None:
        """Add an application, or replace the one with its client id."""

    async def find_application(self, client_id: str) -> Application | None:
        """Return the application with this client id."""

    async def list_applications(self, account_id: str) -> list[Application]:
        """Return the account's applications, oldest first."""
        ...

    async def set_secret(self, account_id: str, client_id: str, secret_digest: bytes) -> bool:
        """Replace the secret of a confidential application. Return False if the account has none with this id."""
        ...

    async def delete_application(self, account_id: str, client_id: str) -> bool:
        """Delete an application with its codes and grants. Return False if the account has none with this id."""
        ...

    async def add_code(self, code: AuthorizationCode, expired_before: Instant) -> None:
        """Add an authorization code, and delete those that expired before a time."""

    async def find_code(self, digest: bytes) -> AuthorizationCode | None:
        """Return the authorization code with this digest, also when it was redeemed."""

    async def redeem_code(self, digest: bytes, grant: Grant) -> bool:
        """Add the grant that a code is redeemed for. Return False, and add nothing, if the code was redeemed before."""
        ...

    async def add_device(self, device: DeviceAuthorization, expired_before: Instant, max_waiting: int) -> bool:
        """Add a device, and delete those that expired before a time.

        Return False, and add nothing, if the application has `max_waiting` devices already.
        """
        ...

    async def find_device(self, digest: bytes) -> DeviceAuthorization | None:
        """Return the device whose device code has this digest."""

    async def find_device_by_user_code(self, account_id: str, user_code_digest: bytes) -> DeviceAuthorization | None:
        """Return the account's device whose user code has this digest."""

    async def poll_device(self, digest: bytes, now: Instant, interval: int) -> None:
        """Record that a device polled, and how long it has to wait from now on."""

    async def decide_device(
        self, account_id: str, user_code_digest: bytes, decision: str, consent: Consent | None, now: Instant
    ) -> bool:
        """Approve or deny a pending device. Return False if it isn't pending any more, or has expired."""
        ...

    async def redeem_device(self, digest: bytes, grant: Grant) -> bool:
        """Delete an approved device, and add the grant that it is redeemed for. Return False if it doesn't exist."""
        ...

    async def find_grant(self, grant_id: str) -> Grant | None:
        """Return the grant with this id."""

    async def list_grants(self, account_id: str) -> list[Grant]:
        """Return the account's grants that weren't revoked, oldest first."""
        ...

    async def add_grant(self, grant: Grant, expired_before: Instant) -> None:
        """Add a grant, or replace the one with its id, and delete those that expired before a time."""

    async def rotate_refresh_token(self, grant_id: str, old: bytes, new: bytes, now: Instant, expires: Instant) -> bool:
        """Replace the digest of the refresh token. Return False if it is no longer `old`, or the grant is revoked."""
        ...

    async def extend_grant(self, grant_id: str, expires: Instant) -> None:
        """Move the end of a grant."""

    async def revoke_grant(self, grant_id: str, now: Instant) -> bool:
        """Revoke a grant. Return False if it was revoked before."""
        ...
