"""The contacts of a group of batches: they come into being, and what is said of them is learnt."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from rapport.store.batch import Batch, ProfileRow
from rapport.store.digests import contact_key, person_key
from rapport.store.facts import PERSON_FIELDS, latest_said
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.write import SQL

_LEARN: Final = tuple(SQL[f"learn_{field}"] for field in PERSON_FIELDS)

_NOTHING_SAID: Final = (None,) * len(PERSON_FIELDS)

_MOST_REMEMBERED: Final = 200_000


class Keys:
    """By their places in a batch: the keys of its contacts, and of what is said of them."""

    __slots__ = ("account", "contacts", "persons")

    def __init__(self, account: int, batch: Batch) -> None:
        self.account = account
        self.contacts = [contact_key(batch.account_id, contact_id) for contact_id in batch.contacts]
        self.persons = [person_key(said[1:4]) for said in batch.said]


class Named:
    """Whom a group of batches names, and what it says of them."""

    def __init__(self, batches: Sequence[tuple[Batch, Keys]]) -> None:
        self.contacts: dict[bytes, tuple[int, str]] = {}
        """The account and the id of each."""
        self.persons: dict[tuple[bytes, int], ProfileRow] = {}
        self.said: dict[bytes, list[ProfileRow]] = {}
        for batch, keys in batches:
            for contact_id, contact in zip(batch.contacts, keys.contacts, strict=True):
                self.contacts[contact] = keys.account, contact_id
            for row, person in zip(batch.said, keys.persons, strict=True):
                contact = keys.contacts[row[0]]
                self.said.setdefault(contact, []).append(row)
                self.persons[contact, person] = row
        self.latest = {contact: latest_said(rows) for contact, rows in self.said.items()}

    @cached_property
    def said_as_text(self) -> list[bytes | str | None]:
        """The keys of the contacts of whom something is said, and of each field the latest, as one text each.

        No value is empty or has a line break in it. An array of so many texts takes asyncpg ten times as long.
        """
        fields: list[bytes | str | None] = [b"".join(self.latest)]
        for place in range(len(PERSON_FIELDS)):
            values = [said[place] or "" for said in self.latest.values()]
            fields.append("\n".join(values) if any(values) else None)
        return fields


class Made(NamedTuple):
    """What a transaction has made sure of, if it commits: contacts, and what is said of them."""

    contacts: set[bytes]
    persons: set[tuple[bytes, int]]


class Contacts:
    """Makes contacts within the transactions of one process, and remembers which are there: only erasing ends them."""

    def __init__(self) -> None:
        self._there: set[bytes] = set()
        self._persons_there: set[tuple[bytes, int]] = set()

    def remember(self, made: Made) -> None:
        """After a transaction has committed: what it made is there."""
        for remembered in (self._there, self._persons_there):
            if len(remembered) > _MOST_REMEMBERED:
                remembered.clear()
        self._there.update(made.contacts)
        self._persons_there.update(made.persons)

    def forget(self) -> None:
        """After somebody else has erased one."""
        self._there.clear()
        self._persons_there.clear()

    def find_missing(self, named: Made | Named) -> Made:
        """Return what isn't remembered as being there. May be called in another thread."""
        return Made(set(named.contacts) - self._there, set(named.persons) - self._persons_there)

    async def record(
        self, connection: Connection, named: Named, layout: Layout, *, missing: Made | None = None
    ) -> Made:
        """Have the contacts there, with all that is said of them.

        `missing` is what was missing a while ago, if that is known.
        """
        new, persons = self.find_missing(missing or named)
        if new:
            await _add(connection, list(new), named, layout)
        if persons:
            await _add_persons(connection, list(persons), named, layout)
        if named.said:
            await _learn(connection, named, layout)
        return Made(new, persons)


async def _learn(connection: Connection, named: Named, layout: Layout) -> None:
    """Take over what is stated and differs from what is known, unless a later activity stated something else.

    Two transactions at the same instant that say different things of a contact may leave the earlier one's;
    the next that says the later mends it.
    """
    latest = named.latest
    for contact in sorted(await _find_differing(connection, named, layout)):
        now = await connection.fetchrow(SQL["lock_contact"], contact)
        for place, stated in enumerate(latest[contact]):
            if stated is not None and stated != now[place]:
                time = max(row[4] for row in named.said[contact] if row[place + 1] == stated)
                await connection.execute(_LEARN[place], contact, stated, time, time)


async def _find_differing(connection: Connection, named: Named, layout: Layout) -> list[bytes]:
    """Return the contacts of whom something else is known than the latest that is said."""
    if layout.joins_arrays:
        return [contact for (contact,) in await connection.fetch(SQL["differing_contacts"], *named.said_as_text)]
    known = await connection.fetch(SQL["known_contacts"], list(named.latest))
    return [row[0] for row in known if _differs(named.latest[row[0]], row[1:])]


async def _add(connection: Connection, new: list[bytes], named: Named, layout: Layout) -> None:
    accounts = [named.contacts[contact][0] for contact in new]
    contact_ids = [named.contacts[contact][1] for contact in new]
    facts = [named.latest.get(contact, _NOTHING_SAID) for contact in new]
    known = [[fact[place] for fact in facts] for place in range(len(PERSON_FIELDS))]
    values: list[list[Any]] = [new, accounts, contact_ids, *known]
    await layout.insert(connection, SQL, "add_contacts", values, by=0)


async def _add_persons(connection: Connection, persons: list[tuple[bytes, int]], named: Named, layout: Layout) -> None:
    rows = [named.persons[person] for person in persons]
    said = [[row[place + 1] for row in rows] for place in range(len(PERSON_FIELDS))]
    values: list[list[Any]] = [[contact for contact, _ in persons], [key for _, key in persons], *said]
    await layout.insert(connection, SQL, "add_persons", values, by=0)


def _differs(stated: tuple[str | None, ...], now: tuple[str | None, ...]) -> bool:
    return any(value is not None and value != known for value, known in zip(stated, now, strict=True))
