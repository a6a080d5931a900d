"""Search for contacts and campaign activities by what a user types into the search field."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from rapport.activity import CampaignActivity
from rapport.email_address import normalize_query_address
from rapport.store.campaigns import CampaignRepository
from rapport.store.contacts import ContactPrefix, ContactRecord, ContactRepository, SearchField

MAX_RESULTS: Final = 8
"""The maximum number of contacts, and of campaign activities, that a search returns."""

_MAX_WORDS: Final = 6
"""The maximum number of positions in the text that are tried as the start of the last name."""


async def find_contacts(repository: ContactRepository, account_id: str, text: str) -> list[ContactRecord]:
    """Return the contacts whose email address, name or id starts with the text, in this order, without duplicates.

    If there are fewer than `MAX_RESULTS`, contacts whose address contains the text follow.
    """
    text = " ".join(text.split())
    if not text or not text.isprintable():
        return []
    if 0 < text.find("@") < len(text) - 1:
        text = normalize_query_address(text)
    contacts: dict[str, ContactRecord] = {}
    for prefix in _search_prefixes(text):
        for contact in await repository.find_by_prefix(account_id, prefix):
            contacts.setdefault(contact.contact_id, contact)
        if len(contacts) >= MAX_RESULTS:
            break
    if len(contacts) < MAX_RESULTS:
        for contact in await repository.find_containing(account_id, text, MAX_RESULTS):
            contacts.setdefault(contact.contact_id, contact)
    return list(contacts.values())[:MAX_RESULTS]


async def find_campaign_activities(
    repository: CampaignRepository, account_id: str, text: str
) -> list[CampaignActivity]:
    """Return the campaign activities whose name contains the text or whose id starts with it; the latest if empty."""
    text = text.strip()
    if text and not text.isprintable():
        return []
    return await repository.find_activities(account_id, text, MAX_RESULTS)


def _search_prefixes(text: str) -> Iterator[ContactPrefix]:
    yield ContactPrefix(SearchField.EMAIL_ADDRESS, text, MAX_RESULTS)
    if "@" in text:
        return
    for field in (SearchField.FIRST_NAME, SearchField.LAST_NAME):
        for prefix in _case_variants(text):
            yield ContactPrefix(field, prefix, MAX_RESULTS)
    # First and last names may have several words, so try every space as the one between them.
    words = text.split(" ")[:_MAX_WORDS]
    for index in range(1, len(words)):
        first, last = " ".join(words[:index]), text.split(" ", index)[index]
        for first_name, prefix in product(_case_variants(first), _case_variants(last)):
            yield ContactPrefix(SearchField.LAST_NAME, prefix, MAX_RESULTS, first_name)
    yield ContactPrefix(SearchField.CONTACT_ID, text, MAX_RESULTS)


def _case_variants(text: str) -> list[str]:
    """Return the text as typed and in other cases, because stores ignore the case of ASCII letters only."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys((text, text.lower(), text.upper(), text.title())))
