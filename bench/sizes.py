"""What does an activity take on disk, with its contact's address, link and device, the roll-ups and all indexes?"""

from pathlib import Path
from typing import Final

import apsw

from bench.measure import Measure, at_most

_PROMISED: Final = 120

_OF_CONTACTS: Final = """
SELECT count(*), sum(length(contact_id) + coalesce(length(email_address), 0)), (
    SELECT sum(pgsize) FROM dbstat
    WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN ('contact', 'person'))
) FROM contact
"""


def of_contacts_with_a_history(data: str, count: int) -> Measure:
    """The promise: contacts who did two dozen things each."""
    return at_most(
        _PROMISED,
        question=f"bytes on disk an activity, of {count:,} with everything",
        value=_size(data) / count,
        unit="bytes",
        yardstick=_parts(data, count),
    )


def of_one_campaign(data: str, count: int) -> Measure:
    """A comparison: two and a half activities for each contact. What a contact takes weighs as much as what it did."""
    return Measure(
        question=f"bytes on disk an activity, of one campaign's {count:,}",
        value=_size(data) / count,
        unit="bytes",
        yardstick=_parts(data, count),
    )


def _size(data: str) -> int:
    return (Path(data) / "rapport.db").stat().st_size


def _parts(data: str, count: int) -> str:
    connection = apsw.Connection(f"{data}/rapport.db", flags=apsw.SQLITE_OPEN_READONLY)
    ((contacts, texts, of_contacts),) = connection.execute(_OF_CONTACTS)
    connection.close()
    # To be shown, and in an index to be found by.
    ids_and_addresses = 2 * texts / contacts
    each, activity = of_contacts / contacts, (_size(data) - of_contacts) / count
    return (
        f"{each:.0f} a contact, of which id and address, twice, are {ids_and_addresses:.0f}; {activity:.0f} an activity"
    )
