"""From a line that came in, NDJSON or CSV, to what it states of a contact or a campaign, or to why it can't. Pure.

A campaign's line has its campaign activities inside, and those their links; a row of CSV states one of each.
"""

import enum
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from rapport.activity import ContactProfile, Link
from rapport.catalogue import (
    CAMPAIGN_ROLES,
    CAMPAIGN_STATUSES,
    MAX_LINKS,
    MOST_CAMPAIGN_ACTIVITIES,
    OPT_OUT_SOURCES,
    PERMISSIONS,
    CampaignActivityUpdate,
    CampaignUpdate,
    ContactUpdate,
)
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.instant import Instant, iso
from rapport.recording.lines import MAX_LINE_BYTES, WHOLE_LINE, Context, Form, check_line_length, check_time

T = TypeVar("T", bound=msgspec.Struct)
S = TypeVar("S", ContactUpdate, CampaignUpdate)
E = TypeVar("E", bound=enum.Enum)

_MAX_OBJECTS: Final = 1 + MOST_CAMPAIGN_ACTIVITIES * (1 + MAX_LINKS)
"""In a campaign's line: itself, its campaign activities and their links."""
_MAX_EXCERPT: Final = 1_000

_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")

Moment = str | int | float | None
RawId = str | int | None


class ContactLine(msgspec.Struct, forbid_unknown_fields=True):
    """A contact's fields as they arrive. An absent one, a null and an empty text are the same: not said."""

    contact_id: RawId = None
    updated_at: Moment = None
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    permission_to_send: str | None = None
    created_at: Moment = None
    deleted_at: Moment = None
    opt_out_date: Moment = None
    opt_out_source: str | None = None
    opt_out_reason: str | None = None


class LinkLine(msgspec.Struct, forbid_unknown_fields=True):
    """A link of a campaign activity."""

    link_url: str | None = None
    url_id: RawId = None


class CampaignActivityLine(msgspec.Struct, forbid_unknown_fields=True):
    """A campaign activity of a campaign."""

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
    """A campaign's fields as they arrive."""

    campaign_id: RawId = None
    updated_at: Moment = None
    campaign_name: str | None = None
    type: str | None = None
    type_code: int | str | None = None
    current_status: str | None = None
    created_at: Moment = None
    campaign_activities: list[CampaignActivityLine] = []


def contact_of(line: ContactLine, context: Context) -> ContactUpdate:
    """What the line states. Raises InvalidField."""
    updated_at = _moment("updated_at", line.updated_at, context)
    permission = _one_of("permission_to_send", line.permission_to_send, PERMISSIONS, str.lower)
    return ContactUpdate(
        contact_id=_required("contact_id", line.contact_id),
        updated_at=context.now if updated_at is None else updated_at,
        is_dated=updated_at is not None,
        person=ContactProfile(
            email_address=_address("email_address", line.email_address),
            first_name=line.first_name or None,
            last_name=line.last_name or None,
        ),
        permission_to_send=permission,
        created_at=_moment("created_at", line.created_at, context),
        deleted_at=_moment("deleted_at", line.deleted_at, context),
        opt_out_date=_moment("opt_out_date", line.opt_out_date, context),
        opt_out_source=_one_of("opt_out_source", line.opt_out_source, OPT_OUT_SOURCES, str.capitalize),
        opt_out_reason=line.opt_out_reason or None,
    )


def json_of_contact(statement: ContactUpdate) -> bytes:
    """The statement as a JSON object that is taken back unchanged; one without a date has no `updated_at`."""
    source = statement.opt_out_source
    person, permission = statement.person, statement.permission_to_send
    fields = {
        "contact_id": statement.contact_id,
        "updated_at": iso(statement.updated_at) if statement.is_dated else None,
        "email_address": person.email_address,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "permission_to_send": None if permission is None else permission.name.lower(),
        "created_at": None if statement.created_at is None else iso(statement.created_at),
        "deleted_at": None if statement.deleted_at is None else iso(statement.deleted_at),
        "opt_out_date": None if statement.opt_out_date is None else iso(statement.opt_out_date),
        "opt_out_source": None if source is None else source.name.capitalize(),
        "opt_out_reason": statement.opt_out_reason,
    }
    return msgspec.json.encode({field: value for field, value in fields.items() if value is not None})


def campaign_of(line: CampaignLine, context: Context) -> CampaignUpdate:
    """What the line states. Raises InvalidField."""
    return CampaignUpdate(
        campaign_id=_required("campaign_id", line.campaign_id),
        updated_at=_moment("updated_at", line.updated_at, context) or context.now,
        campaign_name=line.campaign_name or None,
        type=line.type or None,
        type_code=_type_code(line.type_code),
        current_status=_one_of("current_status", line.current_status, CAMPAIGN_STATUSES, str.upper),
        created_at=_moment("created_at", line.created_at, context),
        campaign_activities=tuple(map(_campaign_activity, line.campaign_activities)),
    )


def _campaign_activity(line: CampaignActivityLine) -> CampaignActivityUpdate:
    return CampaignActivityUpdate(
        campaign_activity_id=_required("campaign_activity_id", line.campaign_activity_id),
        campaign_activity_name=line.campaign_activity_name or None,
        role=_one_of("role", line.role, CAMPAIGN_ROLES, str.lower),
        subject=line.subject or None,
        preheader=line.preheader or None,
        from_name=line.from_name or None,
        from_email=line.from_email or None,
        reply_to_email=line.reply_to_email or None,
        links=tuple(map(_link, line.links)),
    )


def _link(line: LinkLine) -> Link:
    url_id = _optional_id(line.url_id)
    if not line.link_url and url_id is None:
        raise InvalidField("links", None, "must each have a link_url, a url_id, or both")
    return Link(link_url=line.link_url or None, url_id=url_id)


def _required(field: str, value: RawId) -> str:
    text = _optional_id(value)
    if text is None:
        raise InvalidField(field, None, "is required")
    return text


def _optional_id(value: RawId) -> str | None:
    return str(value).strip() or None if value is not None else None


def _address(field: str, value: str | None) -> str | None:
    if not value or not value.strip():
        return None
    try:
        return normalize_address(value)
    except ValueError as exc:
        raise InvalidField(field, value, str(exc)) from None


def _one_of(field: str, value: str | None, allowed: Mapping[str, E], normal: Callable[[str], str]) -> E | None:
    if not value:
        return None
    found = allowed.get(normal(value))
    if found is None:
        raise InvalidField(field, value, "must be one of " + ", ".join(allowed))
    return found


def _type_code(value: int | str | None) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) < 4):
        raise InvalidField("type_code", value, "must be a whole number")
    return int(value)


def _moment(field: str, value: Moment, context: Context) -> Instant | None:
    if value is None or value == "":
        return None
    return check_time(field, value, context.now, context.times)


_OF_CAMPAIGN: Final = tuple(field for field in CampaignLine.__struct_fields__ if field != "campaign_activities")
_OF_CAMPAIGN_ACTIVITY: Final = tuple(field for field in CampaignActivityLine.__struct_fields__ if field != "links")
_OF_LINK: Final = LinkLine.__struct_fields__


def _contact_row(row: Mapping[str, Any], context: Context) -> ContactUpdate:
    return contact_of(ContactLine(**row), context)


def _campaign_row(row: Mapping[str, Any], context: Context) -> CampaignUpdate:
    said = {field: value for field, value in row.items() if value}
    campaign = _filled(CampaignLine(), said)
    link, activity = _filled(LinkLine(), said), _filled(CampaignActivityLine(), said)
    if link != LinkLine():
        activity.links = [link]
    if activity != CampaignActivityLine():
        campaign.campaign_activities = [activity]
    return campaign_of(campaign, context)


def _filled(line: T, said: Mapping[str, Any]) -> T:
    """The line with those of the row's cells that are its own."""
    for field in said.keys() & set(type(line).__struct_fields__):
        setattr(line, field, said[field])
    return line


def _from_json(
    check: Callable[[bytes | msgspec.Raw], None],
    decoder: msgspec.json.Decoder[T],
    state: Callable[[T, Context], S],
    line: bytes | msgspec.Raw,
    context: Context,
) -> S:
    check(line)
    try:
        decoded = decoder.decode(line)
    except msgspec.ValidationError as problem:
        raise _misfit(str(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        reason = "is nested too deep" if isinstance(problem, RecursionError) else f"must be JSON in UTF-8: {problem}"
        excerpt = bytes(line)[:_MAX_EXCERPT].decode(errors="replace").strip()
        raise InvalidField(WHOLE_LINE, excerpt, reason) from None
    return state(decoded, context)


def _check_object_count(line: bytes | msgspec.Raw) -> None:
    if len(line) > MAX_LINE_BYTES and bytes(line).count(b"{") > _MAX_OBJECTS:
        allowed = f"{MOST_CAMPAIGN_ACTIVITIES} campaign activities with {MAX_LINKS} links each at most"
        raise InvalidField(WHOLE_LINE, None, f"must have {allowed}")


def _misfit(problem: str) -> InvalidField:
    """Which field is to blame, by the decoder's own words: 'Expected `str`, got `int` - at `$.first_name`'."""
    place, unknown = _PLACE.search(problem), _UNKNOWN.search(problem)
    reason = _PLACE.sub("", problem)
    if unknown is not None:
        return InvalidField(unknown[1], None, "is no field of it: see the description at /schema")
    field = place[1] if place is not None and place[1] else WHOLE_LINE
    return InvalidField(field, None, f"can't be taken: {reason[:1].lower()}{reason[1:]}")


CONTACTS: Final[Form[ContactUpdate]] = Form(
    "a contact",
    ContactLine.__struct_fields__,
    partial(_from_json, check_line_length, msgspec.json.Decoder(ContactLine), contact_of),
    _contact_row,
)
CAMPAIGNS: Final[Form[CampaignUpdate]] = Form(
    "a campaign",
    (*_OF_CAMPAIGN, *_OF_CAMPAIGN_ACTIVITY, *_OF_LINK),
    partial(_from_json, _check_object_count, msgspec.json.Decoder(CampaignLine), campaign_of),
    _campaign_row,
)
