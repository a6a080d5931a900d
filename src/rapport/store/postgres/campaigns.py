"""Updates of campaigns in PostgreSQL."""

from collections.abc import Sequence
from functools import partial

from rapport.catalog import CampaignUpdate
from rapport.store.campaigns import CampaignRepository
from rapport.store.chunks import upsert_in_chunks
from rapport.store.postgres.engine import Engine


class PostgresCampaigns(CampaignRepository):
    """Reads and updates campaigns."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine

    async def upsert(self, account_id: str, updates: Sequence[CampaignUpdate]) -> int:
        """Merge updates into the campaigns, chunk by chunk. Return how many changed something."""
        writer = self._postgres.writer
        return await upsert_in_chunks(
            updates, partial(writer.add_links, account_id), partial(writer.upsert_campaigns, account_id)
        )
