"""Decode rows that contain everything that was recorded about an activity."""

from typing import Any, Final

from rapport.activity import Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link

MAX_NAME_BYTES: Final = 32_000_000
"""Bytes of names of campaign activities that a reader caches."""

EMPTY_PROFILE: Final = (None, None, None)


def activity_from_row(contact_id: str, row: tuple[Any, ...]) -> Activity:
    """Return the activity in a row whose columns have the order of `list_with_details`."""
    (created_time, _identity, activity_type, event_id, device_type, bounce_code, opt_out_reason, *rest) = row
    (campaign_activity_id, campaign_activity_name, campaign_id, link_url, url_id, *profile) = rest
    email_address, first_name, last_name = profile
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=ActivityType(activity_type),
        created_time=created_time,
        event_id=event_id,
        person=None
        if (email_address, first_name, last_name) == EMPTY_PROFILE
        else ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name),
        campaign_activity_name=campaign_activity_name,
        campaign_id=campaign_id,
        link=None if link_url is None and url_id is None else Link(link_url=link_url, url_id=url_id),
        device_type=None if device_type is None else DeviceType(device_type),
        bounce_code=None if bounce_code is None else BounceCode(bounce_code),
        opt_out_reason=opt_out_reason,
    )
