"""The token's account and user, which integrations usually request first."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Choices
from rapport.api.query import get_query
from rapport.api.responses import Id, encode_response
from rapport.auth.scope import PRIVILEGES, Privilege, Scope
from rapport.auth.token import Principal
from rapport.store.accounts import AccountDetails, AccountRepository

_TAG: Final = "Account Services"
_TIME_ZONE: Final = "UTC"

EXTRA_FIELDS: Final = Choices(
    "extra_fields",
    "Additional fields to return. There is no `company_logo`, so that one adds nothing.",
    {name: name for name in ("physical_address", "company_logo")},
    noun="field",
)


class PhysicalAddress(msgspec.Struct, kw_only=True):
    """The physical address of an account. Unknown fields are left out; the required ones are empty."""

    address_line1: str
    address_line2: str | UnsetType = UNSET
    address_line3: str | UnsetType = UNSET
    city: str
    state_code: str | UnsetType = UNSET
    state_name: str | UnsetType = UNSET
    postal_code: str | UnsetType = UNSET
    country_code: str


def build_physical_address(details: AccountDetails) -> PhysicalAddress:
    """Return the physical address in the details of an account."""
    return PhysicalAddress(
        address_line1=details.address_line1 or "",
        address_line2=details.address_line2 or UNSET,
        address_line3=details.address_line3 or UNSET,
        city=details.city or "",
        state_code=details.state_code or UNSET,
        state_name=details.state_name or UNSET,
        postal_code=details.postal_code or UNSET,
        country_code=details.country_code or "",
    )


class AccountSummary(msgspec.Struct, kw_only=True):
    """An account. Unknown fields are left out."""

    encoded_account_id: Id
    organization_name: str
    contact_email: str | UnsetType = UNSET
    contact_phone: str | UnsetType = UNSET
    country_code: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    state_code: str | UnsetType = UNSET
    time_zone_id: Annotated[str, Meta(examples=[_TIME_ZONE])]
    physical_address: PhysicalAddress | UnsetType = UNSET


def find_contact_email(details: AccountDetails, principal: Principal) -> str | None:
    """Return the account's email address, or else that of the token's user; None if there is neither."""
    return details.contact_email or (principal.user if "@" in principal.user else None)


class UserPrivilege(msgspec.Struct):
    """A privilege of the token's user, by Constant Contact's number and name."""

    privilege_id: int
    privilege_name: str


class Account(Resource):
    """The account and user of the token."""

    def __init__(self, accounts: AccountRepository) -> None:
        self._accounts = accounts

    @endpoint(
        "GET",
        "/v3/account/summary",
        operation_id="getAccountById",
        tag=_TAG,
        summary="Get the account summary",
        description="The token's account. Unknown fields are left out.",
        access=Access(Scope.ACCOUNT_READ, Privilege.ACCOUNT_READ),
        params=(EXTRA_FIELDS,),
        returns=Returns(
            description="The account.",
            schema=AccountSummary,
            example={
                "encoded_account_id": "p07e1l8cdif9dl",
                "organization_name": "InstaPrinz",
                "contact_email": "ada@example.com",
                "contact_phone": "5081111212",
                "country_code": "US",
                "first_name": "Ada",
                "last_name": "Lovelace",
                "time_zone_id": _TIME_ZONE,
            },
        ),
    )
    async def get_summary(self, request: Request, principal: Principal) -> Response:
        extra_fields = EXTRA_FIELDS.get(get_query(request))
        details = await self._accounts.get_details(principal.account_id)
        contact_email = find_contact_email(details, principal)
        return encode_response(
            AccountSummary(
                encoded_account_id=principal.account_id,
                organization_name=details.organization_name or principal.account_id,
                contact_email=contact_email or UNSET,
                contact_phone=details.phone or UNSET,
                country_code=details.country_code or UNSET,
                first_name=details.first_name or UNSET,
                last_name=details.last_name or UNSET,
                state_code=details.state_code or UNSET,
                time_zone_id=details.time_zone_id or _TIME_ZONE,
                physical_address=build_physical_address(details)
                if "physical_address" in extra_fields and details.address_line1
                else UNSET,
            )
        )

    @endpoint(
        "GET",
        "/v3/account/user/privileges",
        operation_id="getUserPrivileges",
        tag=_TAG,
        summary="List the user's privileges",
        description="The privileges that the token's user has by its role. Needs neither a scope nor a privilege.",
        access=Access(),
        returns=Returns(
            description="The privileges.",
            schema=list[UserPrivilege],
            example=[{"privilege_id": Privilege.REPORTS.number, "privilege_name": Privilege.REPORTS.value}],
        ),
    )
    async def list_privileges(self, _request: Request, principal: Principal) -> Response:
        privileges = sorted(PRIVILEGES[principal.role], key=lambda privilege: privilege.number)
        return encode_response([UserPrivilege(privilege.number, privilege.value) for privilege in privileges])
