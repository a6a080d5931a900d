"""Amazon SNS: signatures, their certificates, and subscriptions. SES delivers its events through it."""

import http.client
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from rapport.capture.errors import InvalidPayload, KeyUnavailable, RefusedRequest
from rapport.capture.json_record import JsonRecord
from rapport.capture.webhooks.signatures import check_age, decode_base64
from rapport.instant import HOUR, Instant

Fetch = Callable[[str], bytes]
"""Return the body of an https URL. Raises OSError."""

_HOST: Final = r"sns\.[a-z0-9-]{3,32}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE_URL: Final = re.compile(rf"https://{_HOST}/SimpleNotificationService-[0-9a-f]{{5,64}}\.pem", re.ASCII)
_TOPIC: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{3,32}):\d{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII)
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_MAX_AGE: Final = 25 * HOUR
_TIMEOUT: Final = 5.0
_MAX_CERTIFICATE_BYTES: Final = 64 * 1024
_MAX_CERTIFICATES: Final = 100
_OK: Final = 200


def is_topic(text: str) -> bool:
    """Return True if the text is the ARN of a topic."""
    return _TOPIC.fullmatch(text) is not None


def fetch(url: str) -> bytes:
    """Return the body of an https URL, up to a limit and without following redirects. Raises OSError."""
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(
        parts.hostname or "", timeout=_TIMEOUT, context=ssl.create_default_context()
    )
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        response = connection.getresponse()
        body = response.read(_MAX_CERTIFICATE_BYTES + 1)
    except http.client.HTTPException as exc:
        raise OSError(f"{parts.hostname} sent no HTTP response") from exc
    finally:
        connection.close()
    if response.status != _OK or len(body) > _MAX_CERTIFICATE_BYTES:
        raise OSError(f"{parts.hostname} answered with status {response.status} and {len(body)} bytes")
    return body


class Certificates:
    """The certificates that SNS signs with, by their URLs."""

    def __init__(self, fetch_url: Fetch = fetch) -> None:
        self._fetch = fetch_url
        self._loaded: dict[str, x509.Certificate] = {}

    def get(self, url: str) -> x509.Certificate:
        """Return the certificate. Raises RefusedRequest for another host's, KeyUnavailable if it can't be fetched."""
        if _CERTIFICATE_URL.fullmatch(url) is None:
            raise RefusedRequest("the certificate isn't Amazon's", "SigningCertURL must be one of Amazon SNS")
        certificate = self._loaded.get(url)
        if certificate is None:
            try:
                certificate = x509.load_pem_x509_certificate(self._fetch(url))
            except (OSError, ValueError) as exc:
                raise KeyUnavailable(f"the certificate of Amazon SNS can't be fetched: {exc}") from exc
            if len(self._loaded) >= _MAX_CERTIFICATES:
                self._loaded.clear()
            self._loaded[url] = certificate
        return certificate


def check_message(message: JsonRecord, topic: str, received: Instant, certificates: Certificates) -> None:
    """Check the topic, the signature and the age of an SNS message. Raises RefusedRequest and KeyUnavailable."""
    names = _SIGNED.get(message.text("Type") or "")
    if names is None or message.text("Signature") is None:
        raise RefusedRequest("no signature", "turn 'raw message delivery' of the SNS subscription off: it isn't signed")
    if message.text("TopicArn") != topic:
        # Any AWS account can send messages that are validly signed.
        raise RefusedRequest("another topic", f"the hook accepts {topic} only")
    certificate = certificates.get(message.text("SigningCertURL", "SigningCertUrl") or "")
    _check_signature(message, names, certificate)
    now = datetime.fromtimestamp(received / 1_000, UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise RefusedRequest("the certificate isn't valid now", "it has expired, or the clock of this server is wrong")
    try:
        signed = message.time("Timestamp")
    except InvalidPayload as exc:
        raise RefusedRequest("no signature", str(exc)) from exc
    check_age(signed, received, _MAX_AGE)


def _check_signature(message: JsonRecord, names: tuple[str, ...], certificate: x509.Certificate) -> None:
    key, version = certificate.public_key(), message.text("SignatureVersion")
    if not isinstance(key, RSAPublicKey) or version not in {"1", "2"}:
        raise RefusedRequest("unknown signature version", "expected SignatureVersion 1 or 2")
    values = [(name, message.value(name)) for name in names if name in message]
    text = "".join(f"{name}\n{value}\n" for name, value in values if value is not None)
    try:
        # SHA-1 is what version 1 is defined with, and the default of a topic.
        key.verify(
            _decode(message.text("Signature")),
            text.encode("utf-8", "surrogatepass"),
            PKCS1v15(),
            SHA1() if version == "1" else SHA256(),  # noqa: S303
        )
    except InvalidSignature:
        raise RefusedRequest("the signature doesn't match", "the message isn't what Amazon SNS signed") from None


def _decode(signature: str | None) -> bytes:
    decoded = decode_base64(signature or "")
    if not decoded:
        raise RefusedRequest("no signature", "Signature isn't base64")
    return decoded


def confirmation_url(message: JsonRecord) -> str | None:
    """Return the URL that confirms a subscription: built from the topic and the token, not the one in the message."""
    topic, token = message.text("TopicArn") or "", message.text("Token") or ""
    match = _TOPIC.fullmatch(topic)
    if message.text("Type") != "SubscriptionConfirmation" or match is None:
        return None
    host = f"sns.{match[2]}.amazonaws.com" + (".cn" if match[1] == "aws-cn" else "")
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token})
    return f"https://{host}/?{query}"
