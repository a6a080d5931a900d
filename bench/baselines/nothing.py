"""Rapport with a store that keeps nothing: validates every line, waits for an empty commit, and responds."""

from collections.abc import Sequence

from rapport.api.app import Application
from rapport.app import application as rapport
from rapport.store.batch import Batch
from rapport.store.ingest import Recorded
from rapport.store.sqlite.ingest import SQLiteIngest


async def _record_nothing(_ingest: SQLiteIngest, batches: Sequence[Batch]) -> list[Recorded]:
    return [
        Recorded(accepted={activity_type: len(rows) for activity_type, rows in batch.rows.items()}, duplicate=0)
        for batch in batches
    ]


def application() -> Application:
    """Return the application with a store that keeps nothing."""
    SQLiteIngest.record = _record_nothing  # type: ignore[method-assign]
    return rapport()
