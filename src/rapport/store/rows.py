"""From the columns of a row, in the order of the statements of every engine, to what they hold."""

from typing import Any, Final

from rapport.activity import Activity, ActivityType, BounceCode, DeviceType, Link, Person
from rapport.store.batch import NamedCampaignActivity, Stated

MAX_NAMES_BYTES: Final = 32_000_000
"""Bytes of the names of campaign activities that a reader remembers."""


def whole_activity(contact_id: str, row: tuple[Any, ...]) -> Activity:
    """The activity that a row of the statement for whole activities holds."""
    (created_time, _identity, kind, event_id, device_type, bounce_code, opt_out_reason, *rest) = row
    (campaign_activity_id, campaign_activity_name, campaign_id, link_url, url_id, *person) = rest
    email_address, first_name, last_name = person
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=ActivityType(kind),
        created_time=created_time,
        event_id=event_id,
        person=None
        if person == [None, None, None]
        else Person(email_address=email_address, first_name=first_name, last_name=last_name),
        campaign_activity_name=campaign_activity_name,
        campaign_id=campaign_id,
        link=None if link_url is None and url_id is None else Link(link_url=link_url, url_id=url_id),
        device_type=None if device_type is None else DeviceType(device_type),
        bounce_code=None if bounce_code is None else BounceCode(bounce_code),
        opt_out_reason=opt_out_reason,
    )


def named_campaign_activity(row: tuple[Any, ...]) -> NamedCampaignActivity:
    """What a row of `stated_campaign_activities` states."""
    campaign_activity_id, name, name_time, campaign_id, campaign_time = row
    return NamedCampaignActivity(
        campaign_activity_id,
        None if name is None else Stated(name, name_time),
        None if campaign_id is None else Stated(campaign_id, campaign_time),
    )
