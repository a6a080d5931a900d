"""List and look up contact lists, tags and custom fields, with the numbers of their contacts."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from rapport.catalog import DefinitionType
from rapport.errors import UnknownResource
from rapport.reporting.cursor_params import CursorParams
from rapport.store.definitions import (
    LATEST_DEFINITION,
    DefinitionCursor,
    DefinitionQuery,
    DefinitionRecord,
    DefinitionRepository,
)


class DefinitionsRequest(CursorParams, frozen=True, kw_only=True):
    """The parameters of a page of definitions. The cursor of the next page contains them.

    `count_contacts` is None unless contacts are counted, and True to count active ones only.
    """

    type: DefinitionType
    name: str | None = None
    with_current: bool = True
    with_deleted: bool = False
    limit: int
    with_count: bool = False
    count_active: bool | None = None
    after: DefinitionCursor = LATEST_DEFINITION

    def to_query(self) -> DefinitionQuery:
        """Return the store query for one definition more than the page has."""
        return DefinitionQuery(
            type=self.type,
            name=self.name,
            with_current=self.with_current,
            with_deleted=self.with_deleted,
            after=self.after,
            limit=self.limit + 1,
        )


class DefinitionsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of definitions, the numbers of their contacts, the total and the request for the next page, if any."""

    definitions: list[DefinitionRecord]
    contacts: Mapping[str, int] | None
    count: int | None
    next: DefinitionsRequest | None


async def list_definitions(
    repository: DefinitionRepository, account_id: str, request: DefinitionsRequest
) -> DefinitionsPage:
    """Return a page of the account's definitions of a type."""
    query = request.to_query()
    records = await repository.find(account_id, query)
    page = records[: request.limit]
    contacts = None
    if request.count_active is not None:
        ids = [record.definition_id for record in page]
        contacts = await repository.count_contacts(account_id, request.type, ids, only_active=request.count_active)
    after = DefinitionCursor(page[-1].created_at, page[-1].definition_id) if page else LATEST_DEFINITION
    return DefinitionsPage(
        definitions=page,
        contacts=contacts,
        count=await repository.count(account_id, query) if request.with_count else None,
        next=replace(request, after=after) if len(records) > request.limit else None,
    )


async def get_definition(
    repository: DefinitionRepository, account_id: str, definition_type: DefinitionType, definition_id: str
) -> DefinitionRecord:
    """Return a definition. Raises UnknownResource."""
    record = await repository.get(account_id, definition_type, definition_id)
    if record is None:
        raise UnknownResource(definition_id)
    return record
