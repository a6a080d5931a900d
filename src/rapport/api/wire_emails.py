"""The shapes of email campaigns and their campaign activities."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.api.wire import Id, Links, NextLink, Time
from rapport.catalogue import CAMPAIGN_ROLES, CAMPAIGN_STATUSES, CampaignStatus
from rapport.instant import iso
from rapport.reporting.emails import Emails, name_of, role_of, status_of
from rapport.store.catalogue import number_of, text_of
from rapport.store.known import KnownCampaign, KnownCampaignActivity

_TYPE: Final = "NEWSLETTER"
_TYPE_CODE: Final = 10
_FORMAT_TYPE: Final = 5
"""At the vendor: an email made with an editor, or of one's own code, with all that is of use."""


class EmailCampaigns(msgspec.Struct, kw_only=True):
    """An email campaign in a page of them. What isn't known is left out."""

    campaign_id: Id
    name: str | UnsetType = UNSET
    type: Annotated[str, Meta(examples=[_TYPE])]
    type_code: Annotated[int, Meta(examples=[_TYPE_CODE])]
    current_status: Annotated[str, Meta(extra_json_schema={"enum": [each.value for each in CampaignStatus]})]
    created_at: Time | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET


class ActivityReference(msgspec.Struct):
    """A campaign activity of a campaign."""

    campaign_activity_id: Id
    role: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_ROLES)})]


class EmailCampaign(msgspec.Struct, kw_only=True):
    """An email campaign with its campaign activities; its status is in capitals."""

    campaign_id: Id
    name: str | UnsetType = UNSET
    type: str
    type_code: int
    current_status: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_STATUSES)})]
    created_at: Time | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET
    campaign_activities: list[ActivityReference]


class EmailCampaignActivity(msgspec.Struct, kw_only=True):
    """A campaign activity; texts that aren't known are empty. Rapport knows no lists and segments."""

    campaign_activity_id: Id
    campaign_id: Id | UnsetType = UNSET
    role: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_ROLES)})]
    current_status: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_STATUSES)})]
    format_type: int
    subject: str
    preheader: str | UnsetType = UNSET
    from_name: str
    from_email: str
    reply_to_email: str
    contact_list_ids: list[str]
    segment_ids: list[int]


class EmailCampaignsPage(msgspec.Struct):
    """A page of email campaigns, that which was changed last first."""

    campaigns: list[EmailCampaigns]
    links: Links = msgspec.field(name="_links")


def emails_body(emails: Emails, *, next_href: str | None) -> bytes:
    """The JSON of an `EmailCampaignsPage`; `next_href` is None on the last page."""
    return msgspec.json.encode(
        EmailCampaignsPage(
            campaigns=[
                EmailCampaigns(**_common(each), current_status=_status(each).value) for each in emails.campaigns
            ],
            links=Links() if next_href is None else Links(NextLink(next_href)),
        )
    )


def email_body(campaign: KnownCampaign) -> bytes:
    """The JSON of an `EmailCampaign`."""
    references = [
        ActivityReference(each.campaign_activity_id, role_of(each).value) for each in campaign.campaign_activities
    ]
    return msgspec.json.encode(
        EmailCampaign(**_common(campaign), current_status=_status(campaign).name, campaign_activities=references)
    )


def email_activity_body(activity: KnownCampaignActivity) -> bytes:
    """The JSON of an `EmailCampaignActivity`."""
    facts = activity.facts
    preheader = text_of(facts, "preheader")
    return msgspec.json.encode(
        EmailCampaignActivity(
            campaign_activity_id=activity.campaign_activity_id,
            campaign_id=UNSET if activity.campaign_id is None else activity.campaign_id,
            role=role_of(activity).value,
            current_status=status_of(activity.campaign_status, is_sent=activity.is_sent).name,
            format_type=_FORMAT_TYPE,
            subject=text_of(facts, "subject") or "",
            preheader=UNSET if preheader is None else preheader,
            from_name=text_of(facts, "from_name") or "",
            from_email=text_of(facts, "from_email") or "",
            reply_to_email=text_of(facts, "reply_to_email") or "",
            contact_list_ids=[],
            segment_ids=[],
        )
    )


def _status(campaign: KnownCampaign) -> CampaignStatus:
    return status_of(text_of(campaign.facts, "current_status"), is_sent=campaign.is_sent)


def _common(campaign: KnownCampaign) -> dict[str, Any]:
    """What both shapes of a campaign have."""
    name, created_at = name_of(campaign), number_of(campaign.facts, "created_at")
    code = number_of(campaign.facts, "type_code")
    return {
        "campaign_id": campaign.campaign_id,
        "name": UNSET if name is None else name,
        "type": text_of(campaign.facts, "type") or _TYPE,
        "type_code": _TYPE_CODE if code is None else code,
        "created_at": UNSET if created_at is None else iso(created_at),
        "updated_at": iso(campaign.updated_at) if campaign.updated_at else UNSET,
    }
