"""The email addresses and the physical address of the token's account."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Choices, Text
from rapport.api.query import get_query
from rapport.api.responses import encode_response
from rapport.api.v3.account import PhysicalAddress, build_physical_address, find_contact_email
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.store.accounts import AccountRepository

_READ: Final = Access(Scope.ACCOUNT_READ, Privilege.ACCOUNT_READ)
_TAG: Final = "Account Services"
_ROLES: Final = ("CONTACT", "BILLING", "JOURNALING", "REPLY_TO", "OTHER")
_STATUSES: Final = ("CONFIRMED", "UNCONFIRMED")

CONFIRM_STATUS: Final = Choices(
    "confirm_status",
    "Only addresses with this status; its first letter is accepted as well.",
    {spelling: name for name in _STATUSES for spelling in (name, name[0])},
    noun="status",
)
ROLE_CODE: Final = Choices(
    "role_code",
    "Only addresses with this role; its first letter is accepted as well.",
    {spelling: name for name in _ROLES for spelling in (name, name[0])},
    noun="role",
)


def _parse_address(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


EMAIL_ADDRESS: Final = Text(
    "email_address", "Only this address.", _parse_address, {"type": "string", "minLength": 1}, "ada@example.com"
)


class AccountEmail(msgspec.Struct, kw_only=True):
    """An email address of the account."""

    email_id: int
    email_address: str
    confirm_status: str
    roles: list[str]


class AccountAddresses(Resource):
    """The email addresses and the physical address of an account."""

    def __init__(self, accounts: AccountRepository) -> None:
        self._accounts = accounts

    @endpoint(
        "GET",
        "/v3/account/emails",
        operation_id="retrieveEmailAddresses",
        tag=_TAG,
        summary="List the account's email addresses",
        description="The `contact_email` of the account, or else the address of the token's user. Without either, the "
        "list is empty.",
        access=_READ,
        params=(CONFIRM_STATUS, ROLE_CODE, EMAIL_ADDRESS),
        returns=Returns(
            description="The addresses.",
            schema=list[AccountEmail],
            example=[
                {
                    "email_id": 1,
                    "email_address": "ada@example.com",
                    "confirm_status": "CONFIRMED",
                    "roles": ["CONTACT", "REPLY_TO"],
                }
            ],
        ),
    )
    async def list_emails(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        statuses, roles, address = CONFIRM_STATUS.get(query), ROLE_CODE.get(query), EMAIL_ADDRESS.get(query)
        contact_email = find_contact_email(await self._accounts.get_details(principal.account_id), principal)
        emails = []
        if contact_email is not None:
            emails = [
                AccountEmail(
                    email_id=1,
                    email_address=contact_email,
                    confirm_status="CONFIRMED",
                    roles=["CONTACT", "REPLY_TO"],
                )
            ]
        return encode_response(
            [
                email
                for email in emails
                if (not statuses or email.confirm_status in statuses)
                and (not roles or not set(roles).isdisjoint(email.roles))
                and (address is None or address.lower() == email.email_address.lower())
            ]
        )

    @endpoint(
        "GET",
        "/v3/account/summary/physical_address",
        operation_id="getPhysicalAddress",
        tag=_TAG,
        summary="Get the account's physical address",
        description="The address that `rapport account` has set. If there is none, its required fields are empty.",
        access=_READ,
        returns=Returns(
            description="The address.",
            schema=PhysicalAddress,
            example={
                "address_line1": "123 Maple Street",
                "city": "Boston",
                "state_code": "MA",
                "postal_code": "02451",
                "country_code": "US",
            },
        ),
    )
    async def get_physical_address(self, _request: Request, principal: Principal) -> Response:
        return encode_response(build_physical_address(await self._accounts.get_details(principal.account_id)))
