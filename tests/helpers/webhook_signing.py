"""Requests signed as each provider signs them, with keys made for the tests."""

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from rapport.capture.webhooks.amazon_ses import AmazonSES
from rapport.capture.webhooks.provider import Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS
from rapport.capture.webhooks.signatures import hash_secret
from rapport.capture.webhooks.sns import Certificates
from rapport.instant import Instant, iso

NOW = Instant(1_772_000_000_000)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:rapport"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
URL = "https://rapport.example.com/in/mandrill/spring"
SECRET = "correct horse battery staple"  # noqa: S105 - made up
KEY = "key-for-the-tests"
STANDARD_KEY = "whsec_" + base64.b64encode(b"a key of some length").decode()

MAPPING = {
    "type": "event",
    "created_time": "at",
    "email_address": "user.email",
    "event_id": "id",
    "campaign_activity_id": "issue",
    "link_url": "url",
    "bounce_text": "smtp",
    "opt_out_reason": "why",
    "types": {
        "sent": "em_sends",
        "opened": "em_opens",
        "clicked": "em_clicks",
        "bounced": "em_bounces",
        "left": "em_optouts",
        "forwarded": "em_forwards",
        "visited": "p_contact_open",
        "ping": "none",
    },
}

SETTINGS: dict[str, dict[str, str]] = {
    "amazon-ses": {"topic_arn": TOPIC},
    "generic": {"mapping": json.dumps(MAPPING)},
}


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


@functools.cache
def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.fromtimestamp(NOW / 1_000, UTC)
    builder = x509.CertificateBuilder(name, name, rsa_key().public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=4_000))
    return builder.sign(rsa_key(), SHA256()).public_bytes(Encoding.PEM)


def public_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def provider(name: str) -> Provider:
    """The provider; that of SNS with the certificate of the tests instead of Amazon's."""
    return AmazonSES(Certificates(lambda _: certificate())) if name == "amazon-ses" else PROVIDERS[name]


def credentials(name: str) -> Credentials:
    keys: dict[str, tuple[str, ...]] = {
        "sendgrid": (public_key(ec_key()),),
        "postal": (public_key(rsa_key()),),
        "resend": (STANDARD_KEY,),
        "generic": (STANDARD_KEY,),
        "mailgun": (KEY,),
        "mailersend": (KEY,),
        "mandrill": (KEY,),
    }
    return Credentials(keys=keys.get(name, ()), secret_hashes=(hash_secret(SECRET),), settings=SETTINGS.get(name, {}))


def encode(items: object) -> bytes:
    return json.dumps(items).encode()


def sns_message(message: object, now: int, **fields: str) -> dict[str, str]:
    """A message of SNS that isn't signed yet."""
    return {
        "Type": "Notification",
        "MessageId": "19ba9823-d7f2-53c1-860e-cb10e0d13dfc",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": iso(now),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        **fields,
    }


def sign_sns(message: dict[str, str]) -> dict[str, str]:
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = SHA256() if message["SignatureVersion"] == "2" else SHA1()  # noqa: S303 - version 1
    signature = rsa_key().sign(text.encode(), PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def _hmac(key: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, message, algorithm).digest()


def _amazon_ses(items: list[object], now: int) -> WebhookRequest:
    return WebhookRequest(body=encode(sign_sns(sns_message(items[0], now))), received_time=Instant(now))


def _sendgrid(items: list[object], now: int) -> WebhookRequest:
    body = encode(items) + b"\r\n"
    timestamp = str(now // 1_000)
    signature = ec_key().sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    headers = {
        "x-twilio-email-event-webhook-timestamp": timestamp,
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
    }
    return WebhookRequest(body=body, headers=headers, received_time=Instant(now))


def _mailgun(items: list[object], now: int) -> WebhookRequest:
    timestamp = str(now // 1_000)
    token = hashlib.sha256(encode(items[0])).hexdigest()[:50]
    signature = _hmac(KEY.encode(), f"{timestamp}{token}".encode()).hex()
    signed = {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": items[0]}
    return WebhookRequest(body=encode(signed), received_time=Instant(now))


def _mailersend(items: list[object], now: int) -> WebhookRequest:
    body = encode(items[0])
    headers = {"signature": _hmac(KEY.encode(), body).hex()}
    return WebhookRequest(body=body, headers=headers, received_time=Instant(now))


def _standard(prefix: str) -> Callable[[list[object], int], WebhookRequest]:
    def sign(items: list[object], now: int) -> WebhookRequest:
        body = encode(items[0] if len(items) == 1 else items)
        # The same for the same content, as it is when a message is sent again.
        content = json.dumps(items, sort_keys=True).encode()
        identifier, timestamp = "msg_" + hashlib.sha256(content).hexdigest()[:20], str(now // 1_000)
        key = base64.b64decode(STANDARD_KEY.removeprefix("whsec_"))
        signature = base64.b64encode(_hmac(key, f"{identifier}.{timestamp}.".encode() + body)).decode()
        headers = {
            f"{prefix}-id": identifier,
            f"{prefix}-timestamp": timestamp,
            f"{prefix}-signature": f"v1,{base64.b64encode(b'of the old key'.ljust(32)).decode()} v1,{signature}",
        }
        return WebhookRequest(body=body, headers=headers, received_time=Instant(now))

    return sign


def _mandrill(items: list[object], now: int) -> WebhookRequest:
    events = json.dumps(items)
    signature = base64.b64encode(_hmac(KEY.encode(), f"{URL}mandrill_events{events}".encode(), "sha1")).decode()
    body = urlencode({"mandrill_events": events}).encode()
    headers = {"x-mandrill-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return WebhookRequest(body=body, headers=headers, received_time=Instant(now), url=URL)


def _postal(items: list[object], now: int) -> WebhookRequest:
    body = encode(items[0])
    headers = {
        "x-postal-signature": base64.b64encode(rsa_key().sign(body, PKCS1v15(), SHA1())).decode(),  # noqa: S303
        "x-postal-signature-256": base64.b64encode(rsa_key().sign(body, PKCS1v15(), SHA256())).decode(),
    }
    return WebhookRequest(body=body, headers=headers, received_time=Instant(now))


def _secret(items: list[object], now: int) -> WebhookRequest:
    token = base64.b64encode(f"rapport:{SECRET}".encode()).decode()
    body = encode(items[0] if len(items) == 1 else items)
    return WebhookRequest(body=body, headers={"authorization": f"Basic {token}"}, received_time=Instant(now))


SIGNERS: Mapping[str, Callable[[list[object], int], WebhookRequest]] = {
    "amazon-ses": _amazon_ses,
    "brevo": _secret,
    "generic": _standard("webhook"),
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mailjet": _secret,
    "mandrill": _mandrill,
    "postal": _postal,
    "postmark": _secret,
    "resend": _standard("svix"),
    "sendgrid": _sendgrid,
    "sparkpost": _secret,
}


def signed_request(name: str, *items: object, now: int = NOW) -> WebhookRequest:
    """A request with these items, as the provider would send it."""
    return SIGNERS[name](list(items), now)
