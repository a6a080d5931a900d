"""Amazon SES, by notifications or event publishing through Amazon SNS."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidHook, InvalidPayload, RefusedRequest
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, as_text, decode_json, texts
from rapport.capture.webhooks import sns
from rapport.capture.webhooks.provider import KIB, Credentials, HookSetting, Provider, WebhookRequest

TOPIC: Final = "topic_arn"

_SUPPRESSED: Final = frozenset({"Suppressed", "OnAccountSuppressionList"})
_RECIPIENTS: Final = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients"}
_DETAILS: Final = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}

_CREATE_QUEUE: Final = "aws sqs create-queue --queue-name rapport-dead-letters"
_SUBSCRIBE: Final = "aws sns subscribe --topic-arn {topic_arn} --protocol https --notification-endpoint {url}"
_SET_ATTRIBUTE: Final = "aws sns set-subscription-attributes --subscription-arn SUBSCRIPTION_ARN --attribute-name"
_POLICY: Final = (
    '{"healthyRetryPolicy":{"numRetries":50,"minDelayTarget":20,"maxDelayTarget":120,"numMinDelayRetries":10,'
    '"numMaxDelayRetries":20,"numNoDelayRetries":0,"backoffFunction":"linear"}}'
)
_REDRIVE: Final = '{"deadLetterTargetArn":"QUEUE_ARN"}'
_PUBLISH: Final = (
    "aws sesv2 create-configuration-set-event-destination --configuration-set-name SET "
    "--event-destination-name rapport --event-destination 'Enabled=true,"
    "MatchingEventTypes=SEND,DELIVERY,OPEN,CLICK,BOUNCE,COMPLAINT,REJECT,SUBSCRIPTION,SnsDestination={TopicArn={topic_arn}}'"
)


class AmazonSES(Provider):
    """Amazon SES. An event may concern several recipients, and bounces may arrive by two ways with different ids."""

    name: ClassVar[str] = "amazon-ses"
    title: ClassVar[str] = "Amazon SES"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "Send": ActivityType.EM_SENDS,
        "Delivery": None,
        "Open": ActivityType.EM_OPENS,
        "Click": ActivityType.EM_CLICKS,
        "Bounce": ActivityType.EM_BOUNCES,
        "Reject": ActivityType.EM_BOUNCES,
        "Complaint": ActivityType.EM_OPTOUTS,
        "Subscription": ActivityType.EM_OPTOUTS,
        "DeliveryDelay": None,
        "Rendering Failure": None,
        "AmazonSnsSubscriptionSucceeded": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"Complaint"})
    settings: ClassVar[tuple[HookSetting, ...]] = (
        HookSetting(TOPIC, "The ARN of the SNS topic. Messages of other topics are refused.", is_required=True),
    )
    steps: ClassVar[tuple[str, ...]] = (
        "Create a topic: aws sns create-topic --name rapport",
        f"Create a dead-letter queue, for when this server is down for longer than SNS tries: {_CREATE_QUEUE}",
        f"Subscribe this hook; SNS asks for a confirmation, which is answered automatically: {_SUBSCRIBE}",
        f"Make SNS try for an hour instead of a minute: {_SET_ATTRIBUTE} DeliveryPolicy --attribute-value '{_POLICY}'",
        f"Set the dead-letter queue: {_SET_ATTRIBUTE} RedrivePolicy --attribute-value '{_REDRIVE}'",
        f"Publish the events to the topic: {_PUBLISH}",
    )
    max_body_bytes: ClassVar[int] = 300 * KIB
    may_block: ClassVar[bool] = True

    def __init__(self, certificates: sns.Certificates | None = None) -> None:
        self._certificates = sns.Certificates() if certificates is None else certificates

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that the topic is a valid ARN."""
        super().check_credentials(credentials)
        if not sns.is_topic(credentials.settings[TOPIC]):
            raise InvalidHook(
                f"{TOPIC} must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:ses"
            )

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the topic and the signature of the SNS message."""
        try:
            message = JsonRecord(decode_json(request.body))
        except InvalidPayload as exc:
            raise RefusedRequest("no signature", "the body isn't a message of Amazon SNS") from exc
        sns.check_message(message, credentials.settings.get(TOPIC, ""), request.received_time, self._certificates)

    def confirmation_url(self, item: object) -> str | None:
        """Return the URL that confirms the subscription, if the message asks for it."""
        return sns.confirmation_url(JsonRecord(item))

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the SNS message."""
        return [decode_json(request.body)]

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return an event for each recipient; none for a message about the subscription."""
        message = JsonRecord(item)
        text = message.text("Message") or ""
        if message.text("Type") != "Notification" or text.startswith("Successfully validated SNS topic"):
            return []
        event = JsonRecord(decode_json(text, "Message"))
        name = event.text("eventType", "notificationType") or ""
        if name == "AmazonSnsSubscriptionSucceeded":
            return []
        activity_type = self.find_type(name)
        detail = event.record(_DETAILS.get(name, name.lower()))
        if name == "Subscription" and not _opted_out(detail):
            activity_type = None
        mail = event.record("mail")
        shared = Event(
            name=name,
            type=activity_type,
            created_time=next(
                record.time("timestamp") if record is not message else message.time("Timestamp")
                for record in (detail, mail, message)
                if record is message or record.text("timestamp")
            ),
            event_id="",
            message_id=mail.text("messageId"),
            link_url=detail.text("link"),
            opt_out_reason=self.opt_out_reason(name),
            user_agent=detail.text("userAgent") if name in {"Open", "Click"} else None,
            ip_address=detail.text("ipAddress"),
            is_delivery=name == "Delivery",
            subject=mail.record("commonHeaders").text("subject"),
            metadata=_metadata(mail),
        )
        return [_for_recipient(shared, detail, recipient) for recipient in _recipients(name, mail, detail)]


def _for_recipient(event: Event, detail: JsonRecord, recipient: JsonRecord) -> Event:
    address, feedback = recipient.text("emailAddress"), detail.text("feedbackId")
    if feedback is not None:
        # The same in notifications and in event publishing; the ids of the SNS messages differ.
        identity = derived_identity(AmazonSES.name, feedback, address)
    else:
        identity = derived_identity(
            AmazonSES.name, event.message_id, event.name, event.created_time, event.link_url, address
        )
    code = _bounce_code(event.name, detail, recipient) if event.type is ActivityType.EM_BOUNCES else None
    return Event(
        **{name: getattr(event, name) for name in event.__struct_fields__}
        | {"event_id": identity, "recipient": address, "bounce_code": code}
    )


def _recipients(name: str, mail: JsonRecord, detail: JsonRecord) -> list[JsonRecord]:
    """Return the recipients that an event concerns; one without an address if there may be several of them."""
    if name in _RECIPIENTS:
        named = [JsonRecord(recipient) for recipient in detail.items(_RECIPIENTS[name])]
        if named:
            return named
    if name == "Delivery" and detail.items("recipients"):
        return [JsonRecord({"emailAddress": address}) for address in texts(detail.value("recipients"))]
    addresses = texts(mail.value("destination"))
    if name in {"Send", "Reject", "DeliveryDelay"}:
        return [JsonRecord({"emailAddress": address}) for address in addresses] or [JsonRecord(None)]
    return [JsonRecord({"emailAddress": addresses[0]} if len(addresses) == 1 else None)]


def _metadata(mail: JsonRecord) -> dict[str, str]:
    tags = mail.value("tags")
    metadata = {
        name: values[0]
        for name, values in (
            (str(name), texts(value)) for name, value in (tags if isinstance(tags, dict) else {}).items()
        )
        if values and not name.startswith("ses:")
    }
    for header in map(JsonRecord, mail.items("headers")):
        name = (header.text("name") or "").lower().removeprefix("x-").replace("-", "_")
        value = as_text(header.value("value"))
        if name.startswith("rapport_") and value is not None:
            metadata[name] = value
    return metadata


def _opted_out(detail: JsonRecord) -> bool:
    preferences = detail.record("newTopicPreferences")
    if preferences.is_true("unsubscribeAll"):
        return True
    statuses = [JsonRecord(topic).text("subscriptionStatus") for topic in preferences.items("topicSubscriptionStatus")]
    return "OptOut" in statuses


def _bounce_code(name: str, detail: JsonRecord, recipient: JsonRecord) -> BounceCode:
    bounce_type, subtype = detail.text("bounceType"), detail.text("bounceSubType") or ""
    if name == "Reject":
        return BounceCode.X
    if subtype in _SUPPRESSED:
        return BounceCode.S
    status, text = recipient.text("status"), recipient.text("diagnosticCode")
    if (
        status is None
        and text is None
        and (
            (bounce_type == "Transient" and subtype == "General")
            or (bounce_type == "Undetermined" and recipient.text("emailAddress") is None)
        )
    ):
        # So are automatic replies reported.
        return BounceCode.V
    if bounce_type == "Undetermined" and not detail.items("bouncedRecipients"):
        return BounceCode.V
    labels = {
        ("Permanent", "NoEmail"): BounceCode.B,
        ("Transient", "MailboxFull"): BounceCode.F,
        ("Transient", "MessageTooLarge"): BounceCode.X,
        ("Transient", "AttachmentRejected"): BounceCode.X,
        ("Transient", "ContentRejected"): BounceCode.Z,
        ("Transient", "CustomTimeoutExceeded"): BounceCode.D,
        ("Undetermined", "Undetermined"): BounceCode.D,
    }
    label = labels.get((bounce_type or "", subtype))
    if label is not None and bounce_type == "Transient" and label is not BounceCode.D:
        return label
    if label is None and text is None:
        label = BounceCode.B if bounce_type == "Permanent" else BounceCode.D
    return bounce_code(status, text, label)
