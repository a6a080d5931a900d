"""From statuses and diagnostic texts to bounce codes."""

import pytest

from rapport.activity import BounceCode
from rapport.capture.bounce_codes import bounce_code, find_status

B, D, F, S, V, X, Z = BounceCode


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((f"{group}.1.{detail}", B) for group in (4, 5) for detail in (0, 1, 2, 3, 4, 6, 10)),
        *((f"5.1.{detail}", Z) for detail in (7, 8)),
        ("5.7.27", Z),
        ("5.2.1", B),
        ("4.2.1", D),
        ("5.2.2", F),
        ("4.2.2", F),
        *((status, X) for status in ("5.2.3", "5.3.4", "5.6.0", "5.6.7", "5.2.4", "5.5.3")),
        *((status, D) for status in ("4.4.1", "4.4.7", "5.4.6", "4.3.0", "5.3.2", "4.4.4", "4.0.0")),
        ("5.4.4", B),
        *((f"5.7.{detail}", B) for detail in (13, 17, 18)),
        *((f"5.7.{detail}", Z) for detail in (0, 1, 9, 26, 515)),
        ("5.0.0", X),
        ("5.5.0", X),
    ],
)
def test_status_without_text_is_mapped(status: str, code: BounceCode) -> None:
    assert bounce_code(status, None) is code


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        ("5.0.0", "550 5.0.0 <grace@example.net>... User unknown", B),
        ("5.5.0", "550 Requested action not taken: mailbox unavailable", B),
        ("5.0.0", "552 mailbox full", F),
        (None, "552 Requested mail action aborted", F),
        (None, "451 Greylisted, please try again", D),
        (None, "550 Denied by policy", Z),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", B),
        ("5.7.1", "550 5.7.1 RESOLVER.ADR.RecipientNotFound; not found", B),
        ("5.7.1", "554 5.7.1 Client host [192.0.2.1] blocked", Z),
        (None, "host 4.2.2.1 said: 550 user unknown", B),
        (None, "delivery temporarily suspended: connection refused", D),
        (None, None, X),
        (None, "", X),
    ],
)
def test_text_decides_for_unspecific_status(status: str | None, text: str | None, code: BounceCode) -> None:
    assert bounce_code(status, text) is code


def test_status_overrides_label_of_provider() -> None:
    assert bounce_code(None, "552 5.2.2 quota", B) is F
    assert bounce_code(None, "no idea", B) is B


@pytest.mark.parametrize(
    ("text", "status"), [("x 5.1.1 y", "5.1.1"), ("4.2.2.1", None), ("(#5.1.1)", "5.1.1"), ("5.1.1.", "5.1.1")]
)
def test_addresses_are_not_read_as_statuses(text: str, status: str | None) -> None:
    assert find_status(text) == status
