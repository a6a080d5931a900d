"""What is read from the payloads of each provider."""

import contextlib

import msgspec
import pytest

from rapport.activity import Activity, Link
from rapport.capture.errors import InvalidPayload
from rapport.capture.event import Event
from rapport.capture.webhooks.provider import WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS
from tests.helpers.webhook_payloads import GRACE, NOTHING, SAMPLES, Sample
from tests.helpers.webhook_signing import NOW, SETTINGS, encode, provider, signed_request, sns_message


def read(name: str, request: WebhookRequest) -> list[Event]:
    """All events of a request; every item goes through JSON, as it does when it is kept."""
    source = provider(name)
    items = [msgspec.json.decode(msgspec.json.encode(item)) for item in source.split(request)]
    return [event for item in items for event in source.read(item, SETTINGS.get(name, {}))]


def identify(sample: Sample) -> str:
    return f"{sample.provider}: {sample.name}"


@pytest.mark.parametrize("sample", SAMPLES, ids=identify)
def test_payload_is_read_as_expected(sample: Sample) -> None:
    [event] = read(sample.provider, signed_request(sample.provider, sample.payload))
    assert event.type is sample.activity_type
    assert event.event_id.startswith(f"{sample.provider}:")
    assert abs(event.created_time - NOW) < 3_600_000
    if sample.name != "undetermined, nobody":
        assert event.recipient == sample.expected.get("recipient", GRACE)
    for field, value in sample.expected.items():
        assert getattr(event, field) == value, field


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.activity_type is not None], ids=identify)
def test_event_becomes_valid_activity(sample: Sample) -> None:
    [event] = read(sample.provider, signed_request(sample.provider, sample.payload))
    assert event.type is not None
    Activity(
        contact_id="c-1",
        campaign_activity_id="spring",
        type=event.type,
        created_time=event.created_time,
        event_id=event.event_id,
        link=None if event.link_url is None else Link(link_url=event.link_url),
        bounce_code=event.bounce_code,
        opt_out_reason=event.opt_out_reason,
    )


def test_every_event_of_every_provider_has_a_payload() -> None:
    for name, source in PROVIDERS.items():
        names = {
            event.name.partition(":")[0]
            for sample in SAMPLES
            if sample.provider == name
            for event in read(name, signed_request(name, sample.payload))
        }
        quiet = {event for event, activity_type in source.events.items() if activity_type is None}
        assert set(source.events) - quiet - names <= {"SMTPApiError"}, name
        assert name == "generic" or names <= set(source.events), name


@pytest.mark.parametrize(
    ("name", "what", "payload"), NOTHING, ids=lambda value: value if isinstance(value, str) else ""
)
def test_other_payloads_have_no_events(name: str, what: str, payload: object) -> None:
    assert read(name, signed_request(name, payload)) == []


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_batch_yields_its_events(name: str) -> None:
    payloads = [sample.payload for sample in SAMPLES if sample.provider == name]
    single = [event for payload in payloads for event in read(name, signed_request(name, payload))]
    if name in {"sendgrid", "mailjet", "brevo", "sparkpost", "mandrill", "generic"}:
        batch = read(name, signed_request(name, *payloads))
        assert batch == single


def test_sns_subscription_message_has_no_events() -> None:
    message = sns_message("You have chosen to subscribe", NOW, Type="SubscriptionConfirmation", Token="t" * 64)
    assert read("amazon-ses", WebhookRequest(body=encode(message), received_time=NOW)) == []


def test_ses_bounce_yields_event_per_recipient() -> None:
    bounce = next(sample for sample in SAMPLES if sample.name == "bounce").payload
    recipients = [{"emailAddress": f"reader{number}@example.net", "status": "5.1.1"} for number in range(3)]
    payload = {**bounce, "bounce": {**bounce["bounce"], "bouncedRecipients": recipients}}
    events = read("amazon-ses", signed_request("amazon-ses", payload))
    assert [event.recipient for event in events] == [recipient["emailAddress"] for recipient in recipients]
    assert len({event.event_id for event in events}) == 3


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"7", b'"text"', b"[]", b"[[]]", b"{}"]
)
def test_unreadable_body_raises_only_invalid_payload(name: str, body: bytes) -> None:
    source = PROVIDERS[name]
    request = WebhookRequest(body=body, received_time=NOW)
    try:
        events = [event for item in source.split(request) for event in source.read(item, SETTINGS.get(name, {}))]
    except InvalidPayload:
        return
    assert events == []


@pytest.mark.parametrize("sample", SAMPLES, ids=identify)
def test_payload_without_one_of_its_fields_raises_only_invalid_payload(sample: Sample) -> None:
    for field in sample.payload:
        for value in (None, 7, "", [], {}, [None], "x" * 300, True, -1e300):
            payload = {**sample.payload, field: value}
            with contextlib.suppress(InvalidPayload):
                read(sample.provider, signed_request(sample.provider, payload))


def test_unknown_event_error_lists_expected_events() -> None:
    sample = next(sample for sample in SAMPLES if sample.provider == "mailjet")
    with pytest.raises(InvalidPayload, match=r"unknown event 'read'; expected one of sent, open, click"):
        read("mailjet", signed_request("mailjet", {**sample.payload, "event": "read"}))
