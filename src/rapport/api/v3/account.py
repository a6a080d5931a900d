"""GET /v3/account/…: what integrations ask for right after they have their token."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.api.answers import json_answer
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.parameters import read_query
from rapport.api.wire import Id
from rapport.auth.gate import Gate
from rapport.auth.scope import PRIVILEGES, Privilege, Scope
from rapport.errors import InvalidField

ACCOUNT_SUMMARY: Final = "/v3/account/summary"
USER_PRIVILEGES: Final = "/v3/account/user/privileges"

EXTRA_FIELDS: Final = ("physical_address", "company_logo")
_TIME_ZONE: Final = "UTC"


class AccountSummary(msgspec.Struct, kw_only=True):
    """An account, so far as Rapport knows it: what it doesn't is left out."""

    encoded_account_id: Id
    organization_name: str
    contact_email: str | UnsetType = UNSET
    time_zone_id: Annotated[str, Meta(examples=[_TIME_ZONE])]


class UserPrivilege(msgspec.Struct):
    """One thing that the token's user may do, by the vendor's name and number."""

    privilege_id: int
    privilege_name: str


class Accounts:
    """The routes on the token's own account and user."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def routes(self) -> list[Route]:
        """Both routes."""
        return [get(ACCOUNT_SUMMARY, self.account_summary), get(USER_PRIVILEGES, self.user_privileges)]

    async def account_summary(self, request: Request) -> Response:
        """The account of the token: the usual test of a connection."""
        principal = await admit(self._gate, request, Scope.ACCOUNT_READ, Privilege.ACCOUNT_READ)
        for value in read_query(request.scope["query_string"]).get("extra_fields", ()):
            for field in filter(None, map(str.strip, value.split(","))):
                if field not in EXTRA_FIELDS:
                    raise InvalidField("extra_fields", field, f"must hold {' and '.join(EXTRA_FIELDS)} only")
        summary = AccountSummary(
            encoded_account_id=principal.account_id,
            organization_name=principal.account_id,
            contact_email=principal.user if "@" in principal.user else UNSET,
            time_zone_id=_TIME_ZONE,
        )
        return json_answer(msgspec.json.encode(summary))

    async def user_privileges(self, request: Request) -> Response:
        """What the token's user may do; every token may ask."""
        principal = await admit(self._gate, request)
        privileges = sorted(PRIVILEGES[principal.role], key=lambda privilege: privilege.number)
        return json_answer(msgspec.json.encode([UserPrivilege(each.number, each.value) for each in privileges]))
