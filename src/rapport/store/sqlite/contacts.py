"""The contacts of a batch: their keys, the numbers of what is said of them, and what is learnt from it.

What was looked up is remembered from batch to batch, as long as nobody else writes to the file.
"""

from array import array
from typing import Final

import apsw

from rapport.caching import WeighedDict
from rapport.store.batch import Batch, ProfileRow
from rapport.store.facts import PERSON_FIELDS, latest_said
from rapport.store.sqlite.connection import Values, every
from rapport.store.sqlite.write import SQL

_LEARN: Final = tuple(SQL[f"learn_{field}"] for field in PERSON_FIELDS)

_MOST_REMEMBERED: Final = 50_000
_MAX_BYTES: Final = 48_000_000

_FIRST: Final = 1
"""The number of what was said first. Mostly nothing else ever is: then the contact's row holds it, and no other."""


class _Known:
    """A contact: its key, what is known of it now, and the numbers of what was said of it and has a row of its own."""

    __slots__ = ("key", "now", "numbers")

    def __init__(self, key: int, now: tuple[str | None, ...]) -> None:
        self.key = key
        self.now = now
        self.numbers: dict[tuple[str | None, ...], int] = {}

    def get_number(self, said: tuple[str | None, ...]) -> int | None:
        """The number of what is said; None if it needs a row."""
        number = self.numbers.get(said)
        return _FIRST if number is None and said == self.now and not self.is_first_kept else number

    @property
    def is_first_kept(self) -> bool:
        """Whether what was said first has a row: its contact's may hold something else."""
        return _FIRST in self.numbers.values()


class Contacts:
    """Finds and makes contacts within the transactions of one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._remembered = WeighedDict[tuple[int, str], _Known](_MAX_BYTES)
        self._version: int | None = None

    def begin(self) -> None:
        """In a transaction that has begun: forget what another connection may have changed since the last one."""
        is_full = self._remembered.weight.is_full or len(self._remembered) > _MOST_REMEMBERED
        if is_full or self._connection.data_version() != self._version:
            self._remembered.clear()

    def committed(self) -> None:
        """After a transaction: what is remembered is the file's state."""
        self._version = self._connection.data_version()

    def forget(self) -> None:
        """After a transaction that failed: what it made is not there."""
        self._remembered.clear()

    def resolve(self, account: int, batch: Batch) -> tuple[list[int], list[int]]:
        """By their places in the batch: the keys of the contacts, and the numbers of what is said of them."""
        contacts = self._known(account, batch)
        differing = {contacts[row[0]]: list[ProfileRow]() for row in batch.said if row[1:4] != contacts[row[0]].now}
        if differing:
            # With all that the batch says of them: what it says of a later time may be what is known.
            for row in batch.said:
                if contacts[row[0]] in differing:
                    differing[contacts[row[0]]].append(row)
            for known, rows in differing.items():
                self._learn(known, rows)
        numbers: list[int] = []
        added: list[tuple[int | str | None, ...]] = []
        for contact, *words, _ in batch.said:
            known, said = contacts[contact], tuple(words)
            number = known.get_number(said)
            if number is None:
                # Behind all others, and behind the first, which may have no row.
                number = known.numbers[said] = len(known.numbers) + 1 + _FIRST
                self._remembered.weight.add(said)
                added.append((known.key, number, *said))
            numbers.append(number)
        self._connection.executemany(SQL["add_person"], added)
        return [known.key for known in contacts], numbers

    def _known(self, account: int, batch: Batch) -> list[_Known]:
        remembered = self._remembered
        wanted = [contact_id for contact_id in batch.contacts if (account, contact_id) not in remembered]
        if wanted:
            self._look_up(account, wanted)
            self._make(account, {contact_id for contact_id in wanted if (account, contact_id) not in remembered}, batch)
        return [remembered[account, contact_id] for contact_id in batch.contacts]

    def _look_up(self, account: int, contact_ids: list[str]) -> None:
        found: dict[int, _Known] = {}
        params: Values = {"account": account, "contact_ids": apsw.carray(tuple(contact_ids))}
        for contact_id, key, *now in every(self._connection, SQL["contacts"], params):
            found[key] = _Known(key, tuple(now))
            self._remembered.remember((account, contact_id), found[key], now)
        if found:
            keys = apsw.carray(array("q", found))
            for key, number, *said in every(self._connection, SQL["persons"], {"contacts": keys}):
                found[key].numbers[tuple(said)] = number
                self._remembered.weight.add(said)

    def _make(self, account: int, contact_ids: set[str], batch: Batch) -> None:
        if not contact_ids:
            return
        said: dict[str, list[ProfileRow]] = {
            contact_id: [] for contact_id in batch.contacts if contact_id in contact_ids
        }
        for row in batch.said:
            contact_id = batch.contacts[row[0]]
            if contact_id in said:
                said[contact_id].append(row)
        latest = {contact_id: latest_said(rows) for contact_id, rows in said.items()}
        rows = [(account, contact_id, *now) for contact_id, now in latest.items()]
        made = self._connection.executemany(SQL["add_contact"], rows)
        for (contact_id, now), (key,) in zip(latest.items(), made, strict=True):
            self._remembered.remember((account, contact_id), _Known(key, now), now)

    def _learn(self, known: _Known, said: list[ProfileRow]) -> None:
        """Take over what is stated and differs, unless a later activity stated something else."""
        now = list(known.now)
        for place, stated in enumerate(latest_said(said)):
            if stated is None or stated == now[place]:
                continue
            self._keep_first(known)
            time = max(row[4] for row in said if row[place + 1] == stated)
            values: Values = {"contact": known.key, "stated": stated, "created_time": time}
            if every(self._connection, _LEARN[place], values):
                now[place] = stated
        known.now = tuple(now)

    def _keep_first(self, known: _Known) -> None:
        """Before the contact's row changes: give what was said first, and is in it, a row of its own."""
        if not known.is_first_kept and every(self._connection, SQL["keep_person"], {"contact": known.key}):
            known.numbers[known.now] = _FIRST
