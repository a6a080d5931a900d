"""Who is it, which campaign is it? What a person types into the one field that finds."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from rapport.activity import CampaignActivity
from rapport.store.known import ContactPrefix, KnownContact, Sought
from rapport.store.protocol import Store

MOST_FOUND: Final = 8
"""Of each kind: who doesn't see it among them types on."""

_MOST_WORDS: Final = 6
"""Behind so many words of a name no more is tried for where its last part begins."""


async def find_contacts(store: Store, account_id: str, text: str) -> list[KnownContact]:
    """The contacts whose email address, name or id begins with the text, each once, in this order."""
    text = " ".join(text.split())
    if not text or not text.isprintable():
        return []
    found: dict[str, KnownContact] = {}
    for prefix in _prefixes(text):
        for contact in await store.contacts_by_prefix(account_id, prefix):
            found.setdefault(contact.contact_id, contact)
        if len(found) >= MOST_FOUND:
            break
    return list(found.values())[:MOST_FOUND]


async def find_campaign_activities(store: Store, account_id: str, text: str) -> list[CampaignActivity]:
    """The campaign activities whose name holds the text, or whose id begins with it; of no text, the latest."""
    text = text.strip()
    if text and not text.isprintable():
        return []
    return await store.campaign_activities_by_text(account_id, text, MOST_FOUND)


def _prefixes(text: str) -> Iterator[ContactPrefix]:
    yield ContactPrefix(Sought.EMAIL_ADDRESS, text, MOST_FOUND)
    if "@" in text:
        return
    for sought in (Sought.FIRST_NAME, Sought.LAST_NAME):
        for beginning in _casings(text):
            yield ContactPrefix(sought, beginning, MOST_FOUND)
    # Either name may have several words: each blank may be the one between the two.
    words = text.split(" ")[:_MOST_WORDS]
    for place in range(1, len(words)):
        first, last = " ".join(words[:place]), text.split(" ", place)[place]
        for first_name, beginning in product(_casings(first), _casings(last)):
            yield ContactPrefix(Sought.LAST_NAME, beginning, MOST_FOUND, first_name)
    if " " not in text:
        yield ContactPrefix(Sought.CONTACT_ID, text, MOST_FOUND)


def _casings(text: str) -> list[str]:
    """A name as it was typed and as it may be written. Stores leave only the case of ASCII's letters out of account."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys((text, text.lower(), text.upper(), text.title())))
