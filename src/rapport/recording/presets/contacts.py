"""Lists of contacts as other systems export them: Mailchimp's audiences and Constant Contact's contacts."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Final, NamedTuple

from rapport.recording.presets.base import Row, contact_from, first
from rapport.recording.times import TimeFormat


class ContactPreset(NamedTuple):
    """Reads a list of contacts: a row becomes the fields of a contact."""

    title: str
    is_header: Callable[[frozenset[str]], bool]
    convert_row: Callable[[Row], Mapping[str, str | None]]
    times: TimeFormat


def _mailchimp(row: Row) -> Mapping[str, str | None]:
    address = first(row, "email_address")
    return {
        "contact_id": contact_from(address),
        "email_address": address,
        "first_name": first(row, "first_name"),
        "last_name": first(row, "last_name"),
        "created_at": first(row, "optin_time", "confirm_time"),
        "updated_at": first(row, "unsub_time", "last_changed"),
        "permission_to_send": "unsubscribed" if row.get("unsub_time") else None,
        "opt_out_reason": first(row, "unsub_reason") if row.get("unsub_time") else None,
    }


def _constant_contact(row: Row) -> Mapping[str, str | None]:
    address = first(row, "email_address")
    status = (first(row, "email_status", "email_permission_status", "permission_to_send") or "").lower()
    opted_out = first(row, "confirmed_opt_out_date")
    is_unsubscribed = opted_out is not None or status in {"unsubscribed", "opted out", "optout"}
    return {
        "contact_id": first(row, "contact_id") or contact_from(address),
        "email_address": address,
        "first_name": first(row, "first_name"),
        "last_name": first(row, "last_name"),
        "created_at": first(row, "created_at", "email_optin_date"),
        "updated_at": first(row, "updated_at"),
        "permission_to_send": "unsubscribed" if is_unsubscribed else None,
        "opt_out_date": opted_out,
        "opt_out_reason": first(row, "confirmed_opt_out_reason") if is_unsubscribed else None,
        "company_name": first(row, "company"),
        "job_title": first(row, "job_title"),
    }


CONTACT_PRESETS: Final = (
    ContactPreset(
        "Mailchimp: an audience",
        lambda columns: {"email_address", "member_rating", "leid", "euid"} <= columns,
        _mailchimp,
        TimeFormat(zone=UTC),
    ),
    ContactPreset(
        "Constant Contact: contacts",
        lambda columns: (
            "email_address" in columns
            and not columns.isdisjoint({"email_status", "email_permission_status", "email_lists"})
        ),
        _constant_contact,
        TimeFormat(),
    ),
)
