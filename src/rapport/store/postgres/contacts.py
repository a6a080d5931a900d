"""The contacts of a group of batches: they come into being, and what is said of them is learnt."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from rapport.store.batch import Batch, SaidRow
from rapport.store.digests import contact_key, person_key
from rapport.store.facts import PERSON_FIELDS, latest_said
from rapport.store.postgres.many import write_many
from rapport.store.postgres.pool import Lent
from rapport.store.postgres.write import SQL

_LEARN: Final = tuple(SQL[f"learn_{field}"] for field in PERSON_FIELDS)

_MOST_REMEMBERED: Final = 200_000


class Keys:
    """By their places in a batch: the keys of its contacts, and of what is said of them."""

    __slots__ = ("account", "contacts", "persons")

    def __init__(self, account: int, batch: Batch) -> None:
        self.account = account
        self.contacts = [contact_key(batch.account_id, contact_id) for contact_id in batch.contacts]
        self.persons = [person_key(said[1:4]) for said in batch.said]


class Made(NamedTuple):
    """What a transaction has made sure of, if it commits."""

    contacts: Collection[bytes]
    persons: Collection[tuple[bytes, int]]


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

    async def record(self, connection: Lent, batches: Sequence[tuple[Batch, Keys]], *, in_parts: bool) -> Made:
        """Have the contacts of the batches there, with all that is said of them."""
        new: dict[bytes, tuple[int, str]] = {}
        said: dict[bytes, list[SaidRow]] = {}
        persons: dict[tuple[bytes, int], SaidRow] = {}
        for batch, keys in batches:
            for contact_id, contact in zip(batch.contacts, keys.contacts, strict=True):
                if contact not in self._there:
                    new[contact] = keys.account, contact_id
            for row, person in zip(batch.said, keys.persons, strict=True):
                contact = keys.contacts[row[0]]
                said.setdefault(contact, []).append(row)
                if (contact, person) not in self._persons_there:
                    persons[contact, person] = row
        if new:
            await _add(connection, new, said, in_parts=in_parts)
        if persons:
            await _add_persons(connection, persons, in_parts=in_parts)
        if said:
            await self._learn(connection, said)
        return Made(new.keys(), persons.keys())

    async def _learn(self, connection: Lent, said: dict[bytes, list[SaidRow]]) -> None:
        """Take over what is stated and differs from what is known, unless a later activity stated something else.

        Two transactions at the same instant that say different things of a contact may leave the earlier one's;
        the next that says the later mends it.
        """
        latest = {contact: latest_said(rows) for contact, rows in said.items()}
        known = await connection.fetch(SQL["known_contacts"], list(said))
        differing = [key for key, *now in known if _differs(latest[key], tuple(now))]
        for contact in sorted(differing):
            now = await connection.fetchrow(SQL["lock_contact"], contact)
            for place, stated in enumerate(latest[contact]):
                if stated is not None and stated != now[place]:
                    time = max(row[4] for row in said[contact] if row[place + 1] == stated)
                    await connection.execute(_LEARN[place], contact, stated, time, time)


async def _add(
    connection: Lent, new: dict[bytes, tuple[int, str]], said: dict[bytes, list[SaidRow]], *, in_parts: bool
) -> None:
    accounts = [account for account, _ in new.values()]
    contact_ids = [contact_id for _, contact_id in new.values()]
    facts = [latest_said(said.get(contact, ())) for contact in new]
    known = [[fact[place] for fact in facts] for place in range(len(PERSON_FIELDS))]
    values: list[list[Any]] = [list(new), accounts, contact_ids, *known]
    await write_many(connection, SQL["add_contacts"], values, by=0, in_parts=in_parts)


async def _add_persons(connection: Lent, persons: dict[tuple[bytes, int], SaidRow], *, in_parts: bool) -> None:
    said = [[row[place + 1] for row in persons.values()] for place in range(len(PERSON_FIELDS))]
    values: list[list[Any]] = [[contact for contact, _ in persons], [person for _, person in persons], *said]
    await write_many(connection, SQL["add_persons"], values, by=0, in_parts=in_parts)


def _differs(stated: tuple[str | None, ...], now: tuple[str | None, ...]) -> bool:
    return stated != now and any(value is not None and value != known for value, known in zip(stated, now, strict=True))
