"""Realistic sample data: a shop that has sent its customers a newsletter for two years, up to a given day.

The same seed, day and number of customers give the same sample, and the customers are the same on any day.

All customers are fictitious; their addresses are under example.com, .net and .org (RFC 2606).
"""

import random
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final, NamedTuple

from rapport.activity import Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link
from rapport.instant import DAY, MINUTE, SECOND, Instant, from_datetime

MAILINGS: Final = 24
LANDING_PAGES: Final = 6

EXAMPLE_DAY: Final = date(2026, 10, 15)
"""The last day of the sample that the docs show."""

_MAX_DAY_OF_MONTH: Final = 28
"""Every month has this day, so that every month has a mailing."""

_SINCE_LAST_MAILING: Final = timedelta(days=4)
"""The time from the last mailing to the end of the sample: enough for its first 72 hours."""

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
    person: ContactProfile
    joined: Instant
    keenness: float
    device: DeviceType
    is_loyal: bool


class _Calendar:
    """The times of the mailings and landing pages of a sample that ends with `day` (in UTC)."""

    def __init__(self, day: date) -> None:
        self.end = from_datetime(datetime.combine(day + timedelta(days=1), time(), UTC))
        last_mailing = day - _SINCE_LAST_MAILING
        self._last_month = last_mailing.year * 12 + last_mailing.month - 1
        self._last_day = min(last_mailing.day, _MAX_DAY_OF_MONTH)
        self.first_mailing = self.mailing(0, 0, 9)

    def mailing(self, number: int, shift: int, hour: int) -> Instant:
        """Return the time of a mailing: one a month, shifted by some days within its month, the last one by none."""
        year, month = divmod(self._last_month - (MAILINGS - 1 - number), 12)
        is_last = number == MAILINGS - 1
        day = self._last_day if is_last else min(max(self._last_day + shift, 1), _MAX_DAY_OF_MONTH)
        return from_datetime(datetime(year, month + 1, day, hour, tzinfo=UTC))

    def page(self, number: int) -> Instant:
        """Return the time of a landing page: one every 120 days, the last one 20 days before the end."""
        return Instant(self.end - (20 + 120 * (LANDING_PAGES - 1 - number)) * DAY)


def first_contact_id(seed: int) -> str:
    """Return the contact id of the sample's first customer, who has the longest history."""
    return _id(random.Random(seed))


def generate_sample(contacts: int, seed: int, day: date = EXAMPLE_DAY) -> Iterator[Activity]:
    """Generate the activities of a number of customers up to the end of the day in UTC, customer by customer."""
    rng = random.Random(seed)
    calendar = _Calendar(day)
    customers = [_customer(rng, number, calendar) for number in range(contacts)]
    mailings = [_mailing(rng, number, calendar) for number in range(MAILINGS)]
    pages = [_page(rng, number, calendar) for number in range(LANDING_PAGES)]
    for customer in customers:
        history = _history(random.Random(f"{seed} {customer.contact_id}"), customer, mailings, pages)
        yield from (activity for activity in history if activity.created_time < calendar.end)


def last_contact_id(contacts: int, seed: int) -> str:
    """Return the contact id of the sample's last customer, who is recorded after all others."""
    rng = random.Random(seed)
    calendar = _Calendar(EXAMPLE_DAY)
    return [_customer(rng, number, calendar) for number in range(contacts)][-1].contact_id


def find_day(history: Iterable[Activity], contacts: int, seed: int) -> date | None:
    """Return the day of the sample that the history of its first customer is from, so far as it was recorded.

    Returns None if it is from a sample of another size, or of an earlier version.
    """
    recorded = {(activity.type, activity.created_time) for activity in history}
    newest = max((sent for activity_type, sent in recorded if activity_type is ActivityType.EM_SENDS), default=None)
    if newest is None:
        return None
    last_mailing = datetime.fromtimestamp(newest / 1_000, UTC).date()
    # In a month with more days than every month has, the last mailing is sent some days earlier.
    for days in range(4):
        day = last_mailing + _SINCE_LAST_MAILING + timedelta(days=days)
        expected = takewhile(
            lambda activity: activity.contact_id == first_contact_id(seed), generate_sample(contacts, seed, day)
        )
        if recorded <= {(activity.type, activity.created_time) for activity in expected}:
            return day
    return None


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _customer(rng: random.Random, number: int, calendar: _Calendar) -> _Customer:
    contact_id = _id(rng)
    first_name, last_name = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    keenness = rng.betavariate(1.2, 2.2)
    joined = calendar.first_mailing + int(rng.random() ** 2 * 600 * DAY) - 30 * DAY
    device = rng.choices(_DEVICES, (55, 35, 8, 2))[0]
    email_address = f"{first_name}.{last_name}.{number}@{rng.choice(_DOMAINS)}".lower()
    person = ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)
    is_first = number == 0
    if is_first:
        keenness, joined = 0.98, calendar.first_mailing - 30 * DAY
    return _Customer(contact_id, person, Instant(joined), keenness, device, is_loyal=is_first)


def _mailing(rng: random.Random, number: int, calendar: _Calendar) -> _Campaign:
    sent = calendar.mailing(number, rng.randrange(-2, 4), rng.randrange(7, 12))
    return _Campaign(
        campaign_id=_id(rng),
        campaign_activity_id=_id(rng),
        name=f"{datetime.fromtimestamp(sent / 1_000, UTC):%B %Y} Newsletter",
        time=sent,
    )


def _page(rng: random.Random, number: int, calendar: _Calendar) -> _Campaign:
    return _Campaign(
        campaign_id=_id(rng),
        campaign_activity_id=_id(rng),
        name=_PAGE_NAMES[number],
        time=calendar.page(number),
    )


def _history(
    rng: random.Random, customer: _Customer, mailings: list[_Campaign], pages: list[_Campaign]
) -> Iterator[Activity]:
    for mailing in mailings:
        if mailing.time < customer.joined:
            continue
        sent = Instant(mailing.time + rng.randrange(20 * MINUTE))
        yield _activity(customer, mailing, ActivityType.EM_SENDS, sent)
        if rng.random() < 0.015 and not customer.is_loyal:
            code = rng.choices(_BOUNCES, (6, 5, 3, 2, 4))[0]
            bounced = Instant(sent + rng.randrange(2, 90) * SECOND)
            yield _activity(customer, mailing, ActivityType.EM_BOUNCES, bounced, bounce_code=code)
            if code is BounceCode.B:
                return
            continue
        opened: Instant | None = None
        for activity in _reading(rng, customer, mailing, sent):
            opened = activity.created_time
            yield activity
        if opened is not None and rng.random() < 0.006 and not customer.is_loyal:
            why = rng.choice(_REASONS)
            left = Instant(opened + rng.randrange(5, 120) * SECOND)
            yield _activity(customer, mailing, ActivityType.EM_OPTOUTS, left, opt_out_reason=why)
            return
    for page in pages:
        if rng.random() < customer.keenness * 0.5:
            yield from _visit(rng, customer, page)


def _reading(rng: random.Random, customer: _Customer, mailing: _Campaign, sent: Instant) -> Iterator[Activity]:
    """Generate the opens of a mailing, most of them within hours, the clicks that follow, and a few forwards."""
    time = sent
    while rng.random() < customer.keenness * (1 if time == sent else 0.62):
        time = Instant(time + int(rng.lognormvariate(9.0, 1.6)) * SECOND + MINUTE)
        yield _activity(customer, mailing, ActivityType.EM_OPENS, time, device_type=customer.device)
        while rng.random() < customer.keenness * 0.4:
            time = Instant(time + rng.randrange(3_000, 90_000))
            link = rng.choice(_LINKS)
            clicked = Link(link_url=f"https://shop.example.com/{link}", url_id=str(1000 + _LINKS.index(link)))
            yield _activity(customer, mailing, ActivityType.EM_CLICKS, time, device_type=customer.device, link=clicked)
        if rng.random() < 0.01:
            time = Instant(time + rng.randrange(10_000, 60_000))
            yield _activity(customer, mailing, ActivityType.EM_FORWARDS, time)


def _visit(rng: random.Random, customer: _Customer, page: _Campaign) -> Iterator[Activity]:
    """Generate a visit to a landing page: a view, sometimes a click, sometimes a sign-up or a profile update."""
    time = Instant(page.time + int(rng.random() ** 2 * 25 * DAY))
    yield _activity(customer, page, ActivityType.P_CONTACT_OPEN, time, device_type=customer.device)
    if rng.random() < 0.4:
        time = Instant(time + rng.randrange(4_000, 60_000))
        clicked = Link(link_url="https://shop.example.com/register")
        yield _activity(customer, page, ActivityType.P_CONTACT_CLICK, time, device_type=customer.device, link=clicked)
    if rng.random() < 0.3:
        time = Instant(time + rng.randrange(15_000, 180_000))
        activity_type = (
            ActivityType.P_CONTACT_ADD if time < customer.joined + 60 * DAY else ActivityType.P_CONTACT_UPDATE
        )
        yield _activity(customer, page, activity_type, time, device_type=customer.device)


def _activity(
    customer: _Customer,
    campaign: _Campaign,
    activity_type: ActivityType,
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
        type=activity_type,
        created_time=time,
        person=customer.person,
        campaign_activity_name=campaign.name,
        campaign_id=campaign.campaign_id,
        link=link,
        device_type=device_type,
        bounce_code=bounce_code,
        opt_out_reason=opt_out_reason,
    )
