"""SparkPost's (Bird's) event webhooks."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidPayload
from rapport.capture.event import Event, derived_identity, event_identity
from rapport.capture.json_record import JsonRecord, texts
from rapport.capture.webhooks.provider import MIB, SecretProvider

_CLASSES: Final = {
    **dict.fromkeys(("10", "30"), BounceCode.B),
    "22": BounceCode.F,
    **dict.fromkeys(("20", "21", "24", "70"), BounceCode.D),
    "25": BounceCode.S,
    **dict.fromkeys(("60", "100"), BounceCode.V),
    **dict.fromkeys(("1", "23", "40", "53"), BounceCode.X),
    **dict.fromkeys(("50", "51", "52", "54"), BounceCode.Z),
}
_UNSUBSCRIBE_CLASS: Final = "90"


class SparkPost(SecretProvider):
    """SparkPost: an array of events, each in an object that names its class; not signed."""

    name: ClassVar[str] = "sparkpost"
    title: ClassVar[str] = "SparkPost"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "injection": ActivityType.EM_SENDS,
        "delivery": None,
        "open": ActivityType.EM_OPENS,
        "amp_open": ActivityType.EM_OPENS,
        # Sent in addition to `open` and `amp_open`.
        "initial_open": None,
        "amp_initial_open": None,
        "click": ActivityType.EM_CLICKS,
        "amp_click": ActivityType.EM_CLICKS,
        "bounce": ActivityType.EM_BOUNCES,
        "out_of_band": ActivityType.EM_BOUNCES,
        "policy_rejection": ActivityType.EM_BOUNCES,
        "spam_complaint": ActivityType.EM_OPTOUTS,
        "list_unsubscribe": ActivityType.EM_OPTOUTS,
        "link_unsubscribe": ActivityType.EM_OPTOUTS,
        "delay": None,
        "generation_failure": None,
        "generation_rejection": None,
        "relay_injection": None,
        "relay_delivery": None,
        "relay_rejection": None,
        "relay_tempfail": None,
        "relay_permfail": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spam_complaint"})
    steps: ClassVar[tuple[str, ...]] = (
        "Open Configuration → Webhooks → Create webhook.",
        "Enter {url} and select the events. The secret is part of the URL, so don't publish it.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event; none for the empty one with which SparkPost tests the URL."""
        envelope = JsonRecord(item)
        if "msys" not in envelope:
            raise InvalidPayload("msys: the event is missing")
        classes = envelope.value("msys")
        if not isinstance(classes, dict) or not classes:
            return []
        event = JsonRecord(next(iter(classes.values())))
        name = event.text("type") or ""
        activity_type = self.find_type(name)
        code = event.text("bounce_class")
        if activity_type is ActivityType.EM_BOUNCES and code == _UNSUBSCRIBE_CLASS:
            activity_type = ActivityType.EM_OPTOUTS
        created_time = event.time("timestamp")
        message_id, recipient = event.text("message_id", "transmission_id"), event.text("raw_rcpt_to", "rcpt_to")
        url, identifier = event.text("target_link_url"), event.text("event_id")
        agent = event.record("user_agent_parsed")
        machines = [flag for flag in ("prefetched", "proxy") if agent.is_true(f"is_{flag}")]
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=created_time,
                event_id=derived_identity(self.name, message_id, name, created_time, recipient, url)
                if identifier is None
                else event_identity(self.name, identifier),
                recipient=recipient,
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(event, code) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=event.text("user_agent"),
                ip_address=event.text("ip_address"),
                machine=machines[0] if machines else None,
                is_delivery=name == "delivery",
                subject=event.text("subject"),
                tags=(*texts(event.value("campaign_id")), *texts(event.value("rcpt_tags"))),
                metadata=event.record("rcpt_meta").flat(),
            )
        ]


def _bounce_code(event: JsonRecord, code: str | None) -> BounceCode:
    label = _CLASSES.get(code or "")
    if label in (BounceCode.S, BounceCode.V):
        return label
    return bounce_code(None, event.text("raw_reason", "reason"), label)
