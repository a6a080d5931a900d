"""Rows of the tables of applications, codes, devices and grants. The same for every engine."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from rapport.errors import StoreUnavailable
from rapport.store.applications import Application, AuthorizationCode, Consent, DeviceAuthorization, Grant

Row: TypeAlias = Sequence[Any]
Params: TypeAlias = dict[str, str | int | bytes | None]


def application_params(application: Application) -> Params:
    """Return the columns of an application."""
    return {
        "client_id": application.client_id,
        "account_id": application.account_id,
        "name": application.name,
        "secret_digest": application.secret_digest,
        "redirect_uris": "\n".join(application.redirect_uris),
        "scopes": " ".join(application.scopes),
        "refresh_policy": application.refresh_policy,
        "credentials_role": application.credentials_role,
        "created_time": application.created_time,
        "created_by": application.created_by,
    }


def application_from_row(row: Row) -> Application:
    """Return the application of a row."""
    client_id, account_id, name, secret, redirect_uris, scopes, policy, credentials_role, created, created_by = row
    return Application(
        client_id=client_id,
        account_id=account_id,
        name=name,
        secret_digest=secret,
        redirect_uris=tuple(redirect_uris.split("\n")) if redirect_uris else (),
        scopes=tuple(scopes.split()),
        refresh_policy=policy,
        credentials_role=credentials_role,
        created_time=created,
        created_by=created_by,
    )


def code_params(code: AuthorizationCode) -> Params:
    """Return the columns of an authorization code."""
    return {
        "digest": code.digest,
        "client_id": code.client_id,
        "account_id": code.account_id,
        "consent": encode_consent(code.consent),
        "redirect_uri": code.redirect_uri,
        "code_challenge": code.code_challenge,
        "expires": code.expires,
    }


def code_from_row(row: Row) -> AuthorizationCode:
    """Return the authorization code of a row."""
    digest, client_id, account_id, consent, redirect_uri, code_challenge, expires, grant_id = row
    return AuthorizationCode(
        digest=digest,
        client_id=client_id,
        account_id=account_id,
        consent=_decode_consent(consent),
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        expires=expires,
        grant_id=grant_id,
    )


def device_params(device: DeviceAuthorization) -> Params:
    """Return the columns of a waiting device."""
    return {
        "digest": device.digest,
        "user_code_digest": device.user_code_digest,
        "client_id": device.client_id,
        "account_id": device.account_id,
        "scopes": " ".join(device.scopes),
        "expires": device.expires,
        "interval": device.interval,
    }


def device_from_row(row: Row) -> DeviceAuthorization:
    """Return the device of a row."""
    digest, user_code_digest, client_id, account_id, scopes, expires, interval, polled_time, decision, consent = row
    return DeviceAuthorization(
        digest=digest,
        user_code_digest=user_code_digest,
        client_id=client_id,
        account_id=account_id,
        scopes=tuple(scopes.split()),
        expires=expires,
        interval=interval,
        polled_time=polled_time,
        decision=decision,
        consent=None if consent is None else _decode_consent(consent),
    )


def grant_params(grant: Grant) -> Params:
    """Return the columns of a grant."""
    return {
        "grant_id": grant.grant_id,
        "client_id": grant.client_id,
        "account_id": grant.account_id,
        "user_name": grant.consent.user,
        "consent": encode_consent(grant.consent),
        "digest": grant.digest,
        "previous_digest": grant.previous_digest,
        "rotated_time": grant.rotated_time,
        "created_time": grant.created_time,
        "expires": grant.expires,
        "revoked_time": grant.revoked_time,
    }


def grant_from_row(row: Row) -> Grant:
    """Return the grant of a row."""
    grant_id, client_id, account_id, consent, digest, previous, rotated, created, expires, revoked = row
    return Grant(
        grant_id=grant_id,
        client_id=client_id,
        account_id=account_id,
        consent=_decode_consent(consent),
        digest=digest,
        previous_digest=previous,
        rotated_time=rotated,
        created_time=created,
        expires=expires,
        revoked_time=revoked,
    )


def encode_consent(consent: Consent) -> str:
    """Encode a consent for its column."""
    return msgspec.json.encode(consent).decode()


def _decode_consent(text: str) -> Consent:
    try:
        return msgspec.json.decode(text, type=Consent)
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(f"a stored consent is damaged ({exc}): restore a backup") from None
