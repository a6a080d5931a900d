"""Contacts are found by any part of their addresses, as a scan of all contacts finds them."""

from collections.abc import Sequence
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import ContactProfile
from rapport.catalog import ContactUpdate
from rapport.instant import HOUR, Instant
from rapport.reporting.search import find_contacts
from rapport.store.store import Store
from tests.helpers.activities import NOON, make_activity, record

PROFILES = st.builds(
    ContactProfile,
    email_address=st.one_of(
        st.none(),
        st.sampled_from(
            [
                *("News@Example.com", "ada@news.example.org", "MÜLLER@example.com", "a%b_c@x.example"),
                *("o'n\"hi@example.com", "Ψυχή@example.com", "a\\b@example.com"),
            ]
        ),
    ),
    first_name=st.one_of(st.none(), st.sampled_from(["Ada", "MÜLLER", "Ψυχή", 'say "hi"', "O'Neill", "_%_"])),
    last_name=st.one_of(st.none(), st.sampled_from(["King-Noel", "müller", "ΨΥΧΉ", "a\\b", "Ada Bob"])),
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "@example.com",
            "news",
            "NEWS",
            "müller",
            "MÜLL",
            "ψυχ",
            "ing-n",
            "%b_",
            "_%_",
            '"hi',
            "o'n",
            "\\b",
            "xyz",
            "ab",
        ]
    ),
    st.text("aeimnlpxo@.MÜ", min_size=1, max_size=5),
)


async def search(store: Store, account: str, text: str) -> list[str]:
    return [contact.contact_id for contact in await store.contacts.find_containing(account, text, 100)]


def expect(profiles: dict[str, ContactProfile], text: str) -> list[str]:
    def contains(profile: ContactProfile) -> bool:
        return profile.email_address is not None and text.lower() in profile.email_address.lower()

    return sorted(key for key, profile in profiles.items() if len(text) >= 3 and contains(profile))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.sampled_from("abcd"), PROFILES), max_size=12),
    erased=st.sets(st.sampled_from("abcd"), max_size=1),
    merges=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=2),
    texts=st.lists(TEXTS, min_size=3, max_size=8),
)
async def test_search_equals_scan(
    store: Store,
    changes: Sequence[tuple[str, ContactProfile]],
    erased: set[str],
    merges: Sequence[tuple[str, str]],
    texts: Sequence[str],
) -> None:
    account, other = f"a-{uuid4().hex}", f"b-{uuid4().hex}"
    for number, (contact_id, profile) in enumerate(changes):
        if number % 2:
            time = Instant(NOON + number * 2 * HOUR)
            await store.contacts.upsert(
                account, [ContactUpdate(contact_id=contact_id, updated_at=time, is_dated=True, person=profile)]
            )
        else:
            await record(store, make_activity(contact_id, after=number * 2 * HOUR, person=profile), account=account)
        await record(store, make_activity(contact_id, person=profile), account=other)
    for old_id, new_id in merges:
        await store.merges.merge(account, old_id, new_id)
    for contact_id in erased:
        await store.erasure.erase(account, contact_id)
    profiles = {}
    for contact_id in await store.contacts.list_ids(account, "", 100):
        contact = await store.contacts.get(account, contact_id)
        assert contact is not None
        profiles[contact_id] = ContactProfile(
            email_address=contact.email_address, first_name=contact.first_name, last_name=contact.last_name
        )
    for text in texts:
        assert await search(store, account, text) == expect(profiles, text), text


async def test_first_contact_gets_its_address_later(store: Store) -> None:
    await record(store, make_activity())
    await record(store, make_activity(after=1, person=ContactProfile(email_address="ada@example.com")))
    assert await search(store, "a", "@example") == ["ada"]
    assert await store.erasure.erase("a", "ada")
    assert await search(store, "a", "@example") == []


async def test_contacts_that_begin_with_the_text_are_listed_first(store: Store) -> None:
    for contact_id, address in {"1": "not-ada@example.com", "2": "ada@example.com", "ada": "x@example.com"}.items():
        await record(store, make_activity(contact_id, person=ContactProfile(email_address=address)))
    found = [contact.contact_id for contact in await find_contacts(store.contacts, "a", "ada")]
    assert found == ["2", "ada", "1"]
    everybody = [contact.contact_id for contact in await find_contacts(store.contacts, "a", "@EXAMPLE.com")]
    assert everybody == ["1", "2", "ada"]
