"""Reading raw messages tolerantly: any line ends, any charset, any defect."""

import email
import re
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final

from rapport.instant import Instant

ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*"
)

_MAX_TEXT: Final = 200_000
_TAG: Final = re.compile(r"<(?!mailto:)[a-zA-Z/!][^<>@]{0,500}>")


def parse_message(raw: bytes) -> Message:
    """Return the message, whose line ends may be those of any system."""
    return email.message_from_bytes(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), policy=compat32)


def header(message: Message, name: str) -> str:
    """Return a header as text; '' if it is missing."""
    value = message.get(name)
    if value is None:
        return ""
    text = str(value)
    try:
        parts = decode_header(text)
        decoded = "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii", "replace") for part, charset in parts
        )
    except (ValueError, LookupError):
        decoded = text
    return " ".join(decoded.encode("utf-8", "replace").decode().split())


def addresses(message: Message, *names: str) -> list[str]:
    """Return the addresses in these headers."""
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return [address for _, address in getaddresses(values) if ADDRESS.fullmatch(address)]


def sent_time(message: Message) -> Instant | None:
    """Return the time in the header Date."""
    try:
        moment = parsedate_to_datetime(str(message.get("date", "")))
        return Instant(int(moment.timestamp() * 1_000))
    except (ValueError, TypeError, OverflowError):
        return None


def part_text(part: Message) -> str:
    """Return the text of a part, whatever its charset says."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return str(part.get_payload()) if isinstance(part.get_payload(), str) else ""
    try:
        text = payload[:_MAX_TEXT].decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        text = payload[:_MAX_TEXT].decode("utf-8", "replace")
    return _TAG.sub(" ", text) if part.get_content_type() == "text/html" else text


def notice_text(message: Message) -> str:
    """Return what the message says in text, without the message that it returns."""
    texts = []
    parts = [message]
    while parts:
        part = parts.pop(0)
        if part.get_content_maintype() == "message" or part.get_content_type() == "text/rfc822-headers":
            continue
        if part.is_multipart():
            parts = [child for child in part.get_payload() if isinstance(child, Message)] + parts
        elif part.get_content_maintype() == "text":
            texts.append(part_text(part))
    return "\n".join(texts)


def returned_message(message: Message) -> Message | None:
    """Return the message that is returned, or its headers."""
    for part in message.walk():
        if part is message:
            continue
        content_type = part.get_content_type()
        if content_type in {"message/rfc822", "message/global", "message/rfc822-headers"}:
            children = part.get_payload()
            if isinstance(children, list) and children and isinstance(children[0], Message):
                return children[0]
            return email.message_from_string(str(children), policy=compat32)
        if content_type in {"text/rfc822-headers", "message/global-headers", "text/rfc822"}:
            return email.message_from_string(part_text(part).lstrip(), policy=compat32)
    return None
