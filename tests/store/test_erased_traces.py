"""Traces that an erasure must not leave: URLs of links, guessable ids, contacts in copies."""

import json
import random
import time
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path

import pytest
from msgspec.structs import replace

from rapport.activity import Activity, ActivityType, ContactProfile, Link
from rapport.errors import StoreUnavailable
from rapport.instant import DAY, HOUR, Instant
from rapport.settings import Settings
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.erasure_keys import ERASURE_KEYS, make_keys, read_keys
from rapport.store.hashing import contact_key
from rapport.store.links import LinksQuery
from rapport.store.store import Store
from tests.helpers.activities import NOON, list_activities, make_activity, record
from tests.helpers.erasure import ada_activities, counters_match, list_tables, random_activities, read_counters
from tests.helpers.sql import fetch_all

CONTACTS = [f"zz{number}zz" for number in range(8)]


def make_click(
    contact_id: str, url: str | None, url_id: str | None, after: int, campaign_activity_id: str = "m1"
) -> Activity:
    return replace(
        make_activity(contact_id, ActivityType.EM_CLICKS, after, campaign_activity_id=campaign_activity_id),
        link=Link(link_url=url, url_id=url_id),
    )


def random_clicks(rng: random.Random, count: int, first: int = 0) -> list[Activity]:
    """Return random clicks on shared and on personal links, with and without ids."""
    clicks = []
    for number in range(first, first + count):
        contact_id = rng.choice(CONTACTS)
        url = rng.choice(["https://s.example/1", "https://s.example/2", f"https://s.example/?u={contact_id}", None])
        ids = ["7", f"u-{contact_id}"] if url is None else [None, "7", f"u-{contact_id}"]
        clicks.append(make_click(contact_id, url, rng.choice(ids), number, rng.choice(["m1", "m2"])))
    return clicks


class Expected:
    """The links of campaign activities, counted by brute force."""

    def __init__(self) -> None:
        self._clickers: defaultdict[tuple[str, str | None, str | None], set[str]] = defaultdict(set)
        self._erased: defaultdict[tuple[str, str | None, str | None], int] = defaultdict(int)

    def click(self, activity: Activity) -> None:
        assert activity.link is not None
        url, url_id = activity.link.link_url, activity.link.url_id
        link = (activity.campaign_activity_id, url, None if url is not None else url_id)
        self._clickers[link].add(activity.contact_id)

    def erase(self, contact_id: str) -> None:
        for link, clickers in list(self._clickers.items()):
            if contact_id in clickers:
                clickers.remove(contact_id)
                self._erased[link] += 1
                if not clickers:
                    del self._clickers[link]
                    self._erased[link[0], None, None] += self._erased.pop(link)

    def links(self, campaign_activity_id: str) -> list[tuple[str | None, int]]:
        """Return the URL and the count of each link."""
        links = {*self._clickers, *self._erased}
        return sorted(
            (
                (link[1], len(self._clickers.get(link, ())) + self._erased.get(link, 0))
                for link in links
                if link[0] == campaign_activity_id
            ),
            key=repr,
        )


async def count_links(store: Store, campaign_activity_id: str) -> list[tuple[str | None, int]]:
    links = (
        await store.reports.list_links("a", campaign_activity_id, LinksQuery(limit=1_000, with_unclicked=True)) or []
    )
    return sorted(((link.link_url, link.unique_clicks) for link in links), key=repr)


@pytest.mark.parametrize("seed", range(6))
async def test_links_clicked_only_by_erased_contacts_keep_counts(location: str, seed: int) -> None:
    rng = random.Random(seed)
    expected = Expected()

    gone: set[str] = set()
    # Two processes with one store: one may have cached links that the other removed.
    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        number = 0
        for contact_id in rng.sample(CONTACTS, 5):
            for store in (one, other):
                clicks = [click for click in random_clicks(rng, 40, number) if click.contact_id not in gone]
                number += 40
                await record(store, *clicks)
                for activity in clicks:
                    expected.click(activity)
            assert await rng.choice([one, other]).erasure.erase("a", contact_id)
            gone.add(contact_id)
            expected.erase(contact_id)
            for campaign_activity_id in ("m1", "m2"):
                assert await count_links(one, campaign_activity_id) == expected.links(campaign_activity_id)
            assert await counters_match(other)
            for store in (one, other):
                # A late delivery doesn't restore the URLs.
                await record(store, make_click(contact_id, f"https://s.example/?late={contact_id}", None, number))
        assert await count_links(other, "m1") == expected.links("m1")
    for table in list_tables(location):
        rows = repr(fetch_all(location, f'SELECT * FROM "{table}"'))  # noqa: S608
        for contact_id in gone:
            assert contact_id not in rows, (table, contact_id)
    lost = "SELECT count(*) FROM tracking_activity WHERE link IS NOT NULL AND link NOT IN (SELECT key FROM link)"
    assert fetch_all(location, lost) == [(0,)]


async def test_copy_keeps_counts_of_erased_links(location: str, tmp_path: Path) -> None:
    async with open_store(Settings(data=location)) as store:
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, *random_clicks(random.Random(3), 300))
            await copy(source, store, lambda _: None)
            for contact_id in CONTACTS[:5]:
                assert await source.erasure.erase("a", contact_id)
                await copy(source, store, lambda _: None)
                for campaign_activity_id in ("m1", "m2"):
                    assert await count_links(store, campaign_activity_id) == await count_links(
                        source, campaign_activity_id
                    )
        async with open_store(Settings(data=str(tmp_path / "back"))) as back:
            await copy(store, back, lambda _: None)
            assert await count_links(back, "m1") == await count_links(store, "m1")
            assert await back.erasure.export_tombstones("a") == await store.erasure.export_tombstones("a")
    for table in list_tables(location):
        rows = repr(fetch_all(location, f'SELECT * FROM "{table}"'))  # noqa: S608
        assert not [contact_id for contact_id in CONTACTS[:5] if contact_id in rows], table


async def test_copy_erases_contacts_erased_in_source(store: Store, tmp_path: Path) -> None:
    later = [
        replace(ada_activity, created_time=Instant(ada_activity.created_time + 1_000 * DAY))
        for ada_activity in ada_activities(3)
    ]

    async with open_store(Settings(data=str(tmp_path / "source"))) as source:
        await record(source, *random_activities(), *ada_activities(), *ada_activities(1))
        await copy(source, store, lambda _: None)
        for contact_id in ("c1", "c2", "c-augusta-king"):
            assert await source.erasure.erase("a", contact_id)
        # One of them returns with new activities.
        await record(source, *later)
        for _ in range(2):
            await copy(source, store, lambda _: None)
            assert await read_counters(store) == await read_counters(source)
            assert await counters_match(store)
            assert await store.contacts.get("a", "c1") is None
            assert await list_activities(store, "c-augusta-king") == await list_activities(source, "c-augusta-king")
            assert len(await list_activities(store, "c-augusta-king")) == len(later)
        recorded = await record(store, *random_activities(), *ada_activities())
        assert recorded.duplicate == len(random_activities()) + len(ada_activities())
        # Once more.
        assert await source.erasure.erase("a", "c-augusta-king")
        await copy(source, store, lambda _: None)
        assert await store.contacts.get("a", "c-augusta-king") is None
        assert await read_counters(store) == await read_counters(source)
        assert await counters_match(store)


async def test_copy_merges_erasures_of_both_stores(store: Store, tmp_path: Path) -> None:
    await record(store, make_activity("own"))
    assert await store.erasure.erase("a", "own")
    async with open_store(Settings(data=str(tmp_path / "source"))) as source:
        await record(source, make_activity("ada"), make_activity("bob"), make_activity("cyd"))
        assert await source.erasure.erase("a", "ada")
        await copy(source, store, lambda _: None)
        assert await source.erasure.erase("a", "bob")
        await copy(source, store, lambda _: None)
        assert await store.contacts.get("a", "bob") is None
        assert await store.contacts.get("a", "cyd") is not None
    recorded = await record(store, make_activity("own"), make_activity("ada"), make_activity("bob"))
    assert recorded.duplicate == 3
    assert len(read_keys(await store.secrets.read(ERASURE_KEYS))) == 2
    await record(store, make_activity("dan"))
    assert await store.erasure.erase("a", "dan")
    assert (await record(store, make_activity("dan"))).duplicate == 1


async def test_interrupted_copy_of_erasures_is_completed(store: Store, tmp_path: Path) -> None:
    async with open_store(Settings(data=str(tmp_path / "source"))) as source:
        await record(source, *random_activities(), *ada_activities())
        assert await source.erasure.erase("a", "c-augusta-king")
        assert await source.erasure.erase("a", "c1")
        # As a copy to an empty store does before its recount.
        assert await store.secrets.replace(ERASURE_KEYS, None, await source.secrets.read(ERASURE_KEYS) or b"")
        await store.erasure.import_tombstones("a", await source.erasure.export_tombstones("a"))
        assert not await counters_match(store)
        await copy(source, store, lambda _: None)
        assert await read_counters(store) == await read_counters(source)
        assert await counters_match(store)


async def test_erased_contact_id_cannot_be_guessed_without_key(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        await record(store, make_activity("ada"))
        assert await store.erasure.erase("a", "ada")
    guesses = {contact_key("a", "ada"), blake2b(contact_key("a", "ada"), digest_size=16).digest()}
    hidden = {"secret"}
    for table in set(list_tables(location)) - hidden:
        rows = fetch_all(location, f'SELECT * FROM "{table}"')  # noqa: S608
        values = {value for row in rows for value in row if isinstance(value, bytes)}
        assert not guesses & values, table


async def test_store_without_erasure_keys_is_refused(location: str) -> None:
    keys: list[bytes] = []
    async with open_store(Settings(data=location)) as store:
        await record(store, make_activity("ada"))
        assert await store.erasure.erase("a", "ada")
        keys.append(await store.secrets.read(ERASURE_KEYS) or b"")
    remove_keys(location)
    with pytest.raises(StoreUnavailable, match=r"erasure-keys is missing.*restore it from a backup"):
        async with open_store(Settings(data=location)) as store:
            await record(store, make_activity("ada"))

    if not location.startswith("postgresql:"):
        (Path(location) / f"{ERASURE_KEYS}.secret.json").write_bytes(keys[0])
    async with open_store(Settings(data=location)) as store:
        if location.startswith("postgresql:"):
            assert await store.secrets.replace(ERASURE_KEYS, None, keys[0])
        assert (await record(store, make_activity("ada"))).duplicate == 1


def remove_keys(location: str) -> None:
    if not location.startswith("postgresql:"):
        (Path(location) / f"{ERASURE_KEYS}.secret.json").unlink()
        return
    fetch_all(location, f"DELETE FROM secret WHERE name = '{ERASURE_KEYS}' RETURNING name")  # noqa: S608


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'["00"]', b'["no hex"]', b"[1]"])
def test_damaged_erasure_keys_are_refused(damaged: bytes) -> None:
    assert len(json.loads(make_keys())) == 1
    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        read_keys(damaged)


async def test_erasure_with_fast_clock_does_not_reject_later_activities(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    ahead = 0

    def time_ns() -> int:
        return int(real()) + ahead * 1_000_000

    monkeypatch.setattr("time.time_ns", time_ns)
    async with open_store(Settings(data=location)) as store:
        now = Instant(real() // 1_000_000)
        before = make_activity("ada", after=now - 2 * HOUR - NOON)
        after = make_activity("ada", after=now - HOUR - NOON)
        await record(store, before)
        ahead = 365 * DAY
        assert await store.erasure.erase("a", "ada")
        assert (await record(store, before, after)).duplicate == 2
        ahead = 0
        recorded = await record(store, before, after)
        assert (sum(recorded.accepted.values()), recorded.duplicate) == (1, 1)
        assert await list_activities(store) == [after]
        assert await counters_match(store)


async def test_erased_personal_data_is_in_no_file(tmp_path: Path) -> None:
    data = tmp_path / "data"

    async with open_store(Settings(data=str(data))) as store:
        person = ContactProfile(email_address="zzaddress@example.com", first_name="Zzname")
        await record(store, *random_activities())
        await record(store, replace(make_click("zzada", "https://s.example/?u=zzada", "zzid", 5), person=person))
        assert any(b"zz" in file.read_bytes() for file in data.iterdir())
        assert await store.erasure.erase("a", "zzada")
        for file in data.iterdir():
            assert b"zz" not in file.read_bytes().lower(), file
