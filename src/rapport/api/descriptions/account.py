"""The operations on the token's own account and user."""

from typing import Final

from rapport.api.descriptions.parts import AUTHORISED, Json, answer, problems, schema
from rapport.api.v3.account import ACCOUNT_SUMMARY, EXTRA_FIELDS, USER_PRIVILEGES
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, InvalidToken, QuotaExceeded, StoreUnavailable, Throttled

_ACCOUNT_SUMMARY: Final[Json] = {
    "tags": ["Account Services"],
    "operationId": "getAccountById",
    "summary": "Whose data is this?",
    "description": "The account of the token, so far as Rapport knows it: what it doesn't is left out.",
    "parameters": [
        {
            "name": "extra_fields",
            "in": "query",
            "description": "What the answer is to hold besides. Rapport knows neither, so nothing is added.",
            "required": False,
            "style": "form",
            "explode": False,
            "schema": {"type": "array", "items": {"type": "string", "enum": list(EXTRA_FIELDS)}},
        }
    ],
    "responses": {
        "200": answer(
            "The account.",
            schema("AccountSummary"),
            {
                "encoded_account_id": "p07e1l8cdif9dl",
                "organization_name": "p07e1l8cdif9dl",
                "contact_email": "ada@example.com",
                "time_zone_id": "UTC",
            },
        ),
        **problems(InvalidField, *AUTHORISED, StoreUnavailable),
    },
    "security": [{"token": [Scope.ACCOUNT_READ.value]}],
    "x-authorization-privileges": [Privilege.ACCOUNT_READ.value],
}

_USER_PRIVILEGES: Final[Json] = {
    "tags": ["Account Services"],
    "operationId": "getUserPrivileges",
    "summary": "What may I do?",
    "description": "The privileges of the token's user, which its role gives it. Needs neither scope nor privilege.",
    "responses": {
        "200": answer(
            "The privileges.",
            {"type": "array", "items": schema("UserPrivilege")},
            [{"privilege_id": Privilege.REPORTS.number, "privilege_name": Privilege.REPORTS.value}],
        ),
        **problems(InvalidToken, Throttled, QuotaExceeded, StoreUnavailable),
    },
    "security": [{"token": []}],
}

OPERATIONS: Final[Json] = {
    ACCOUNT_SUMMARY: {"get": _ACCOUNT_SUMMARY},
    USER_PRIVILEGES: {"get": _USER_PRIVILEGES},
}
