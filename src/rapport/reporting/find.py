"""Who is it, which campaign is it? What a person types into the one field that finds."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from rapport.activity import CampaignActivity
from rapport.email_address import normalize_query_address
from rapport.store.known import ContactPrefix, ContactRecord, SearchField
from rapport.store.protocol import Store

MAX_RESULTS: Final = 8
"""Of each kind: who doesn't see it among them types on."""

_MOST_WORDS: Final = 6
"""Behind so many words of a name no more is tried for where its last part begins."""


async def find_contacts(store: Store, account_id: str, text: str) -> list[ContactRecord]:
    """The contacts whose email address, name or id begins with the text, each once, in this order."""
    text = " ".join(text.split())
    if not text or not text.isprintable():
        return []
    if "@" in text:
        text = normalize_query_address(text)
    found: dict[str, ContactRecord] = {}
    for prefix in _prefixes(text):
        for contact in await store.contacts_by_prefix(account_id, prefix):
            found.setdefault(contact.contact_id, contact)
        if len(found) >= MAX_RESULTS:
            break
    return list(found.values())[:MAX_RESULTS]


async def find_campaign_activities(store: Store, account_id: str, text: str) -> list[CampaignActivity]:
    """The campaign activities whose name holds the text, or whose id begins with it; of no text, the latest."""
    text = text.strip()
    if text and not text.isprintable():
        return []
    return await store.campaign_activities_by_text(account_id, text, MAX_RESULTS)


def _prefixes(text: str) -> Iterator[ContactPrefix]:
    yield ContactPrefix(SearchField.EMAIL_ADDRESS, text, MAX_RESULTS)
    if "@" in text:
        return
    for sought in (SearchField.FIRST_NAME, SearchField.LAST_NAME):
        for beginning in _casings(text):
            yield ContactPrefix(sought, beginning, MAX_RESULTS)
    # Either name may have several words: each blank may be the one between the two.
    words = text.split(" ")[:_MOST_WORDS]
    for place in range(1, len(words)):
        first, last = " ".join(words[:place]), text.split(" ", place)[place]
        for first_name, beginning in product(_casings(first), _casings(last)):
            yield ContactPrefix(SearchField.LAST_NAME, beginning, MAX_RESULTS, first_name)
    if " " not in text:
        yield ContactPrefix(SearchField.CONTACT_ID, text, MAX_RESULTS)


def _casings(text: str) -> list[str]:
    """A name as it was typed and as it may be written. Stores leave only the case of ASCII's letters out of account."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys((text, text.lower(), text.upper(), text.title())))
