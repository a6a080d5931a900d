"""Attributes of contacts and campaigns that sources set, merged by last write wins.

They are stored as JSON, each with the time at which it was set: `{"subject": ["Spring is here", 1774000000000]}`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from rapport.activity import ContactProfile, Link
from rapport.catalog import (
    CLEARABLE_FIELDS,
    MAX_LINKS,
    CampaignActivityUpdate,
    CampaignRole,
    CampaignStatus,
    CampaignUpdate,
    ContactUpdate,
    OptOut,
    PermissionToSend,
)
from rapport.instant import HOUR, Instant
from rapport.store.batch import Batch, CampaignActivityRef, LinkRef, ProfileRow, TimestampedValue
from rapport.store.last_write_wins import Attributes, Value, merge_attributes
from rapport.store.permission import PERMISSION_ATTRIBUTES, get_undated, list_permissions, merge_permission
from rapport.store.subresources import merge_subresources, read_update_fields

PROFILE_FIELDS: Final = ("email_address", "first_name", "last_name")
"""The fields of a contact that activities report as well, in the order of columns."""

_TEXT_FIELDS: Final = ("subject", "preheader", "from_name", "from_email", "reply_to_email")
_CAMPAIGN_ACTIVITY_FIELDS: Final = ("role", *_TEXT_FIELDS)

_DECODER: Final = msgspec.json.Decoder(Attributes)


class ContactAttributes(NamedTuple):
    """The attributes that sources have set for a contact."""

    contact_id: str
    attributes: Attributes


class CampaignAttributes(NamedTuple):
    """The attributes that sources have set for a campaign, and for its campaign activities by id."""

    campaign_id: str
    attributes: Attributes
    campaign_activities: Mapping[str, Attributes]


def load_attributes(stored: str | bytes | None) -> Attributes:
    """Decode stored attributes."""
    return {} if stored is None else _DECODER.decode(stored)


def dump_attributes(attributes: Attributes) -> str:
    """Encode attributes to be stored."""
    return msgspec.json.encode(attributes).decode()


def get_value(attributes: Attributes, field: str) -> Value:
    """Return an attribute's value, or None if it was never set."""
    return attributes[field][0] if field in attributes else None


def get_text(attributes: Attributes, field: str) -> str | None:
    """Return an attribute's value as a string, or None."""
    value = get_value(attributes, field)
    return None if value is None else str(value)


def get_number(attributes: Attributes, field: str) -> int | None:
    """Return an attribute's value as an integer, or None."""
    value = get_value(attributes, field)
    return None if value is None else int(value)


def get_time(attributes: Attributes, field: str) -> int | None:
    """Return the time at which an attribute was set, or None if it never was."""
    return attributes[field][1] if field in attributes else None


def updated_at(attributes: Attributes) -> int | None:
    """Return the latest time at which an attribute was set, or None if there is none."""
    return max((time for _, time in attributes.values()), default=None)


def latest_profile(rows: Sequence[ProfileRow]) -> tuple[str | None, ...]:
    """Return the latest value of each profile field of a contact; of two with the same time, the last in order."""
    if len(rows) == 1:
        return rows[0][1:4]
    latest: list[tuple[int, str | None]] = [(0, None)] * len(PROFILE_FIELDS)
    for _, *values, time in rows:
        for index, value in enumerate(values):
            if value is not None and time >= latest[index][0]:
                latest[index] = time, value
    return tuple(value for _, value in latest)


def merge_contact(attributes: Attributes, update: ContactUpdate) -> bool:
    """Merge an update into the attributes of its contact. Return True if that changed them."""
    profile = update.person
    values: dict[str, Value] = {
        "email_address": profile.email_address,
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "created_at": update.created_at,
    }
    # An update always says whether the contact is deleted.
    values = {**_drop_none(values), "deleted_at": update.deleted_at}
    is_changed = merge_attributes(attributes, values, update.updated_at)
    is_changed |= merge_subresources(attributes, update)
    return merge_permission(attributes, update) or is_changed


def merge_campaign(attributes: Attributes, update: CampaignUpdate) -> bool:
    """Merge an update into the attributes of its campaign. Return True if that changed them."""
    status = update.current_status
    values = {
        "campaign_id": update.campaign_id,
        "campaign_name": update.campaign_name,
        "type": update.type,
        "type_code": update.type_code,
        "current_status": None if status is None else status.value,
        "created_at": update.created_at,
    }
    return merge_attributes(attributes, _drop_none(values), update.updated_at)


def merge_campaign_activity(attributes: Attributes, update: CampaignActivityUpdate, time: int) -> bool:
    """Merge an update into the attributes of its campaign activity. Return True if that changed them."""
    values: dict[str, Value] = {field: getattr(update, field) for field in _CAMPAIGN_ACTIVITY_FIELDS}
    if update.role is not None:
        values["role"] = update.role.value
    return merge_attributes(attributes, _drop_none(values), time)


def _drop_none(values: Mapping[str, Value]) -> dict[str, Value]:
    return {field: value for field, value in values.items() if value is not None}


def refs_batch(account_id: str, updates: Iterable[CampaignUpdate]) -> Batch:
    """Return a batch without activities that creates the campaign activities and links of the updates."""
    refs: list[CampaignActivityRef] = []
    links: list[LinkRef] = []
    for campaign in updates:
        time = campaign.updated_at
        for activity in campaign.campaign_activities:
            name = activity.campaign_activity_name
            links += [LinkRef(len(refs), link.link_url, link.url_id) for link in activity.links]
            refs.append(
                CampaignActivityRef(
                    activity.campaign_activity_id,
                    None if name is None else TimestampedValue(name, time),
                    TimestampedValue(campaign.campaign_id, time),
                )
            )
    return Batch(
        account_id=account_id, size=0, contacts=[], profiles=[], campaign_activities=refs, links=links, rows={}
    )


def links_batch(account_id: str, update: CampaignUpdate) -> Batch:
    """Return a batch without activities that creates the links of the update, and no campaign."""
    batch = refs_batch(account_id, [update])
    activities = [activity._replace(campaign_id=None) for activity in batch.campaign_activities]
    return replace(batch, campaign_activities=activities)


def group_campaigns(rows: Iterable[tuple[str, str | None, str | None, str | None]]) -> list[CampaignAttributes]:
    """Group rows by campaign: its id, its attributes, the id of a campaign activity, and its attributes."""
    campaigns: dict[str, tuple[Attributes, dict[str, Attributes]]] = {}
    for campaign_id, stored, campaign_activity_id, stored_activity in rows:
        if campaign_id not in campaigns:
            campaigns[campaign_id] = load_attributes(stored), {}
        if campaign_activity_id is not None:
            campaigns[campaign_id][1][campaign_activity_id] = load_attributes(stored_activity)
    return [
        CampaignAttributes(campaign_id, attributes, activities)
        for campaign_id, (attributes, activities) in campaigns.items()
    ]


def contact_updates(contact: ContactAttributes) -> Iterator[ContactUpdate]:
    """Yield updates that reproduce the attributes in a store that has none of them, or fewer."""
    attributes = contact.attributes
    values_at = dict(
        _group_by_time({field: value for field, value in attributes.items() if field not in PERMISSION_ATTRIBUTES})
    )
    permissions = list_permissions(attributes)
    for time in sorted({*values_at, *(permission.time for permission, _ in permissions)}):
        values = values_at.get(time, {})
        same_time = [entry for entry in permissions if entry[0].time == time]
        permission, opt_out = same_time[0] if same_time else (None, None)
        yield _contact_update(contact, time, values, None if permission is None else permission.value, opt_out)
        for permission, opt_out in same_time[1:]:
            yield _contact_update(contact, time, {}, permission.value, opt_out)
    undated = get_undated(attributes)
    if undated is not None:
        yield replace(_contact_update(contact, undated.time, {}, undated.value, None), is_dated=False)


def _contact_update(
    contact: ContactAttributes,
    time: int,
    values: Mapping[str, Value],
    permission: PermissionToSend | None,
    opt_out: OptOut | None,
) -> ContactUpdate:
    return ContactUpdate(
        contact_id=contact.contact_id,
        updated_at=Instant(time),
        is_dated=True,
        person=ContactProfile(
            **{field: str(values[field]) for field in PROFILE_FIELDS if values.get(field) is not None}
        ),
        permission_to_send=permission,
        created_at=_to_instant(values.get("created_at")),
        deleted_at=_to_instant(get_number(contact.attributes, "deleted_at")),
        opt_out_date=None if opt_out is None else Instant(opt_out.date),
        opt_out_source=None if opt_out is None else opt_out.source,
        opt_out_reason=None if opt_out is None else opt_out.reason,
        cleared=frozenset(field for field in CLEARABLE_FIELDS & values.keys() if values[field] is None),
        **read_update_fields(values),
    )


def campaign_updates(
    campaign: CampaignAttributes, refs: Iterable[tuple[CampaignActivityRef, Sequence[Link]]]
) -> Iterator[CampaignUpdate]:
    """Yield updates that reproduce the attributes of a campaign, the latest first, and then its campaign activities.

    `refs` are these with their links, in the order in which they were added.
    """
    # As each update has the id, an earlier one must not be the first to set it.
    for time, values in reversed(_group_by_time(campaign.attributes)):
        status, code = values.get("current_status"), values.get("type_code")
        yield CampaignUpdate(
            campaign_id=campaign.campaign_id,
            updated_at=Instant(time),
            campaign_name=_to_text(values.get("campaign_name")),
            type=_to_text(values.get("type")),
            type_code=None if code is None else int(code),
            current_status=None if status is None else CampaignStatus(status),
            created_at=_to_instant(values.get("created_at")),
        )
    latest = updated_at(campaign.attributes)
    for ref, links in refs:
        attributes = campaign.campaign_activities.get(ref.campaign_activity_id, {})
        for time, activity in _activity_updates(attributes, ref, links, latest):
            yield CampaignUpdate(
                campaign_id=campaign.campaign_id, updated_at=Instant(time), campaign_activities=(activity,)
            )


def _activity_updates(
    attributes: Attributes, ref: CampaignActivityRef, links: Sequence[Link], latest: int | None
) -> Iterator[tuple[int, CampaignActivityUpdate]]:
    """Yield updates that reproduce a campaign activity, and their times.

    `latest` is the time of the last update of its campaign. What only activities have set is left out: a name that is
    later, as times are accurate to the hour, and everything if the campaign was never updated.
    """
    values_at = dict(_group_by_time(attributes))
    name = ref.campaign_activity_name
    if name is not None and latest is not None and name.created_time <= latest + HOUR:
        values_at.setdefault(name.created_time, {})["campaign_activity_name"] = name.value
    if not values_at and latest is not None and ref.campaign_id is not None:
        values_at[min(ref.campaign_id.created_time, latest)] = {}
    chunks = [tuple(links[first : first + MAX_LINKS]) for first in range(0, len(links), MAX_LINKS)]
    for time, values in sorted(values_at.items()):
        role = values.get("role")
        texts = {field: _to_text(values.get(field)) for field in ("campaign_activity_name", *_TEXT_FIELDS)}
        yield (
            time,
            CampaignActivityUpdate(
                campaign_activity_id=ref.campaign_activity_id,
                role=None if role is None else CampaignRole(role),
                links=chunks.pop(0) if chunks else (),
                **texts,
            ),
        )
    if values_at:
        for chunk in chunks:
            yield max(values_at), CampaignActivityUpdate(campaign_activity_id=ref.campaign_activity_id, links=chunk)


def _group_by_time(attributes: Attributes) -> Sequence[tuple[int, dict[str, Value]]]:
    """Return the values that were set at each time, earliest first."""
    values_at: defaultdict[int, dict[str, Value]] = defaultdict(dict)
    for field, (value, time) in attributes.items():
        values_at[time][field] = value
    return sorted(values_at.items())


def _to_text(value: Value) -> str | None:
    return None if value is None else str(value)


def _to_instant(value: Value) -> Instant | None:
    return None if value is None else Instant(int(value))
