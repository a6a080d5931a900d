"""What an erasure must not leave: addresses in links, ids that can be guessed, contacts in copies."""

import asyncio
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
from tests.store.by_hand import params
from tests.store.test_erasure import is_right, numbers, of_ada, of_many, tables
from tests.store.test_promises import NOON, did, on, record, whole

CONTACTS = [f"zz{number}zz" for number in range(8)]


def click(
    contact_id: str, url: str | None, url_id: str | None, after: int, campaign_activity_id: str = "m1"
) -> Activity:
    return replace(
        did(contact_id, ActivityType.EM_CLICKS, after, campaign_activity_id=campaign_activity_id),
        link=Link(link_url=url, url_id=url_id),
    )


def random_clicks(rng: random.Random, count: int, first: int = 0) -> list[Activity]:
    """Clicks on links of everybody and of one contact alone, with ids of either kind."""
    clicks = []
    for number in range(first, first + count):
        contact_id = rng.choice(CONTACTS)
        url = rng.choice(["https://s.example/1", "https://s.example/2", f"https://s.example/?u={contact_id}", None])
        ids = ["7", f"u-{contact_id}"] if url is None else [None, "7", f"u-{contact_id}"]
        clicks.append(click(contact_id, url, rng.choice(ids), number, rng.choice(["m1", "m2"])))
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
        """The address and the count of each link; the links without an address differ by their counts only."""
        links = {*self._clickers, *self._erased}
        return sorted(
            (
                (link[1], len(self._clickers.get(link, ())) + self._erased.get(link, 0))
                for link in links
                if link[0] == campaign_activity_id
            ),
            key=repr,
        )


async def links_of(store: Store, campaign_activity_id: str) -> list[tuple[str | None, int]]:
    links = (
        await store.reports.list_links("a", campaign_activity_id, LinksQuery(limit=1_000, with_unclicked=True)) or []
    )
    return sorted(((link.link_url, link.unique_clicks) for link in links), key=repr)


@pytest.mark.parametrize("seed", range(6))
def test_links_clicked_only_by_erased_contacts_keep_counts(data: str, seed: int) -> None:
    rng = random.Random(seed)
    expected = Expected()

    async def work() -> None:
        # Two processes at one store: one may remember links that the other has removed.
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            number = 0
            for contact_id in rng.sample(CONTACTS, 5):
                for store in (one, other):
                    clicks = [each for each in random_clicks(rng, 40, number) if each.contact_id not in gone]
                    number += 40
                    await record(store, *clicks)
                    for each in clicks:
                        expected.click(each)
                assert await rng.choice([one, other]).erasure.erase("a", contact_id)
                gone.add(contact_id)
                expected.erase(contact_id)
                for campaign_activity_id in ("m1", "m2"):
                    assert await links_of(one, campaign_activity_id) == expected.links(campaign_activity_id)
                assert await is_right(other)
                for store in (one, other):
                    # A late delivery doesn't bring the addresses back.
                    await record(store, click(contact_id, f"https://s.example/?late={contact_id}", None, number))
            assert await links_of(other, "m1") == expected.links("m1")

    gone: set[str] = set()
    asyncio.run(work())
    for table in tables(data):
        rows = repr(params(data, f'SELECT * FROM "{table}"'))  # noqa: S608
        for contact_id in gone:
            assert contact_id not in rows, (table, contact_id)
    lost = "SELECT count(*) FROM tracking_activity WHERE link IS NOT NULL AND link NOT IN (SELECT key FROM link)"
    assert params(data, lost) == [(0,)]


def test_copy_keeps_counts_of_erased_links(data: str, tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, *random_clicks(random.Random(3), 300))
            await copy(source, store, lambda _: None)
            for contact_id in CONTACTS[:5]:
                assert await source.erasure.erase("a", contact_id)
                await copy(source, store, lambda _: None)
                for campaign_activity_id in ("m1", "m2"):
                    assert await links_of(store, campaign_activity_id) == await links_of(source, campaign_activity_id)
        async with open_store(Settings(data=str(tmp_path / "back"))) as back:
            await copy(store, back, lambda _: None)
            assert await links_of(back, "m1") == await links_of(store, "m1")
            assert await back.erasure.export_tombstones("a") == await store.erasure.export_tombstones("a")

    on(data, work)
    for table in tables(data):
        rows = repr(params(data, f'SELECT * FROM "{table}"'))  # noqa: S608
        assert not [contact_id for contact_id in CONTACTS[:5] if contact_id in rows], table


def test_copy_erases_contacts_erased_in_source(data: str, tmp_path: Path) -> None:
    later = [replace(each, created_time=Instant(each.created_time + 1_000 * DAY)) for each in of_ada(3)]

    async def work(store: Store) -> None:
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, *of_many(), *of_ada(), *of_ada(1))
            await copy(source, store, lambda _: None)
            for contact_id in ("c1", "c2", "c-augusta-king"):
                assert await source.erasure.erase("a", contact_id)
            # One of them comes back, with new activities.
            await record(source, *later)
            for _ in range(2):
                await copy(source, store, lambda _: None)
                assert await numbers(store) == await numbers(source)
                assert await is_right(store)
                assert await store.contacts.get("a", "c1") is None
                assert await whole(store, "c-augusta-king") == await whole(source, "c-augusta-king")
                assert len(await whole(store, "c-augusta-king")) == len(later)
            recorded = await record(store, *of_many(), *of_ada())
            assert recorded.duplicate == len(of_many()) + len(of_ada())
            # And again.
            assert await source.erasure.erase("a", "c-augusta-king")
            await copy(source, store, lambda _: None)
            assert await store.contacts.get("a", "c-augusta-king") is None
            assert await numbers(store) == await numbers(source)
            assert await is_right(store)

    on(data, work)


def test_copy_merges_erasures_of_both_stores(data: str, tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        await record(store, did("own"))
        assert await store.erasure.erase("a", "own")
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, did("ada"), did("bob"), did("cyd"))
            assert await source.erasure.erase("a", "ada")
            await copy(source, store, lambda _: None)
            assert await source.erasure.erase("a", "bob")
            await copy(source, store, lambda _: None)
            assert await store.contacts.get("a", "bob") is None
            assert await store.contacts.get("a", "cyd") is not None
        recorded = await record(store, did("own"), did("ada"), did("bob"))
        assert recorded.duplicate == 3
        assert len(read_keys(await store.secrets.read(ERASURE_KEYS))) == 2
        await record(store, did("dan"))
        assert await store.erasure.erase("a", "dan")
        assert (await record(store, did("dan"))).duplicate == 1

    on(data, work)


def test_interrupted_copy_of_erasures_is_completed(data: str, tmp_path: Path) -> None:
    async def work(store: Store) -> None:
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, *of_many(), *of_ada())
            assert await source.erasure.erase("a", "c-augusta-king")
            assert await source.erasure.erase("a", "c1")
            # What a copy to an empty store does with them before its recount.
            assert await store.secrets.replace(ERASURE_KEYS, None, await source.secrets.read(ERASURE_KEYS) or b"")
            await store.erasure.import_tombstones("a", await source.erasure.export_tombstones("a"))
            assert not await is_right(store)
            await copy(source, store, lambda _: None)
            assert await numbers(store) == await numbers(source)
            assert await is_right(store)

    on(data, work)


def test_erased_contact_id_cannot_be_guessed_without_key(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did("ada"))
        assert await store.erasure.erase("a", "ada")

    on(data, work)
    guesses = {contact_key("a", "ada"), blake2b(contact_key("a", "ada"), digest_size=16).digest()}
    hidden = {"secret"}
    for table in set(tables(data)) - hidden:
        rows = params(data, f'SELECT * FROM "{table}"')  # noqa: S608
        values = {value for row in rows for value in row if isinstance(value, bytes)}
        assert not guesses & values, table


def test_store_without_erasure_keys_is_refused(data: str) -> None:
    async def fill(store: Store) -> None:
        await record(store, did("ada"))
        assert await store.erasure.erase("a", "ada")
        keys.append(await store.secrets.read(ERASURE_KEYS) or b"")

    async def replay(store: Store) -> None:
        await record(store, did("ada"))

    keys: list[bytes] = []
    on(data, fill)
    lose_keys(data)
    with pytest.raises(StoreUnavailable, match=r"erasure-keys is missing.*restore it from a backup"):
        on(data, replay)

    async def restore() -> None:
        if not data.startswith("postgresql:"):
            (Path(data) / f"{ERASURE_KEYS}.secret.json").write_bytes(keys[0])
        async with open_store(Settings(data=data)) as store:
            if data.startswith("postgresql:"):
                assert await store.secrets.replace(ERASURE_KEYS, None, keys[0])
            assert (await record(store, did("ada"))).duplicate == 1

    asyncio.run(restore())


def lose_keys(data: str) -> None:
    if not data.startswith("postgresql:"):
        (Path(data) / f"{ERASURE_KEYS}.secret.json").unlink()
        return
    params(data, f"DELETE FROM secret WHERE name = '{ERASURE_KEYS}' RETURNING name")  # noqa: S608


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'["00"]', b'["no hex"]', b"[1]"])
def test_damaged_erasure_keys_are_refused(damaged: bytes) -> None:
    assert len(json.loads(make_keys())) == 1
    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        read_keys(damaged)


def test_erasure_with_fast_clock_does_not_reject_later_activities(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    ahead = 0

    def time_ns() -> int:
        return int(real()) + ahead * 1_000_000

    async def work(store: Store) -> None:
        nonlocal ahead
        now = Instant(real() // 1_000_000)
        before = did("ada", after=now - 2 * HOUR - NOON)
        after = did("ada", after=now - HOUR - NOON)
        await record(store, before)
        ahead = 365 * DAY
        assert await store.erasure.erase("a", "ada")
        assert (await record(store, before, after)).duplicate == 2
        ahead = 0
        recorded = await record(store, before, after)
        assert (sum(recorded.accepted.values()), recorded.duplicate) == (1, 1)
        assert await whole(store) == [after]
        assert await is_right(store)

    monkeypatch.setattr("time.time_ns", time_ns)
    on(data, work)


def test_erased_personal_data_is_in_no_file(tmp_path: Path) -> None:
    data = tmp_path / "data"

    async def work(store: Store) -> None:
        person = ContactProfile(email_address="zzaddress@example.com", first_name="Zzname")
        await record(store, *of_many())
        await record(store, replace(click("zzada", "https://s.example/?u=zzada", "zzid", 5), person=person))
        assert any(b"zz" in file.read_bytes() for file in data.iterdir())
        assert await store.erasure.erase("a", "zzada")
        for file in data.iterdir():
            assert b"zz" not in file.read_bytes().lower(), file

    on(str(data), work)
