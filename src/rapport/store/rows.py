"""From the columns of a row, in the order of the statements of every engine, to what they hold."""

from typing import Any, Final

from rapport.activity import Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link
from rapport.store.batch import CampaignActivityRef, TimestampedValue

MAX_NAMES_BYTES: Final = 32_000_000
"""Bytes of the names of campaign activities that a reader remembers."""


def activity_from_row(contact_id: str, row: tuple[Any, ...]) -> Activity:
    """The activity that a row of the statement for whole activities holds."""
    (created_time, _identity, activity_type, event_id, device_type, bounce_code, opt_out_reason, *rest) = row
    (campaign_activity_id, campaign_activity_name, campaign_id, link_url, url_id, *person) = rest
    email_address, first_name, last_name = person
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=ActivityType(activity_type),
        created_time=created_time,
        event_id=event_id,
        person=None
        if person == [None, None, None]
        else ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name),
        campaign_activity_name=campaign_activity_name,
        campaign_id=campaign_id,
        link=None if link_url is None and url_id is None else Link(link_url=link_url, url_id=url_id),
        device_type=None if device_type is None else DeviceType(device_type),
        bounce_code=None if bounce_code is None else BounceCode(bounce_code),
        opt_out_reason=opt_out_reason,
    )


def campaign_activity_ref(row: tuple[Any, ...]) -> CampaignActivityRef:
    """What a row of `stated_campaign_activities` states."""
    campaign_activity_id, name, name_time, campaign_id, campaign_time = row
    return CampaignActivityRef(
        campaign_activity_id,
        None if name is None else TimestampedValue(name, name_time),
        None if campaign_id is None else TimestampedValue(campaign_id, campaign_time),
    )
