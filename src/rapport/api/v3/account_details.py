"""The email addresses and the physical address of the token's account."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Choices, Text
from rapport.api.query import get_query
from rapport.api.responses import encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal

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


class PhysicalAddress(msgspec.Struct, kw_only=True):
    """The physical address of the account. Unknown texts are empty."""

    address_line1: str
    city: str
    country_code: str


class AccountDetails(Resource):
    """The addresses of an account."""

    @endpoint(
        "GET",
        "/v3/account/emails",
        operation_id="retrieveEmailAddresses",
        tag=_TAG,
        summary="List the account's email addresses",
        description="The token user's name, if it is an email address; otherwise the list is empty.",
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
        emails = []
        if "@" in principal.user:
            emails = [
                AccountEmail(
                    email_id=1,
                    email_address=principal.user,
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
        description="Rapport doesn't store it, so its texts are empty.",
        access=_READ,
        returns=Returns(
            description="The address.",
            schema=PhysicalAddress,
            example={"address_line1": "", "city": "", "country_code": ""},
        ),
    )
    async def get_physical_address(self, _request: Request, _principal: Principal) -> Response:
        return encode_response(PhysicalAddress(address_line1="", city="", country_code=""))
