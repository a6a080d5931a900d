"""SendGrid's event webhook."""

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidHook, RefusedRequest
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, texts
from rapport.capture.webhooks.provider import MIB, Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import check_age, decode_base64, explain_mismatch, read_seconds, require_keys
from rapport.instant import HOUR

_SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
_TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
_MAX_AGE: Final = 25 * HOUR
"""SendGrid tries for 24 hours."""

_CLASSIFICATIONS: Final = {
    "invalid address": BounceCode.B,
    "technical": BounceCode.D,
    "technical failure": BounceCode.D,
    "content": BounceCode.Z,
    "reputation": BounceCode.Z,
    "mailbox unavailable": BounceCode.F,
    "frequency or volume too high": BounceCode.X,
    "unclassified": BounceCode.X,
}
_DROPS: Final = {
    "invalid": BounceCode.B,
    "bounced address": BounceCode.S,
    "spam reporting address": BounceCode.S,
    "unsubscribed address": BounceCode.S,
    "spam content": BounceCode.Z,
}
_OWN_FIELDS: Final = frozenset(
    {
        *("email", "event", "timestamp", "url", "url_offset", "useragent", "ip", "smtp-id", "sg_event_id"),
        *("sg_message_id", "sg_machine_open", "sg_content_type", "category", "reason", "status", "response", "attempt"),
        *("type", "tls", "cert_err", "bounce_classification", "asm_group_id"),
    }
)


class SendGrid(Provider):
    """Twilio SendGrid: an array of events, signed with ECDSA."""

    name: ClassVar[str] = "sendgrid"
    title: ClassVar[str] = "SendGrid"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "processed": ActivityType.EM_SENDS,
        "delivered": None,
        "open": ActivityType.EM_OPENS,
        "click": ActivityType.EM_CLICKS,
        "bounce": ActivityType.EM_BOUNCES,
        "dropped": ActivityType.EM_BOUNCES,
        "unsubscribe": ActivityType.EM_OPTOUTS,
        "group_unsubscribe": ActivityType.EM_OPTOUTS,
        "spamreport": ActivityType.EM_OPTOUTS,
        "deferred": None,
        "group_resubscribe": None,
        "account_status_change": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spamreport"})
    key_name: ClassVar[str | None] = "verification key"
    steps: ClassVar[tuple[str, ...]] = (
        "Open Settings → Mail Settings → Event Webhooks and create a webhook.",
        "Enter {url} as the Post URL and select the events.",
        "Turn Signature Verification on. This hook checks the requests with the verification key that is shown there.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that each key is a public key."""
        super().check_credentials(credentials)
        for key in require_keys(credentials.keys, "verification key"):
            _load_key(key)

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of the timestamp and the body."""
        timestamp = request.headers.get(_TIMESTAMP, "")
        signature = decode_base64(request.headers.get(_SIGNATURE, ""))
        if not (timestamp and signature):
            raise RefusedRequest("no signature", "turn Signature Verification on at SendGrid")
        keys = [_load_key(key) for key in require_keys(credentials.keys, "verification key")]
        start = timestamp.encode("utf-8", "surrogatepass")

        def matches(body: bytes) -> bool:
            return any(_verify(key, signature, start + body) for key in keys)

        if not matches(request.body):
            raise explain_mismatch(request.body, matches)
        signed = read_seconds(timestamp)
        if signed is None:
            raise RefusedRequest("no signature", f"{_TIMESTAMP} isn't a number of seconds")
        check_age(signed, request.received_time, _MAX_AGE)

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event. Custom arguments are merged into SendGrid's own fields."""
        event = JsonRecord(item)
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        if name == "account_status_change":
            return []
        # Only what comes before the first '.' is the same in all events of a message.
        message_id = (event.text("sg_message_id") or "").partition(".")[0] or event.text("smtp-id")
        recipient, url = event.text("email"), event.text("url")
        offset = event.record("url_offset").text("index")
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=event.time("timestamp"),
                # `sg_event_id` may change when an event is sent again.
                event_id=derived_identity(self.name, message_id, recipient, name, event.text("timestamp"), url, offset),
                recipient=recipient,
                message_id=message_id,
                link_url=url,
                bounce_code=_bounce_code(event, name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=event.text("useragent"),
                ip_address=event.text("ip"),
                machine="apple" if event.is_true("sg_machine_open") else None,
                is_delivery=name == "delivered",
                tags=texts(event.value("category")),
                metadata=event.flat(_OWN_FIELDS),
            )
        ]


def _bounce_code(event: JsonRecord, name: str) -> BounceCode:
    reason = event.text("reason") or ""
    if name == "dropped":
        return _DROPS.get(reason.lower(), BounceCode.X)
    label = _CLASSIFICATIONS.get((event.text("bounce_classification") or "").lower())
    if label in (None, BounceCode.X) and event.text("type") == "blocked":
        label = BounceCode.Z
    return bounce_code(event.text("status"), reason, label)


@lru_cache(maxsize=1_000)
def _load_key(key: str) -> EllipticCurvePublicKey:
    try:
        if key.lstrip().startswith("-----"):
            loaded = load_pem_public_key(key.encode())
        else:
            loaded = load_der_public_key(decode_base64("".join(key.split())) or b"")
    except ValueError as exc:
        raise InvalidHook("the verification key isn't a public key; copy it from SendGrid as it is") from exc
    if not isinstance(loaded, EllipticCurvePublicKey):
        raise InvalidHook("the verification key isn't one for ECDSA; copy it from SendGrid as it is")
    return loaded


def _verify(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
