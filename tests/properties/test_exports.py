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
from rapport.catalog import ContactUpdate, CustomFieldValue, Note, OptOutSource, PermissionToSend
from rapport.instant import HOUR, Instant
from rapport.recording.activity_codec import LineFormat
from rapport.recording.catalog_codec import CONTACTS as CONTACT_LINES
from rapport.recording.catalog_codec import MERGES as MERGE_LINES
from rapport.recording.decoding import ACTIVITIES as ACTIVITY_LINES
from rapport.recording.export import (
    ACTIVITY_COLUMNS,
    CONTACT_COLUMNS,
    MERGE_COLUMNS,
    Rows,
    export_account_activities,
    export_contacts,
    export_merges,
    write_rows,
)
from rapport.recording.export_formats import Column, ExportFormat, make_writer
from rapport.recording.files import read_file
from rapport.recording.tables import InvalidLine
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.rollup_oracle import START_TIME, stored_rollups

pytestmark = pytest.mark.slow

NOW = Instant(START_TIME + 1_000 * HOUR)

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
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
