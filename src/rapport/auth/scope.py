"""Scopes of tokens, roles of users, and the privileges of each role.

See https://developer.constantcontact.com/api_guide/scopes.html and
https://developer.constantcontact.com/api_guide/user_privileges.html.
"""

import enum
from typing import Final, Self


class Scope(enum.Enum):
    """The scopes of tokens. All but `activity_write` are Constant Contact's.

    `offline_access` asks for a refresh token. `account_update` allows nothing yet, but clients request it.
    """

    CONTACT_DATA = "contact_data"
    CAMPAIGN_DATA = "campaign_data"
    ACCOUNT_READ = "account_read"
    ACTIVITY_WRITE = "activity_write"
    ACCOUNT_UPDATE = "account_update"
    OFFLINE_ACCESS = "offline_access"


class Privilege(enum.Enum):
    """The privileges that Rapport uses, by Constant Contact's names and numbers."""

    number: int

    ACCOUNT_READ = "account:read", 2
    ACCOUNT_UPDATE = "account:update", 3
    CAMPAIGN_LIST = "campaign:list", 29
    CAMPAIGN_CREATE = "campaign:create", 30
    CAMPAIGN_READ = "campaign:read", 31
    CAMPAIGN_WRITE = "campaign:write", 32
    CAMPAIGN_DELETE = "campaign:delete", 34
    CAMPAIGN_SEND = "campaign:send", 36
    REPORTS = "ui:campaign:metrics", 39
    CONTACTS_READ = "contacts:read", 42
    CONTACTS_WRITE = "contacts:write", 43
    CONTACT_REPORTS = "ui:contacts:contactreports", 49
    LISTS_READ = "contacts:lists:read", 52
    LISTS_WRITE = "contacts:lists:write", 53

    def __new__(cls, name: str, number: int) -> Self:
        """Create a privilege whose value is its name; the number is an attribute."""
        privilege = object.__new__(cls)
        privilege._value_ = name
        privilege.number = number
        return privilege


class Role(enum.Enum):
    """The role of a user in an account."""

    OWNER = "owner"
    MANAGER = "manager"
    CAMPAIGN_CREATOR = "campaign_creator"


ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.OWNER: frozenset(Scope),
    Role.MANAGER: frozenset(Scope),
    Role.CAMPAIGN_CREATOR: frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.OFFLINE_ACCESS}),
}
"""The scopes of users' sessions. Others would allow nothing, as the role lacks the privileges."""

PRIVILEGES: Final[dict[Role, frozenset[Privilege]]] = {
    Role.OWNER: frozenset(Privilege),
    Role.MANAGER: frozenset(Privilege),
    Role.CAMPAIGN_CREATOR: frozenset(
        {
            Privilege.CAMPAIGN_LIST,
            Privilege.CAMPAIGN_CREATE,
            Privilege.CAMPAIGN_READ,
            Privilege.CAMPAIGN_WRITE,
            Privilege.LISTS_READ,
        }
    ),
}
