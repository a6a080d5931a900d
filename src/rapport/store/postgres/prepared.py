"""Prepare a group of batches before its transaction, possibly while another transaction runs."""

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import asdict

from rapport.store.batch import ROW_TIME, Batch
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.postgres.binary import ActivityValues, encode_activities
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.profiles import ContactCache, GroupProfiles, Keys, ProfileKeys
from rapport.store.postgres.rollups import Counts

KEY: Final = itemgetter(8, 5, 0, 1)
"""contact, type, created_time and identity of `ActivityValues`."""

CONTACT: Final = 8
TYPE: Final = 5
_CREATED_TIME: Final = 0
_IDENTITY: Final = 1
_EVENT_ID: Final = 10
"""Columns of `ActivityValues`."""

_BY_TIME: Final = itemgetter(ROW_TIME)

Key: TypeAlias = tuple[bytes, int, int, int]
"""The primary key: contact, type, created_time, identity."""


class Resolved(NamedTuple):
    """A batch with the keys that only the database knows."""

    batch: Batch
    account: int
    campaign_activities: list[int]
    links: list[int]


class PreparedGroup:
    """A group of batches prepared for insertion, before deduplication against the database."""

    def __init__(self, resolved: Sequence[Resolved], erasure_version: int, layout: Layout) -> None:
        self.erasure_version = erasure_version
        """The erasure version as of which erased contacts were filtered."""
        self.batches = [entry.batch for entry in resolved]
        keys = [Keys(entry.account, entry.batch) for entry in resolved]
        self.profiles = GroupProfiles(list(zip(self.batches, keys, strict=True)))
        self.rows = list(map(_rows, resolved, keys))
        """The rows of each batch."""
        self.all_rows = self.rows[0] if len(self.rows) == 1 else _first_deliveries(self.rows)
        """The rows of all batches without repeated deliveries, in the order of the key."""
        if len(self.rows) > 1:
            self.profiles.set_first_times((row[CONTACT], row[_CREATED_TIME]) for row in self.all_rows)
        self.has_permissions = any(
            activity_type in batch.rows for batch in self.batches for activity_type in PERMISSION_TYPES
        )
        """An activity may change the permission of its contact."""
        self.layout = layout
        self.missing: ProfileKeys | None = None
        """Contacts and profiles that were missing during preparation."""
        self.existing_indexes: Collection[int] | None = None
        """Indexes of engagement that may exist already, if it was looked up during preparation."""

    def compute(self, contacts: ContactCache) -> None:
        """Compute what is needed if the rows are many and all new."""
        self.missing = contacts.find_missing(self.profiles)
        _ = self.copied, self.permission_contacts, self.profiles.latest_as_text
        _ = self.counts.copied_engagement, self.counts.engagement_keys, self.counts.by_type

    @cached_property
    def permission_contacts(self) -> set[bytes]:
        """Return the contacts whose permission an activity may change."""
        return {row[CONTACT] for row in self.all_rows if row[TYPE] in PERMISSION_TYPES}

    @cached_property
    def copied(self) -> bytes:
        """Return all rows, encoded for COPY."""
        return encode_activities(self.all_rows)

    @cached_property
    def counts(self) -> Counts:
        """Return the counts if all rows are new."""
        return self.counts_of(self.all_rows)

    def counts_of(self, added: Sequence[ActivityValues]) -> Counts:
        """Return the counts of the rows that were added."""
        return Counts(added, self.layout)


class PreparedBatch(Batch, frozen=True, kw_only=True):
    """A batch that is prepared to be recorded alone."""

    group: PreparedGroup


def prepare_batch(
    batch: Batch, resolved: Resolved, erasure_version: int, contacts: ContactCache, layout: Layout
) -> PreparedBatch:
    """Prepare a large batch."""
    group = PreparedGroup([resolved], erasure_version, layout)
    group.compute(contacts)
    return PreparedBatch(**asdict(batch), group=group)


def _rows(resolved: Resolved, keys: Keys) -> list[ActivityValues]:
    """Return the rows of a batch without repeated deliveries, in the order of the key.

    Rows are grouped by contact, so that usually only the contacts have to be sorted: the rows of a type mostly come in
    the order of time.
    """
    batch, _, campaign_activities, links = resolved
    contacts, profiles = keys.contacts, keys.profiles
    by_contact: list[list[ActivityValues]] = [[] for _ in contacts]
    ties: set[int] = set()
    for activity_type in sorted(batch.rows):
        for (
            contact,
            created_time,
            identity,
            campaign_activity,
            profile,
            link,
            device_type,
            bounce_code,
            opt_out_reason,
            event_id,
        ) in sorted(batch.rows[activity_type], key=_BY_TIME):
            rows = by_contact[contact]
            if rows and rows[-1][_CREATED_TIME] == created_time:
                ties.add(contact)
            rows.append(
                (
                    created_time,
                    identity,
                    campaign_activities[campaign_activity],
                    None if profile is None else profiles[profile],
                    None if link is None else links[link],
                    activity_type,
                    device_type,
                    bounce_code,
                    contacts[contact],
                    opt_out_reason,
                    event_id,
                )
            )
    for contact in ties:
        by_contact[contact] = _drop_repeated_keys(by_contact[contact])
    return [row for index in sorted(range(len(contacts)), key=contacts.__getitem__) for row in by_contact[index]]


def _first_deliveries(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    """Return the rows of all batches without repeated deliveries, in the order of the key.

    So each inserted key identifies the row to count. All transactions write in this order, so that deadlocks are rare.
    """
    return _drop_repeated_keys(_drop_repeated_events(groups))


def _drop_repeated_keys(rows: list[ActivityValues]) -> list[ActivityValues]:
    """Return the first row of each key, in the order of the key."""
    return [next(same) for _, same in groupby(sorted(rows, key=KEY), KEY)]


def _drop_repeated_events(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    rows: list[ActivityValues] = []
    events: set[tuple[bytes, int]] = set()
    for group in groups:
        for row in group:
            if row[_EVENT_ID] is not None:
                event = row[CONTACT], row[_IDENTITY]
                if event in events:
                    continue
                events.add(event)
            rows.append(row)
    return rows
