"""From a raw message to events: bounces, complaints, automatic replies, or nothing."""

from email.message import Message
from json import JSONDecoder
from typing import Final, NamedTuple

import msgspec

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code, code_from_status, code_from_text, find_last_status, find_status
from rapport.capture.bounces.auto_reply import is_auto_reply
from rapport.capture.bounces.delivery_status import RecipientStatus, find_delivery_status, read_delivery_status
from rapport.capture.bounces.detection import find_failures, is_certain_report, looks_like_report, text_about
from rapport.capture.bounces.feedback import ACTED_ON, OPT_OUT, Feedback, read_feedback
from rapport.capture.bounces.message import addresses, header, notice_text, parse_message, returned_message, sent_time
from rapport.capture.errors import InvalidPayload
from rapport.capture.event import COMPLAINT, Event, derived_identity
from rapport.capture.webhooks.amazon_ses import AmazonSES
from rapport.instant import Instant

SOURCE: Final = "email"

BOUNCE: Final = "bounce"
DELAY: Final = "delay"
AUTO_REPLY: Final = "auto-reply"
FEEDBACK: Final = "feedback"
_MAX_NOTICE: Final = 2_000
"""How many characters of a notice are searched for a reason if those about a recipient have none."""


class _Report(NamedTuple):
    """A statement of a message about one recipient."""

    name: str
    activity_type: ActivityType | None
    address: str | None
    code: BounceCode | None = None
    reason: str | None = None


def read_bounce(raw: bytes, received_time: Instant) -> list[Event]:
    """Return the events of a message; none if it isn't about a delivery. Malformed messages raise nothing."""
    message = parse_message(raw)
    if "x-amz-sns-message-id" in message or header(message, "from").rstrip(">").endswith("@sns.amazonaws.com"):
        return _read_notification(message, received_time)
    returned = returned_message(message)
    # The date of the report, unless it is from the future.
    created_time = min(sent_time(message) or received_time, received_time)
    message_id = "" if returned is None else header(returned, "message-id")
    own_id = header(message, "message-id") or derived_identity(SOURCE, raw.decode("latin-1"))
    return [
        Event(
            name=report.name,
            type=report.activity_type,
            created_time=created_time,
            event_id=derived_identity(SOURCE, own_id, report.name, (report.address or "").lower()),
            recipient=report.address,
            message_id=message_id or None,
            bounce_code=report.code,
            opt_out_reason=report.reason,
            subject=None if returned is None else header(returned, "subject") or None,
            metadata=_metadata(returned),
        )
        for report in _read_reports(message)
    ]


def _read_notification(message: Message, received_time: Instant) -> list[Event]:
    """Return the events of a notification about SES that SNS sends by email."""
    try:
        notification = _read_object(notice_text(message))
        if "Message" in notification:
            # The topic sends all of SNS's fields ("Email-JSON").
            notification = _read_object(str(notification["Message"]))
        text = msgspec.json.encode(notification).decode()
        return AmazonSES().read({"Type": "Notification", "Message": text, "Timestamp": received_time}, {})
    except (InvalidPayload, ValueError):
        return []


def _read_object(text: str) -> dict[str, object]:
    """Return the JSON object in a text that mail servers may have folded within words. Raises ValueError."""
    start = max(text.find("{"), 0)
    decoded, _ = JSONDecoder(strict=False).raw_decode(text[start:].replace("\n ", ""))
    return dict(decoded)


def _read_reports(message: Message) -> list[_Report]:
    feedback = read_feedback(message)
    if feedback is not None:
        return _complaints(feedback)
    statuses = read_delivery_status(message)
    if not statuses and looks_like_report(message):
        statuses = find_delivery_status(notice_text(message))
    if statuses:
        return _bounces(message, statuses)
    if looks_like_report(message):
        failures, is_delayed = find_failures(message)
        if is_delayed:
            return [_Report(DELAY, None, None)]
        if failures and (is_certain_report(message) or not is_auto_reply(message) or _is_explained(failures)):
            return [
                _Report(BOUNCE, ActivityType.EM_BOUNCES, address, _code(message, text))
                for address, text in failures.items()
            ]
    if is_auto_reply(message):
        sender = addresses(message, "from", "reply-to")
        return [_Report(AUTO_REPLY, ActivityType.EM_BOUNCES, sender[0] if sender else None, BounceCode.V)]
    return []


def _code(message: Message, text: str) -> BounceCode:
    if header(message, "message-id").endswith("GMR@mx.google.com>"):
        # Google Groups, in any language: the sender may not post.
        return BounceCode.Z
    if not _explains(text):
        text = f"{text} {notice_text(message)[:_MAX_NOTICE]} {header(message, 'subject')}"
    return bounce_code(find_status(text), text)


def _explains(text: str) -> bool:
    return find_status(text) is not None or code_from_text(text) is not None


def _is_explained(failures: dict[str, str]) -> bool:
    """Return True if the texts say why delivery failed, as no automatic reply does."""
    return any(map(_explains, failures.values()))


def _complaints(feedback: Feedback) -> list[_Report]:
    if feedback.feedback_type not in ACTED_ON:
        return []
    reason = COMPLAINT if not feedback.feedback_type.startswith(OPT_OUT) else None
    recipients: list[str | None] = [*feedback.recipients] or [None]
    return [_Report(FEEDBACK, ActivityType.EM_OPTOUTS, address, reason=reason) for address in recipients]


def _bounces(message: Message, statuses: list[RecipientStatus]) -> list[_Report]:
    notice = notice_text(message)
    failed = [status.address for status in statuses if status.action == "failed"]
    reports: dict[str, _Report] = {}
    for status in statuses:
        if status.action == "failed":
            text = status.diagnostic
            if not text or (code_from_status(status.status, text) is None and code_from_text(text) is None):
                text = f"{text} {text_about(status.address, notice, failed)}"
            code = bounce_code(_best_status(status), text)
            reports.setdefault(status.address.lower(), _Report(BOUNCE, ActivityType.EM_BOUNCES, status.address, code))
        elif status.action == "delayed":
            reports.setdefault(status.address.lower(), _Report(DELAY, None, status.address))
    return list(reports.values())


def _best_status(status: RecipientStatus) -> str | None:
    """Return the status of the diagnostic, which is the receiving server's, or else that of the field."""
    quoted = find_last_status(status.diagnostic)
    return status.status if quoted is None or quoted.endswith(".0.0") else quoted


def _metadata(returned: Message | None) -> dict[str, str]:
    if returned is None:
        return {}
    names = {str(name).lower().removeprefix("x-").replace("-", "_"): str(name) for name in returned}
    return {name: header(returned, original) for name, original in names.items() if name.startswith("rapport_")}
