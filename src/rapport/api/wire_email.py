"""The shapes of the reports on e-mails, and the only place that makes their JSON."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.activity import BOUNCE_CODES, DEVICE_TYPES, BounceCode, DeviceType
from rapport.api.wire import Id, Links, NextLink, Time
from rapport.instant import iso
from rapport.reporting.email import TrackingPage
from rapport.store.links import LinkClicks, url_id_of
from rapport.store.tracking import TrackingRow

DeviceName: TypeAlias = Annotated[
    str, Meta(description="On what; left out where it isn't known.", extra_json_schema={"enum": list(DEVICE_TYPES)})
]
BounceName: TypeAlias = Annotated[
    str,
    Meta(
        description="Why: B no such address, D undeliverable, F mailbox full, S suspended, V vacation, X other or "
        "unknown, Z blocked.",
        extra_json_schema={"enum": list(BOUNCE_CODES)},
    ),
]
UrlId: TypeAlias = Annotated[
    str,
    Meta(description="Of the link: its source's, else one made from `link_url`, else `0`.", examples=["105"]),
]

Day: TypeAlias = Annotated[
    str,
    Meta(
        description="When the contact was deleted, if it was.",
        pattern=r"^\d{4}-\d\d-\d\d$",
        examples=["2026-03-10"],
    ),
]

_DAY: Final = len("2026-03-10")
_DEVICES: Final = tuple(device.name.lower() for device in DeviceType)


class ContactActivity(msgspec.Struct, kw_only=True):
    """What a contact did with the e-mail; address and names as they were at the time."""

    contact_id: Id
    campaign_activity_id: Id
    tracking_activity_type: Annotated[str, Meta(examples=["em_sends"])]
    email_address: Annotated[str, Meta(description="As it was at the time; empty where none was ever told.")]
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    deleted_at: Day | UnsetType = UNSET
    created_time: Time


class SendsTrackingActivity(ContactActivity, kw_only=True):
    """It was sent to a contact."""


class OpensTrackingActivity(ContactActivity, kw_only=True):
    """A contact opened it."""

    device_type: DeviceName | UnsetType = UNSET


class DidNotOpensTrackingActivity(ContactActivity, kw_only=True):
    """A contact that it was sent to, at that time, has not opened it."""


class ClicksTrackingActivity(ContactActivity, kw_only=True):
    """A contact clicked a link in it."""

    device_type: DeviceName | UnsetType = UNSET
    url_id: UrlId
    link_url: Annotated[str, Meta(description="Empty where it isn't known.")]


class ForwardsTrackingActivity(ContactActivity, kw_only=True):
    """A contact forwarded it."""


class OptoutsTrackingActivity(ContactActivity, kw_only=True):
    """A contact opted out by it."""

    opt_out_reason: str | UnsetType = UNSET


class BouncesTrackingActivity(ContactActivity, kw_only=True):
    """It came back."""

    bounce_code: BounceName
    current_email_address: Annotated[str, Meta(description="The contact's address today.")] | UnsetType = UNSET


class SendsPage(msgspec.Struct):
    """A page of sends, newest first."""

    tracking_activities: list[SendsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class OpensPage(msgspec.Struct):
    """A page of opens, newest first."""

    tracking_activities: list[OpensTrackingActivity]
    links: Links = msgspec.field(name="_links")


class DidNotOpensPage(msgspec.Struct):
    """A page of contacts that have not opened it, by the last time that it was sent to them, newest first."""

    tracking_activities: list[DidNotOpensTrackingActivity]
    links: Links = msgspec.field(name="_links")


class ClicksPage(msgspec.Struct):
    """A page of clicks, newest first."""

    tracking_activities: list[ClicksTrackingActivity]
    links: Links = msgspec.field(name="_links")


class ForwardsPage(msgspec.Struct):
    """A page of forwards, newest first."""

    tracking_activities: list[ForwardsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class OptoutsPage(msgspec.Struct):
    """A page of opt-outs, newest first."""

    tracking_activities: list[OptoutsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class BouncesPage(msgspec.Struct):
    """A page of bounces, newest first."""

    tracking_activities: list[BouncesTrackingActivity]
    links: Links = msgspec.field(name="_links")


class LinkClickCount(msgspec.Struct):
    """A link: all that have the same address are one, and so are all that only erased contacts clicked."""

    link_url: Annotated[str, Meta(description="Empty where it isn't known or was forgotten.")]
    url_id: UrlId
    unique_clicks: Annotated[int, Meta(ge=0, description="How many contacts clicked it.")]


class LinksPage(msgspec.Struct):
    """The links of an email, most clicked first. `_links` is there only if there are more."""

    campaign_activity_id: Id
    link_click_counts: list[LinkClickCount]
    links: Links | UnsetType = msgspec.field(name="_links", default=UNSET)


EMAIL_PAGES: Final = (
    SendsPage,
    OpensPage,
    DidNotOpensPage,
    ClicksPage,
    ForwardsPage,
    OptoutsPage,
    BouncesPage,
    LinksPage,
)


def links_page(campaign_activity_id: str, found: Sequence[LinkClicks], *, next_href: str | None) -> bytes:
    """Return the JSON of the links; `next_href` is None on the last page."""
    counts = [LinkClickCount(link.link_url or "", link.url_id, link.unique_clicks) for link in found]
    links = UNSET if next_href is None else Links(NextLink(next_href))
    return msgspec.json.encode(LinksPage(campaign_activity_id, counts, links))


def tracking_page(campaign_activity_id: str, report: str, page: TrackingPage, *, next_href: str | None) -> bytes:
    """The JSON of the page of that report; `next_href` is None on the last page."""
    type_name, shape, item = _SHAPES[report]
    links = Links() if next_href is None else Links(NextLink(next_href))
    return msgspec.json.encode(
        shape([item(row, common_columns(campaign_activity_id, type_name, row)) for row in page.rows], links)
    )


def common_columns(campaign_activity_id: str, type_name: str, row: TrackingRow) -> dict[str, Any]:
    """What the rows of all lists have."""
    email_address, first_name, last_name = row.then
    return {
        "contact_id": row.contact_id,
        "campaign_activity_id": campaign_activity_id,
        "tracking_activity_type": type_name,
        "email_address": email_address or "",
        "first_name": _known(first_name),
        "last_name": _known(last_name),
        "deleted_at": UNSET if row.deleted_at is None else iso(row.deleted_at)[:_DAY],
        "created_time": iso(row.created_time),
    }


def _known(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def device_of(row: TrackingRow) -> str | UnsetType:
    """On what it was done, where that is known."""
    return UNSET if row.device_type is None else _DEVICES[row.device_type]


def link_columns(row: TrackingRow) -> dict[str, Any]:
    """What the rows of clicks have besides."""
    url_id = url_id_of(row.link_url) if row.url_id is None else row.url_id
    return {"device_type": device_of(row), "url_id": url_id, "link_url": row.link_url or ""}


def _send(_row: TrackingRow, common: dict[str, Any]) -> SendsTrackingActivity:
    return SendsTrackingActivity(**common)


def _open(row: TrackingRow, common: dict[str, Any]) -> OpensTrackingActivity:
    return OpensTrackingActivity(**common, device_type=device_of(row))


def _did_not_open(_row: TrackingRow, common: dict[str, Any]) -> DidNotOpensTrackingActivity:
    return DidNotOpensTrackingActivity(**common)


def _click(row: TrackingRow, common: dict[str, Any]) -> ClicksTrackingActivity:
    return ClicksTrackingActivity(**common, **link_columns(row))


def _forward(_row: TrackingRow, common: dict[str, Any]) -> ForwardsTrackingActivity:
    return ForwardsTrackingActivity(**common)


def _optout(row: TrackingRow, common: dict[str, Any]) -> OptoutsTrackingActivity:
    return OptoutsTrackingActivity(**common, opt_out_reason=_known(row.opt_out_reason))


def _bounce(row: TrackingRow, common: dict[str, Any]) -> BouncesTrackingActivity:
    code = BounceCode.X if row.bounce_code is None else BounceCode(row.bounce_code)
    current = _known(row.now.email_address)
    return BouncesTrackingActivity(**common, bounce_code=code.name, current_email_address=current)


_SHAPES: Final[dict[str, tuple[str, Callable[[list[Any], Links], msgspec.Struct], Callable[..., msgspec.Struct]]]] = {
    "sends": ("em_sends", SendsPage, _send),
    "opens": ("em_opens", OpensPage, _open),
    "unique_opens": ("em_opens", OpensPage, _open),
    "didnotopens": ("em_didnotopens", DidNotOpensPage, _did_not_open),
    "clicks": ("em_clicks", ClicksPage, _click),
    "forwards": ("em_forwards", ForwardsPage, _forward),
    "optouts": ("em_optouts", OptoutsPage, _optout),
    "bounces": ("em_bounces", BouncesPage, _bounce),
}
