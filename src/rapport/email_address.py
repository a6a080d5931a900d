"""Normalize email addresses, as people and programs write them, to the form that is stored and compared."""

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import idna

MAX_ADDRESS_LENGTH: Final = 254

_ZERO_WIDTH: Final = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_NAMED: Final = re.compile(r"[^<>]*<([^<>]*)>\s*")
_MAILTO: Final = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_SEVERAL: Final = re.compile(r"[^\s@,;]@[^\s@,;]+[\s,;]+[^\s@,;]+@[^\s@,;]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ADDRESS: Final = re.compile(
    r"""
    (?: [^\s\x00-\x1f\x7f"@,;:<>\\]+ | "(?:[^\x00-\x1f\x7f"\\]|\\[^\x00-\x1f\x7f])+" )   # the local part, or quoted
    @
    (?: [^\s\x00-\x1f\x7f"@,;<>\[\]\\/]+ | \[[^\s\x00-\x1f\x7f@\[\]]+\] )               # a domain, or a literal
    """,
    re.VERBOSE,
)


def normalize_address(text: str) -> str:
    """Return the address in its normal form: trimmed, unwrapped, and with a domain in readable IDNA form.

    `"Ada" <ada@example.com>` and `mailto:ada@example.com` become `ada@example.com`. The local part keeps its case,
    and so does a domain of ASCII letters: stores compare these without case. Raises ValueError, with the reason.
    """
    if text.isascii() and len(text) <= MAX_ADDRESS_LENGTH and _ADDRESS.fullmatch(text) is not None:
        return text if "xn--" not in text.lower() else _normalize_domain(text)
    address = _ZERO_WIDTH.sub("", text).strip()
    for wrapping in (_NAMED, _MAILTO):
        match = wrapping.fullmatch(address)
        if match is not None:
            address = (unquote(match[1]) if wrapping is _MAILTO else match[1]).strip()
    if _SEVERAL.search(address) is not None:
        raise ValueError("must be one address, not several")
    if len(address) > MAX_ADDRESS_LENGTH:
        raise ValueError(f"must not be longer than {MAX_ADDRESS_LENGTH} characters")
    if _ADDRESS.fullmatch(address) is None or _SURROGATE.search(address) is not None:
        raise ValueError("must be an address: name@domain")
    return _normalize_domain(address)


def normalize_query_address(text: str) -> str:
    """Return a requested address in its normal form, or unchanged if it isn't an address.

    A space in its local part was a `+` that the client didn't encode.
    """
    text = text.strip()
    local, at, domain = text.rpartition("@")
    if at and not local.startswith('"'):
        text = f"{local.replace(' ', '+')}@{domain}"
    try:
        return normalize_address(text)
    except ValueError:
        return text


def _normalize_domain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if domain.isascii() and "xn--" not in domain.lower():
        return address
    return local + at + _readable_domain(domain)


@lru_cache(maxsize=10_000)
def _readable_domain(domain: str) -> str:
    """Return the domain in lower case with readable letters: the same text for all spellings of one domain."""
    try:
        return idna.decode(idna.encode(domain, uts46=True))
    except (idna.IDNAError, UnicodeError):
        # Not a domain that can be registered, but a mail system may still use it.
        return unicodedata.normalize("NFC", domain).lower()
