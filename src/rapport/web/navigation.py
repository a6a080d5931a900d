"""The navigation: which pages a user can see, and where they arrive after signing in."""

from typing import Final, NamedTuple

from rapport.auth.authorization import has_permission
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.token import Principal


class NavItem(NamedTuple):
    """A page in the navigation, and the permissions it requires; None if every signed-in user can see it."""

    id: str
    label: str
    path: str
    requires: tuple[Scope, Privilege] | None = None
    role: Role | None = None
    """The role whose users alone can see it."""


NAV_ITEMS: Final = (
    NavItem("find", "Find", "/", (Scope.CONTACT_DATA, Privilege.CONTACTS_READ)),
    NavItem("account", "Overview", "/account", (Scope.CAMPAIGN_DATA, Privilege.REPORTS)),
    NavItem("connect", "Connect", "/connect"),
    NavItem("api", "API", "/schema"),
    NavItem("people", "People", "/people", role=Role.OWNER),
)


def nav_items(principal: Principal) -> list[NavItem]:
    """Return the pages that the principal can see."""
    return [
        item
        for item in NAV_ITEMS
        if (item.requires is None or has_permission(principal, *item.requires)) and item.role in {None, principal.role}
    ]


def get_home_path(principal: Principal) -> str:
    """Return the path of the first page that the principal can see."""
    return nav_items(principal)[0].path
