"""Who is it, which campaign is it? What a person types into the one field that finds."""

from typing import Final

from rapport.activity import CampaignActivity
from rapport.store.known import ContactPrefix, KnownContact
from rapport.store.protocol import Store

MOST_FOUND: Final = 8
"""Of each kind: who doesn't see it among them types on."""


async def find_contacts(store: Store, account_id: str, text: str) -> list[KnownContact]:
    """The contacts whose email address, or whose id, begins with the text."""
    text = text.strip()
    if not text or not text.isprintable():
        return []
    found = await store.contacts_by_prefix(account_id, ContactPrefix(text, of_address=True, limit=MOST_FOUND))
    if "@" not in text and len(found) < MOST_FOUND:
        known = {contact.contact_id for contact in found}
        by_id = await store.contacts_by_prefix(account_id, ContactPrefix(text, of_address=False, limit=MOST_FOUND))
        found += [contact for contact in by_id if contact.contact_id not in known]
    return found[:MOST_FOUND]


async def find_campaign_activities(store: Store, account_id: str, text: str) -> list[CampaignActivity]:
    """The campaign activities whose name holds the text, or whose id begins with it; of no text, the latest."""
    text = text.strip()
    if text and not text.isprintable():
        return []
    return await store.campaign_activities_by_text(account_id, text, MOST_FOUND)
