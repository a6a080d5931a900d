"""Who may do what: scopes, roles and privileges, in one table each.

See https://developer.constantcontact.com/api_guide/scopes.html and
https://developer.constantcontact.com/api_guide/user_privileges.html.
"""

import enum
from typing import Final, Self


class Scope(enum.Enum):
    """What a token is for. All but `activity_write` are the vendor's.

    `offline_access` is a request for a refresh token. `account_update` opens nothing yet: clients ask for it.
    """

    CONTACT_DATA = "contact_data"
    CAMPAIGN_DATA = "campaign_data"
    ACCOUNT_READ = "account_read"
    ACTIVITY_WRITE = "activity_write"
    ACCOUNT_UPDATE = "account_update"
    OFFLINE_ACCESS = "offline_access"


class Privilege(enum.Enum):
    """What a role lets its user do, by the vendor's names and numbers, so far as they are Rapport's matter."""

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
        """A privilege is told apart by its name; its number goes with it."""
        privilege = object.__new__(cls)
        privilege._value_ = name
        privilege.number = number
        return privilege


class Role(enum.Enum):
    """What a user is in an account."""

    OWNER = "owner"
    MANAGER = "manager"
    CAMPAIGN_CREATOR = "campaign_creator"


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
