"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

import email
import re
from email.message import Message
from email.policy import compat32
from typing import Final, NamedTuple

from rapport.capture.bounces.message import part_text

_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_COMMENT: Final = re.compile(r"\s*\([^()]*\)\s*$")


class RecipientStatus(NamedTuple):
    """What a report says about one recipient; `action` is in lower case."""

    address: str
    action: str
    status: str | None
    diagnostic: str


def read_delivery_status(message: Message) -> list[RecipientStatus] | None:
    """Return what the report says about each recipient; None if the message isn't a report."""
    parts = [part for part in message.walk() if part.get_content_type() in _TYPES]
    if not parts:
        return None
    return [status for part in parts for block in _blocks(part) for status in _read_block(block)]


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)]
    texts = re.split(r"\n\s*\n", part_text(part))
    return [email.message_from_string(text.lstrip(), policy=compat32) for text in texts]


def _read_block(block: Message) -> list[RecipientStatus]:
    address = _address(block.get("original-recipient")) or _address(block.get("final-recipient"))
    final = _address(block.get("final-recipient"))
    if not address:
        return []
    # ORCPT is what the sender asked for; some servers put their own names there.
    if "@" not in address and "@" in final:
        address = final
    action = str(block.get("action", "")).strip().lower().partition(" ")[0].rstrip(";")
    status = _COMMENT.sub("", str(block.get("status", ""))).strip() or None
    diagnostic = " ".join(str(block.get("diagnostic-code", "")).split())
    if not action:
        action = "failed" if (status or "").startswith("5") else ""
    return [RecipientStatus(address, action, status, diagnostic)]


def _address(value: object) -> str:
    text = " ".join(str(value or "").split())
    kind, semicolon, address = text.partition(";")
    if not semicolon:
        kind, address = "", text
    address = address.strip().strip("<>").strip()
    if kind.strip().lower() == "utf-8":
        address = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", lambda match: chr(int(match[1], 16) % 0x110000), address)
    return re.sub(r"\s*\(.*\)$", "", address).strip("<>").strip()
