"""Automatic replies: RFC 3834, and the headers and subjects that were used before it."""

import re
from email.message import Message
from typing import Final

from rapport.capture.bounces.message import header

_SUBJECT: Final = re.compile(
    r"\s*(?:re:\s*)?(?:auto(?:matic|mated)?[ -:]?(?:reply|response|answer)|auto:|out[ -]of[ -](?:the )?office|"
    r"vacation|away from|i am away|abwesen|automatische antwort|r.ponse automatique|risposta automatica|"
    r"respuesta autom|fuera de la oficina|autorespond|resposta autom|automatisch antwoord|afwezig|"
    r"автоответ|自動(?:応答|返信|回覆)|自动(?:回复|答复))",
    re.IGNORECASE,
)
_YES: Final = frozenset({"yes", "auto-replied", "auto_reply", "autoreply", "vacation", "junk"})


def is_auto_reply(message: Message) -> bool:
    """Return True if somebody's software answered for them."""
    if message.get_content_type() == "multipart/report":
        # Mail servers mark their reports as automatic, too.
        return False
    submitted = header(message, "auto-submitted").lower().partition(";")[0].strip()
    if submitted.startswith(("auto-replied", "auto-generated (vacation")):
        return True
    if header(message, "x-apple-action").lower() == "vacation" or "x-autoreply-from" in message:
        return True
    if header(message, "precedence").lower() in {"auto_reply", "auto-reply"}:
        return True
    if any(header(message, name).lower() in _YES for name in ("x-autoreply", "x-autorespond", "x-autoresponder")):
        return True
    return _SUBJECT.match(header(message, "subject")) is not None
