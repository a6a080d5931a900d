"""Reports in no standard form: by flufl.bounce, and by what such reports have in common."""

import re
from collections.abc import Sequence
from email.message import Message
from typing import Final

import structlog
from flufl.bounce import all_failures

from rapport.capture.bounces.message import ADDRESS, addresses, header, notice_text, returned_message

_DAEMON: Final = re.compile(
    r"mailer.?daemon|post.?master|mail delivery (?:sub)?system|\bmdaemon\b|mail.?administrator|mailmaster|"
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
    r"there was an error|ndn:|permanent failure|quota|mailbox|are not (?:a )?member|"
    # German, Dutch, French, Italian, Spanish, Portuguese.
    r"nicht zugestellt|onbestelbaar|niet (?:bezorgd|afgeleverd)|non (?:remis|distribu)|"
    r"chec de (?:la )?(?:remise|distrib)|"
    r"mancat[oa] (?:recapito|consegna)|impossibile (?:recapitare|consegnare)|no (?:se )?(?:ha |ha sido )?entrega|"
    r"n.o entregue|falha na entrega|"
    # Polish, Russian, Japanese, Chinese.
    r"niedostarczon|nie dostarczon|не (?:было )?доставлен|недоставлен|"
    r"未送達|未配信|配信不能|(?:配信|送信|配達)できません|退信|(?:无法|無法)(?:投递|投遞|送达|傳遞|传递)",
    re.IGNORECASE,
)
_REPLY: Final = re.compile(r"\s*(?:re|aw|antw|sv|vs|odp|ynt)\s*:", re.IGNORECASE)
"""The subject of somebody's reply."""
_RETURNED: Final = re.compile(
    r"^(?:[-=_*\s]*(?:below this line is a copy|this is a copy of|original message|unsent message|"
    r"(?:the )?(?:header|body|text) (?:text )?of (?:the )?(?:original|your|returned)|returned (?:message|mail)|"
    r"message (?:header|follows|text)|included is a copy|your (?:original )?(?:message|mail) (?:follows|reads|header)|"
    r"begin (?:of )?(?:returned|original)|(?:start of )?forwarded message|copy of (?:the|your) message).*|"
    r"(?:return-path|received|dkim-signature|message-id|x-mailer|mime-version):[ \w<].*)$",
    re.IGNORECASE | re.MULTILINE,
)
_CONTACT: Final = re.compile(
    r"(?:contact|write|(?:please|send an?) (?:e?mail|message)|help|support|questions?|from|by|sender|message-id)\W{0,3}"
    r"(?:to|us at|at)?\W{0,12}$",
    re.IGNORECASE,
)
"""What comes before the address of somebody who isn't the recipient."""
_DELIVERED_TO: Final = re.compile(r"(?:deliver\w*|rcpt) .{0,20}to:?\W{0,3}$", re.IGNORECASE)
"""What comes before the address of a recipient, even if that is a postmaster."""
_FAILED_LINE: Final = re.compile(
    # Sendmail: "550 <address>... User unknown". OpenSMTPD and others: "address: 550 5.1.1 User unknown".
    rf"^\s*(?:5\d\d (?:5\.\d+\.\d+ )?<(?P<first>{ADDRESS.pattern})>\.\.\.|"
    rf"<?(?P<second>{ADDRESS.pattern})>?(?: \([^()]*\))?: (?:host \S+ said: )?5\d\d[ -])",
    re.MULTILINE,
)
"""A line that says by itself to whom delivery failed."""

_log = structlog.get_logger("rapport.capture")


def looks_like_report(message: Message) -> bool:
    """Return True if the message claims to be about a delivery, by its sender, its subject or a header."""
    if "x-failed-recipients" in message or header(message, "return-path") == "<>":
        return True
    sender = f"{header(message, 'from')} {header(message, 'sender')}"
    if _DAEMON.search(sender):
        return True
    subject = header(message, "subject")
    return _SUBJECT.search(subject) is not None and _REPLY.match(subject) is None


def is_certain_report(message: Message) -> bool:
    """Return True if the sender, and not only the subject, is that of a mail server."""
    return "x-failed-recipients" in message or _SERVER.search(header(message, "from")) is not None


def find_failures(message: Message) -> tuple[dict[str, str], bool]:
    """Return the recipients to whom delivery failed, each with the text about it; and True if it may still succeed."""
    named = [match[0] for value in message.get_all("x-failed-recipients", []) for match in ADDRESS.finditer(str(value))]
    text = notice_text(message)
    notice = _RETURNED.split(text, maxsplit=1)[0]
    if named:
        return _texts_about(named, notice), False
    own = {address.lower() for address in addresses(message, "to", "from", "reply-to", "sender", "return-path")}
    temporary, permanent = _detect(message)
    # Not what flufl.bounce detects in the returned message.
    permanent = [address for address in permanent if address.lower() in notice.lower()] or permanent
    listed = [match["first"] or match["second"] for match in _FAILED_LINE.finditer(notice)]
    permanent = [address for address in [*listed, *permanent] if address.lower() not in own] or permanent
    if permanent:
        return _texts_about(permanent, notice), False
    if temporary:
        return {}, True
    return _texts_about(_guess(notice, own) or _guess(text, own) or _returned_to(message), notice), False


def _returned_to(message: Message) -> list[str]:
    """Return the recipient of the message that a mail server returns, if it has only one."""
    returned = returned_message(message) if is_certain_report(message) else None
    recipients = [] if returned is None else addresses(returned, "to", "cc")
    return recipients if len(recipients) == 1 else []


def _texts_about(failed: list[str], notice: str) -> dict[str, str]:
    unique = {address.lower(): address for address in reversed(failed)}
    return {address: text_about(address, notice, failed) for address in reversed(unique.values())}


def text_about(address: str, notice: str, failed: Sequence[str] = ()) -> str:
    """Return what the notice says about a recipient: the lines around its address, or else all of it.

    Lines about the other recipients to whom delivery failed belong to those.
    """
    own = address.lower()
    others = {other.lower() for other in failed} - {own}
    lines = notice.splitlines()
    near: dict[int, str] = {}
    for index, line in enumerate(lines):
        if own not in line.lower():
            continue
        if index and not _names(lines[index - 1], others):
            near[index - 1] = lines[index - 1]
        near[index] = line
        for following in range(index + 1, min(index + 8, len(lines))):
            if _names(lines[following], others):
                break
            near[following] = lines[following]
    return " ".join(" ".join(text for _, text in sorted(near.items())).split() or notice.split())[:2_000]


def _names(line: str, recipients: set[str]) -> bool:
    lowered = line.lower()
    return any(recipient in lowered for recipient in recipients)


def _detect(message: Message) -> tuple[list[str], list[str]]:
    try:
        temporary, permanent = all_failures(message)
    except Exception as exc:  # noqa: BLE001 - its detectors raise whatever a malformed message makes them raise
        _log.info("a message can't be read by flufl.bounce", error=type(exc).__name__)
        return [], []
    return _decode_addresses(temporary), _decode_addresses(permanent)


def _decode_addresses(encoded: "set[bytes] | frozenset[bytes]") -> list[str]:
    decoded = (address.decode("utf-8", "replace").strip() for address in encoded)
    return sorted(address for address in decoded if ADDRESS.fullmatch(address))


def _guess(text: str, own: set[str]) -> list[str]:
    """Return the address that a notice is about: the first that isn't the sender's or a postmaster's."""
    guesses: list[str] = []
    for line in text.splitlines():
        for match in ADDRESS.finditer(line):
            address = match[0].rstrip(".").removeprefix("mailto:")
            lowered = address.lower()
            before = line[: match.start()]
            if lowered in own or "." not in lowered.partition("@")[2]:
                continue
            if _DAEMON.search(lowered) and not _DELIVERED_TO.search(before):
                continue
            if lowered not in (guess.lower() for guess in guesses) and not _CONTACT.search(before):
                guesses.append(address)
        if guesses:
            return guesses
    return guesses
