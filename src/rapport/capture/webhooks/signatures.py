"""Signatures and secrets of requests, checked on the raw bytes and in constant time."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rapport.capture.errors import InvalidPayload, MissingKey, RefusedRequest
from rapport.capture.json_record import decode_json
from rapport.instant import HOUR, MINUTE, SECOND, Instant, iso

_MAX_EXPLAINED_BYTES: Final = 64 * 1024
"""Larger bodies aren't searched for what changed them: searching takes long, and anybody can send them."""

MAX_FUTURE: Final = 10 * MINUTE
"""How far the clock of a provider may be ahead of ours."""


def decode_base64(text: str) -> bytes | None:
    """Return the decoded bytes; None if the text isn't base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def matches_hmac(keys: Iterable[bytes], message: bytes, signatures: Iterable[bytes | None], algorithm: str) -> bool:
    """Return True if one of the signatures is that of the message with one of the keys."""
    presented = [signature for signature in signatures if signature is not None]
    matches = False
    for key in keys:
        expected = hmac.digest(key, message, algorithm)
        for signature in presented:
            # Compare all pairs, so that the time reveals neither which one matched nor whether one did.
            matches |= hmac.compare_digest(expected, signature)
    return matches


def hash_secret(secret: str) -> str:
    """Return what is stored of a generated secret. It has 256 random bits, so that a slow hash adds nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches_secret(secret_hashes: Iterable[str], presented: Iterable[str]) -> bool:
    """Return True if one of the presented secrets has one of the hashes."""
    digests = [hash_secret(secret) for secret in presented]
    matches = False
    for secret_hash in secret_hashes:
        for digest in digests:
            matches |= hmac.compare_digest(secret_hash, digest)
    return matches


def check_age(signed: Instant, received: Instant, max_age: int) -> None:
    """Check a signature's time, after the signature itself. Raises RefusedRequest."""
    if signed < received - max_age:
        limit = f"{max_age // HOUR} h" if max_age >= HOUR else f"{max_age // MINUTE} min"
        raise RefusedRequest("too old", f"signed at {iso(signed)}, more than {limit} before it arrived")
    if signed > received + MAX_FUTURE:
        raise RefusedRequest(
            "from the future", f"signed at {iso(signed)}, more than {MAX_FUTURE // MINUTE} min after it arrived"
        )


def read_seconds(text: str) -> Instant | None:
    """Return the instant of a header with seconds since 1970; None if it isn't one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 11):
        return None
    return Instant(int(text) * SECOND)


def require_keys(keys: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the hook's keys. Raises MissingKey if it has none."""
    if not keys:
        raise MissingKey(f"the hook has no {name}")
    return keys


def explain_mismatch(body: bytes, matches: Callable[[bytes], bool]) -> RefusedRequest:
    """Return why a signature doesn't match: a change of the body on its way that explains it, or a wrong key."""
    for description, variant in _variants(body) if len(body) <= _MAX_EXPLAINED_BYTES else ():
        if variant != body and matches(variant):
            index = first_difference(body, variant)
            return RefusedRequest("the body was changed on its way", f"{description} (byte {index})")
    return RefusedRequest("the signature doesn't match", "the key is another one, or the body isn't what was signed")


def first_difference(first: bytes, second: bytes) -> int:
    """Return the offset of the first byte in which the two differ."""
    for index, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return index
    return min(len(first), len(second))


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what the body may have been before a proxy or a framework changed it."""
    yield "its line break at the end (CR LF) was removed", body + b"\r\n"
    yield "its line break at the end (LF) was removed", body + b"\n"
    yield "a line break was added at its end", body.rstrip(b"\r\n")
    yield "its line breaks were changed from CR LF to LF", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "its line breaks were changed from LF to CR LF", body.replace(b"\r\n", b"\n")
    try:
        decoded = decode_json(body)
    except InvalidPayload:
        return
    for ends in (b"", b"\r\n", b"\n"):
        for separators in ((",", ":"), (", ", ": ")):
            for escapes in (True, False):
                text = json.dumps(decoded, separators=separators, ensure_ascii=escapes)
                yield "its JSON was decoded and encoded again", text.encode("utf-8", "surrogatepass") + ends
