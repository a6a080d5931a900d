"""Accounts: create, describe and delete them."""

import asyncio
import re
from collections.abc import Callable
from typing import Final
from zoneinfo import available_timezones

import msgspec

from rapport.activity import is_storable
from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.revocations import RevocationList, account_revocation_id, add_revocation
from rapport.auth.token_registry import remove_tokens
from rapport.email_address import normalize_address
from rapport.errors import InvalidField, UnknownAccount
from rapport.instant import HOUR, Instant
from rapport.store.accounts import AccountDetails
from rapport.store.store import Store

_MAX_TEXT_LENGTH: Final = 255
_MAX_PHONE_LENGTH: Final = 25
_MAX_ADDRESS_LINE_LENGTH: Final = 80
_STATE_CODE_COUNTRIES: Final = ("US", "CA")
_TWO_CAPITALS: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_REVOCATION_DELAY: Final = 5.0
"""Seconds after which every running server has read a revocation and rejects the account's tokens."""
_MAX_CONTACTS: Final = 500


def parse_details(known: AccountDetails, changes: dict[str, str | None]) -> AccountDetails:
    """Return the details with changes, of which None changes nothing and "" removes. Raises InvalidField."""
    values = {name: getattr(known, name) for name in AccountDetails.__struct_fields__}
    for name, text in changes.items():
        if text is not None:
            values[name] = _PARSERS.get(name, _parse_text)(name, text.strip()) if text.strip() else None
    _check_state(values)
    return AccountDetails(**values)


def _check_state(values: dict[str, str | None]) -> None:
    """Check that the state has a code in the United States and Canada, and a name elsewhere. Raises InvalidField."""
    has_code = values["country_code"] in _STATE_CODE_COUNTRIES
    if values["state_code"] and not has_code:
        countries = " or ".join(_STATE_CODE_COUNTRIES)
        raise InvalidField(
            "state_code", values["state_code"], f"needs the country_code {countries}; elsewhere, use state_name"
        )
    if values["state_name"] and has_code:
        raise InvalidField("state_name", values["state_name"], "is for other countries; use state_code")


def _parse_text(name: str, text: str) -> str:
    return _check_length(name, text, _MAX_TEXT_LENGTH)


def _check_length(name: str, text: str, max_length: int) -> str:
    if len(text) > max_length or not text.isprintable() or not is_storable(text):
        raise InvalidField(name, text, f"must have at most {max_length} printable characters")
    return text


def _parse_phone(name: str, text: str) -> str:
    return _check_length(name, text, _MAX_PHONE_LENGTH)


def _parse_email(name: str, text: str) -> str:
    try:
        return normalize_address(text)
    except ValueError as exc:
        raise InvalidField(name, text, str(exc)) from None


def _parse_country_code(name: str, text: str) -> str:
    if _TWO_CAPITALS.fullmatch(text) is None:
        raise InvalidField(name, text, "must be two capital letters (ISO 3166-1), such as US or DE")
    return text


def _parse_address_line(name: str, text: str) -> str:
    return _check_length(name, text, _MAX_ADDRESS_LINE_LENGTH)


def _parse_state_code(name: str, text: str) -> str:
    if _TWO_CAPITALS.fullmatch(text) is None:
        raise InvalidField(name, text, "must be two capital letters, such as MA")
    return text


def _parse_time_zone_id(name: str, text: str) -> str:
    if text not in available_timezones():
        raise InvalidField(name, text, "must be a time zone of the IANA database, such as US/Eastern or Europe/Berlin")
    return text


_PARSERS: Final[dict[str, Callable[[str, str], str]]] = {
    "contact_email": _parse_email,
    "phone": _parse_phone,
    "country_code": _parse_country_code,
    "time_zone_id": _parse_time_zone_id,
    "address_line1": _parse_address_line,
    "address_line2": _parse_address_line,
    "address_line3": _parse_address_line,
    "state_code": _parse_state_code,
}


class AccountOverview(msgspec.Struct, frozen=True, kw_only=True):
    """An account, as it is listed."""

    account_id: str
    details: AccountDetails
    users: int


async def create_account(store: Store, account_id: str, details: AccountDetails) -> None:
    """Create an account. Raises InvalidField if it exists, or was deleted."""
    if account_id in await store.accounts.list_ids():
        raise InvalidField("account", account_id, f"the account {account_id} exists already")
    revoked = RevocationList(store.secrets)
    await revoked.refresh()
    if account_revocation_id(account_id) in revoked.ids:
        raise InvalidField(
            "account",
            account_id,
            f"the account {account_id} was deleted, so its tokens stay invalid; choose another id",
        )
    await store.accounts.ensure(account_id)
    await store.accounts.set_details(account_id, details)


async def list_accounts(store: Store) -> list[AccountOverview]:
    """Return all accounts by id."""
    return [
        AccountOverview(
            account_id=account_id,
            details=await store.accounts.get_details(account_id),
            users=len(await store.users.list_users(account_id)),
        )
        for account_id in await store.accounts.list_ids()
    ]


async def update_account(store: Store, account_id: str, changes: dict[str, str | None]) -> AccountDetails:
    """Change the details of an account, and return them. Raises InvalidField and UnknownAccount."""
    await require_account(store, account_id)
    details = parse_details(await store.accounts.get_details(account_id), changes)
    await store.accounts.set_details(account_id, details)
    return details


async def require_account(store: Store, account_id: str) -> None:
    """Check that the account exists. Raises UnknownAccount."""
    account_ids = await store.accounts.list_ids()
    if account_id not in account_ids:
        raise UnknownAccount(account_id, account_ids)


async def delete_account(
    store: Store, account_id: str, *, by: str, now: Instant, progress: Callable[[int], None]
) -> int:
    """Delete an account with everything in it, and return the number of its contacts. Raises UnknownAccount.

    First, running servers stop accepting its tokens, sessions and hooks; then its contacts are erased one by one, as by
    `rapport erase`; then the rest is deleted. If that is interrupted, it can be started again. `progress` is called
    with the number of erased contacts.
    """
    await require_account(store, account_id)
    expires = Instant(now + MAX_TOKEN_LIFETIME + HOUR)
    await add_revocation(store.secrets, account_revocation_id(account_id), expires, by=by, now=now)
    for hook in await store.hooks.hooks():
        if hook.account_id == account_id:
            await store.hooks.delete(account_id, hook.hook_id)
    for application in await store.applications.list_applications(account_id):
        await store.applications.delete_application(account_id, application.client_id)
    await store.users.delete_account(account_id)
    await remove_tokens(store.secrets, account_id)
    await asyncio.sleep(_REVOCATION_DELAY)
    erased = 0
    while contact_ids := await store.contacts.list_ids(account_id, "", _MAX_CONTACTS):
        for contact_id in contact_ids:
            erased += await store.erasure.erase(account_id, contact_id)
        progress(erased)
    await store.accounts.delete(account_id)
    return erased
