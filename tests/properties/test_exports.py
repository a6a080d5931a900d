"""What is exported imports back: random histories with odd ids and texts, in every format, on both engines."""

import io
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import (
    BOUNCE_CODES,
    DEVICE_TYPES,
    MAX_ID_LENGTH,
    TYPES,
    Activity,
    ActivityType,
    ContactProfile,
    Link,
    is_id,
)
from rapport.catalog import (
    CampaignActivityUpdate,
    CampaignStatus,
    CampaignUpdate,
    Choice,
    ContactUpdate,
    CustomFieldValue,
    DefinitionType,
    DefinitionUpdate,
    Note,
    OptOutSource,
    PermissionToSend,
)
from rapport.instant import HOUR, Instant
from rapport.recording.activity_codec import LineFormat
from rapport.recording.catalog_codec import CAMPAIGNS as CAMPAIGN_LINES
from rapport.recording.catalog_codec import CONTACTS as CONTACT_LINES
from rapport.recording.catalog_codec import MERGES as MERGE_LINES
from rapport.recording.decoding import ACTIVITIES as ACTIVITY_LINES
from rapport.recording.definition_codec import CUSTOM_FIELDS, LISTS, TAGS
from rapport.recording.export import (
    ACTIVITY_COLUMNS,
    CONTACT_COLUMNS,
    DEFINITION_COLUMNS,
    MERGE_COLUMNS,
    Rows,
    export_account_activities,
    export_campaigns,
    export_contacts,
    export_definitions,
    export_merges,
    get_campaign_columns,
    write_rows,
)
from rapport.recording.export_formats import Column, ExportFormat, make_writer
from rapport.recording.files import read_file
from rapport.recording.tables import InvalidLine
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.definitions import DefinitionQuery
from rapport.store.engines import open_store
from rapport.store.links import LinksQuery
from rapport.store.store import Store
from tests.helpers.rollup_oracle import START_TIME, stored_rollups

pytestmark = pytest.mark.slow

NOW = Instant(START_TIME + 1_000 * HOUR)

DEFINITION_LINES = {DefinitionType.LIST: LISTS, DefinitionType.TAG: TAGS, DefinitionType.CUSTOM_FIELD: CUSTOM_FIELDS}

ODD = st.sampled_from(
    [
        *("=1+1", "+1", "-5", "@ada", "'", "'=x", "''-", "NULL", "'NULL", "\\N", "a,b;c|d", 'say "hi"', "007", "1e5"),
        *("Müller", "山田", "user/13", "auth0|5f", "ada@example.com", "sep=;", "#", "\ufeffx", "2026-01-05", "true"),
    ]
)
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=12)
IDS = st.one_of(ODD, TEXT.map(str.strip)).filter(is_id).filter(lambda text: len(text) <= MAX_ID_LENGTH)
TEXTS = st.one_of(ODD, TEXT, st.sampled_from([" Ada ", "Ada\u2003", "\u2028x"]))
REASONS = st.one_of(TEXTS, st.sampled_from(["Too many\nemails", "=1\n2", "a\tb", "\tx"]))


VALUES = st.builds(
    CustomFieldValue,
    custom_field_id=st.sampled_from(["f1", "f2"]),
    value=st.one_of(st.none(), TEXTS),
    choice_ids=st.lists(IDS, max_size=2).map(tuple),
)
NOTES = st.builds(Note, content=REASONS, created_at=st.integers(START_TIME, START_TIME + 10**9).map(Instant))


def none_or(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def draw_activity(draw: st.DrawFn, contact_ids: Sequence[str], campaign_activity_ids: Sequence[str]) -> Activity:
    activity_type = TYPES[draw(st.sampled_from(list(TYPES)))]
    link = None
    if activity_type in {ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK} and draw(st.booleans()):
        link = Link(link_url=draw(none_or(st.just("https://example.com/=1"))), url_id=draw(none_or(IDS)))
        link = None if link == Link() else link
    has_device = activity_type not in {ActivityType.EM_SENDS, ActivityType.EM_BOUNCES}
    return Activity(
        contact_id=draw(st.sampled_from(contact_ids)),
        campaign_activity_id=draw(st.sampled_from(campaign_activity_ids)),
        type=activity_type,
        # Each at a time of its own: of what is reported at the same time, the order of arrival decides.
        created_time=Instant(START_TIME + draw(st.integers(0, 10**9))),
        event_id=draw(none_or(ODD)),
        person=draw(
            none_or(
                st.builds(
                    ContactProfile,
                    email_address=none_or(st.sampled_from(["ada@example.com", "'=x@example.com", "+a@example.com"])),
                    first_name=none_or(TEXTS),
                    last_name=none_or(TEXTS),
                ).filter(lambda profile: profile != ContactProfile())
            )
        ),
        campaign_id=None,
        link=link,
        device_type=draw(none_or(st.sampled_from(list(DEVICE_TYPES.values())))) if has_device else None,
        bounce_code=draw(none_or(st.sampled_from(list(BOUNCE_CODES.values()))))
        if activity_type is ActivityType.EM_BOUNCES
        else None,
        opt_out_reason=draw(none_or(REASONS)) if activity_type is ActivityType.EM_OPTOUTS else None,
    )


def _get_time(activity: Activity) -> int:
    return activity.created_time


def _get_identity(activity: Activity) -> tuple[str, int]:
    return activity.contact_id, activity.identity


@st.composite
def draw_history(draw: st.DrawFn) -> tuple[list[Activity], list[ContactUpdate], list[tuple[str, str]]]:
    contact_ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    campaign_activity_ids = draw(st.lists(IDS, min_size=1, max_size=2, unique=True))
    activities = draw(
        st.lists(
            draw_activity(contact_ids, campaign_activity_ids),
            max_size=10,
            unique_by=(
                lambda activity: activity.created_time,
                lambda activity: (activity.contact_id, activity.identity),
            ),
        )
    )
    times = count(1, 2)
    updates = [
        ContactUpdate(
            contact_id=draw(st.sampled_from(contact_ids)),
            updated_at=Instant(START_TIME - 10**9 + next(times) * HOUR),
            is_dated=True,
            person=ContactProfile(first_name=draw(none_or(TEXTS))),
            permission_to_send=permission,
            opt_out_source=OptOutSource.ACCOUNT if permission is PermissionToSend.UNSUBSCRIBED else None,
            opt_out_reason=draw(none_or(REASONS)) if permission is PermissionToSend.UNSUBSCRIBED else None,
            custom_fields=tuple(draw(st.lists(VALUES, max_size=2))),
            notes=draw(none_or(st.lists(NOTES, max_size=2).map(tuple))),
        )
        for permission in draw(st.lists(none_or(st.sampled_from(PermissionToSend)), max_size=3))
    ]
    merges = draw(st.lists(st.tuples(IDS, st.sampled_from(contact_ids)), max_size=2))
    return activities, updates, merges


async def export(columns: Sequence[Column], rows: Rows, export_format: ExportFormat) -> bytes:
    writer = make_writer(export_format, columns, with_bom=export_format is ExportFormat.CSV)
    return b"".join([part async for part in write_rows(rows, writer)])


def read(content: bytes, line_format: LineFormat[Any]) -> list[Any]:
    lines = list(read_file(io.BytesIO(content), "export", NOW, line_format)) if content else []
    assert [line for line in lines if isinstance(line, InvalidLine)] == []
    return lines


async def import_back(source: Store, target: Store, account: str, export_format: ExportFormat) -> list[int]:
    """Export everything and import it. Return how much was new."""
    merges = read(await export(MERGE_COLUMNS, export_merges(source, account), export_format), MERGE_LINES)
    contacts = read(await export(CONTACT_COLUMNS, export_contacts(source, account), export_format), CONTACT_LINES)
    activities = read(
        await export(ACTIVITY_COLUMNS, export_account_activities(source, account), export_format), ACTIVITY_LINES
    )
    merged = await target.merges.merge_all(account, merges)
    changed = await target.contacts.upsert(account, contacts)
    (recorded,) = await target.ingest.record([build_batch(account, activities)])
    return [merged, changed, sum(recorded.accepted.values())]


async def read_answers(store: Store, account: str) -> list[Any]:
    contact_ids = await store.contacts.list_ids(account, "", 1_000)
    histories = [[activity async for activity in store.activities.iterate(account, each)] for each in contact_ids]
    return [
        [await store.contacts.get(account, each) for each in contact_ids],
        histories,
        await store.merges.list(account, "", 1_000),
    ]


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Store]:
    """Another open store, into which is imported."""
    async with open_store(Settings(data=str(tmp_path / "imported"))) as store:
        yield store


@pytest.mark.parametrize("export_format", [ExportFormat.NDJSON, ExportFormat.CSV])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=draw_history())
async def test_export_imports_back(
    *,
    store: Store,
    other: Store,
    location: str,
    tmp_path: Path,
    export_format: ExportFormat,
    history: tuple[list[Activity], list[ContactUpdate], list[tuple[str, str]]],
) -> None:
    account = f"exported-{uuid4().hex}"
    activities, updates, merges = history
    await store.ingest.record([build_batch(account, activities)])
    await store.contacts.upsert(account, updates)
    for old_id, new_id in merges:
        await store.merges.merge(account, old_id, new_id)
    before = await read_answers(store, account)
    await import_back(store, other, account, export_format)
    assert await read_answers(other, account) == before
    assert await import_back(store, store, account, export_format) == [0, 0, 0]
    assert await read_answers(store, account) == before
    assert stored_rollups(str(tmp_path / "imported"), account) == stored_rollups(location, account)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=draw_history())
async def test_parquet_has_the_rows_of_ndjson(
    store: Store, history: tuple[list[Activity], list[ContactUpdate], list[tuple[str, str]]]
) -> None:
    account = f"parquet-{uuid4().hex}"
    await store.ingest.record([build_batch(account, history[0])])
    content = await export(ACTIVITY_COLUMNS, export_account_activities(store, account), ExportFormat.PARQUET)
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    rows = [row async for batch in export_account_activities(store, account) for row in batch]
    assert table.schema.names == [column.name for column in ACTIVITY_COLUMNS]
    assert str(table.schema.field("created_time").type) == "timestamp[ms, tz=UTC]"
    times = table.column("created_time").cast("int64").to_pylist()
    columns = [times if name == "created_time" else table.column(name).to_pylist() for name in table.schema.names]
    assert list(zip(*columns, strict=True)) == list(map(tuple, rows))


MOMENTS = st.integers(0, 100).map(lambda hour: Instant(START_TIME - 10**9 + hour * HOUR))
LIST_IDS = st.one_of(IDS, st.sampled_from(["a,b", ",", "[x]", "[1]", '["a"]', "a;b,c"]))
LINKS = st.builds(
    Link, link_url=none_or(st.sampled_from(["https://example.com/1", "https://example.com/=1"])), url_id=none_or(IDS)
).filter(lambda link: link != Link())


@st.composite
def draw_definitions(draw: st.DrawFn) -> list[DefinitionUpdate]:
    updates = []
    for definition_type in draw(st.lists(st.sampled_from(DefinitionType), max_size=6)):
        is_list, is_field = definition_type is DefinitionType.LIST, definition_type is DefinitionType.CUSTOM_FIELD
        updates.append(
            DefinitionUpdate(
                type=definition_type,
                definition_id=draw(st.sampled_from(["a,b", "l1", "[x]"])),
                updated_at=draw(MOMENTS),
                name=draw(none_or(st.one_of(ODD, TEXT.filter(str.strip)))),
                description=draw(none_or(TEXTS)) if is_list else None,
                favorite=draw(none_or(st.booleans())) if is_list else None,
                field_type=draw(none_or(st.just("single_select"))) if is_field else None,
                choices=draw(none_or(st.just((Choice(choice_id=1, choice_label="a, [b]"),)))) if is_field else None,
                created_at=draw(none_or(MOMENTS)),
                deleted_at=draw(none_or(MOMENTS)),
            )
        )
    return updates


@st.composite
def draw_campaigns(draw: st.DrawFn, campaign_activity_ids: Sequence[str]) -> list[CampaignUpdate]:
    # Each at a time of its own: of two at the same time, the order of arrival decides.
    moments = draw(st.lists(st.integers(0, 100), max_size=5, unique=True))
    return [
        CampaignUpdate(
            campaign_id=draw(st.sampled_from(["c1", "=c2"])),
            updated_at=Instant(START_TIME - 10**9 + moment * HOUR),
            campaign_name=draw(none_or(TEXTS)),
            type_code=draw(none_or(st.just(10))),
            current_status=draw(none_or(st.sampled_from(CampaignStatus))),
            campaign_activities=tuple(
                CampaignActivityUpdate(
                    campaign_activity_id=campaign_activity_id,
                    campaign_activity_name=draw(none_or(TEXTS)),
                    subject=draw(none_or(TEXTS)),
                    links=tuple(draw(st.lists(LINKS, max_size=3))),
                )
                for campaign_activity_id in draw(
                    st.lists(st.sampled_from(campaign_activity_ids), max_size=2, unique=True)
                )
            ),
        )
        for moment in moments
    ]


async def read_definitions(store: Store, account: str) -> list[Any]:
    """Return what the API answers about campaigns, their links, and definitions."""
    campaigns = await store.campaigns.list_attributes(account)
    refs = sorted(await store.campaigns.list_activity_refs(account))
    links = LinksQuery(limit=100, with_unclicked=True)
    answers: list[Any] = []
    for campaign in campaigns:
        record = await store.campaigns.get(account, campaign.campaign_id)
        assert record is not None
        # Which of several updates set the same value is not seen.
        values = {field: value for field, (value, _) in record.attributes.items()}
        answers.append(record._replace(attributes=values))
    defined = {campaign.campaign_id for campaign in campaigns}
    for ref in refs:
        clicks = await store.reports.list_links(account, ref.campaign_activity_id, links) or []
        if ref.campaign_id is not None and ref.campaign_id.value in defined:
            answers.append([entry[:3] for entry in clicks])
        else:
            # Links that only activities have are in the order in which these arrived.
            answers.append(sorted((entry.link_url or "", entry.unique_clicks) for entry in clicks if entry.link_url))
    for definition_type in DefinitionType:
        query = DefinitionQuery(type=definition_type, with_deleted=True, limit=100)
        records = await store.definitions.find(account, query)
        answers += [
            (
                *(found.definition_id, found.name, found.created_at, found.updated_at, found.deleted_at),
                *(found.is_favorite, found.choices, found.attributes.get("description", (None,))[0]),
            )
            for found in records
        ]
    return answers


async def import_definitions_back(source: Store, target: Store, account: str, export_format: ExportFormat) -> None:
    for definition_type, line_format in DEFINITION_LINES.items():
        rows = export_definitions(source, account, definition_type)
        lines = read(await export(DEFINITION_COLUMNS[definition_type], rows, export_format), line_format)
        await target.definitions.upsert(account, lines)
    rows = export_campaigns(source, account, export_format)
    lines = read(await export(get_campaign_columns(export_format), rows, export_format), CAMPAIGN_LINES)
    await target.campaigns.upsert(account, lines)
    await import_back(source, target, account, export_format)


@pytest.mark.parametrize("export_format", [ExportFormat.NDJSON, ExportFormat.CSV])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    defined=st.tuples(
        draw_definitions(),
        draw_campaigns(["m1", "+m2"]),
        st.lists(LIST_IDS, max_size=3, unique=True),
        st.lists(st.tuples(st.sampled_from(["m1", "+m2"]), LINKS), max_size=3),
    )
)
async def test_definitions_import_back(
    location: str,
    tmp_path_factory: pytest.TempPathFactory,
    export_format: ExportFormat,
    defined: tuple[list[DefinitionUpdate], list[CampaignUpdate], list[str], list[tuple[str, Link]]],
) -> None:
    definitions, campaigns, memberships, clicks = defined
    account = f"defined-{uuid4().hex}"
    folder = tmp_path_factory.mktemp("imported")
    contact = ContactUpdate(
        contact_id="c", updated_at=Instant(START_TIME), is_dated=True, list_memberships=tuple(memberships)
    )
    activities = [
        Activity(
            contact_id="c",
            campaign_activity_id=campaign_activity_id,
            type=ActivityType.EM_CLICKS,
            created_time=Instant(START_TIME + number * HOUR),
            campaign_activity_name=f"Sent {number}",
            link=link,
        )
        for number, (campaign_activity_id, link) in enumerate(clicks)
    ]
    async with open_store(Settings(data=location)) as store, open_store(Settings(data=str(folder))) as other:
        await store.definitions.upsert(account, definitions)
        await store.campaigns.upsert(account, campaigns)
        await store.contacts.upsert(account, [contact])
        await store.ingest.record([build_batch(account, activities)])
        before = await read_definitions(store, account), await read_answers(store, account)
        await import_definitions_back(store, other, account, export_format)
        assert (await read_definitions(other, account), await read_answers(other, account)) == before
        await import_definitions_back(store, store, account, export_format)
        assert (await read_definitions(store, account), await read_answers(store, account)) == before
