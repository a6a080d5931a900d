"""MailerSend's webhooks."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import RefusedRequest
from rapport.capture.event import Event, derived_identity, event_identity
from rapport.capture.json_record import JsonRecord, texts
from rapport.capture.webhooks.provider import Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import explain_mismatch, matches_hmac, require_keys

_PREFIX: Final = "activity."


class MailerSend(Provider):
    """MailerSend: one event per request, signed with HMAC over the body."""

    name: ClassVar[str] = "mailersend"
    title: ClassVar[str] = "MailerSend"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "sent": ActivityType.EM_SENDS,
        "delivered": None,
        "opened": ActivityType.EM_OPENS,
        # Sent in addition to `opened` and `clicked`.
        "opened_unique": None,
        "clicked": ActivityType.EM_CLICKS,
        "clicked_unique": None,
        "hard_bounced": ActivityType.EM_BOUNCES,
        "soft_bounced": ActivityType.EM_BOUNCES,
        "unsubscribed": ActivityType.EM_OPTOUTS,
        "spam_complaint": ActivityType.EM_OPTOUTS,
        "survey_opened": None,
        "survey_submitted": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spam_complaint"})
    key_name: ClassVar[str | None] = "signing secret"
    steps: ClassVar[tuple[str, ...]] = (
        "Open Domains → Manage → Webhooks → Create webhook, enter {url} and select the events.",
        "The hook's key is the signing secret of the webhook.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
    )

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that there is a key."""
        super().check_credentials(credentials)
        require_keys(credentials.keys, "signing secret")

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of the body."""
        keys = [key.encode() for key in require_keys(credentials.keys, "signing secret")]
        try:
            signature = bytes.fromhex(request.headers.get("signature", ""))
        except ValueError:
            signature = b""
        if not signature:
            raise RefusedRequest("no signature", "the header Signature is needed, as hexadecimal text")

        def matches(body: bytes) -> bool:
            return matches_hmac(keys, body, [signature], "sha256")

        if not matches(request.body):
            raise explain_mismatch(request.body, matches)

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event."""
        envelope = JsonRecord(item)
        data, email, morph = (envelope.record("data", *path) for path in ((), ("email",), ("morph",)))
        name = data.text("type") or (envelope.text("type") or "").removeprefix(_PREFIX)
        activity_type = self.find_type(name)
        if name.startswith("survey_"):
            return []
        identifier, message_id = data.text("id"), email.record("message").text("id")
        recipient, url = email.record("recipient").text("email"), morph.text("url")
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=data.time("created_at"),
                event_id=derived_identity(self.name, message_id, name, data.text("created_at"), recipient, url)
                if identifier is None
                else event_identity(self.name, identifier),
                recipient=recipient,
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(morph, name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name)
                or (morph.text("readable_reason") if name == "unsubscribed" else None),
                user_agent=morph.text("user_agent"),
                ip_address=morph.text("ip"),
                is_delivery=name == "delivered",
                subject=email.text("subject"),
                tags=texts(email.value("tags")),
                metadata=email.record("metadata").flat() | email.record("headers").flat(),
            )
        ]


def _bounce_code(morph: JsonRecord, name: str) -> BounceCode:
    code = bounce_code(None, morph.text("reason"))
    return BounceCode.B if code is BounceCode.X and name == "hard_bounced" else code
