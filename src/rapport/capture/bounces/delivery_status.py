"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

import email
import re
from email.message import Message
from email.policy import compat32
from typing import Final, NamedTuple

from rapport.capture.bounces.message import own_parts, part_text

_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_EMPTY_LINE: Final = re.compile(r"\n\s*\n")
_FIELDS: Final = re.compile(r"^(?:final-recipient|action|status):", re.IGNORECASE | re.MULTILINE)
_ENCODED: Final = re.compile(r"\x1b[$(][@BIJ]")
"""Escape sequences of ISO-2022-JP."""
_COMMENT: Final = re.compile(r"\s*\([^()]*\)\s*$")


class RecipientStatus(NamedTuple):
    """The fields of a report about one recipient; `action` is in lower case."""

    address: str
    action: str
    status: str | None
    diagnostic: str


def read_delivery_status(message: Message) -> list[RecipientStatus] | None:
    """Return the status of each recipient in a report; None if the message isn't a report."""
    parts = [part for part in own_parts(message) if part.get_content_type() in _TYPES]
    if not parts:
        return None
    return [status for part in parts for block in _blocks(part) for status in _read_block(block)]


def find_delivery_status(text: str) -> list[RecipientStatus]:
    """Return what a report says whose parts got lost, from the fields in its text."""
    blocks = [
        block for block in _EMPTY_LINE.split(text) if len({match.lower() for match in _FIELDS.findall(block)}) > 1
    ]
    messages = [email.message_from_string(block.lstrip(), policy=compat32) for block in blocks]
    return [status for message in messages for status in _read_block(message)]


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)]
    texts = _EMPTY_LINE.split(part_text(part))
    return [email.message_from_string(text.lstrip(), policy=compat32) for text in texts]


def _read_block(block: Message) -> list[RecipientStatus]:
    address = _address(block.get("original-recipient")) or _address(block.get("final-recipient"))
    final = _address(block.get("final-recipient"))
    if not address:
        return []
    # ORCPT is the address that the sender used; some servers write their own names into it.
    if "@" not in address and "@" in final:
        address = final
    action = str(block.get("action", "")).strip().lower().partition(" ")[0].rstrip(";")
    status = _COMMENT.sub("", str(block.get("status", ""))).strip() or None
    diagnostic = " ".join(_decode(str(block.get("diagnostic-code", ""))).split())
    if action == "expired":
        # Not in RFC 3464, but in use: the server has given up.
        action = "failed"
    if not action:
        action = "failed" if (status or "").startswith("5") else ""
    return [RecipientStatus(address, action, status, diagnostic)]


def _decode(text: str) -> str:
    """Return a text in which some servers use their country's charset without saying so."""
    return text.encode("ascii", "replace").decode("iso-2022-jp", "replace") if _ENCODED.search(text) else text


def _address(value: object) -> str:
    text = " ".join(str(value or "").split())
    address_type, semicolon, address = text.partition(";")
    if not semicolon:
        address_type, address = "", text
    address = address.strip().strip("<>").strip()
    if address_type.strip().lower() == "utf-8":
        address = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", lambda match: chr(int(match[1], 16) % 0x110000), address)
    return re.sub(r"\s*\(.*\)$", "", address).strip("<>").strip()
