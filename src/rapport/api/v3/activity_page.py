"""Encode the page of a contact's activities, the response that clients ask for most.

The JSON is assembled from prepared pieces, straight from the store's rows: for a hundred rows, a general encoder would
cost more than the query.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from rapport.activity import TYPE_NAMES, CampaignActivity
from rapport.instant import MINUTE, SECOND, format_minute
from rapport.reporting.page import Page


class _MinuteCache(dict[int, bytes]):
    """The start of a timestamp by its minute: `2017-04-02T04:08:`."""

    def __missing__(self, minute: int) -> bytes:
        if len(self) >= _MAX_MINUTES:
            self.clear()
        text = self[minute] = format_minute(minute).encode()
        return text


class _NameCache(dict[int, bytes]):
    """The part of an item that names its campaign activity, by the campaign activity's key."""

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


_MAX_MINUTES: Final = 50_000

# Small tables, so that they stay in the processor's cache: one table of all milliseconds of a minute is slower.
_minutes: Final = _MinuteCache()
_SECONDS: Final = tuple(f"{second:02}.".encode() for second in range(60))
_MILLISECONDS: Final = tuple(f"{millisecond:03}".encode() for millisecond in range(1_000))
_TAILS: Final = tuple(
    f'Z","tracking_activity_type":"{name}","tracking_activities_list":"{name}"}},'.encode() for name in TYPE_NAMES
)

_name_caches: Final[dict[bool, _NameCache]] = {}


def _get_names(campaign_activities: Mapping[int, CampaignActivity], *, with_names: bool) -> _NameCache:
    """Return the cache for these campaign activities. The store returns another mapping after one was renamed."""
    names = _name_caches.get(with_names)
    if names is None or names.campaign_activities is not campaign_activities:
        names = _name_caches[with_names] = _NameCache(campaign_activities, with_names=with_names)
    return names


def encode_activity_page(contact_id: str, page: Page, *, with_names: bool, next_href: str | None) -> bytes:
    """Return the JSON of a page of activities; `next_href` is None on the last page."""
    begin = b'{"contact_id":' + msgspec.json.encode(contact_id) + b","
    names = _get_names(page.campaign_activities, with_names=with_names)
    pieces: list[bytes] = []
    for time, _, activity_type, key in page.rows:
        second = _SECONDS[time % MINUTE // SECOND]
        pieces += (
            begin,
            names[key],
            _minutes[time // MINUTE],
            second,
            _MILLISECONDS[time % SECOND],
            _TAILS[activity_type],
        )
    links = b"{}" if next_href is None else f'{{"next":{{"href":"{next_href}"}}}}'.encode()
    return b'{"tracking_activities":[' + b"".join(pieces)[:-1] + b'],"_links":' + links + b"}"
