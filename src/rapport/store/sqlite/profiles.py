"""Look up and create the contacts of a batch, and number the profiles that activities report about them.

Contacts are cached from batch to batch, as long as no other connection writes to the file.
"""

from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

import apsw

from rapport.caching import WeighedDict
from rapport.store.attributes import PROFILE_FIELDS, latest_profile
from rapport.store.batch import Batch, ProfileRow, find_first_times
from rapport.store.sqlite.connection import Values, fetch_all
from rapport.store.sqlite.memberships import lower_created_at
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["ingest"]
_SET_FIELD: Final = tuple(_SQL[f"set_{field}"] for field in PROFILE_FIELDS)

_MAX_CACHED: Final = 50_000
_MAX_BYTES: Final = 48_000_000

_FIRST: Final = 1
"""The number of a contact's first profile. It is usually the only one, and is in the contact's row then."""


class _CachedContact:
    """A contact's key, its current profile, and the numbers of the profiles that have a row of their own.

    `first_time` is when it was created, or the time of an earlier activity.
    """

    __slots__ = ("current", "first_time", "key", "numbers")

    def __init__(self, key: int, current: tuple[str | None, ...], first_time: int) -> None:
        self.key = key
        self.first_time = first_time
        self.current = current
        self.numbers: dict[tuple[str | None, ...], int] = {}

    def get_number(self, profile: tuple[str | None, ...]) -> int | None:
        """Return the number of a profile, or None if it needs a new row."""
        number = self.numbers.get(profile)
        return _FIRST if number is None and profile == self.current and not self.has_first_row else number

    @property
    def has_first_row(self) -> bool:
        """Return True if the first profile has a row, so that the contact's row may contain another."""
        return _FIRST in self.numbers.values()


class ResolvedProfiles(NamedTuple):
    """The keys of a batch's contacts and the numbers of its profiles, by index.

    `created_later` are the contacts that were created after an activity of the batch, by key.
    """

    contacts: list[int]
    profiles: list[int]
    created_later: dict[int, _CachedContact]

    def lower_created_at(self, connection: apsw.Connection, added: Iterable[tuple[int, int]]) -> None:
        """Set when contacts were created to the times of activities that were added, given by contact and time.

        Of duplicates, which may have an earlier time, only the first delivery counts.
        """
        lowered: dict[int, int] = {}
        for key, time in added:
            contact = self.created_later.get(key)
            if contact is not None and time < contact.first_time:
                lowered[key] = contact.first_time = time
        if lowered:
            lower_created_at(connection, lowered.items())


class ContactCache:
    """Looks up and creates contacts within the transactions of the connection that writes."""

    def __init__(self) -> None:
        self._contacts = WeighedDict[tuple[int, str], _CachedContact](_MAX_BYTES)
        self._version: int | None = None

    def begin(self, connection: apsw.Connection) -> None:
        """Forget what another connection may have changed. Call this in a transaction."""
        is_full = self._contacts.weight.is_full or len(self._contacts) > _MAX_CACHED
        if is_full or connection.data_version() != self._version:
            self._contacts.clear()

    def committed(self, connection: apsw.Connection) -> None:
        """Record that the cache has the state of the file. Call this after a transaction."""
        self._version = connection.data_version()

    def clear(self) -> None:
        """Forget everything: a transaction failed, or other code has changed contacts."""
        self._contacts.clear()

    def resolve(self, connection: apsw.Connection, account: int, batch: Batch) -> ResolvedProfiles:
        """Look up and create the contacts and profiles of a batch."""
        first_times = find_first_times(batch)
        contacts = self._get_contacts(connection, account, batch, first_times)
        created_later = {
            contact.key: contact
            for contact, time in zip(contacts, first_times, strict=True)
            if time < contact.first_time
        }
        differing = {
            contacts[row[0]]: list[ProfileRow]() for row in batch.profiles if row[1:4] != contacts[row[0]].current
        }
        if differing:
            # With all their profiles in the batch: one with a later time may be the current one.
            for row in batch.profiles:
                if contacts[row[0]] in differing:
                    differing[contacts[row[0]]].append(row)
            for contact, rows in differing.items():
                _update_current(connection, contact, rows)
        numbers: list[int] = []
        added: list[tuple[int | str | None, ...]] = []
        for index, email_address, first_name, last_name, _ in batch.profiles:
            contact, profile = contacts[index], (email_address, first_name, last_name)
            number = contact.get_number(profile)
            if number is None:
                # After all others, and after the first, which may have no row.
                number = contact.numbers[profile] = len(contact.numbers) + 1 + _FIRST
                self._contacts.weight.add(profile)
                added.append((contact.key, number, *profile))
            numbers.append(number)
        connection.executemany(_SQL["add_profile"], added)
        return ResolvedProfiles([contact.key for contact in contacts], numbers, created_later)

    def _get_contacts(
        self, connection: apsw.Connection, account: int, batch: Batch, first_times: list[int]
    ) -> list[_CachedContact]:
        cached = self._contacts
        missing = [contact_id for contact_id in batch.contacts if (account, contact_id) not in cached]
        if missing:
            self._look_up(connection, account, missing)
            new = {contact_id for contact_id in missing if (account, contact_id) not in cached}
            self._create(connection, account, new, batch, first_times)
        return [cached[account, contact_id] for contact_id in batch.contacts]

    def _look_up(self, connection: apsw.Connection, account: int, contact_ids: list[str]) -> None:
        contacts: dict[int, _CachedContact] = {}
        params: Values = {"account": account, "contact_ids": apsw.carray(tuple(contact_ids))}
        for contact_id, key, created_at, *current in fetch_all(connection, _SQL["get_contacts"], params):
            contacts[key] = _CachedContact(key, tuple(current), created_at)
            self._contacts.remember((account, contact_id), contacts[key], current)
        if contacts:
            keys = apsw.carray(array("q", contacts))
            for key, number, *profile in fetch_all(connection, _SQL["get_profiles"], {"contacts": keys}):
                contacts[key].numbers[tuple(profile)] = number
                self._contacts.weight.add(profile)

    def _create(
        self,
        connection: apsw.Connection,
        account: int,
        contact_ids: set[str],
        batch: Batch,
        first_times: list[int],
    ) -> None:
        if not contact_ids:
            return
        profiles: dict[str, list[ProfileRow]] = {
            contact_id: [] for contact_id in batch.contacts if contact_id in contact_ids
        }
        for row in batch.profiles:
            contact_id = batch.contacts[row[0]]
            if contact_id in profiles:
                profiles[contact_id].append(row)
        latest = {contact_id: latest_profile(rows) for contact_id, rows in profiles.items()}
        times = dict(zip(batch.contacts, first_times, strict=True))
        values = [
            (account, contact_id, *current, times[contact_id], times[contact_id])
            for contact_id, current in latest.items()
        ]
        keys = connection.executemany(_SQL["add_contact"], values)
        for (contact_id, current), (key,) in zip(latest.items(), keys, strict=True):
            self._contacts.remember((account, contact_id), _CachedContact(key, current, times[contact_id]), current)


def _update_current(connection: apsw.Connection, contact: _CachedContact, rows: list[ProfileRow]) -> None:
    """Set the fields that differ, unless a later activity or update has set another value."""
    current = list(contact.current)
    for index, value in enumerate(latest_profile(rows)):
        if value is None or value == current[index]:
            continue
        _add_first_row(connection, contact)
        time = max(row[4] for row in rows if row[index + 1] == value)
        params: Values = {"contact": contact.key, "value": value, "created_time": time}
        if fetch_all(connection, _SET_FIELD[index], params):
            current[index] = value
    contact.current = tuple(current)


def _add_first_row(connection: apsw.Connection, contact: _CachedContact) -> None:
    """Copy the first profile to a row of its own before the contact's row changes."""
    if not contact.has_first_row and fetch_all(connection, _SQL["add_first_profile"], {"contact": contact.key}):
        contact.numbers[contact.current] = _FIRST
