"""Create the contacts of a group of batches, and update their profiles."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from rapport.instant import MAX_INSTANT
from rapport.store.attributes import PROFILE_FIELDS, latest_profile
from rapport.store.batch import Batch, ProfileRow, find_first_times
from rapport.store.hashing import contact_key, profile_key
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["ingest"]
_SET_FIELD: Final = tuple(_SQL[f"set_{field}"] for field in PROFILE_FIELDS)

_EMPTY_PROFILE: Final = (None,) * len(PROFILE_FIELDS)

_MAX_CACHED: Final = 200_000


class Keys:
    """The keys of a batch's contacts and profiles, by index."""

    __slots__ = ("account", "contacts", "profiles")

    def __init__(self, account: int, batch: Batch) -> None:
        self.account = account
        self.contacts = [contact_key(batch.account_id, contact_id) for contact_id in batch.contacts]
        self.profiles = [profile_key(row[1:4]) for row in batch.profiles]


class GroupProfiles:
    """The contacts of a group of batches, and their profiles."""

    def __init__(self, batches: Sequence[tuple[Batch, Keys]]) -> None:
        self.contacts: dict[bytes, tuple[int, str]] = {}
        """The account and the id of each contact."""
        self.first_times: dict[bytes, int] = {}
        """The earliest time of each contact's activities."""
        self.profiles: dict[tuple[bytes, int], ProfileRow] = {}
        self.profiles_of: dict[bytes, list[ProfileRow]] = {}
        for batch, keys in batches:
            first_times = find_first_times(batch)
            for contact_id, contact, time in zip(batch.contacts, keys.contacts, first_times, strict=True):
                self.contacts[contact] = keys.account, contact_id
                self.first_times[contact] = min(time, self.first_times.get(contact, time))
            for row, profile in zip(batch.profiles, keys.profiles, strict=True):
                contact = keys.contacts[row[0]]
                self.profiles_of.setdefault(contact, []).append(row)
                self.profiles[contact, profile] = row
        self.latest = {contact: latest_profile(rows) for contact, rows in self.profiles_of.items()}

    def set_first_times(self, activities: Iterable[tuple[bytes, int]]) -> None:
        """Replace the earliest times by those of some activities, given by contact and time."""
        self.first_times = {}
        for contact, time in activities:
            self.first_times[contact] = min(time, self.first_times.get(contact, time))

    @cached_property
    def latest_as_text(self) -> list[bytes | str | None]:
        """Return the keys of the contacts with profiles, and the latest values of each field, as one text each.

        Values are neither empty nor contain line breaks. An array of texts would take asyncpg ten times as long.
        """
        fields: list[bytes | str | None] = [b"".join(self.latest)]
        for index in range(len(PROFILE_FIELDS)):
            values = [profile[index] or "" for profile in self.latest.values()]
            fields.append("\n".join(values) if any(values) else None)
        return fields


class ProfileKeys(NamedTuple):
    """Keys of contacts, with the earliest time of their activities, and of their profiles.

    `existing` are the contacts that turned out to exist already.
    """

    contacts: dict[bytes, int]
    profiles: set[tuple[bytes, int]]
    existing: set[bytes]


class ContactCache:
    """Creates contacts within transactions, and caches which exist; only erasure deletes them.

    The earliest time of their activities is cached, too, as it may change when they were created.
    """

    def __init__(self) -> None:
        self._contacts: dict[bytes, int] = {}
        self._profiles: set[tuple[bytes, int]] = set()

    def add(self, created: ProfileKeys) -> None:
        """Cache what a transaction has created. Call this after the commit."""
        if len(self._contacts) > _MAX_CACHED:
            self._contacts.clear()
        if len(self._profiles) > _MAX_CACHED:
            self._profiles.clear()
        self._contacts.update(created.contacts)
        self._profiles.update(created.profiles)

    def clear(self) -> None:
        """Forget everything: another process has erased a contact."""
        self._contacts.clear()
        self._profiles.clear()

    def find_missing(self, keys: ProfileKeys | GroupProfiles) -> ProfileKeys:
        """Return what isn't in the cache, or has earlier activities. May be called in another thread."""
        first_times = keys.contacts if isinstance(keys, ProfileKeys) else keys.first_times
        cached = self._contacts.get
        missing = {contact: time for contact, time in first_times.items() if time < cached(contact, MAX_INSTANT + 1)}
        return ProfileKeys(missing, set(keys.profiles) - self._profiles, set())

    async def record(
        self, connection: Connection, group: GroupProfiles, layout: Layout, *, missing: ProfileKeys | None = None
    ) -> ProfileKeys:
        """Create the contacts and profiles that are missing. Return their keys, also of contacts that existed.

        `missing` is the result of an earlier call of `find_missing`.
        """
        created = self.find_missing(missing or group)
        if created.contacts:
            added = await _add_contacts(connection, list(created.contacts), group, layout)
            created.existing.update(key for key in created.contacts if key not in added)
        if created.profiles:
            await _add_profiles(connection, list(created.profiles), group, layout)
        if group.latest:
            await _update_current(connection, group, layout)
        return created


async def _update_current(connection: Connection, group: GroupProfiles, layout: Layout) -> None:
    """Set the fields that differ from the contact's row, unless a later activity has reported another value.

    Two concurrent transactions with different profiles of the same contact may leave the earlier one's values; the next
    that reports the later one corrects them.
    """
    for contact in sorted(await _find_differing(connection, group, layout)):
        current = await connection.fetchrow(_SQL["lock_contact"], contact)
        for index, value in enumerate(group.latest[contact]):
            if value is not None and value != current[index]:
                time = max(row[4] for row in group.profiles_of[contact] if row[index + 1] == value)
                await connection.execute(_SET_FIELD[index], contact, value, time, time)


async def _find_differing(connection: Connection, group: GroupProfiles, layout: Layout) -> list[bytes]:
    """Return the contacts whose row differs from the latest profile."""
    if layout.joins_arrays:
        rows = await connection.fetch(_SQL["find_differing_contacts"], *group.latest_as_text)
        return [contact for (contact,) in rows]
    rows = await connection.fetch(_SQL["get_contacts"], list(group.latest))
    return [row[0] for row in rows if _differs(group.latest[row[0]], row[1:])]


async def _add_contacts(connection: Connection, keys: list[bytes], group: GroupProfiles, layout: Layout) -> set[bytes]:
    """Create contacts. Return those that didn't exist."""
    accounts = [group.contacts[contact][0] for contact in keys]
    contact_ids = [group.contacts[contact][1] for contact in keys]
    profiles = [group.latest.get(contact, _EMPTY_PROFILE) for contact in keys]
    fields = [[profile[index] for profile in profiles] for index in range(len(PROFILE_FIELDS))]
    first_times = [group.first_times[contact] for contact in keys]
    values: list[list[Any]] = [keys, accounts, contact_ids, *fields, first_times, first_times]
    rows = await layout.insert(connection, _SQL, "add_contacts", values, by=0)
    return {key for (key,) in rows}


async def _add_profiles(
    connection: Connection, keys: list[tuple[bytes, int]], group: GroupProfiles, layout: Layout
) -> None:
    rows = [group.profiles[key] for key in keys]
    fields = [[row[index + 1] for row in rows] for index in range(len(PROFILE_FIELDS))]
    values: list[list[Any]] = [[contact for contact, _ in keys], [key for _, key in keys], *fields]
    await layout.insert(connection, _SQL, "add_profiles", values, by=0)


def _differs(latest: tuple[str | None, ...], current: tuple[str | None, ...]) -> bool:
    return any(value is not None and value != stored for value, stored in zip(latest, current, strict=True))
