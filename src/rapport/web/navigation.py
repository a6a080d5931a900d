"""The navigation: which pages a user can see, and where they arrive after signing in."""

from typing import Final, NamedTuple

from rapport.auth.authorization import has_permission
from rapport.auth.scope import Privilege, Scope
from rapport.auth.session import Session
from rapport.people.users import is_owner


class NavItem(NamedTuple):
    """A page in the navigation, and the permissions it requires; None if every signed-in user can see it."""

    id: str
    label: str
    path: str
    requires: tuple[Scope, Privilege] | None = None
    for_owners: bool = False
    """True if only sessions that may manage users can see it."""


NAV_ITEMS: Final = (
    NavItem("find", "Find", "/", (Scope.CONTACT_DATA, Privilege.CONTACTS_READ)),
    NavItem("account", "Overview", "/account", (Scope.CAMPAIGN_DATA, Privilege.REPORTS)),
    NavItem("connect", "Connect", "/connect"),
    NavItem("api", "API", "/schema"),
    NavItem("people", "People", "/people", for_owners=True),
)


def nav_items(session: Session) -> list[NavItem]:
    """Return the pages that the session's user can see."""
    return [
        item
        for item in NAV_ITEMS
        if (item.requires is None or has_permission(session.principal, *item.requires))
        and (is_owner(session) or not item.for_owners)
    ]


def get_home_path(session: Session) -> str:
    """Return the path of the first page that the session's user can see."""
    return nav_items(session)[0].path
