"""Who may do what: scopes, roles and privileges, in one table each (contract 5.2, 5.3)."""

import enum
from typing import Final


class Scope(enum.Enum):
    """What a token is for. All but `activity_write` are the vendor's."""

    CONTACT_DATA = "contact_data"
    CAMPAIGN_DATA = "campaign_data"
    ACCOUNT_READ = "account_read"
    ACTIVITY_WRITE = "activity_write"


class Privilege(enum.Enum):
    """What a role lets its user do, by the vendor's names."""

    REPORTS = "ui:campaign:metrics"


class Role(enum.Enum):
    """What a user is in an account."""

    OWNER = "owner"
    MANAGER = "manager"
    CAMPAIGN_CREATOR = "campaign_creator"


PRIVILEGES: Final[dict[Role, frozenset[Privilege]]] = {
    Role.OWNER: frozenset({Privilege.REPORTS}),
    Role.MANAGER: frozenset({Privilege.REPORTS}),
    Role.CAMPAIGN_CREATOR: frozenset(),
}
