"""The shapes of the contract: the only place that makes the JSON of a report.

A page is put together from ready pieces, straight from the store's rows: at a hundred rows a page, a general encoder
would cost more than the query.
"""

from functools import lru_cache
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.activity import ID_PATTERN, TYPE_NAMES, CampaignActivity
from rapport.instant import iso
from rapport.reporting.page import Page

Id: TypeAlias = Annotated[str, Meta(pattern=ID_PATTERN, examples=["aa9ff7b0-478d-11e6-8059-00163e3c8e19"])]
Time: TypeAlias = Annotated[
    str,
    Meta(
        description="UTC, with milliseconds and `Z`.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2017-04-02T04:08:00.000Z"],
    ),
]
TypeName: TypeAlias = Annotated[
    str, Meta(description="What the contact did.", extra_json_schema={"enum": list(TYPE_NAMES)}, examples=["em_clicks"])
]


class TrackingActivity(msgspec.Struct, kw_only=True):
    """One thing that the contact did. The type stands under both names that the vendor has published."""

    contact_id: Id
    campaign_activity_id: Id
    campaign_activity_name: str | UnsetType = UNSET
    created_time: Time
    tracking_activity_type: TypeName
    tracking_activities_list: TypeName


class NextLink(msgspec.Struct):
    """Where the next page is, relative to the server."""

    href: str


class Links(msgspec.Struct):
    """The links of a page: `{}` on the last one."""

    next: NextLink | UnsetType = UNSET


class TrackingActivitiesPage(msgspec.Struct):
    """A page of what one contact did, newest first."""

    tracking_activities: list[TrackingActivity]
    links: Links = msgspec.field(name="_links")


_TAILS: Final = tuple(
    f'","tracking_activity_type":"{name}","tracking_activities_list":"{name}"}}' for name in TYPE_NAMES
)


def tracking_activities_page(contact_id: str, page: Page, *, with_names: bool, next_href: str | None) -> bytes:
    """The JSON of a `TrackingActivitiesPage`; `next_href` is None on the last page."""
    begin = f'{{"contact_id":"{contact_id}",'
    heads = {
        key: begin + _campaign_activity(page.campaign_activities[key], with_names=with_names)
        for key in {row[3] for row in page.rows}
    }
    items = ",".join([f"{heads[key]}{iso(created_time)}{_TAILS[kind]}" for created_time, _, kind, key in page.rows])
    links = "{}" if next_href is None else f'{{"next":{{"href":"{next_href}"}}}}'
    return f'{{"tracking_activities":[{items}],"_links":{links}}}'.encode()


@lru_cache(maxsize=10_000)
def _campaign_activity(campaign_activity: CampaignActivity, *, with_names: bool) -> str:
    fields: dict[str, str] = {"campaign_activity_id": campaign_activity.campaign_activity_id}
    if with_names and campaign_activity.campaign_activity_name is not None:
        fields["campaign_activity_name"] = campaign_activity.campaign_activity_name
    return msgspec.json.encode(fields).decode()[1:-1] + ',"created_time":"'
