"""Reading raw messages tolerantly: any line ends, any charset, any defect."""

import email
import re
from collections.abc import Iterator
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
_BOUNDARY: Final = re.compile(rb"^--(\S[^\n]{0,200}?)[ \t]*$", re.MULTILINE)
_QUOTED: Final = re.compile(r"^(?:> ?)+", re.MULTILINE)
_FORWARDED: Final = re.compile(r"^\s*begin forwarded message.*", re.IGNORECASE | re.MULTILINE)
_TAG: Final = re.compile(r"<(?!mailto:)[a-zA-Z/!][^<>@]{0,500}>")


def parse_message(raw: bytes) -> Message:
    """Return the message, whose line ends may be those of any system."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    message = email.message_from_bytes(text, policy=compat32)
    if message.get_content_maintype() == "multipart" and not message.is_multipart():
        return _repair_boundary(text, message)
    return message


def _repair_boundary(text: bytes, message: Message) -> Message:
    """Return the message read with the boundary that its body uses, if its header names another one."""
    head, _, body = text.partition(b"\n\n")
    named, used = message.get_boundary(), _BOUNDARY.search(body)
    if named is None or used is None:
        return message
    return email.message_from_bytes(head.replace(named.encode(), used[1]) + b"\n\n" + body, policy=compat32)


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


def own_parts(message: Message) -> Iterator[Message]:
    """Yield the parts of a message, but not those of messages within it."""
    parts = [message]
    while parts:
        part = parts.pop(0)
        yield part
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            parts = [child for child in part.get_payload() if isinstance(child, Message)] + parts


def notice_text(message: Message) -> str:
    """Return what the message says in text, without the message that it returns."""
    # A multipart without parts is a damaged message: its body is one text.
    texts = [
        part_text(part)
        for part in own_parts(message)
        if not part.is_multipart()
        and part.get_content_maintype() in {"text", "multipart"}
        and part.get_content_type() != "text/rfc822-headers"
    ]
    text = "\n".join(texts)
    forwarded = _FORWARDED.search(text)
    if forwarded is None:
        return text
    # Without the headers of the forwarded message.
    return _QUOTED.sub("", text[forwarded.end() :]).lstrip().partition("\n\n")[2]


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
