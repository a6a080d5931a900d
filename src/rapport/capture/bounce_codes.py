"""Bounce codes from enhanced status codes (RFC 3463 and IANA's registry) and from diagnostic texts."""

import re
from typing import Final

from rapport.activity import BounceCode

_STATUS: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY: Final = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")

_BY_DETAIL: Final[dict[tuple[int, int], BounceCode]] = {
    **{(1, detail): BounceCode.B for detail in (0, 1, 2, 3, 4, 6, 10)},
    # The sender's address is at fault, not the contact's.
    **{(1, detail): BounceCode.Z for detail in (7, 8)},
    (2, 2): BounceCode.F,
    (2, 3): BounceCode.X,
    (2, 4): BounceCode.X,
    (3, 4): BounceCode.X,
    (5, 3): BounceCode.X,
    # Account disabled, mailbox owner changed, domain owner changed.
    **{(7, detail): BounceCode.B for detail in (13, 17, 18)},
}
_BY_SUBJECT: Final = {3: BounceCode.D, 4: BounceCode.D, 6: BounceCode.X, 7: BounceCode.Z}

_FULL: Final = (
    r"quota",
    r"mailbox (?:is )?full|full mailbox|inbox (?:is )?full",
    r"insufficient (?:system |disk )?storage|storage (?:limit|space)|not enough (?:storage|space)",
    r"out of (?:storage|space)|exceeded.{0,20}storage|folder is full|exceeds allowed size",
    r"number of messages in recipient's mailbox",
    # German, French, Spanish, Italian, Portuguese, Russian, Japanese, Chinese.
    r"postfach .{0,60}voll|speicherplatz|bo.te .{0,80}pleine|buz.n .{0,60}lleno|casella .{0,60}piena",
    r"caixa .{0,60}cheia|ящик .{0,60}перепол|容量|満杯|いっぱい|(?:邮箱|信箱|郵箱).{0,10}(?:已满|已滿)",
)
_TOO_LARGE: Final = (
    r"too (?:large|big)|(?<!queue )too long|size (?:limit|exceeds|of)|exceeds? .{0,30}size|maximum (?:message )?size",
    r"attachment|(?:duplicate|missing|malformed|multiple) .{0,30}header",
)
_BLOCKED: Final = (
    r"spam|block(?:ed|ing|list)|black ?list|\bpolicy\b|reputation|dmarc|\bspf\b|dkim|(?<!not )listed (?:at|in|by|on)",
    r"denied|\bjunk\b|unsolicited|content rejected|authentication required|not authorized|relay|virus|\brbl\b",
    r"poor|banned|prohibited|forbidden|block list|\bptr\b|protocol violation|unauthenticated|not verified",
    r"not allowed|unwanted (?:e?mail|message)|ask your postmaster|not (?:a )?member",
    r"\b55\d \S+ .{0,20}not accepting conn",
    r"mismatches client|invalid ip|permission to post|sender rejected|bad dns",
)
_MAILBOX: Final = "(?:user|mailbox|recipient|address|account|alias|email)"
_NO_SUCH_USER: Final = (
    r"user unknown|unknown (?:user|recipient|address|account|local.part)|no mailbox (?:here )?by that name",
    r"no such (?:user|recipient|mailbox|address|person|account|domain)|recipientnotfound|not a known user",
    rf"{_MAILBOX} (?:\S+ )?(?:was |is )?not (?:found|known|exist|listed|a valid)",
    rf"{_MAILBOX} (?:\S+ )?(?:was |is )?(?:does(?:n.t| not) exist|unknown|invalid|no longer)",
    r"does(?:n.t| not) have an? \S+ account",
    r"invalid (?:recipient|mailbox|user|address|domain)|address (?:is )?(?:rejected|unknown)",
    r"account (?:has been |is )?(?:disabled|inactive|suspended|closed|deactivated)",
    r"(?:disabled|inactive) (?:user|account|mailbox|recipient)|mailbox (?:is )?(?:disabled|inactive|unavailable)",
    r"unrout(?:e)?able|host (?:or domain name )?not found|no mx|domain (?:name )?(?:not found|does not exist)",
    r"host unknown|unknown host|unable to find mx|no longer (?:available|valid|in use)",
    r"no smtp service|no valid recipient",
    r"domain is not reachable|\b(?:521|556)\b",
    # German, Dutch, French, Spanish, Italian, Portuguese, Polish.
    r"existiert nicht|unbekannter? (?:benutzer|empf|adress)|empf.nger .{0,20}(?:unbekannt|nicht gefunden)",
    r"bestaat niet|onbekende (?:gebruiker|ontvanger)|n.existe pas|(?:utilisateur|destinataire|adresse) inconnue?",
    r"no existe|(?:usuario|destinatario) (?:desconocido|no encontrado)|non esiste|(?:utente|destinatario) sconosciuto",
    r"n.o existe|(?:usu.rio|destinat.rio) (?:inexistente|desconhecido)|nie istnieje|nieznany (?:u.ytkownik|odbiorca)",
    # Russian, Japanese, Chinese, Korean.
    r"не существует|несуществующ|(?:пользователь|получатель|ящик|адрес) .{0,30}не найден",
    r"見つかりません|存在しません|リストにありません|不存在|查无此|查無此|找不到|존재하지",
    r"not listed in|invalid final delivery|(?:account|mailbox) is (?:locked|frozen)|dns lookup failure|not accept mail",
)
_DELAYED: Final = (
    r"gr[ae]y.?list|timed? ?-?out|try (?:again|later)|tempor|connection (?:refused|reset|lost|closed)|too many",
    r"rate.?limit|deferred|expired|delayed|throttl|unreachable|undeliverable for|not respond|retry|lost connection",
    r"could not be delivered (?:for|within)|network|giving up|in the queue too long|last tried|have been failing",
    r"mail loop|routing loop|loop detected|too many hops|hop count|(?:aborted|given up) after",
    r"retries|did not accept our requests|\d attempts|not accepting connections",
)

_SENDER_AT_FAULT: Final = (
    r"my name was rejected|unrout(?:e)?able sender|valid from:|relay quota|(?:sender|sending) .{0,20}quota",
    # A server refuses MAIL FROM because of the sender, unless the recipient is named as well.
    r"(?:after|in reply to) mail from(?!.{0,200}rcpt to)(?=.{0,200}does not exist)",
    r"\b(?:spamhaus|barracudacentral|spamcop|sorbs|surbl|uceprotect|spfbl|abuseat)\b",
)
_TOO_MANY: Final = (
    r"frequency limited|sent to too many recipients|too many (?:messages|recipients|e?mails) (?:this|per)",
)
_ACCOUNT: Final = (
    r"account or domain may not exist",
    r"(?:recipient account|user \S+) (?:is |has been )?(?:temporar\w+ )?(?:blocked|locked|frozen)",
)

# The first that matches counts.
_TEXTS: Final = tuple(
    (re.compile("|".join(patterns), re.IGNORECASE), code)
    for patterns, code in (
        (_SENDER_AT_FAULT, BounceCode.Z),
        (_TOO_MANY, BounceCode.D),
        (_FULL, BounceCode.F),
        (_TOO_LARGE, BounceCode.X),
        (_ACCOUNT, BounceCode.B),
        (_BLOCKED, BounceCode.Z),
        (_NO_SUCH_USER, BounceCode.B),
        (_DELAYED, BounceCode.D),
        (("reject", "refus"), BounceCode.Z),
    )
)
_CERTAIN_NO_SUCH_USER: Final = re.compile(
    r"user unknown|unknown user|no such (?:user|recipient|mailbox)|does(?:n.t| not) exist|recipientnotfound|"
    r"recipient address(?:es)? rejected ?: access denied|not found by smtp address lookup|user (?:is )?not found|"
    r"invalid recipient",
    re.IGNORECASE,
)


_NULL_MX: Final = re.compile(r"not accept(?:ing)? (?:network )?(?:e?mail|messages)", re.IGNORECASE)
_OVER_QUOTA: Final = re.compile(r"over quota|mailbox (?:is )?full|quota exceeded", re.IGNORECASE)
_BOILERPLATE: Final = re.compile(
    r"google tried to deliver your message, but it was rejected by[^.]*\.|we recommend contacting[^.]*\.", re.IGNORECASE
)
"""Sentences that say nothing about the reason."""
_SENDER_REFUSED: Final = re.compile(
    r"sender (?:address )?(?:rejected|denied)|\bspf\b|not allowed to send", re.IGNORECASE
)
_RATE: Final = re.compile(r"at a rate|too (?:many|quickly)|rate limit", re.IGNORECASE)


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return re.search("|".join(patterns), text, re.IGNORECASE) is not None


def find_status(text: str | None) -> str | None:
    """Return the first enhanced status code in the text, such as '5.1.1'."""
    match = _STATUS.search(text or "")
    return match[0] if match else None


def find_last_status(text: str | None) -> str | None:
    """Return the last enhanced status code in the text: that of the server which is quoted by the others."""
    statuses = [match[0] for match in _STATUS.finditer(text or "")]
    return statuses[-1] if statuses else None


def code_from_status(status: str | None, text: str | None = None) -> BounceCode | None:
    """Return the code for an enhanced status; None if the status says nothing, as 5.0.0 and 2.x.x do.

    Some receivers use a status for something else, which shows only in the diagnostic `text`.
    """
    match = _STATUS.fullmatch(status or "")
    if match is None or match[1] == "2":
        return None
    is_permanent, subject, detail = match[1] == "5", int(match[2]), int(match[3])
    code = _code_from_exception(subject, detail, text or "", is_permanent=is_permanent)
    if code is None:
        code = _BY_DETAIL.get((subject, detail))
    return _BY_SUBJECT.get(subject) if code is None else code


def _code_from_exception(subject: int, detail: int, text: str, *, is_permanent: bool) -> BounceCode | None:
    """Return the code where the text, or the class, changes what a status means."""
    subject_and_detail = (subject, detail)
    rules = (
        (subject_and_detail == (7, 27) and _NULL_MX.search(text) is not None, BounceCode.B),
        (subject_and_detail == (7, 27), BounceCode.Z),
        (is_permanent and subject_and_detail == (3, 2) and _NULL_MX.search(text) is not None, BounceCode.B),
        (subject == 1 and _matches(_SENDER_AT_FAULT, text), BounceCode.Z),
        (subject == 1 and _matches(_TOO_MANY, text), BounceCode.D),
        (subject == 1 and _OVER_QUOTA.search(text) is not None, BounceCode.F),
        (subject in (2, 5) and detail == 0 and _matches(_SENDER_AT_FAULT, text), BounceCode.Z),
        (subject in (5, 7) and detail in (0, 1) and _matches(_ACCOUNT, text), BounceCode.B),
        (subject == 3 and _matches(_FULL, text), BounceCode.F),
        (subject_and_detail == (6, 0) and _matches(_BLOCKED, text), BounceCode.Z),
        (subject_and_detail == (1, 0) and _SENDER_REFUSED.search(text) is not None, BounceCode.Z),
        (
            (subject in (3, 4, 7) or subject_and_detail == (1, 10)) and _CERTAIN_NO_SUCH_USER.search(text) is not None,
            BounceCode.B,
        ),
        (subject_and_detail == (2, 1) and (not is_permanent or _RATE.search(text) is not None), BounceCode.D),
        (subject_and_detail == (2, 1) or (subject_and_detail == (4, 4) and is_permanent), BounceCode.B),
    )
    return next((code for applies, code in rules if applies), None)


def code_from_text(text: str | None) -> BounceCode | None:
    """Return the code of a diagnostic text, or None if it has no known phrase."""
    if not text:
        return None
    for pattern, code in _TEXTS:
        if pattern.search(text):
            return code
    reply = _REPLY.search(text)
    if reply is None:
        return None
    if reply[1] == "552":
        return BounceCode.F
    return BounceCode.D if reply[1].startswith("4") else None


def bounce_code(status: str | None, text: str | None, label: BounceCode | None = None) -> BounceCode:
    """Return the code for a bounce: by its enhanced status, then by its provider's `label`, then by its text.

    A status that says nothing leaves it to the text, since many servers write 5.0.0 before a useful sentence.
    """
    text = _BOILERPLATE.sub("", text or "")
    code = code_from_status(status, text)
    if code is None:
        code = code_from_status(find_status(text), text)
    if code is None:
        code = label if label is not None else code_from_text(text)
    if code is None:
        code = BounceCode.D if (status or "").startswith("4.") else BounceCode.X
    return code
