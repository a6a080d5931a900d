"""Exports: the activities of a contact, of a report or of an account, and its contacts, campaigns, lists and merges.

Rows come in batches of bounded size, so that an export needs little memory. They can be imported again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from rapport.activity import EARLIEST, TYPE_NAMES, Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link
from rapport.catalog import CampaignActivityUpdate, CampaignUpdate, ContactUpdate, DefinitionType
from rapport.errors import UnknownCampaignActivity
from rapport.instant import MAX_INSTANT, Instant
from rapport.recording.activity_codec import FIELDS
from rapport.recording.catalog_codec import CAMPAIGNS, CONTACTS, MERGES, CampaignLine, get_contact_fields
from rapport.recording.definition_codec import CUSTOM_FIELDS, LISTS, TAGS, get_definition_fields
from rapport.recording.export_formats import Cell, Column, ColumnType, ExportFormat, ExportWriter, Row
from rapport.store.activities import START_OF_HISTORY, ActivityCursor, ActivityQuery, DetailedRow
from rapport.store.attributes import ContactAttributes, contact_updates
from rapport.store.definitions import exported_updates
from rapport.store.permission import PERMISSION_TYPES, NewestActivities, derive_permission, include_permission
from rapport.store.store import Store
from rapport.store.tracking import START_OF_REPORT, TrackingCursor, TrackingQuery, TrackingReport, TrackingRow

Rows: TypeAlias = AsyncIterator[Sequence[Row]]

ACTIVITY_COLUMNS: Final = tuple(
    Column(name, ColumnType.TIME if name == "created_time" else ColumnType.TEXT)
    for name in FIELDS
    if name != "tracking_activities_list"
)
_TIMES: Final = frozenset({"updated_at", "created_at", "deleted_at", "opt_out_date"})
_NUMBERS: Final = frozenset({"type_code", "birthday_month", "birthday_day"})


def _get_columns(fields: Sequence[str]) -> tuple[Column, ...]:
    types = {**dict.fromkeys(_TIMES, ColumnType.TIME), **dict.fromkeys(_NUMBERS, ColumnType.NUMBER)}
    return tuple(Column(name, types.get(name, ColumnType.TEXT)) for name in fields)


CONTACT_COLUMNS: Final = _get_columns(CONTACTS.fields)
CAMPAIGN_COLUMNS: Final = _get_columns(CAMPAIGNS.fields)
MERGE_COLUMNS: Final = _get_columns(MERGES.fields)
DEFINITION_COLUMNS: Final = {
    DefinitionType.LIST: _get_columns(LISTS.fields),
    DefinitionType.TAG: _get_columns(TAGS.fields),
    DefinitionType.CUSTOM_FIELD: _get_columns(CUSTOM_FIELDS.fields),
}
_CAMPAIGN_OBJECT: Final = _get_columns(CampaignLine.__struct_fields__)

_CONTACTS_PER_READ: Final = 200
"""Contacts whose activities are read at once, if these are fewer than `_MAX_ROWS_PER_READ`."""
_MAX_ROWS_PER_READ: Final = 10_000
_PAGE_SIZE: Final = 500

_TYPE_NAMES: Final = tuple(TYPE_NAMES[activity_type] for activity_type in ActivityType)
_DEVICES: Final = tuple(device.name.lower() for device in DeviceType)
_BOUNCE_CODES: Final = tuple(code.name for code in BounceCode)
_DEVICE_NAMES: Final[dict[int | None, str | None]] = {None: None, **dict(enumerate(_DEVICES))}
_BOUNCE_NAMES: Final[dict[int | None, str | None]] = {None: None, **dict(enumerate(_BOUNCE_CODES))}
_GET_ORDER: Final = itemgetter(DetailedRow._fields.index("created_time"), DetailedRow._fields.index("identity"))
_CAMPAIGN_ACTIVITY_FIELDS: Final = tuple(
    field for field in CampaignActivityUpdate.__struct_fields__ if field != "links"
)


class ExportPeriod(NamedTuple):
    """The time of the exported activities, both ends included."""

    start: Instant = EARLIEST
    end: Instant = MAX_INSTANT


ALL_TIMES: Final = ExportPeriod()


async def write_rows(rows: Rows, writer: ExportWriter) -> AsyncIterator[bytes]:
    """Yield the encoded rows. They are encoded in a thread, so that others are served meanwhile."""
    yield writer.begin()
    async for batch in rows:
        yield await asyncio.to_thread(writer.encode, batch)
    yield await asyncio.to_thread(writer.finish)


async def export_account_activities(store: Store, account_id: str, period: ExportPeriod = ALL_TIMES) -> Rows:
    """Yield the activities of all contacts, contact by contact, newest first."""
    after = ""
    while contact_ids := await store.contacts.list_ids(account_id, after, _CONTACTS_PER_READ):
        async for batch in _read_contacts(store, account_id, contact_ids, period):
            yield batch
        after = contact_ids[-1]


async def _read_contacts(store: Store, account_id: str, contact_ids: Sequence[str], period: ExportPeriod) -> Rows:
    if len(contact_ids) == 1:
        async for batch in export_contact_activities(store, account_id, contact_ids[0], period):
            yield batch
        return
    rows = await store.activities.list_of_contacts(account_id, contact_ids, *period, _MAX_ROWS_PER_READ)
    if len(rows) < _MAX_ROWS_PER_READ:
        rows.sort(key=_GET_ORDER, reverse=True)
        rows.sort(key=itemgetter(0))
        yield _get_activity_rows(rows)
        return
    # Too many for one read: those of fewer contacts.
    middle = len(contact_ids) // 2
    for part in (contact_ids[:middle], contact_ids[middle:]):
        async for batch in _read_contacts(store, account_id, part, period):
            yield batch


async def export_contact_activities(
    store: Store, account_id: str, contact_id: str, period: ExportPeriod = ALL_TIMES
) -> Rows:
    """Yield the activities of a contact, newest first."""
    query = ActivityQuery(
        types=tuple(ActivityType),
        after=START_OF_HISTORY if period.end == MAX_INSTANT else ActivityCursor(period.end + 1, -(2**63)),
        not_before=period.start,
        limit=_PAGE_SIZE,
    )
    while True:
        page = await store.activities.list_with_details(account_id, contact_id, query)
        if page:
            yield [_get_row_of_activity(entry.activity) for entry in page]
        if not page or len(page) < query.limit:
            return
        query = replace(query, after=page[-1].position)


async def export_report(
    store: Store, account_id: str, campaign_activity_id: str, report: TrackingReport, period: ExportPeriod = ALL_TIMES
) -> Rows:
    """Yield the activities of a report on a campaign activity, newest first. Raises UnknownCampaignActivity."""
    query = TrackingQuery(
        type=report.type,
        selection=report.selection,
        after=START_OF_REPORT if period.end == MAX_INSTANT else TrackingCursor(period.end + 1, "", -(2**63)),
        not_before=period.start,
        limit=_PAGE_SIZE,
    )
    while True:
        rows = await store.reports.list_tracking(account_id, campaign_activity_id, query)
        if rows is None:
            raise UnknownCampaignActivity(campaign_activity_id)
        if rows:
            yield [_get_row_of_report(campaign_activity_id, report.type, row) for row in rows]
        if len(rows) < query.limit:
            return
        query = replace(query, after=rows[-1].cursor)


async def export_contact(store: Store, account_id: str, contact_id: str) -> Rows:
    """Yield a contact's attributes with its current permission, a row for each `updated_at`."""
    stored = await store.contacts.get_attributes(account_id, contact_id)
    attributes = {} if stored is None else stored.attributes
    newest = await _read_newest(store, account_id, contact_id)
    included = include_permission(attributes, contact_id, derive_permission(attributes, newest))
    rows = [get_contact_row(update) for update in contact_updates(ContactAttributes(contact_id, included))]
    if rows:
        yield rows


async def _read_newest(store: Store, account_id: str, contact_id: str) -> NewestActivities:
    opt_outs, sign_ups = [
        await store.activities.list_with_details(
            account_id,
            contact_id,
            ActivityQuery(types=(activity_type,), after=START_OF_HISTORY, not_before=EARLIEST, limit=1),
        )
        for activity_type in PERMISSION_TYPES
    ]
    opt_out = opt_outs[0].activity if opt_outs else None
    return NewestActivities(
        opt_out_time=None if opt_out is None else opt_out.created_time,
        opt_out_reason=None if opt_out is None else opt_out.opt_out_reason,
        sign_up_time=sign_ups[0].activity.created_time if sign_ups else None,
    )


async def export_contacts(store: Store, account_id: str) -> Rows:
    """Yield the attributes that sources have set for contacts, a row for each `updated_at`.

    The permission that only activities have set is left out, as their export has it.
    """
    after = ""
    while contacts := await store.contacts.list_attributes(account_id, after, _CONTACTS_PER_READ):
        yield [get_contact_row(update) for contact in contacts for update in contact_updates(contact)]
        after = contacts[-1].contact_id


async def export_campaigns(store: Store, account_id: str, export_format: ExportFormat) -> Rows:
    """Yield campaigns, their campaign activities and links, a row for each `updated_at`; see `get_campaign_columns`."""
    get_rows = _get_campaign_object if export_format is ExportFormat.NDJSON else _get_campaign_rows
    async for updates in store.campaigns.list_updates(account_id):
        yield [row for update in updates for row in get_rows(update)]


def get_campaign_columns(export_format: ExportFormat) -> tuple[Column, ...]:
    """Return the columns of campaigns: a list of campaign activities in NDJSON, else one of them and one link."""
    return _CAMPAIGN_OBJECT if export_format is ExportFormat.NDJSON else CAMPAIGN_COLUMNS


async def export_definitions(store: Store, account_id: str, definition_type: DefinitionType) -> Rows:
    """Yield the lists, tags or custom fields, a row for each `updated_at`."""
    columns = DEFINITION_COLUMNS[definition_type]
    for definition in await store.definitions.list_attributes(account_id):
        if definition.type is definition_type:
            fields = map(get_definition_fields, exported_updates(definition))
            yield [[values[column.name] for column in columns] for values in fields]


async def export_merges(store: Store, account_id: str) -> Rows:
    """Yield the merges of contacts."""
    after = ""
    while merges := await store.merges.list(account_id, after, _CONTACTS_PER_READ):
        yield [(merge.contact_id, merge.merged_into) for merge in merges]
        after = merges[-1].contact_id


def _get_activity_rows(rows: Sequence[DetailedRow]) -> Sequence[Row]:
    """Return the rows of activities. Column by column, which is several times faster."""
    if not rows:
        return ()
    columns = dict(zip(DetailedRow._fields, zip(*rows, strict=True), strict=True))
    return list(
        zip(
            columns["contact_id"],
            columns["campaign_activity_id"],
            map(_TYPE_NAMES.__getitem__, columns["type"]),
            columns["created_time"],
            columns["event_id"],
            columns["campaign_activity_name"],
            columns["campaign_id"],
            columns["email_address"],
            columns["first_name"],
            columns["last_name"],
            columns["link_url"],
            columns["url_id"],
            map(_DEVICE_NAMES.__getitem__, columns["device_type"]),
            map(_BOUNCE_NAMES.__getitem__, columns["bounce_code"]),
            columns["opt_out_reason"],
            strict=True,
        )
    )


def _get_row_of_activity(activity: Activity) -> Row:
    profile, link = activity.person or ContactProfile(), activity.link or Link()
    return (
        activity.contact_id,
        activity.campaign_activity_id,
        _TYPE_NAMES[activity.type],
        activity.created_time,
        activity.event_id,
        activity.campaign_activity_name,
        activity.campaign_id,
        profile.email_address,
        profile.first_name,
        profile.last_name,
        link.link_url,
        link.url_id,
        None if activity.device_type is None else _DEVICES[activity.device_type],
        None if activity.bounce_code is None else _BOUNCE_CODES[activity.bounce_code],
        activity.opt_out_reason,
    )


def _get_row_of_report(campaign_activity_id: str, activity_type: ActivityType, row: TrackingRow) -> Row:
    return (
        row.contact_id,
        campaign_activity_id,
        _TYPE_NAMES[activity_type],
        row.created_time,
        row.event_id,
        None,
        None,
        *row.profile_at_activity,
        row.link_url,
        row.url_id,
        None if row.device_type is None else _DEVICES[row.device_type],
        None if row.bounce_code is None else _BOUNCE_CODES[row.bounce_code],
        row.opt_out_reason,
    )


def get_contact_row(update: ContactUpdate) -> Row:
    """Return the row of an update of a contact. An undated one has no `updated_at`."""
    fields = get_contact_fields(update)
    return [
        None
        if fields[column.name] is None
        else getattr(update, column.name)
        if column.type is ColumnType.TIME
        else fields[column.name]
        for column in CONTACT_COLUMNS
    ]


def _get_campaign_rows(update: CampaignUpdate) -> Sequence[Row]:
    """Return the rows of an update with at most one campaign activity: one for each of its links, at least one."""
    values = _get_campaign_values(update)
    links: Sequence[Link] = ()
    for activity in update.campaign_activities:
        values |= _get_campaign_activity_values(activity)
        links = activity.links
    return [
        [{**values, "link_url": link.link_url, "url_id": link.url_id}.get(column.name) for column in CAMPAIGN_COLUMNS]
        for link in links or (Link(),)
    ]


def _get_campaign_object(update: CampaignUpdate) -> Sequence[Row]:
    """Return the row of an update with a list of its campaign activities."""
    values = _get_campaign_values(update)
    if update.campaign_activities:
        values["campaign_activities"] = [
            {
                **_drop_none(_get_campaign_activity_values(activity)),
                **({"links": list(map(_get_link, activity.links))} if activity.links else {}),
            }
            for activity in update.campaign_activities
        ]
    return [[values.get(column.name) for column in _CAMPAIGN_OBJECT]]


def _get_campaign_values(update: CampaignUpdate) -> dict[str, Cell]:
    return {
        "campaign_id": update.campaign_id,
        "updated_at": update.updated_at,
        "campaign_name": update.campaign_name,
        "type": update.type,
        "type_code": update.type_code,
        "current_status": None if update.current_status is None else update.current_status.value,
        "created_at": update.created_at,
    }


def _get_campaign_activity_values(activity: CampaignActivityUpdate) -> dict[str, Cell]:
    values: dict[str, Cell] = {field: getattr(activity, field) for field in _CAMPAIGN_ACTIVITY_FIELDS}
    values["role"] = None if activity.role is None else activity.role.value
    return values


def _get_link(link: Link) -> dict[str, Cell]:
    return _drop_none({"link_url": link.link_url, "url_id": link.url_id})


def _drop_none(values: Mapping[str, Cell]) -> dict[str, Cell]:
    return {field: value for field, value in values.items() if value is not None}
