"""Passwords: rules, hashes, and the same work for users who don't exist."""

import argon2
import pytest

from rapport.errors import InvalidField
from rapport.people.passwords import MAX_PASSWORD_LENGTH, PasswordHashes, parse_new_password

pytestmark = pytest.mark.slow

ADDRESS = "ada@example.com"


@pytest.mark.parametrize(
    "text", ["", "elevenchars", "x" * (MAX_PASSWORD_LENGTH + 1), "aaaaaaaaaaaa", "abababababab", ADDRESS, f"{ADDRESS}1"]
)
def test_weak_password_is_rejected_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidField, match="password") as caught:
        parse_new_password(text, ADDRESS)
    assert not text or text not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("text", ["correct horse battery", "Zwölf Boxkämpfer", "密码密码很长很长的密码一二"])
async def test_hash_verifies_its_password_only(text: str) -> None:
    hashes = PasswordHashes()
    stored = await hashes.hash(parse_new_password(text, ADDRESS))
    assert stored.startswith("$argon2id$v=19$")
    assert text not in stored
    assert await hashes.verify(stored, text)
    assert not await hashes.verify(stored, text + "x")
    assert not hashes.needs_rehash(stored)


async def test_password_verifies_in_every_normalization_form() -> None:
    hashes = PasswordHashes()
    stored = await hashes.hash(parse_new_password("Zw\u00f6lf Boxk\u00e4mpfer", ADDRESS))
    assert await hashes.verify(stored, "Zwo\u0308lf Boxka\u0308mpfer")


async def test_unknown_user_costs_a_hash_with_the_same_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = PasswordHashes()
    verified: list[str] = []
    verify = argon2.PasswordHasher.verify

    def spy(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", spy)
    known = await hashes.hash("correct horse battery")
    assert not await hashes.verify(known, "wrong")
    assert not await hashes.verify(None, "wrong")
    first, second = verified
    assert argon2.extract_parameters(first) == argon2.extract_parameters(second)


async def test_damaged_hash_verifies_nothing() -> None:
    assert not await PasswordHashes().verify("$argon2id$damaged", "correct horse battery")
