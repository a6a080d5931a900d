"""Map the device types and bounce codes of other systems to those of activities."""

import re
from functools import lru_cache
from typing import Final

_MAX_CACHED: Final = 20_000

_DEVICES: Final = {
    "computer": ("computer", "desktop", "pc", "laptop", "desktop computer", "webmail", "mac", "windows", "linux"),
    "mobile": (
        "mobile",
        "phone",
        "smartphone",
        "mobile phone",
        "cell phone",
        "iphone",
        "android",
        "ios",
        "mobile device",
    ),
    "tablet": ("tablet", "ipad"),
    "other": ("other", "tv", "smart tv", "console", "game console", "wearable", "watch"),
}
_DEVICE_NAMES: Final = {name: device for device, names in _DEVICES.items() for name in names}

_NAMES_BY_CODE: Final = {
    "B": (
        "hard",
        "hard bounce",
        "permanent",
        "hardbounce",
        "bad email address",
        "invalid",
        "invalid email",
        "user unknown",
        "nonexistent",
        "non existent address",
    ),
    "D": ("soft", "soft bounce", "softbounce", "transient", "undeliverable", "temporary", "deferred"),
    "F": ("mailbox full", "full", "over quota", "quota"),
    "S": ("suspended", "inactive", "disabled"),
    "V": ("vacation", "vacation reply", "auto reply", "autoresponder", "out of office"),
    "X": ("other", "undetermined", "unknown"),
    "Z": ("blocked", "block", "spam", "policy", "content rejected"),
}
_BOUNCE_CODES: Final = {word: code for code, words in _NAMES_BY_CODE.items() for word in words}

_ENHANCED: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_SMTP: Final = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")

# By RFC 3463: the second and third number of an enhanced status code, or the second alone.
_SUBJECTS: Final = {
    **{(1, detail): "B" for detail in (0, 1, 2, 3, 6, 10)},
    (2, 1): "S",
    (2, 2): "F",
    (2, 3): "X",
    (3, 1): "F",
    (3, 4): "X",
}
_SUBJECT_DEFAULTS: Final = {1: "B", 2: "D", 3: "D", 4: "D", 5: "X", 6: "X", 7: "Z"}
_SMTP_CODES: Final = {
    421: "D",
    422: "F",
    431: "F",
    432: "D",
    441: "D",
    442: "D",
    450: "D",
    451: "D",
    452: "F",
    521: "D",
    541: "Z",
    550: "B",
    551: "B",
    552: "F",
    553: "B",
    554: "Z",
    556: "D",
    571: "Z",
}


def device_type_from(text: str) -> str | None:
    """Return the device type for another system's name or a user agent, or None if it is unknown."""
    return _DEVICE_NAMES.get(_normalize(text)) or (device_from_user_agent(text) if "/" in text else None)


def device_from_user_agent(user_agent: object) -> str | None:
    """Return the device type of a user agent, or None if it is empty or unknown."""
    return _device_from(user_agent) if isinstance(user_agent, str) and user_agent else None


@lru_cache(maxsize=_MAX_CACHED)
def _device_from(user_agent: str) -> str | None:
    text = user_agent.strip().lower()
    if text == "mozilla/5.0":
        # Apple's privacy proxy, which hides the device.
        return "other"
    if "ipad" in text or "tablet" in text or ("android" in text and "mobile" not in text):
        return "tablet"
    if "mobi" in text or "iphone" in text or "android" in text:
        return "mobile"
    if "imageproxy" in text or "bot" in text or "proxy" in text:
        return "other"
    return "computer" if "mozilla" in text or "outlook" in text or "windows" in text or "macintosh" in text else None


def bounce_code_from(text: str) -> str | None:
    """Return the bounce code for a word, an SMTP code or an enhanced status code, or None if it is unknown.

    In a text such as `550 5.1.1 User unknown`, the enhanced status code decides.
    """
    if text.strip().upper() in _NAMES_BY_CODE:
        return text.strip().upper()
    enhanced = _ENHANCED.search(text)
    if enhanced is not None and enhanced[1] != "2":
        subject, detail = int(enhanced[2]), int(enhanced[3])
        if subject in _SUBJECT_DEFAULTS:
            return _SUBJECTS.get((subject, detail), _SUBJECT_DEFAULTS[subject])
    smtp = _SMTP.search(text)
    if smtp is not None:
        code = int(smtp[1])
        return _SMTP_CODES.get(code, "X" if code >= 500 else "D")
    if enhanced is not None:
        return "X"
    return _BOUNCE_CODES.get(_normalize(text))


def _normalize(text: str) -> str:
    return " ".join(text.replace("_", " ").replace("-", " ").split()).casefold()
