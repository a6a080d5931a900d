"""Finds by what a person types: the beginning of an address, a name or an id, a part of a campaign activity's name."""

from pathlib import Path
from typing import Final

import apsw

from rapport.activity import CampaignActivity
from rapport.store.known import ContactPrefix, ContactRecord
from rapport.store.sqlite.connection import Values, every, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_find.sql")

_LAST: Final = "\U0010ffff"
"""Behind whatever begins with the same text."""


class Finder:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def contacts(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """The contacts of which what is sought begins so."""
        params: Values = {
            "account_id": account_id,
            "beginning": prefix.beginning,
            "end": prefix.beginning + _LAST,
            "first_name": prefix.first_name,
            "limit": prefix.limit,
        }
        with translate_errors():
            return [ContactRecord(*row) for row in every(self._connection, SQL[prefix.statement], params)]

    def campaign_activities(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """The campaign activities whose name holds the text, or whose id begins with it."""
        params: Values = {"account_id": account_id, "text": text, "end": text + _LAST, "limit": limit}
        with translate_errors():
            return [CampaignActivity(*row) for row in every(self._connection, SQL["campaign_activities"], params)]
