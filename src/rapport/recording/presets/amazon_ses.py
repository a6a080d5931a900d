"""Amazon SES: event records as Firehose, SNS and EventBridge write them to files."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from rapport.recording.activity_codec import RawActivity
from rapport.recording.details import device_from_user_agent
from rapport.recording.presets.base import (
    Preset,
    Record,
    Skip,
    contact_from,
    first,
    first_text,
    nested,
)

_EVENTS: Final = {
    "Send": "em_sends",
    "Delivery": "em_sends",
    "Open": "em_opens",
    "Click": "em_clicks",
    "Bounce": "em_bounces",
    "Complaint": "em_optouts",
    "Subscription": "em_optouts",
}
_BOUNCES: Final = {
    "General": None,
    "NoEmail": "B",
    "Suppressed": "Z",
    "OnAccountSuppressionList": "Z",
    "MailboxFull": "F",
    "MessageTooLarge": "X",
    "ContentRejected": "Z",
    "AttachmentRejected": "Z",
    "CustomTimeoutExceeded": "D",
}
_CAMPAIGN_TAGS: Final = ("campaign_activity_id", "campaign_id", "campaign", "campaign-id", "campaignId", "newsletter")


def _unwrap(record: Record) -> Record:
    """Return the record within what SNS or EventBridge wrap around it."""
    if "Message" in record and "mail" not in record:
        message = record["Message"]
        try:
            record = msgspec.json.decode(message) if isinstance(message, str) else message
        except msgspec.DecodeError:
            return {}
    if "detail" in record and "mail" not in record:
        record = nested(record, "detail")
    return record if isinstance(record, Mapping) else {}


def _is_object(record: Record) -> bool:
    inner = _unwrap(record)
    return "mail" in inner and not inner.keys().isdisjoint({"eventType", "notificationType"})


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    record = _unwrap(record)
    event = str(first(record, "eventType", "notificationType") or "")
    type_name = _EVENTS.get(event)
    if type_name is None:
        skip(event or "without an event")
        return ()
    mail, detail = nested(record, "mail"), nested(record, event.lower())
    tags = nested(mail, "tags")
    line = RawActivity(
        campaign_activity_id=first_text(first(tags, *_CAMPAIGN_TAGS, "ses:configuration-set")),
        tracking_activity_type=type_name,
        created_time=first(detail, "timestamp") or first(mail, "timestamp"),
        # A message is sent and delivered, and counts once.
        event_id=first(mail, "messageId") if type_name == "em_sends" else first(detail, "feedbackId"),
    )
    if type_name in {"em_opens", "em_clicks"}:
        line.device_type = device_from_user_agent(detail.get("userAgent"))
        line.link_url = first(detail, "link") if type_name == "em_clicks" else None
    elif type_name == "em_optouts":
        line.opt_out_reason = "spam complaint" if event == "Complaint" else None
    return [_for_recipient(line, recipient, detail, type_name) for recipient in _recipients(mail, detail, type_name)]


def _recipients(mail: Record, detail: Record, type_name: str) -> list[Any]:
    """Return those whom the event is about. An open of a message to several doesn't tell who opened it."""
    named = first(detail, "bouncedRecipients", "complainedRecipients", "recipients")
    recipients = named if isinstance(named, list) else mail.get("destination")
    recipients = recipients if isinstance(recipients, list) else []
    is_open_question = len(recipients) != 1 and type_name in {"em_opens", "em_clicks"}
    return [None] if is_open_question or not recipients else recipients


def _for_recipient(line: RawActivity, recipient: Any, detail: Record, type_name: str) -> RawActivity:  # noqa: ANN401 - JSON
    described = recipient if isinstance(recipient, Mapping) else {"emailAddress": recipient}
    address = first(described, "emailAddress")
    code = None
    if type_name == "em_bounces":
        kind = _BOUNCES.get(str(detail.get("bounceSubType")))
        code = kind or first(described, "status") or first(detail, "bounceType")
    return msgspec.structs.replace(
        line, contact_id=contact_from(address), email_address=first_text(address), bounce_code=first_text(code)
    )


AMAZON_SES: Final = Preset(
    name="amazon-ses",
    title="Amazon SES",
    is_object=_is_object,
    convert_object=_convert_object,
)
