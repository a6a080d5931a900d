"""Realistic sample data: a shop that has mailed its customers for two years. The same for the same seed.

Everybody is invented; addresses are under example.com, .net and .org (RFC 2606).
"""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from rapport.activity import Activity, ActivityType, BounceCode, DeviceType, Link, Person
from rapport.instant import DAY, MINUTE, SECOND, Instant, instant_of

MAILINGS: Final = 24
LANDING_PAGES: Final = 6

_FIRST_YEAR: Final = 2024
_FIRST_MONTH: Final = 11
_FIRST_SEND: Final = instant_of(datetime(_FIRST_YEAR, _FIRST_MONTH, 5, 9, tzinfo=UTC))
_PAGE_NAMES: Final = (
    "Gift Finder",
    "Spring Catalogue",
    "Summer Raffle",
    "Workshop Registration",
    "Autumn Preview",
    "Loyalty Card",
)
_FIRST_NAMES: Final = (
    *("Ada", "Adele", "Alan", "Alonzo", "Annie", "Barbara", "Butler", "Claude", "Dennis", "Donald", "Edsger"),
    *("Emmy", "Frances", "Grace", "Hedy", "Joan", "John", "Katherine", "Ken", "Kurt", "Leslie", "Linus"),
    *("Margaret", "Mary", "Niklaus", "Radia", "Shafi", "Sophie", "Tony", "Vint"),
)
_LAST_NAMES: Final = (
    *("Abbott", "Baker", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jensen"),
    *("Kimura", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quinn", "Rossi", "Schmidt", "Tanaka"),
    *("Ueda", "Vogel", "Weber", "Xu", "Yilmaz", "Zhang"),
)
_DOMAINS: Final = ("example.com", "example.net", "example.org")
_LINKS: Final = ("new", "sale", "journal", "stores", "events")
_REASONS: Final = ("No longer interested", "Too many emails", "I never signed up", "Other")
_DEVICES: Final = (DeviceType.MOBILE, DeviceType.COMPUTER, DeviceType.TABLET, DeviceType.OTHER)
_BOUNCES: Final = (BounceCode.F, BounceCode.V, BounceCode.Z, BounceCode.D, BounceCode.B)


class _Campaign(NamedTuple):
    campaign_id: str
    campaign_activity_id: str
    name: str
    time: Instant


class _Customer(NamedTuple):
    contact_id: str
    person: Person
    joined: Instant
    keenness: float
    device: DeviceType


def star(seed: int) -> str:
    """The contact id of the customer with the longest history: the first of the sample."""
    return _id(random.Random(seed))


def sample(contacts: int, seed: int) -> Iterator[Activity]:
    """The activities of so many customers, customer by customer."""
    chance = random.Random(seed)
    customers = [_customer(chance, number) for number in range(contacts)]
    mailings = [_mailing(chance, number) for number in range(MAILINGS)]
    pages = [_page(chance, number) for number in range(LANDING_PAGES)]
    for customer in customers:
        yield from _history(random.Random(f"{seed} {customer.contact_id}"), customer, mailings, pages)


def last(contacts: int, seed: int) -> str:
    """The contact id of the last customer of the sample: whoever knows it has recorded all others."""
    chance = random.Random(seed)
    return [_customer(chance, number) for number in range(contacts)][-1].contact_id


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _customer(chance: random.Random, number: int) -> _Customer:
    contact_id = _id(chance)
    first_name, last_name = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    keenness = chance.betavariate(1.2, 2.2)
    joined = _FIRST_SEND + int(chance.random() ** 2 * 600 * DAY) - 30 * DAY
    device = chance.choices(_DEVICES, (55, 35, 8, 2))[0]
    email_address = f"{first_name}.{last_name}.{number}@{chance.choice(_DOMAINS)}".lower()
    person = Person(email_address=email_address, first_name=first_name, last_name=last_name)
    if number == 0:
        keenness, joined = 0.98, _FIRST_SEND - 30 * DAY
    return _Customer(contact_id, person, Instant(joined), keenness, device)


def _mailing(chance: random.Random, number: int) -> _Campaign:
    years, month = divmod(_FIRST_MONTH - 1 + number, 12)
    sent = datetime(_FIRST_YEAR + years, month + 1, chance.randrange(3, 9), chance.randrange(7, 12), tzinfo=UTC)
    return _Campaign(
        campaign_id=_id(chance),
        campaign_activity_id=_id(chance),
        name=f"{sent:%B %Y} Newsletter",
        time=instant_of(sent),
    )


def _page(chance: random.Random, number: int) -> _Campaign:
    return _Campaign(
        campaign_id=_id(chance),
        campaign_activity_id=_id(chance),
        name=_PAGE_NAMES[number],
        time=Instant(_FIRST_SEND + (number * 4 + 1) * 30 * DAY),
    )


def _history(
    chance: random.Random, customer: _Customer, mailings: list[_Campaign], pages: list[_Campaign]
) -> Iterator[Activity]:
    for mailing in mailings:
        if mailing.time < customer.joined:
            continue
        sent = Instant(mailing.time + chance.randrange(20 * MINUTE))
        yield _did(customer, mailing, ActivityType.EM_SENDS, sent)
        if chance.random() < 0.015:
            code = chance.choices(_BOUNCES, (6, 5, 3, 2, 4))[0]
            bounced = Instant(sent + chance.randrange(2, 90) * SECOND)
            yield _did(customer, mailing, ActivityType.EM_BOUNCES, bounced, bounce_code=code)
            if code is BounceCode.B:
                return
            continue
        opened: Instant | None = None
        for activity in _reading(chance, customer, mailing, sent):
            opened = activity.created_time
            yield activity
        if opened is not None and chance.random() < 0.006:
            why = chance.choice(_REASONS)
            left = Instant(opened + chance.randrange(5, 120) * SECOND)
            yield _did(customer, mailing, ActivityType.EM_OPTOUTS, left, opt_out_reason=why)
            return
    for page in pages:
        if chance.random() < customer.keenness * 0.5:
            yield from _visit(chance, customer, page)


def _reading(chance: random.Random, customer: _Customer, mailing: _Campaign, sent: Instant) -> Iterator[Activity]:
    """The opens of a mailing, most of them within hours, the clicks that follow, now and then a forward."""
    time = sent
    while chance.random() < customer.keenness * (1 if time == sent else 0.62):
        time = Instant(time + int(chance.lognormvariate(9.0, 1.6)) * SECOND + MINUTE)
        yield _did(customer, mailing, ActivityType.EM_OPENS, time, device_type=customer.device)
        while chance.random() < customer.keenness * 0.4:
            time = Instant(time + chance.randrange(3_000, 90_000))
            link = chance.choice(_LINKS)
            clicked = Link(link_url=f"https://shop.example.com/{link}", url_id=str(1000 + _LINKS.index(link)))
            yield _did(customer, mailing, ActivityType.EM_CLICKS, time, device_type=customer.device, link=clicked)
        if chance.random() < 0.01:
            time = Instant(time + chance.randrange(10_000, 60_000))
            yield _did(customer, mailing, ActivityType.EM_FORWARDS, time)


def _visit(chance: random.Random, customer: _Customer, page: _Campaign) -> Iterator[Activity]:
    """A visit to a landing page: some look, some go on from there, some leave their details."""
    time = Instant(page.time + int(chance.random() ** 2 * 25 * DAY))
    yield _did(customer, page, ActivityType.P_CONTACT_OPEN, time, device_type=customer.device)
    if chance.random() < 0.4:
        time = Instant(time + chance.randrange(4_000, 60_000))
        clicked = Link(link_url="https://shop.example.com/register")
        yield _did(customer, page, ActivityType.P_CONTACT_CLICK, time, device_type=customer.device, link=clicked)
    if chance.random() < 0.3:
        time = Instant(time + chance.randrange(15_000, 180_000))
        kind = ActivityType.P_CONTACT_ADD if time < customer.joined + 60 * DAY else ActivityType.P_CONTACT_UPDATE
        yield _did(customer, page, kind, time, device_type=customer.device)


def _did(
    customer: _Customer,
    campaign: _Campaign,
    kind: ActivityType,
    time: Instant,
    *,
    link: Link | None = None,
    device_type: DeviceType | None = None,
    bounce_code: BounceCode | None = None,
    opt_out_reason: str | None = None,
) -> Activity:
    return Activity(
        contact_id=customer.contact_id,
        campaign_activity_id=campaign.campaign_activity_id,
        type=kind,
        created_time=time,
        person=customer.person,
        campaign_activity_name=campaign.name,
        campaign_id=campaign.campaign_id,
        link=link,
        device_type=device_type,
        bounce_code=bounce_code,
        opt_out_reason=opt_out_reason,
    )
