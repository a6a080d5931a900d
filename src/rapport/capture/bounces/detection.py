"""Reports in no standard form: by flufl.bounce, and by what such reports have in common."""

import re
from email.message import Message
from typing import Final

import structlog
from flufl.bounce import all_failures

from rapport.capture.bounces.message import ADDRESS, addresses, header, notice_text

_DAEMON: Final = re.compile(
    r"mailer.?daemon|postmaster|mail delivery (?:sub)?system|\bmdaemon\b|mail.?administrator|mailmaster|"
    r"microsoft.?exchange|\bmta\b|bounce|no.?reply|mail.?system|e?mail delivery|system administrator",
    re.IGNORECASE,
)
_SERVER: Final = re.compile(r"mailer.?daemon|mail delivery (?:sub)?system", re.IGNORECASE)
_SUBJECT: Final = re.compile(
    r"undeliver|returned (?:e?mail|message|to sender)|deliver\w* (?:status|fail|error|problem|notif|report|has)|"
    r"failure notice|mail (?:delivery|system) |non.?deliver|could not (?:be )?deliver|unable to deliver|"
    r"fail\w* to deliver|"
    r"delivery.*fail|message (?:you sent )?(?:blocked|could|was|status|delivery)|mail (?:error|could)|"
    r"bounce|unzustellbar|rejected|warning: (?:could|message)|error sending|not delivered|nondeliverable|"
    r"there was an error|ndn:|permanent failure|quota|mailbox",
    re.IGNORECASE,
)
_RETURNED: Final = re.compile(
    r"^(?:[-=_*\s]*(?:below this line is a copy|this is a copy of|original message|unsent message|"
    r"(?:the )?(?:header|body|text) (?:text )?of (?:the )?(?:original|your|returned)|returned (?:message|mail)|"
    r"message (?:header|follows|text)|included is a copy|your (?:original )?(?:message|mail) (?:follows|reads|header)|"
    r"begin (?:of )?(?:returned|original)|(?:start of )?forwarded message|copy of (?:the|your) message).*|"
    r"(?:return-path|received|dkim-signature|message-id|x-mailer|mime-version): .*)$",
    re.IGNORECASE | re.MULTILINE,
)
_PLACE: Final = re.compile(
    r"^(?:\s*[<(\[]?|.*?(?:to|recipients?|address(?:es)?|user|mailbox|account|rcpt|for|failed|addressee)\b\W{0,12})",
    re.IGNORECASE,
)

_log = structlog.get_logger("rapport.capture")


def looks_like_report(message: Message) -> bool:
    """Return True if the message claims to be about a delivery, by its sender, its subject or a header."""
    if "x-failed-recipients" in message or header(message, "return-path") == "<>":
        return True
    sender = f"{header(message, 'from')} {header(message, 'sender')}"
    return bool(_DAEMON.search(sender) or _SUBJECT.search(header(message, "subject")))


def is_certain_report(message: Message) -> bool:
    """Return True if the sender, and not only the subject, is that of a mail server."""
    return "x-failed-recipients" in message or _SERVER.search(header(message, "from")) is not None


def find_failures(message: Message) -> tuple[dict[str, str], bool]:
    """Return the recipients to whom delivery failed, each with the text about it; and True if it may still succeed."""
    named = [match[0] for value in message.get_all("x-failed-recipients", []) for match in ADDRESS.finditer(str(value))]
    text = notice_text(message)
    notice = _RETURNED.split(text, maxsplit=1)[0]
    if named:
        return {address: text_about(address, notice) for address in dict.fromkeys(named)}, False
    temporary, permanent = _detect(message)
    if permanent:
        return {address: text_about(address, notice) for address in permanent}, False
    if temporary:
        return {}, True
    own = {address.lower() for address in addresses(message, "to", "from", "reply-to", "sender", "return-path")}
    guessed = _guess(notice, own) or _guess(text, own)
    return {address: text_about(address, notice) for address in guessed}, False


def text_about(address: str, notice: str) -> str:
    """Return what the notice says about a recipient: the lines around its address, or else all of it."""
    lines = notice.splitlines()
    places = [place for place, line in enumerate(lines) if address.lower() in line.lower()]
    near = [line for place in places for line in lines[max(0, place - 1) : place + 8]]
    return " ".join(" ".join(near or lines).split())[:2_000]


def _detect(message: Message) -> tuple[list[str], list[str]]:
    try:
        temporary, permanent = all_failures(message)
    except Exception as exc:  # noqa: BLE001 - its detectors raise whatever a malformed message makes them raise
        _log.info("a message can't be read by flufl.bounce", error=type(exc).__name__)
        return [], []
    return _texts(temporary), _texts(permanent)


def _texts(found: "set[bytes] | frozenset[bytes]") -> list[str]:
    decoded = (address.decode("utf-8", "replace").strip() for address in found)
    return sorted(address for address in decoded if ADDRESS.fullmatch(address))


def _guess(text: str, own: set[str]) -> list[str]:
    """Return the address that a notice is about: the first that isn't the sender's or a postmaster's."""
    found: list[str] = []
    for line in text.splitlines():
        for match in ADDRESS.finditer(line):
            address = match[0].rstrip(".").removeprefix("mailto:")
            lowered = address.lower()
            if lowered in own or _DAEMON.search(lowered) or "." not in lowered.partition("@")[2]:
                continue
            if lowered not in (each.lower() for each in found) and _PLACE.match(line[: match.start()] or " "):
                found.append(address)
        if found:
            return found
    return found
