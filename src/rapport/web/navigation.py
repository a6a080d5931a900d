"""Which pages are there for whom: the links at the head of every page, and where somebody who signs in arrives."""

from typing import Final, NamedTuple

from rapport.auth.gate import may
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal


class Entry(NamedTuple):
    """A page, what it is called, and what it demands; None of somebody who is signed in at all."""

    here: str
    word: str
    path: str
    demands: tuple[Scope, Privilege] | None = None


ENTRIES: Final = (
    Entry("find", "Find", "/", (Scope.CONTACT_DATA, Privilege.CONTACTS_READ)),
    Entry("account", "Account", "/account", (Scope.CAMPAIGN_DATA, Privilege.REPORTS)),
    Entry("connect", "Connect", "/connect"),
    Entry("api", "API", "/schema"),
)


def entries_for(principal: Principal) -> list[Entry]:
    """The pages that the principal may see."""
    return [entry for entry in ENTRIES if entry.demands is None or may(principal, *entry.demands)]


def home_of(principal: Principal) -> str:
    """The first of them."""
    return entries_for(principal)[0].path
