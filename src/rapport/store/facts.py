"""What activities state about their contacts and campaign activities beside what happened. Pure; both engines apply it.

The rule: of two statements the one of the later activity holds, and at the same time the one that came last.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from rapport.activity import Activity
from rapport.instant import HOUR


class Stated(NamedTuple):
    """A value, and the time of the activity that states it."""

    value: str
    created_time: int


Facts: TypeAlias = dict[str, Stated]
"""The latest statement for each field."""


def _state(facts: Facts, field: str, value: str, created_time: int) -> None:
    known = facts.get(field)
    if known is None or created_time >= known.created_time:
        facts[field] = Stated(value, created_time)


def facts_of_contacts(activities: Iterable[Activity]) -> dict[str, Facts]:
    """By contact id: what the activities state of email_address, first_name and last_name."""
    contacts: dict[str, Facts] = {}
    for activity in activities:
        person = activity.person
        if person is None:
            continue
        facts = contacts.setdefault(activity.contact_id, {})
        if person.email_address is not None:
            _state(facts, "email_address", person.email_address, activity.created_time)
        if person.first_name is not None:
            _state(facts, "first_name", person.first_name, activity.created_time)
        if person.last_name is not None:
            _state(facts, "last_name", person.last_name, activity.created_time)
    return contacts


def facts_of_campaign_activities(activities: Iterable[Activity]) -> dict[str, Facts]:
    """By campaign activity id, each one named: what is stated of campaign_activity_name and campaign_id."""
    campaign_activities: dict[str, Facts] = {}
    for activity in activities:
        facts = campaign_activities.get(activity.campaign_activity_id)
        if facts is None:
            facts = campaign_activities[activity.campaign_activity_id] = {}
        if activity.campaign_activity_name is not None:
            _state(facts, "campaign_activity_name", activity.campaign_activity_name, activity.created_time)
        if activity.campaign_id is not None:
            _state(facts, "campaign_id", activity.campaign_id, activity.created_time)
    return campaign_activities


def overrides(stated: Stated, known: str | None, known_time: int | None) -> bool:
    """Whether a statement is worth a write over what is `known`, which was stated at `known_time`.

    Saying the same again only moves the time, and by less than an hour not even that: a campaign activity of
    which a million opens arrive is not written a million times. Names are told apart by the time to the hour.
    """
    if known is None or known_time is None:
        return True
    if stated.value == known:
        return stated.created_time > known_time + HOUR
    return stated.created_time >= known_time


def first_deliveries(activities: Sequence[Activity]) -> Sequence[Activity]:
    """The activities without those whose event, of the same contact, stands further up: the first delivery counts."""
    known: set[tuple[str, str]] = set()
    repeated = False
    for activity in activities:
        if activity.event_id is not None:
            event = (activity.contact_id, activity.event_id)
            repeated = repeated or event in known
            known.add(event)
    if not repeated:
        return activities
    kept = []
    for activity in activities:
        event = (activity.contact_id, activity.event_id or "")
        if activity.event_id is None or event in known:
            known.discard(event)
            kept.append(activity)
    return kept
