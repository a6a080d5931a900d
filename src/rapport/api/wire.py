"""The shapes of the contract: the only place that makes the JSON of a report.

A page is put together from ready pieces, straight from the store's rows: at a hundred rows a page, a general encoder
would cost more than the query.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.activity import ID_PATTERN, TYPE_NAMES, CampaignActivity
from rapport.instant import MINUTE, SECOND, to_the_minute
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


class _ToTheMinute(dict[int, bytes]):
    """The beginning of an instant's text, by its minute. Remembers those that it made."""

    def __missing__(self, minute: int) -> bytes:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        text = self[minute] = to_the_minute(minute).encode()
        return text


class _Named(dict[int, bytes]):
    """The part of an item that names its campaign activity, by that one's key. Remembers those that it made."""

    def __init__(self, campaign_activities: Mapping[int, CampaignActivity], *, with_names: bool) -> None:
        super().__init__()
        self.campaign_activities = campaign_activities
        self._with_names = with_names

    def __missing__(self, key: int) -> bytes:
        campaign_activity = self.campaign_activities[key]
        fields = {"campaign_activity_id": campaign_activity.campaign_activity_id}
        if self._with_names and campaign_activity.campaign_activity_name is not None:
            fields["campaign_activity_name"] = campaign_activity.campaign_activity_name
        text = self[key] = msgspec.json.encode(fields)[1:-1] + b',"created_time":"'
        return text


_MOST_REMEMBERED: Final = 50_000

# Small tables, so that they stay near the processor: one of every millisecond of the minute would be slower.
_minutes: Final = _ToTheMinute()
_SECONDS: Final = tuple(f"{second:02}.".encode() for second in range(60))
_MILLISECONDS: Final = tuple(f"{millisecond:03}".encode() for millisecond in range(1_000))
_TAILS: Final = tuple(
    f'Z","tracking_activity_type":"{name}","tracking_activities_list":"{name}"}},'.encode() for name in TYPE_NAMES
)

_named: Final[dict[bool, _Named]] = {}


def _named_by(campaign_activities: Mapping[int, CampaignActivity], *, with_names: bool) -> _Named:
    """What was made for these campaign activities before. The store hands out others when one has been renamed."""
    named = _named.get(with_names)
    if named is None or named.campaign_activities is not campaign_activities:
        named = _named[with_names] = _Named(campaign_activities, with_names=with_names)
    return named


def tracking_activities_page(contact_id: str, page: Page, *, with_names: bool, next_href: str | None) -> bytes:
    """The JSON of a `TrackingActivitiesPage`; `next_href` is None on the last page."""
    begin = f'{{"contact_id":"{contact_id}",'.encode()
    named = _named_by(page.campaign_activities, with_names=with_names)
    pieces: list[bytes] = []
    for time, _, kind, key in page.rows:
        second = _SECONDS[time % MINUTE // SECOND]
        pieces += begin, named[key], _minutes[time // MINUTE], second, _MILLISECONDS[time % SECOND], _TAILS[kind]
    links = b"{}" if next_href is None else f'{{"next":{{"href":"{next_href}"}}}}'.encode()
    return b'{"tracking_activities":[' + b"".join(pieces)[:-1] + b'],"_links":' + links + b"}"
