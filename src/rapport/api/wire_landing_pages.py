"""The shapes of the reports on landing pages, and the only place that makes their JSON.

Their `_links` has a `next` on every page, and on the last an empty one: the vendor's client takes nothing else
(docs/compatibility.md#landing-page-links).
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.api.wire_email import ContactActivity, DeviceName, UrlId, common_columns, device_of, link_columns
from rapport.reporting.email import TrackingPage
from rapport.store.tracking import TrackingRow


class LandingPageNext(msgspec.Struct):
    """Where the next page is."""

    href: Annotated[str, Meta(description="Empty on the last page.")]


class LandingPageLinks(msgspec.Struct):
    """The way to the next page."""

    next: LandingPageNext


class LandingPageActivity(ContactActivity, kw_only=True):
    """What a contact did on a landing page."""

    device_type: DeviceName | UnsetType = UNSET


class LandingPageClick(LandingPageActivity, kw_only=True):
    """A contact clicked a link on a landing page."""

    url_id: UrlId
    link_url: Annotated[str, Meta(description="Empty where it isn't known.")]


class LandingPagePage(msgspec.Struct):
    """A page of what contacts did on a landing page, newest first."""

    tracking_activities: list[LandingPageActivity]
    links: LandingPageLinks = msgspec.field(name="_links")


class LandingPageClicksPage(msgspec.Struct):
    """A page of clicks, newest first: of each contact and link the last."""

    tracking_activities: list[LandingPageClick]
    links: LandingPageLinks = msgspec.field(name="_links")


LANDING_PAGE_PAGES: Final = (LandingPagePage, LandingPageClicksPage)


def landing_page(campaign_activity_id: str, report: str, page: TrackingPage, *, next_href: str | None) -> bytes:
    """The JSON of the page of that report; `next_href` is None on the last page."""
    type_name, shape, item = _SHAPES[report]
    links = LandingPageLinks(LandingPageNext(next_href or ""))
    return msgspec.json.encode(
        shape([item(row, common_columns(campaign_activity_id, type_name, row)) for row in page.rows], links)
    )


def _activity(row: TrackingRow, common: dict[str, Any]) -> LandingPageActivity:
    return LandingPageActivity(**common, device_type=device_of(row))


def _click(row: TrackingRow, common: dict[str, Any]) -> LandingPageClick:
    return LandingPageClick(**common, **link_columns(row))


_SHAPES: Final[
    dict[str, tuple[str, Callable[[list[Any], LandingPageLinks], msgspec.Struct], Callable[..., msgspec.Struct]]]
] = {
    "p_contact_opens": ("p_contact_opens", LandingPagePage, _activity),
    "p_unique_contact_opens": ("p_contact_opens", LandingPagePage, _activity),
    "p_unique_contact_clicks": ("p_contact_click", LandingPageClicksPage, _click),
    "p_unique_contact_adds": ("p_contact_adds", LandingPagePage, _activity),
    "p_unique_contact_updates": ("p_contact_updates", LandingPagePage, _activity),
    "p_unique_contact_sms_optins": ("p_contact_sms_optins", LandingPagePage, _activity),
}
