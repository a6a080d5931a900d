"""Who is let in: signatures and secrets of every provider, changed in every way that we could think of."""

import base64
import contextlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sendgrid.helpers.eventwebhook import EventWebhook
from standardwebhooks import Webhook

from rapport.capture.errors import InvalidHook, KeyUnavailable, RefusedRequest
from rapport.capture.sources import get_source
from rapport.capture.webhooks.amazon_ses import AmazonSES
from rapport.capture.webhooks.provider import Credentials, SecretProvider, WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS
from rapport.capture.webhooks.sns import Certificates
from rapport.instant import DAY, HOUR, MINUTE, Instant
from tests.helpers.webhook_payloads import SAMPLES
from tests.helpers.webhook_signing import (
    CERTIFICATE_URL,
    KEY,
    NOW,
    SECRET,
    STANDARD_KEY,
    certificate,
    credentials,
    encode,
    provider,
    public_key,
    sign_sns,
    signed_request,
    sns_message,
)

NAMES = sorted(PROVIDERS)
SIGNED = [name for name in NAMES if not isinstance(PROVIDERS[name], SecretProvider)]
SECRETS = [name for name in NAMES if name not in SIGNED]
SIGNATURE_HEADERS = {
    "sendgrid": "x-twilio-email-event-webhook-signature",
    "mailersend": "signature",
    "mandrill": "x-mandrill-signature",
    "postal": "x-postal-signature-256",
    "resend": "svix-signature",
    "generic": "webhook-signature",
}
REPEATS = 100


def request_for(name: str, now: int = NOW) -> WebhookRequest:
    return signed_request(name, next(sample for sample in SAMPLES if sample.provider == name).payload, now=now)


def is_refused(name: str, request: WebhookRequest, hook: Credentials | None = None) -> bool:
    try:
        provider(name).authenticate(request, credentials(name) if hook is None else hook)
    except RefusedRequest as exc:
        text = str(exc)
        assert SECRET not in text
        assert KEY not in text
        assert STANDARD_KEY.removeprefix("whsec_") not in text
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_request_of_provider_is_accepted(name: str) -> None:
    provider(name).check_credentials(credentials(name))
    provider(name).authenticate(request_for(name), credentials(name))


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]
        case 1:
            return data[:place] + data[place + 1 :]
        case 2:
            return data[:place] + rng.randbytes(1) + data[place:]
        case _:
            return data[:place]


@pytest.mark.parametrize("name", [name for name in SIGNED if name not in {"mailgun", "amazon-ses"}])
def test_changed_body_is_rejected(name: str) -> None:
    rng = random.Random(name)
    request = request_for(name)
    refused = 0
    for _ in range(REPEATS):
        body = changed_bytes(request.body, rng)
        if body.lower() != request.body.lower():
            assert is_refused(name, msgspec.structs.replace(request, body=body)), body
            refused += 1
    assert refused > REPEATS * 0.8


def signed_parts(name: str, request: WebhookRequest) -> Iterator[WebhookRequest]:
    """The request with each of the texts that its body's signature covers changed."""
    document = json.loads(request.body)
    part = document if name == "amazon-ses" else document["signature"]
    for field in list(part):
        if field not in {"SigningCertURL", "SignatureVersion"} and isinstance(part[field], str):
            for text in ("", part[field] + "x", part[field][:-1], "0" * len(part[field]), part[field][::-1]):
                if text != part[field]:
                    changed = {**part, field: text}
                    whole = changed if name == "amazon-ses" else {**document, "signature": changed}
                    yield msgspec.structs.replace(request, body=encode(whole))


@pytest.mark.parametrize("name", ["mailgun", "amazon-ses"])
def test_changed_signed_field_is_rejected(name: str) -> None:
    for changed in signed_parts(name, request_for(name)):
        assert is_refused(name, changed), changed.body


@pytest.mark.parametrize("name", sorted(SIGNATURE_HEADERS))
def test_changed_signature_is_rejected(name: str) -> None:
    rng = random.Random(name)
    request = request_for(name)
    header = SIGNATURE_HEADERS[name]
    value = request.headers[header]
    scheme, _, text = value.rpartition(" ")
    for _ in range(REPEATS):
        changed = changed_bytes(text.encode(), rng).decode("latin-1")
        if changed.strip().lower() != text.lower():
            headers = {**request.headers, header: f"{scheme} {changed}".strip(), "x-postal-signature": changed}
            refused = is_refused(name, msgspec.structs.replace(request, headers=headers))
            # The last character of base64 has bits that stand for nothing.
            assert refused or changed[:-2] == text[:-2] or base64_bytes(changed) == base64_bytes(text), changed


def base64_bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.removeprefix("v1,"), validate=True)
    except ValueError:
        return None


@pytest.mark.parametrize("name", SIGNED)
def test_request_without_headers_is_rejected(name: str) -> None:
    request = request_for(name)
    if request.headers:
        assert is_refused(name, msgspec.structs.replace(request, headers={}))
        for header in SIGNATURE_HEADERS.get(name, ""), "svix-id", "webhook-id", "svix-timestamp":
            if header in request.headers:
                for value in ("", "x", "ü", "1", "\x00", "v1,", "v2," + "A" * 44):
                    headers = {**request.headers, header: value, "x-postal-signature": value}
                    assert is_refused(name, msgspec.structs.replace(request, headers=headers)), (header, value)


@pytest.mark.parametrize("name", [name for name in SIGNED if name != "amazon-ses"])
def test_request_signed_with_other_key_is_rejected(name: str) -> None:
    other = {
        "sendgrid": public_key(ec.generate_private_key(ec.SECP256R1())),
        "postal": public_key(rsa.generate_private_key(65_537, 2_048)),
        "resend": "whsec_" + base64.b64encode(b"another key").decode(),
        "generic": "whsec_" + base64.b64encode(b"another key").decode(),
    }
    hook = msgspec.structs.replace(credentials(name), keys=(other.get(name, "another key"),))
    assert is_refused(name, request_for(name), hook)
    both = msgspec.structs.replace(hook, keys=(*hook.keys, *credentials(name).keys))
    assert not is_refused(name, request_for(name), both)


@pytest.mark.parametrize(
    ("name", "horizon"),
    [
        ("sendgrid", 25 * HOUR),
        ("mailgun", 9 * HOUR),
        ("resend", 5 * MINUTE),
        ("generic", 5 * MINUTE),
        ("amazon-ses", 25 * HOUR),
    ],
)
def test_age_limit_covers_retries_of_provider(name: str, horizon: int) -> None:
    request = request_for(name)
    for age, refused in (
        (0, False),
        (horizon - MINUTE, False),
        (horizon + MINUTE, True),
        (-9 * MINUTE, False),
        (-11 * MINUTE, True),
    ):
        late = msgspec.structs.replace(request, received_time=Instant(NOW + age))
        assert is_refused(name, late) is refused, age


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_required(name: str) -> None:
    body = request_for(name).body

    def refused(**fields: object) -> bool:
        return is_refused(name, WebhookRequest(body=body, received_time=NOW, **fields))  # type: ignore[arg-type]

    basic = base64.b64encode(f"any:{SECRET}".encode()).decode()
    for fields in (
        {"path_secret": SECRET},
        {"headers": {"authorization": f"Basic {basic}"}},
        {"headers": {"authorization": f"bearer {SECRET}"}},
        {"headers": {"x-rapport-secret": SECRET}},
    ):
        assert not refused(**fields), fields
    wrong = ["", SECRET[:-1], SECRET + "x", SECRET.upper(), "ü", "\x00", "\ud800", "x" * 10_000]
    for secret in wrong:
        encoded = base64.b64encode(f"any:{secret}".encode("utf-8", "surrogatepass")).decode()
        assert refused(path_secret=secret)
        assert refused(headers={"authorization": f"Bearer {secret}"})
        assert refused(headers={"authorization": f"Basic {encoded}"})
        assert refused(headers={"authorization": f"Basic {secret}"})
        assert refused(headers={"x-rapport-secret": secret})
    assert refused()


@pytest.mark.parametrize("name", NAMES)
def test_hook_requires_key_and_secret(name: str) -> None:
    with pytest.raises(InvalidHook):
        PROVIDERS[name].check_credentials(Credentials())


@pytest.mark.parametrize("name", ["sendgrid", "postal", "resend", "generic"])
@pytest.mark.parametrize("key", ["", "x", "whsec_", "-----BEGIN PUBLIC KEY-----", "{}", '{"n":"AQAB"}', "MFkw", "ü"])
def test_unusable_key_is_rejected(name: str, key: str) -> None:
    hook = msgspec.structs.replace(credentials(name), keys=(key,))
    with pytest.raises(InvalidHook):
        provider(name).check_credentials(hook)


def test_unknown_provider_error_lists_known_ones() -> None:
    with pytest.raises(InvalidHook, match="unknown provider 'sendgird'; expected one of amazon-ses, brevo"):
        get_source("sendgird")


@pytest.mark.parametrize(("name", "prefix"), [("resend", "svix"), ("generic", "webhook")])
def test_request_signed_by_standard_webhooks_library_is_accepted(name: str, prefix: str) -> None:
    body, identifier = '{"type": "email.opened", "n": "é"}', "msg_1"
    sent = datetime.fromtimestamp(NOW // 1_000, UTC)
    signature = Webhook(STANDARD_KEY).sign(identifier, sent, body)
    headers = {
        f"{prefix}-id": identifier,
        f"{prefix}-timestamp": str(NOW // 1_000),
        f"{prefix}-signature": signature,
    }
    request = WebhookRequest(body=body.encode(), headers=headers, received_time=Instant(NOW))
    provider(name).authenticate(request, credentials(name))
    with pytest.raises(RefusedRequest):
        provider(name).authenticate(msgspec.structs.replace(request, body=body.encode() + b" "), credentials(name))


def test_sendgrid_library_accepts_the_same_requests() -> None:
    request = request_for("sendgrid")
    timestamp = request.headers["x-twilio-email-event-webhook-timestamp"]
    signature = request.headers["x-twilio-email-event-webhook-signature"]
    library = EventWebhook(*credentials("sendgrid").keys)
    rng = random.Random(1)
    for body in (request.body, *(changed_bytes(request.body, rng) for _ in range(20))):
        with contextlib.suppress(UnicodeDecodeError):
            is_valid = library.verify_signature(body.decode(), signature, timestamp)
            assert is_refused("sendgrid", msgspec.structs.replace(request, body=body)) is not is_valid


def test_sendgrid_test_vector_is_accepted() -> None:
    """The example of Twilio's own library."""
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaIN"
        "XvVpiglSI8eNEc6wEA3F+g=="
    )
    event = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    body = json.dumps([event], sort_keys=True, separators=(",", ":")).encode() + b"\r\n"
    headers = {
        "x-twilio-email-event-webhook-timestamp": "1600112502",
        "x-twilio-email-event-webhook-signature": (
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
        ),
    }
    request = WebhookRequest(body=body, headers=headers, received_time=Instant(1_600_112_503_000))
    hook = Credentials(keys=(key,))
    PROVIDERS["sendgrid"].authenticate(request, hook)
    for changed, reason in (
        (body.rstrip(), r"line break at the end \(CR LF\) was removed \(byte 325\)"),
        (json.dumps([event], indent=1).encode(), "JSON was decoded and encoded again"),
        (body.replace(b"dropped", b"opened "), "the key is another one"),
    ):
        with pytest.raises(RefusedRequest, match=reason):
            PROVIDERS["sendgrid"].authenticate(msgspec.structs.replace(request, body=changed), hook)


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_signature_versions_of_sns_are_accepted(version: str) -> None:
    for message in (
        sns_message({"eventType": "Send"}, NOW, SignatureVersion=version),
        sns_message(
            {"eventType": "Send"}, NOW, SignatureVersion=version, Subject="Amazon SES Email Event Notification"
        ),
        sns_message("Zeilenumbruch\nund ü", NOW, SignatureVersion=version),
        sns_message(
            "confirm",
            NOW,
            SignatureVersion=version,
            Type="SubscriptionConfirmation",
            Token="t" * 64,
            SubscribeURL="https://evil.example.com/",
        ),
    ):
        assert not is_refused("amazon-ses", WebhookRequest(body=encode(sign_sns(message)), received_time=NOW))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://SNS.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem\n",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0123456789abcdef.pem",
        "https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_certificates_of_other_hosts_are_never_fetched(url: str) -> None:
    fetched: list[str] = []

    def fetch(expected: str) -> bytes:
        fetched.append(expected)
        return certificate()

    message = sign_sns(sns_message({"eventType": "Send"}, NOW, SigningCertURL=url))
    request = WebhookRequest(body=encode(message), received_time=NOW)
    with pytest.raises(RefusedRequest):
        AmazonSES(Certificates(fetch)).authenticate(request, credentials("amazon-ses"))
    assert fetched == []


def test_messages_of_other_topic_are_rejected_before_fetching_certificate() -> None:
    def fetch(_: str) -> bytes:
        raise AssertionError

    message = sign_sns(sns_message({"eventType": "Send"}, NOW, TopicArn="arn:aws:sns:eu-west-1:999999999999:rapport"))
    request = WebhookRequest(body=encode(message), received_time=NOW)
    with pytest.raises(RefusedRequest, match="another topic"):
        AmazonSES(Certificates(fetch)).authenticate(request, credentials("amazon-ses"))


def test_certificate_is_fetched_once_and_failure_is_temporary() -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        if len(fetched) == 1:
            raise OSError("unreachable")
        return certificate()

    ses, request = AmazonSES(Certificates(fetch)), request_for("amazon-ses")
    with pytest.raises(KeyUnavailable, match="unreachable"):
        ses.authenticate(request, credentials("amazon-ses"))
    for _ in range(3):
        ses.authenticate(request, credentials("amazon-ses"))
    assert fetched == [CERTIFICATE_URL] * 2


def test_expired_certificate_is_rejected() -> None:
    later = NOW + 4_001 * DAY
    message = sign_sns(sns_message({"eventType": "Send"}, later))
    assert is_refused("amazon-ses", WebhookRequest(body=encode(message), received_time=Instant(later)))


def test_raw_message_delivery_error_says_what_to_do() -> None:
    request = WebhookRequest(body=encode({"eventType": "Send"}), received_time=NOW)
    with pytest.raises(RefusedRequest, match="turn 'raw message delivery'"):
        provider("amazon-ses").authenticate(request, credentials("amazon-ses"))


def test_subscription_is_confirmed_only_at_amazon() -> None:
    message = sns_message("", NOW, Type="SubscriptionConfirmation", Token="t&t")  # noqa: S106 - not a password
    assert provider("amazon-ses").confirmation_url(message) == (
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
        "&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Arapport&Token=t%26t"
    )
    assert provider("amazon-ses").confirmation_url(sns_message("", NOW)) is None


def test_unsigned_mandrill_url_test_is_accepted() -> None:
    request = WebhookRequest(body=b"mandrill_events=%5B%5D", received_time=NOW)
    assert not is_refused("mandrill", request)
    assert PROVIDERS["mandrill"].split(request) == []


def test_mandrill_url_mismatch_is_explained() -> None:
    request = msgspec.structs.replace(request_for("mandrill"), url="http://rapport.example.com/in/mandrill/spring")
    with pytest.raises(RefusedRequest, match=r"the URL is another one: Mandrill was given https://rapport"):
        provider("mandrill").authenticate(request, credentials("mandrill"))


def test_mailgun_token_is_extracted_for_replay_protection() -> None:
    request = request_for("mailgun")
    [item] = PROVIDERS["mailgun"].split(request)
    assert PROVIDERS["mailgun"].token(item) == json.loads(request.body)["signature"]["token"]
