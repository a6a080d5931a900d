"""An event keeps its identity however often and however it is delivered, and no two events share one."""

import json
from typing import Any

import msgspec
import pytest

from rapport.capture.webhooks.registry import PROVIDERS
from tests.helpers.webhook_payloads import SAMPLES, SHOP, TIME
from tests.helpers.webhook_signing import NOW, SETTINGS, provider, signed_request


def identities(name: str, *payloads: object, now: int = NOW) -> list[str]:
    request = signed_request(name, *payloads, now=now)
    source = provider(name)
    return [event.event_id for item in source.split(request) for event in source.read(item, SETTINGS.get(name, {}))]


def sample(name: str, kind: str) -> dict[str, Any]:
    return next(sample.payload for sample in SAMPLES if (sample.provider, sample.name) == (name, kind))


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_redelivery_keeps_the_identity(name: str) -> None:
    for payload in (sample.payload for sample in SAMPLES if sample.provider == name):
        again = json.loads(json.dumps(payload, sort_keys=True))
        assert identities(name, payload) == identities(name, again, now=NOW + 120_000)


@pytest.mark.parametrize("name", ["brevo", "mailjet", "mandrill", "sendgrid", "sparkpost"])
def test_identity_does_not_depend_on_order_in_batch(name: str) -> None:
    payloads = [sample.payload for sample in SAMPLES if sample.provider == name]
    assert sorted(identities(name, *payloads)) == sorted(identities(name, *reversed(payloads)))


def test_sendgrid_identity_survives_a_changed_event_id() -> None:
    payload = sample("sendgrid", "click")
    assert identities("sendgrid", payload) == identities("sendgrid", {**payload, "sg_event_id": "another"})
    suffix = {**payload, "sg_message_id": payload["sg_message_id"].replace("filterdrecv", "recvd")}
    assert identities("sendgrid", payload) == identities("sendgrid", suffix)
    for field, value in (
        ("url", SHOP + "1"),
        ("timestamp", TIME + 1),
        ("email", "x@example.com"),
        ("event", "open"),
        ("url_offset", {"index": 1}),
        ("sg_message_id", "other.1"),
    ):
        assert identities("sendgrid", payload) != identities("sendgrid", {**payload, field: value}), field


def test_ses_bounce_has_same_identity_in_both_formats() -> None:
    assert identities("amazon-ses", sample("amazon-ses", "bounce")) == identities(
        "amazon-ses", sample("amazon-ses", "bounce as a notification")
    )


def test_ses_opens_at_different_times_are_different() -> None:
    payload = sample("amazon-ses", "open")
    later = {**payload, "open": {**payload["open"], "timestamp": "2026-02-25T05:56:41.101Z"}}
    assert identities("amazon-ses", payload) != identities("amazon-ses", later)


def test_mailgun_id_of_other_day_is_other_event() -> None:
    payload = sample("mailgun", "opened")
    assert identities("mailgun", payload) != identities("mailgun", {**payload, "timestamp": TIME - 86_400})


def test_brevo_webhook_id_is_not_an_identity() -> None:
    payload = sample("brevo", "click")
    assert identities("brevo", payload) == identities("brevo", {**payload, "id": 2, "date": "2026-02-25 00:00:00"})
    assert identities("brevo", payload) != identities("brevo", {**payload, "link": SHOP + "1"})


def test_repeated_brevo_first_open_is_one_event() -> None:
    assert identities("brevo", sample("brevo", "opened")) == identities("brevo", sample("brevo", "unique_opened"))


def test_mailjet_message_ids_are_exact() -> None:
    payload = sample("mailjet", "open")
    assert identities("mailjet", payload) != identities("mailjet", {**payload, "MessageID": payload["MessageID"] + 1})


def test_long_ids_of_providers_fit() -> None:
    payload = sample("sparkpost", "open")
    event = {**payload["msys"]["track_event"], "event_id": "9" * 10_000}
    [identity] = identities("sparkpost", {"msys": {"track_event": event}})
    assert len(identity) < 255


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_items_keep_their_identity_in_storage(name: str) -> None:
    source = provider(name)
    for payload in (sample.payload for sample in SAMPLES if sample.provider == name):
        for item in source.split(signed_request(name, payload)):
            stored = msgspec.json.decode(msgspec.json.encode(item))
            assert source.read(stored, SETTINGS.get(name, {})) == source.read(item, SETTINGS.get(name, {}))
