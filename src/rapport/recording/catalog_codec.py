"""Decode updates of contacts and campaigns from lines of NDJSON and rows of CSV, and encode them again.

A JSON campaign nests its campaign activities, and those their links; a row of CSV has at most one of each.
"""

import enum
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from rapport.activity import ContactProfile, Link
from rapport.catalog import (
    CAMPAIGN_ROLES,
    CAMPAIGN_STATUSES,
    MAX_CAMPAIGN_ACTIVITIES,
    MAX_LINKS,
    OPT_OUT_SOURCES,
    PERMISSIONS,
    CampaignActivityUpdate,
    CampaignUpdate,
    ContactMerge,
    ContactUpdate,
    DefinitionUpdate,
)
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.instant import Instant, iso
from rapport.recording.activity_codec import (
    MAX_LINE_BYTES,
    WHOLE_LINE,
    Context,
    LineFormat,
    check_line_length,
    check_time,
)
from rapport.recording.subresource_codec import (
    CustomFieldValueLine,
    NoteLine,
    PhoneNumberLine,
    RawId,
    RawTime,
    StreetAddressLine,
    build_custom_field_value,
    build_note,
    build_phone_number,
    build_street_address,
    encode_custom_field,
    encode_note,
    map_items,
    optional_id,
    parse_ids,
    parse_items,
    required,
)

T = TypeVar("T", bound=msgspec.Struct)
S = TypeVar("S", ContactUpdate, CampaignUpdate, DefinitionUpdate, ContactMerge)
E = TypeVar("E", bound=enum.Enum)

_MAX_OBJECTS: Final = 1 + MAX_CAMPAIGN_ACTIVITIES * (1 + MAX_LINKS)
"""The JSON objects in the largest campaign: itself, its campaign activities and their links."""
_MAX_EXCERPT: Final = 1_000

_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")

RawNumber = str | int | None


class ContactLine(msgspec.Struct, forbid_unknown_fields=True):
    """A contact as received, not yet validated. A missing field, a null and an empty string mean the same."""

    contact_id: RawId = None
    updated_at: RawTime = None
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    permission_to_send: str | None = None
    created_at: RawTime = None
    deleted_at: RawTime = None
    opt_out_date: RawTime = None
    opt_out_source: str | None = None
    opt_out_reason: str | None = None
    job_title: str | None = None
    company_name: str | None = None
    anniversary: str | None = None
    birthday_month: RawNumber = None
    birthday_day: RawNumber = None
    create_source: str | None = None
    update_source: str | None = None
    list_memberships: list[RawId] | str | None = None
    taggings: list[RawId] | str | None = None
    custom_fields: list[CustomFieldValueLine] | str | None = None
    phone_numbers: list[PhoneNumberLine] | str | None = None
    street_addresses: list[StreetAddressLine] | str | None = None
    notes: list[NoteLine] | str | None = None
    clear: list[str] | str | None = None


class MergeLine(msgspec.Struct, forbid_unknown_fields=True):
    """A merge of a contact into another one, as received."""

    contact_id: RawId = None
    merged_into: RawId = None


class LinkLine(msgspec.Struct, forbid_unknown_fields=True):
    """A link of a campaign activity, as received."""

    link_url: str | None = None
    url_id: RawId = None


class CampaignActivityLine(msgspec.Struct, forbid_unknown_fields=True):
    """A campaign activity, as received."""

    campaign_activity_id: RawId = None
    campaign_activity_name: str | None = None
    role: str | None = None
    subject: str | None = None
    preheader: str | None = None
    from_name: str | None = None
    from_email: str | None = None
    reply_to_email: str | None = None
    links: list[LinkLine] = []


class CampaignLine(msgspec.Struct, forbid_unknown_fields=True):
    """A campaign, as received."""

    campaign_id: RawId = None
    updated_at: RawTime = None
    campaign_name: str | None = None
    type: str | None = None
    type_code: int | str | None = None
    current_status: str | None = None
    created_at: RawTime = None
    campaign_activities: list[CampaignActivityLine] = []


def build_contact(line: ContactLine, context: Context) -> ContactUpdate:
    """Validate a received contact. Raises InvalidField."""
    updated_at = parse_time("updated_at", line.updated_at, context)
    permission = _parse_choice("permission_to_send", line.permission_to_send, PERMISSIONS, str.lower)
    return ContactUpdate(
        contact_id=required("contact_id", line.contact_id),
        updated_at=context.now if updated_at is None else updated_at,
        is_dated=updated_at is not None,
        person=ContactProfile(
            email_address=_parse_address("email_address", line.email_address),
            first_name=line.first_name or None,
            last_name=line.last_name or None,
        ),
        permission_to_send=permission,
        created_at=parse_time("created_at", line.created_at, context),
        deleted_at=parse_time("deleted_at", line.deleted_at, context),
        opt_out_date=parse_time("opt_out_date", line.opt_out_date, context),
        opt_out_source=_parse_choice("opt_out_source", line.opt_out_source, OPT_OUT_SOURCES, str.capitalize),
        opt_out_reason=line.opt_out_reason or None,
        job_title=line.job_title or None,
        company_name=line.company_name or None,
        anniversary=line.anniversary or None,
        birthday_month=_parse_number("birthday_month", line.birthday_month),
        birthday_day=_parse_number("birthday_day", line.birthday_day),
        create_source=line.create_source or None,
        update_source=line.update_source or None,
        list_memberships=parse_ids("list_memberships", line.list_memberships),
        taggings=parse_ids("taggings", line.taggings),
        custom_fields=tuple(
            map(
                build_custom_field_value,
                parse_items("custom_fields", line.custom_fields, list[CustomFieldValueLine]) or (),
            )
        ),
        phone_numbers=map_items(
            build_phone_number, parse_items("phone_numbers", line.phone_numbers, list[PhoneNumberLine])
        ),
        street_addresses=map_items(
            build_street_address, parse_items("street_addresses", line.street_addresses, list[StreetAddressLine])
        ),
        notes=map_items(
            lambda note: build_note(note, parse_time("notes", note.created_at, context) or updated_at or context.now),
            parse_items("notes", line.notes, list[NoteLine]),
        ),
        cleared=frozenset(parse_ids("clear", line.clear) or ()),
    )


def encode_contact(update: ContactUpdate) -> bytes:
    """Encode an update as a JSON object that decodes to an equal one. An undated one has no `updated_at`."""
    fields = get_contact_fields(update)
    return msgspec.json.encode({field: value for field, value in fields.items() if value is not None})


def get_contact_fields(update: ContactUpdate) -> dict[str, Any]:
    """Return the fields of an update by name, with times as ISO 8601. An undated one has no `updated_at`."""
    source = update.opt_out_source
    profile, permission = update.person, update.permission_to_send
    return {
        "contact_id": update.contact_id,
        "updated_at": iso(update.updated_at) if update.is_dated else None,
        "email_address": profile.email_address,
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "permission_to_send": None if permission is None else permission.name.lower(),
        "created_at": None if update.created_at is None else iso(update.created_at),
        "deleted_at": None if update.deleted_at is None else iso(update.deleted_at),
        "opt_out_date": None if update.opt_out_date is None else iso(update.opt_out_date),
        "opt_out_source": None if source is None else source.name.capitalize(),
        "opt_out_reason": update.opt_out_reason,
        "job_title": update.job_title,
        "company_name": update.company_name,
        "anniversary": update.anniversary,
        "birthday_month": update.birthday_month,
        "birthday_day": update.birthday_day,
        "create_source": update.create_source,
        "update_source": update.update_source,
        "list_memberships": update.list_memberships,
        "taggings": update.taggings,
        "custom_fields": tuple(map(encode_custom_field, update.custom_fields)) or None,
        "phone_numbers": update.phone_numbers,
        "street_addresses": update.street_addresses,
        "notes": None if update.notes is None else tuple(map(encode_note, update.notes)),
        "clear": sorted(update.cleared) or None,
    }


def build_merge(line: MergeLine, _context: Context) -> ContactMerge:
    """Validate a received merge. Raises InvalidField."""
    return ContactMerge(required("contact_id", line.contact_id), required("merged_into", line.merged_into))


def encode_merge(merge: ContactMerge) -> bytes:
    """Encode a merge as a JSON object that decodes to an equal one."""
    return msgspec.json.encode(merge)


def build_campaign(line: CampaignLine, context: Context) -> CampaignUpdate:
    """Validate a received campaign. Raises InvalidField."""
    return CampaignUpdate(
        campaign_id=required("campaign_id", line.campaign_id),
        updated_at=parse_time("updated_at", line.updated_at, context) or context.now,
        campaign_name=line.campaign_name or None,
        type=line.type or None,
        type_code=_parse_number("type_code", line.type_code),
        current_status=_parse_choice("current_status", line.current_status, CAMPAIGN_STATUSES, str.upper),
        created_at=parse_time("created_at", line.created_at, context),
        campaign_activities=tuple(map(_build_campaign_activity, line.campaign_activities)),
    )


def _build_campaign_activity(line: CampaignActivityLine) -> CampaignActivityUpdate:
    return CampaignActivityUpdate(
        campaign_activity_id=required("campaign_activity_id", line.campaign_activity_id),
        campaign_activity_name=line.campaign_activity_name or None,
        role=_parse_choice("role", line.role, CAMPAIGN_ROLES, str.lower),
        subject=line.subject or None,
        preheader=line.preheader or None,
        from_name=line.from_name or None,
        from_email=line.from_email or None,
        reply_to_email=line.reply_to_email or None,
        links=tuple(map(_build_link, line.links)),
    )


def _build_link(line: LinkLine) -> Link:
    url_id = optional_id(line.url_id)
    if not line.link_url and url_id is None:
        raise InvalidField("links", None, "must each have a link_url, a url_id, or both")
    return Link(link_url=line.link_url or None, url_id=url_id)


def _parse_address(field: str, value: str | None) -> str | None:
    if not value or not value.strip():
        return None
    try:
        return normalize_address(value)
    except ValueError as exc:
        raise InvalidField(field, value, str(exc)) from None


def _parse_choice(field: str, value: str | None, allowed: Mapping[str, E], normalize: Callable[[str], str]) -> E | None:
    if not value:
        return None
    choice = allowed.get(normalize(value))
    if choice is None:
        raise InvalidField(field, value, "must be one of " + ", ".join(allowed))
    return choice


def _parse_number(field: str, value: RawNumber) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) < 4):
        raise InvalidField(field, value, "must be a whole number")
    return int(value)


def parse_time(field: str, value: RawTime, context: Context) -> Instant | None:
    """Return a time, or None if it is empty. Raises InvalidField."""
    if value is None or value == "":
        return None
    return check_time(field, value, context.now, context.times)


_CAMPAIGN_COLUMNS: Final = tuple(field for field in CampaignLine.__struct_fields__ if field != "campaign_activities")
_CAMPAIGN_ACTIVITY_COLUMNS: Final = tuple(field for field in CampaignActivityLine.__struct_fields__ if field != "links")
_LINK_COLUMNS: Final = LinkLine.__struct_fields__


def _decode_contact_row(row: Mapping[str, Any], context: Context) -> ContactUpdate:
    return build_contact(ContactLine(**row), context)


def _decode_merge_row(row: Mapping[str, Any], context: Context) -> ContactMerge:
    return build_merge(MergeLine(**row), context)


def _decode_campaign_row(row: Mapping[str, Any], context: Context) -> CampaignUpdate:
    cells = {field: value for field, value in row.items() if value}
    campaign = _assign_fields(CampaignLine(), cells)
    link, activity = _assign_fields(LinkLine(), cells), _assign_fields(CampaignActivityLine(), cells)
    if link != LinkLine():
        activity.links = [link]
    if activity != CampaignActivityLine():
        campaign.campaign_activities = [activity]
    return build_campaign(campaign, context)


def _assign_fields(line: T, cells: Mapping[str, Any]) -> T:
    """Set the fields of the line that the row has cells for, and return it."""
    for field in cells.keys() & set(type(line).__struct_fields__):
        setattr(line, field, cells[field])
    return line


def decode_json(
    check: Callable[[bytes | msgspec.Raw], None],
    decoder: msgspec.json.Decoder[T],
    build: Callable[[T, Context], S],
    line: bytes | msgspec.Raw,
    context: Context,
) -> S:
    """Decode a line of JSON and validate it. Raises InvalidField."""
    check(line)
    try:
        decoded = decoder.decode(line)
    except msgspec.ValidationError as exc:
        raise _validation_error(str(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "is nested too deeply" if isinstance(exc, RecursionError) else f"must be JSON in UTF-8: {exc}"
        excerpt = bytes(line)[:_MAX_EXCERPT].decode(errors="replace").strip()
        raise InvalidField(WHOLE_LINE, excerpt, reason) from None
    return build(decoded, context)


def _check_object_count(line: bytes | msgspec.Raw) -> None:
    if len(line) > MAX_LINE_BYTES and bytes(line).count(b"{") > _MAX_OBJECTS:
        allowed = f"at most {MAX_CAMPAIGN_ACTIVITIES} campaign activities with at most {MAX_LINKS} links each"
        raise InvalidField(WHOLE_LINE, None, f"must have {allowed}")


def _validation_error(message: str) -> InvalidField:
    """Find the invalid field in the decoder's message: "Expected `str`, got `int` - at `$.first_name`"."""
    path, unknown = _PATH.search(message), _UNKNOWN.search(message)
    reason = _PATH.sub("", message)
    if unknown is not None:
        return InvalidField(unknown[1], None, "is not a known field; see the schema at /schema")
    field = path[1] if path is not None and path[1] else WHOLE_LINE
    return InvalidField(field, None, f"is invalid: {reason[:1].lower()}{reason[1:]}")


CONTACTS: Final[LineFormat[ContactUpdate]] = LineFormat(
    "a contact",
    ContactLine.__struct_fields__,
    partial(decode_json, check_line_length, msgspec.json.Decoder(ContactLine), build_contact),
    _decode_contact_row,
    (("contact_id",),),
)
CAMPAIGNS: Final[LineFormat[CampaignUpdate]] = LineFormat(
    "a campaign",
    (*_CAMPAIGN_COLUMNS, *_CAMPAIGN_ACTIVITY_COLUMNS, *_LINK_COLUMNS),
    partial(decode_json, _check_object_count, msgspec.json.Decoder(CampaignLine), build_campaign),
    _decode_campaign_row,
    (("campaign_id",),),
)
MERGES: Final[LineFormat[ContactMerge]] = LineFormat(
    "a merge",
    MergeLine.__struct_fields__,
    partial(decode_json, check_line_length, msgspec.json.Decoder(MergeLine), build_merge),
    _decode_merge_row,
    (("contact_id",), ("merged_into",)),
)
