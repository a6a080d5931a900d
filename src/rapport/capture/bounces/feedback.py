"""Abuse reports: RFC 5965."""

import email
from email.message import Message
from email.policy import compat32
from typing import Final, NamedTuple

from rapport.capture.bounces.message import ADDRESS, addresses, part_text, returned_message

OPT_OUT: Final = "opt-out"
_HOTMAIL: Final = "x-hmxmroriginalrecipient"
"""The header that Outlook.com adds to a message about which somebody has complained. It sends no feedback report."""
ACTED_ON: Final = frozenset({"abuse", OPT_OUT, "opt-out-list"})
"""Reports of fraud, viruses and failed authentication say nothing about what the recipient wants."""


class Feedback(NamedTuple):
    """A report. Many providers redact the recipient."""

    feedback_type: str
    recipients: list[str]


def read_feedback(message: Message) -> Feedback | None:
    """Return the report; None if the message isn't one."""
    for part in message.walk():
        if part.get_content_type() == "message/feedback-report":
            fields = _fields(part)
            feedback_type = str(fields.get("feedback-type", "abuse")).strip().lower()
            return Feedback(feedback_type, _recipients(fields, message))
    returned = returned_message(message)
    if returned is not None and _HOTMAIL in returned:
        return Feedback("abuse", addresses(returned, _HOTMAIL))
    return None


def _fields(part: Message) -> Message:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return email.message_from_string(part_text(part).lstrip(), policy=compat32)


def _recipients(fields: Message, message: Message) -> list[str]:
    for name in ("original-rcpt-to", "removal-recipient", "original-recipient", "final-recipient"):
        named = [match[0] for value in fields.get_all(name, []) for match in ADDRESS.finditer(str(value))]
        if named:
            return list(dict.fromkeys(named))
    returned = returned_message(message)
    recipients = [] if returned is None else addresses(returned, "to", "delivered-to", "x-original-to")
    return list(dict.fromkeys(address for address in recipients if not address.lower().startswith("redacted")))[:1]
