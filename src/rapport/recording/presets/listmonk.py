"""listmonk: its tables campaign_views, link_clicks and bounces, and the pages of its bounces API."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first, first_text, nested
from rapport.recording.times import TimeFormat


def _is_header(columns: frozenset[str]) -> bool:
    return {"campaign_id", "subscriber_id", "created_at"} <= columns


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    if "link_id" in row:
        return _convert(row, "em_clicks", skip)
    return _convert(row, "em_bounces" if "source" in row or "type" in row else "em_opens", skip)


def _is_object(record: Record) -> bool:
    return {"subscriber_id", "created_at"} <= record.keys() or "results" in nested(record, "data")


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    if "results" in nested(record, "data"):
        return [line for result in record["data"]["results"] for line in _convert_object(result, skip)]
    campaign = nested(record, "campaign")
    flat: dict[str, Any] = {
        **record,
        "campaign_id": first_text(first(record, "campaign_id") or campaign.get("id")),
        "campaign_name": campaign.get("name"),
    }
    return _convert_row(flat, skip)


def _convert(row: Record, type_name: str, skip: Skip) -> Sequence[RawActivity]:
    subscriber = first_text(first(row, "subscriber_id", "subscriber_uuid"))
    address = first(row, "email", "subscriber_email")
    if subscriber is None and address is None:
        # With tracking of individuals turned off.
        skip("without a subscriber")
        return ()
    number = first_text(first(row, "id"))
    is_complaint = type_name == "em_bounces" and row.get("type") == "complaint"
    return (
        RawActivity(
            contact_id=subscriber or contact_from(address),
            campaign_activity_id=first_text(first(row, "campaign_id")),
            campaign_activity_name=first_text(first(row, "campaign_name")),
            tracking_activity_type="em_optouts" if is_complaint else type_name,
            created_time=first(row, "created_at"),
            # The numbers of each table begin with 1; the type tells them apart.
            event_id=number,
            email_address=address,
            link_url=first(row, "url", "link_url") if type_name == "em_clicks" else None,
            url_id=first_text(first(row, "link_id")) if type_name == "em_clicks" else None,
            bounce_code=first(row, "type") if type_name == "em_bounces" and not is_complaint else None,
            opt_out_reason="spam complaint" if is_complaint else None,
        ),
    )


LISTMONK: Final = Preset(
    name="listmonk",
    title="listmonk",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert_object,
    times=TimeFormat(zone=UTC),
)
