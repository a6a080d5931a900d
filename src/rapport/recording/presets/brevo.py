"""Brevo: webhooks of campaigns and transactional email, and the CSV of its logs."""

from collections.abc import Sequence
from typing import Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first, first_text
from rapport.recording.times import DateOrder, TimeFormat

_EVENTS: Final = {
    "request": "em_sends",
    "requests": "em_sends",
    "sent": "em_sends",
    "delivered": "em_sends",
    "opened": "em_opens",
    "unique_opened": "em_opens",
    "uniqueopened": "em_opens",
    "first_opening": "em_opens",
    "proxy_open": "em_opens",
    "unique_proxy_open": "em_opens",
    "proxyopen": "em_opens",
    "loaded_by_proxy": "em_opens",
    "click": "em_clicks",
    "clicked": "em_clicks",
    "clicks": "em_clicks",
    "hard_bounce": "em_bounces",
    "soft_bounce": "em_bounces",
    "hardbounce": "em_bounces",
    "softbounce": "em_bounces",
    "invalid_email": "em_bounces",
    "invalid": "em_bounces",
    "blocked": "em_bounces",
    "error": "em_bounces",
    "spam": "em_optouts",
    "complaint": "em_optouts",
    "unsubscribe": "em_optouts",
    "unsubscribed": "em_optouts",
}
_ITALIAN: Final = {
    "inviata": "sent",
    "richiesta_invio": "request",
    "consegnata": "delivered",
    "aperta": "opened",
    "prima_apertura": "first_opening",
    "caricata_per_procura": "loaded_by_proxy",
    "cliccata": "clicked",
    "bloccata": "blocked",
    "disiscrizione": "unsubscribed",
}
"""The events in the CSV of an account in Italian."""

_NOTHING: Final = "NA"
"""What the CSV has for nothing."""

_BOUNCES: Final = {"hard": "B", "soft": "D", "inva": "B", "bloc": "Z", "erro": "X"}


def _is_header(columns: frozenset[str]) -> bool:
    return {"st_text", "ts", "email"} <= columns


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    record = {column: None if value == _NOTHING else value for column, value in row.items()}
    event = _normalize_event(record.get("st_text"))
    return _convert(
        {
            "event": _ITALIAN.get(event, event),
            "email": record.get("email"),
            "ts": record.get("ts"),
            "message-id": record.get("mid"),
            "tag": record.get("tag"),
            "subject": record.get("sub"),
            "link": record.get("link"),
        },
        skip,
    )


def _normalize_event(name: object) -> str:
    return str(name or "").strip().lower().replace(" ", "_")


def _is_object(record: Record) -> bool:
    return {"event", "email"} <= record.keys() and not record.keys().isdisjoint(
        {"message-id", "messageId", "camp_id", "ts_event", "ts_epoch"}
    )


def _convert(record: Record, skip: Skip) -> Sequence[RawActivity]:
    event = _normalize_event(record.get("event"))
    type_name = _EVENTS.get(event)
    if type_name is None:
        skip(event or "without an event")
        return ()
    campaign = first_text(first(record, "camp_id", "campaignId", "tag", "tags", "template_id", "templateId"))
    address = first(record, "email")
    return (
        RawActivity(
            contact_id=contact_from(address),
            campaign_activity_id=campaign,
            campaign_activity_name=first_text(first(record, "campaign name", "campaign_name", "subject")),
            tracking_activity_type=type_name,
            # The numbers are in UTC, the texts in several zones.
            created_time=first(record, "ts_epoch", "ts_event", "ts", "date"),
            # A message is requested and delivered, and sent once.
            event_id=first_text(first(record, "message-id", "messageId")) if type_name == "em_sends" else None,
            email_address=address,
            link_url=first(record, "link", "URL", "url") if type_name == "em_clicks" else None,
            bounce_code=_BOUNCES[event[:4]] if type_name == "em_bounces" else None,
            opt_out_reason="spam complaint" if event in {"spam", "complaint"} else None,
        ),
    )


BREVO: Final = Preset(
    name="brevo",
    title="Brevo",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert,
    times=TimeFormat(dates=DateOrder.DMY),
)
