"""Codes of authenticator apps: RFC 6238's, one at a time, and their encrypted secrets."""

import base64
import hashlib
import hmac
import random

import pytest

from rapport.errors import StoreUnavailable
from rapport.instant import SECOND, Instant
from rapport.people.totp import STEP, TotpSecrets, find_totp_step, new_totp_secret, totp_uri
from rapport.store.store import Store

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "94287082", 1_111_111_109: "07081804", 1_234_567_890: "89005924", 20_000_000_000: "65353130"}


def compute_code(secret: str, moment: Instant) -> str:
    """Return the code as RFC 6238 and RFC 4226 define it."""
    digest = hmac.digest(base64.b32decode(secret), (moment // STEP).to_bytes(8), hashlib.sha1)
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF) % 1_000_000:06}"


@pytest.mark.parametrize(("second", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    assert find_totp_step(RFC_SECRET, code[-6:], Instant(second * SECOND)) == second // 30


def test_only_codes_of_neighbouring_steps_are_accepted() -> None:
    rng = random.Random(1)
    for _ in range(50):
        now = Instant(rng.randrange(10**12, 2 * 10**12))
        for offset in range(-3, 4):
            moment = Instant(now + offset * STEP)
            code = compute_code(RFC_SECRET, moment)
            expected = now // STEP + offset if abs(offset) <= 1 else None
            assert find_totp_step(RFC_SECRET, code, now) == expected
            assert find_totp_step(RFC_SECRET, f" {code[:3]} {code[3:]} ", now) == expected


@pytest.mark.parametrize(
    "code", ["", "00000", "0000000", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "\ud800", "-12345"]
)
def test_malformed_code_is_rejected(code: str) -> None:
    assert find_totp_step(RFC_SECRET, code, Instant(1_767_225_600_000)) is None


def test_uri_names_user_and_server() -> None:
    secret = new_totp_secret()
    assert len(base64.b32decode(secret)) == 20
    uri = totp_uri(secret, "ada+1@example.com")
    assert uri.startswith("otpauth://totp/Rapport:ada%2B1%40example.com?secret=")
    assert secret in uri


async def test_secret_is_encrypted_for_its_user(store: Store) -> None:
    totp = TotpSecrets(store.secrets)
    encrypted = await totp.encrypt("u1", RFC_SECRET)
    assert RFC_SECRET.encode() not in encrypted
    assert encrypted != await totp.encrypt("u1", RFC_SECRET)
    assert await TotpSecrets(store.secrets).decrypt("u1", encrypted) == RFC_SECRET
    for user_id, content in (("u2", encrypted), ("u1", encrypted[:-1] + bytes([encrypted[-1] ^ 1])), ("u1", b"")):
        with pytest.raises(StoreUnavailable, match="reset-totp"):
            await totp.decrypt(user_id, content)
