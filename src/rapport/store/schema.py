"""The schema steps that a store lacks, on any engine."""

from collections.abc import Collection, Sequence
from typing import Final

from rapport.errors import SchemaIncomplete, SchemaTooNew
from rapport.store.queries import Migration

_ORDERED: Final = 17
"""Up to this number, a step may rely on every step with a lower number."""
_ORDERED_LATE: Final = frozenset({12, 13, 15, 16})
"""Steps that were published after number 17, so stores exist that have 17 and lack some of these."""
_ORDERED_AGAIN: Final = 21
"""This step relies on those as well: number 16 makes a table anew that it changes."""


def find_missing_steps(steps: Sequence[Migration], applied: Collection[tuple[int, str]]) -> list[Migration]:
    """Return the steps that a store lacks, in order; `applied` holds the number and name of each step it has.

    Raises SchemaTooNew for a step that this program doesn't know, and SchemaIncomplete for a gap that can't be filled.
    """
    unknown = sorted(set(applied) - {step[:2] for step in steps})
    if unknown:
        raise SchemaTooNew(
            f"the data has the schema steps {_list_steps(unknown)}, which this Rapport doesn't know: "
            "install the Rapport that wrote it, or a newer one"
        )
    missing = [step for step in steps if step[:2] not in applied]
    newest = max((number for number, _ in applied), default=0)
    late = _ORDERED_LATE if newest < _ORDERED_AGAIN else frozenset[int]()
    gaps = [step[:2] for step in missing if step[0] < min(newest, _ORDERED) and step[0] not in late]
    if gaps:
        raise incomplete_schema(gaps, "later steps rely on them")
    return missing


def incomplete_schema(gaps: Sequence[tuple[int, str]], reason: str) -> SchemaIncomplete:
    """Return the error for steps that can't be applied to a store."""
    return SchemaIncomplete(
        f"the data lacks the schema steps {_list_steps(gaps)}, and they can't be added now ({reason}). Nothing was "
        "changed: restore a backup, or export the contacts with the Rapport that wrote the data and import them into "
        "a new store"
    )


def _list_steps(steps: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{number:04}_{name}" for number, name in steps)
