"""What recording takes before its transaction, and may be done while another transaction runs."""

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import asdict

from rapport.store.batch import Batch
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.postgres.binary import ActivityValues, activities
from rapport.store.postgres.contacts import Contacts, Keys, Made, Named
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.rollups import Counts

KEY: Final = itemgetter(8, 5, 0, 1)

_TIME: Final = itemgetter(1)
"""Of a batch's row."""

Key: TypeAlias = tuple[bytes, int, int, int]
"""The primary key: contact, type, created_time, identity."""


class Resolved(NamedTuple):
    """A batch, with the keys that only the database knows."""

    batch: Batch
    account: int
    campaign_activities: list[int]
    links: list[int]


class Ready:
    """A group of batches, before anything is known of what is there already."""

    def __init__(self, resolved: Sequence[Resolved], erasures: int, layout: Layout) -> None:
        self.erasures = erasures
        """How many there had been when those who were erased were left out."""
        self.batches = [each.batch for each in resolved]
        keys = [Keys(each.account, each.batch) for each in resolved]
        self.named = Named(list(zip(self.batches, keys, strict=True)))
        self.rows = list(map(_rows, resolved, keys))
        """Of each batch."""
        self.every = self.rows[0] if len(self.rows) == 1 else _first_deliveries(self.rows)
        """Of all batches without further deliveries, in the order of the key."""
        self.has_permissions = any(
            activity_type in batch.rows for batch in self.batches for activity_type in PERMISSION_TYPES
        )
        """Whether any of them may change the permission of its contact."""
        self.layout = layout
        self.missing: Made | None = None
        """The contacts that were missing when this was made ready ahead."""
        self.known_places: Collection[int] | None = None
        """The places of the engagement that may be there already, if it was looked up ahead."""

    def work_ahead(self, contacts: Contacts) -> None:
        """Have at hand what will be asked for, if they are many and none of them is there."""
        self.missing = contacts.find_missing(self.named)
        _ = self.copied, self.permission_contacts, self.named.said_as_text
        _ = self.counts.copied_engagement, self.counts.engagement_keys, self.counts.by_type

    @cached_property
    def permission_contacts(self) -> set[bytes]:
        """The contacts whose permission any of them may change."""
        return {row[8] for row in self.every if row[5] in PERMISSION_TYPES}

    @cached_property
    def copied(self) -> bytes:
        """Every row, as it is copied to the database."""
        return activities(self.every)

    @cached_property
    def counts(self) -> Counts:
        """What is counted if none of them is there yet."""
        return self.counts_of(self.every)

    def counts_of(self, added: Sequence[ActivityValues]) -> Counts:
        """What is counted if these were added."""
        return Counts(added, self.layout)


class PreparedBatch(Batch, frozen=True, kw_only=True):
    """A batch that was made ready to be recorded alone."""

    ready: Ready


def prepare_batch(batch: Batch, resolved: Resolved, erasures: int, contacts: Contacts, layout: Layout) -> PreparedBatch:
    """A large batch, with all worked out that can be."""
    ready = Ready([resolved], erasures, layout)
    ready.work_ahead(contacts)
    return PreparedBatch(**asdict(batch), ready=ready)


def _rows(resolved: Resolved, keys: Keys) -> list[ActivityValues]:
    """Return the rows of a batch without further deliveries, in the order of the key.

    Each is added to those of its contact, so that mostly only the contacts have to be sorted: the rows of a type come
    in the order of time as a rule.
    """
    batch, _, campaign_activities, links = resolved
    contacts, persons = keys.contacts, keys.persons
    by_contact: list[list[ActivityValues]] = [[] for _ in contacts]
    ties: set[int] = set()
    for activity_type in sorted(batch.rows):
        for (
            contact,
            created_time,
            identity,
            campaign_activity,
            said,
            link,
            device_type,
            bounce_code,
            opt_out_reason,
            event_id,
        ) in sorted(batch.rows[activity_type], key=_TIME):
            rows = by_contact[contact]
            if rows and rows[-1][0] == created_time:
                ties.add(contact)
            rows.append(
                (
                    created_time,
                    identity,
                    campaign_activities[campaign_activity],
                    None if said is None else persons[said],
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
        by_contact[contact] = _without_repetitions(by_contact[contact])
    return [row for place in sorted(range(len(contacts)), key=contacts.__getitem__) for row in by_contact[place]]


def _first_deliveries(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    """The rows of all batches without further deliveries, in the order of the key.

    Of each key that is added it is known then which row it was, and what of it to count. All write in this order, so
    that two who write the same seldom wait for each other in a circle.
    """
    return _without_repetitions(_without_repeated_events(groups))


def _without_repetitions(rows: list[ActivityValues]) -> list[ActivityValues]:
    """Return the first row of each key, in the order of the key."""
    return [next(same) for _, same in groupby(sorted(rows, key=KEY), KEY)]


def _without_repeated_events(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    rows: list[ActivityValues] = []
    events: set[tuple[bytes, int]] = set()
    for group in groups:
        for row in group:
            if row[10] is not None:
                if (row[8], row[1]) in events:
                    continue
                events.add((row[8], row[1]))
            rows.append(row)
    return rows
