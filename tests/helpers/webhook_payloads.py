"""One payload for every kind of event of every provider, in the shape in which providers send them.

The people, addresses and ids are ours. `SAMPLES` has what Rapport must make of each.
"""

from typing import Any, NamedTuple

from rapport.activity import ActivityType, BounceCode

SENDS, OPENS, CLICKS, BOUNCES, OPTOUTS = (
    ActivityType.EM_SENDS,
    ActivityType.EM_OPENS,
    ActivityType.EM_CLICKS,
    ActivityType.EM_BOUNCES,
    ActivityType.EM_OPTOUTS,
)
B, D, F, S, V, X, Z = BounceCode

GRACE = "grace.hopper@example.net"
ALAN = "alan.turing@example.org"
SHOP = "https://shop.example.com/spring?size=8"
AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
UNKNOWN_USER = "smtp; 550 5.1.1 <grace.hopper@example.net>... User unknown"
TIME = 1_771_999_000
"""When the events happened, in seconds."""
ISO = "2026-02-25T05:56:40.101Z"


class Sample(NamedTuple):
    """A payload and what is to be read from it; `activity_type` is None for an event that is no activity."""

    provider: str
    name: str
    payload: Any
    activity_type: ActivityType | None
    expected: dict[str, Any]


SAMPLES: list[Sample] = []


def _add(provider: str, name: str, payload: object, activity_type: ActivityType | None, **expected: object) -> None:
    SAMPLES.append(Sample(provider, name, payload, activity_type, expected))


def _ses(kind: str, *, key: str = "eventType", to: list[str] | None = None, **details: object) -> dict[str, object]:
    mail = {
        "timestamp": "2026-02-25T05:50:00.000Z",
        "source": "letters@shop.example.com",
        "messageId": "0102019c-aaaa-bbbb-cccc-000000000001-000000",
        "destination": [GRACE] if to is None else to,
        "headersTruncated": False,
        "headers": [{"name": "X-Rapport-Campaign-Activity-Id", "value": "spring"}, {"name": "Subject", "value": "Hi"}],
        "commonHeaders": {"subject": "Spring is here"},
        "tags": {"ses:configuration-set": ["letters"], "campaign": ["spring"]},
    }
    return {key: kind, "mail": mail, **details}


def _ses_bounce(kind: str, subtype: str, recipients: list[dict[str, str]], **fields: str) -> dict[str, object]:
    bounce = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients, "timestamp": ISO}
    return _ses("Bounce", bounce={**bounce, "feedbackId": "0102019c-feed-back", **fields})


_SES = "amazon-ses"
_add(_SES, "send", _ses("Send", send={}), SENDS, subject="Spring is here")
_add(_SES, "delivery", _ses("Delivery", delivery={"timestamp": ISO, "recipients": [GRACE]}), None, is_delivery=True)
_add(
    _SES,
    "open",
    _ses("Open", open={"timestamp": ISO, "ipAddress": "192.0.2.7", "userAgent": AGENT}),
    OPENS,
    user_agent=AGENT,
    ip_address="192.0.2.7",
    created_time=1_771_999_000_101,
)
_add(
    _SES,
    "open of a message with several recipients",
    _ses("Open", to=[GRACE, ALAN], open={"timestamp": ISO, "ipAddress": "192.0.2.7", "userAgent": AGENT}),
    OPENS,
    recipient=None,
)
_add(
    _SES,
    "click",
    _ses("Click", click={"timestamp": ISO, "link": SHOP, "linkTags": {"kind": ["hero"]}, "userAgent": AGENT}),
    CLICKS,
    link_url=SHOP,
)
_NOBODY = {"emailAddress": GRACE, "status": "5.1.1", "action": "failed", "diagnosticCode": UNKNOWN_USER}
_add(_SES, "bounce", _ses_bounce("Permanent", "General", [_NOBODY]), BOUNCES, bounce_code=B)
_add(
    _SES,
    "bounce as a notification",
    _ses(
        "Bounce",
        key="notificationType",
        bounce={
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [_NOBODY],
            "timestamp": ISO,
            "feedbackId": "0102019c-feed-back",
        },
    ),
    BOUNCES,
    bounce_code=B,
)
_add(_SES, "suppressed", _ses_bounce("Permanent", "OnAccountSuppressionList", [_NOBODY]), BOUNCES, bounce_code=S)
_add(_SES, "no such user", _ses_bounce("Permanent", "NoEmail", [{"emailAddress": GRACE}]), BOUNCES, bounce_code=B)
_add(_SES, "full", _ses_bounce("Transient", "MailboxFull", [{"emailAddress": GRACE}]), BOUNCES, bounce_code=F)
_add(_SES, "too large", _ses_bounce("Transient", "MessageTooLarge", [{"emailAddress": GRACE}]), BOUNCES, bounce_code=X)
_add(_SES, "content", _ses_bounce("Transient", "ContentRejected", [{"emailAddress": GRACE}]), BOUNCES, bounce_code=Z)
_add(
    _SES,
    "timeout",
    _ses_bounce("Transient", "CustomTimeoutExceeded", [{"emailAddress": GRACE}]),
    BOUNCES,
    bounce_code=D,
)
_add(_SES, "away", _ses_bounce("Transient", "General", [{"emailAddress": GRACE}]), BOUNCES, bounce_code=V)
_add(_SES, "undetermined, nobody", _ses_bounce("Undetermined", "Undetermined", []), BOUNCES, bounce_code=V)
_add(
    _SES,
    "temporary",
    _ses_bounce(
        "Transient", "General", [{"emailAddress": GRACE, "status": "4.4.1", "diagnosticCode": "smtp; timed out"}]
    ),
    BOUNCES,
    bounce_code=D,
)
_add(_SES, "reject", _ses("Reject", reject={"reason": "Bad content"}), BOUNCES, bounce_code=X)
_add(
    _SES,
    "complaint",
    _ses(
        "Complaint",
        complaint={"complainedRecipients": [{"emailAddress": GRACE}], "timestamp": ISO, "feedbackId": "0102-c"},
    ),
    OPTOUTS,
    opt_out_reason="complaint",
)
_add(
    _SES,
    "subscription",
    _ses("Subscription", subscription={"timestamp": ISO, "newTopicPreferences": {"unsubscribeAll": True}}),
    OPTOUTS,
    opt_out_reason=None,
)
_add(
    _SES,
    "subscription of a topic",
    _ses(
        "Subscription",
        subscription={
            "timestamp": ISO,
            "newTopicPreferences": {
                "unsubscribeAll": False,
                "topicSubscriptionStatus": [{"topicName": "offers", "subscriptionStatus": "OptIn"}],
            },
        },
    ),
    None,
)
_add(_SES, "delay", _ses("DeliveryDelay", deliveryDelay={"timestamp": ISO, "delayType": "General"}), None)
_add(_SES, "rendering", _ses("Rendering Failure", failure={"errorMessage": "Attribute 'name' is missing"}), None)


def _sendgrid(event: str, **fields: object) -> dict[str, object]:
    return {
        "email": GRACE,
        "event": event,
        "timestamp": TIME,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "sg_event_id": "ZGVsaXZlcmVkLTAtMTA5OTQ5MTk",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "category": ["spring", "letters"],
        "rapport_contact_id": "c-1",
        **fields,
    }


_add("sendgrid", "processed", _sendgrid("processed"), SENDS, tags=("spring", "letters"))
_add("sendgrid", "delivered", _sendgrid("delivered", response="250 OK"), None, is_delivery=True)
_add("sendgrid", "deferred", _sendgrid("deferred", response="400 try again later", attempt="5"), None)
_add(
    "sendgrid",
    "open",
    _sendgrid("open", useragent=AGENT, ip="192.0.2.7", sg_machine_open=False),
    OPENS,
    user_agent=AGENT,
    machine=None,
    message_id="LRzXl_NHStOGhQ4kofSm_A",
    metadata={"rapport_contact_id": "c-1"},
)
_add("sendgrid", "machine open", _sendgrid("open", sg_machine_open=True), OPENS, machine="apple")
_add(
    "sendgrid",
    "click",
    _sendgrid("click", url=SHOP, url_offset={"index": 0, "type": "html"}, useragent=AGENT),
    CLICKS,
    link_url=SHOP,
)
_add(
    "sendgrid",
    "bounce",
    _sendgrid(
        "bounce", reason="500 unknown recipient", status="5.0.0", type="bounce", bounce_classification="Invalid Address"
    ),
    BOUNCES,
    bounce_code=B,
)
_add(
    "sendgrid",
    "block",
    _sendgrid(
        "bounce",
        reason="554 listed at a block list",
        status="5.7.1",
        type="blocked",
        bounce_classification="Reputation",
    ),
    BOUNCES,
    bounce_code=Z,
)
_add(
    "sendgrid",
    "full",
    _sendgrid("bounce", reason="552 5.2.2 mailbox full", status="5.2.2", bounce_classification="Mailbox Unavailable"),
    BOUNCES,
    bounce_code=F,
)
for _reason, _code in {
    "Bounced Address": S,
    "Unsubscribed Address": S,
    "Spam Reporting Address": S,
    "Invalid": B,
    "Spam Content": Z,
    "Recipient List over Package Quota": X,
}.items():
    _add("sendgrid", f"dropped: {_reason}", _sendgrid("dropped", reason=_reason), BOUNCES, bounce_code=_code)
_add("sendgrid", "spamreport", _sendgrid("spamreport"), OPTOUTS, opt_out_reason="complaint")
_add("sendgrid", "unsubscribe", _sendgrid("unsubscribe"), OPTOUTS, opt_out_reason=None)
_add("sendgrid", "group unsubscribe", _sendgrid("group_unsubscribe", asm_group_id=10), OPTOUTS)
_add("sendgrid", "group resubscribe", _sendgrid("group_resubscribe", asm_group_id=10), None)


def _mailgun(event: str, **fields: object) -> dict[str, object]:
    return {
        "event": event,
        "id": "hTWCTD81RtiDN-a1b2c3",
        "timestamp": TIME + 0.153125,
        "recipient": GRACE,
        "tags": ["spring"],
        "user-variables": {"rapport_campaign_activity_id": "spring"},
        "message": {"headers": {"message-id": "20260225055640.1.DF59@shop.example.com", "subject": "Spring is here"}},
        **fields,
    }


def _mailgun_failure(code: int, message: str, **fields: object) -> dict[str, object]:
    status = {"code": code, "message": message, "description": ""}
    return _mailgun("failed", **{"severity": "permanent", "reason": "bounce", "delivery-status": status, **fields})


_CLIENT = {"client-os": "iOS", "device-type": "mobile", "user-agent": AGENT, "bot": ""}
_add("mailgun", "accepted", _mailgun("accepted", **{"delivery-status": None}), SENDS, subject="Spring is here")
_add("mailgun", "delivered", _mailgun("delivered"), None, is_delivery=True, created_time=1_771_999_000_153)
_add("mailgun", "opened", _mailgun("opened", ip="192.0.2.7", **{"client-info": _CLIENT}), OPENS, machine=None)
_add(
    "mailgun",
    "opened by a machine",
    _mailgun("opened", **{"client-info": {**_CLIENT, "bot": "gmail"}}),
    OPENS,
    machine="gmail",
    metadata={"rapport_campaign_activity_id": "spring"},
)
_add("mailgun", "clicked", _mailgun("clicked", url=SHOP, **{"client-info": _CLIENT}), CLICKS, link_url=SHOP)
_add("mailgun", "failed", _mailgun_failure(550, "5.1.1 The email account does not exist"), BOUNCES, bounce_code=B)
_add("mailgun", "full", _mailgun_failure(552, "5.2.2 The mailbox is full"), BOUNCES, bounce_code=F)
_add("mailgun", "policy", _mailgun_failure(554, "5.7.1 rejected by policy"), BOUNCES, bounce_code=Z)
_add("mailgun", "too old", _mailgun_failure(499, "Too old", reason="old"), BOUNCES, bounce_code=D)
_add("mailgun", "no MX", _mailgun_failure(498, "No MX for nomx.example.com"), BOUNCES, bounce_code=B)
_add("mailgun", "suppressed", _mailgun_failure(605, "Not delivering", reason="suppress-bounce"), BOUNCES, bounce_code=S)
_add(
    "mailgun",
    "temporary",
    _mailgun_failure(450, "Recipient address rejected: Greylisted", severity="temporary", reason="greylisted"),
    None,
)
_add(
    "mailgun",
    "rejected",
    {
        "event": "rejected",
        "timestamp": TIME,
        "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""},
        "message": {"headers": {"to": GRACE, "message-id": "20260225.2@shop.example.com"}},
    },
    BOUNCES,
    bounce_code=X,
)
_add("mailgun", "unsubscribed", _mailgun("unsubscribed"), OPTOUTS, opt_out_reason=None)
_add("mailgun", "complained", _mailgun("complained"), OPTOUTS, opt_out_reason="complaint")
_add("mailgun", "stored", _mailgun("stored"), None)


def _postmark(
    kind: str, *, address: str = "Recipient", time: str = "ReceivedAt", **fields: object
) -> dict[str, object]:
    return {
        "RecordType": kind,
        "ServerID": 23,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        address: GRACE,
        time: "2026-02-25T00:56:40.1019735-05:00",
        "Tag": "spring",
        "Metadata": {"rapport_contact_id": "c-1"},
        **fields,
    }


def _postmark_bounce(kind: str, details: str = "", identifier: int = 901_542_550) -> dict[str, object]:
    return _postmark("Bounce", address="Email", time="BouncedAt", ID=identifier, Type=kind, Details=details)


_add("postmark", "delivery", _postmark("Delivery", time="DeliveredAt"), None, is_delivery=True)
_add(
    "postmark",
    "open",
    _postmark("Open", FirstOpen=True, UserAgent=AGENT, Geo={"IP": "192.0.2.7"}, Client={"Name": "Mobile Safari"}),
    OPENS,
    machine=None,
    ip_address="192.0.2.7",
    created_time=1_771_999_000_101,
    metadata={"rapport_contact_id": "c-1"},
)
_add("postmark", "open through Gmail", _postmark("Open", Client={"Name": "Gmail"}, Geo={}), OPENS, machine="gmail")
_add("postmark", "click", _postmark("Click", OriginalLink=SHOP, ClickLocation="HTML"), CLICKS, link_url=SHOP)
for _kind, _details, _code in (
    ("HardBounce", UNKNOWN_USER, B),
    ("SoftBounce", "smtp;552 5.2.2 over quota", F),
    ("Blocked", "smtp;554 5.7.1 blocked", Z),
    ("AutoResponder", "I am away until Monday", V),
    ("AddressChange", "My new address", V),
    ("ChallengeVerification", "Please confirm that you are human", V),
    ("ManuallyDeactivated", "", S),
    ("BadEmailAddress", "", B),
    ("DMARCPolicy", "", Z),
    ("SMTPApiError", "", D),
    ("VirusNotification", "", X),
    ("Unknown", "", X),
):
    _add("postmark", _kind, _postmark_bounce(_kind, _details), BOUNCES, bounce_code=_code)
for _kind in ("Transient", "DnsError", "Subscribe"):
    _add("postmark", _kind, _postmark_bounce(_kind, "will be tried again"), None)
_add(
    "postmark",
    "complaint",
    _postmark("SpamComplaint", address="Email", time="BouncedAt", ID=901_542_551, Type="SpamComplaint"),
    OPTOUTS,
    opt_out_reason="complaint",
)
_add("postmark", "SpamNotification", _postmark_bounce("SpamNotification"), OPTOUTS, opt_out_reason="complaint")
_CHANGE = {"time": "ChangedAt", "SuppressSending": True}
_add(
    "postmark",
    "unsubscribe",
    _postmark("SubscriptionChange", **_CHANGE, SuppressionReason="ManualSuppression", Origin="Recipient"),
    OPTOUTS,
    opt_out_reason=None,
)
_add(
    "postmark",
    "complaint as a change",
    _postmark("SubscriptionChange", **_CHANGE, SuppressionReason="SpamComplaint"),
    OPTOUTS,
    opt_out_reason="complaint",
)
_add("postmark", "bounce as a change", _postmark("SubscriptionChange", **_CHANGE, SuppressionReason="HardBounce"), None)
_add("postmark", "resubscribe", _postmark("SubscriptionChange", time="ChangedAt", SuppressSending=False), None)


def _mailjet(event: str, **fields: object) -> dict[str, object]:
    return {
        "event": event,
        "time": TIME,
        "MessageID": 12_345_678_901_234_567,
        "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
        "email": GRACE,
        "mj_campaign_id": 1_234_567_890,
        "customcampaign": "spring",
        "CustomID": "letter-1",
        "Payload": '{"rapport_contact_id": "c-1", "n": 2}',
        **fields,
    }


_add(
    "mailjet",
    "sent",
    _mailjet("sent", smtp_reply="sent (250 2.0.0 OK)"),
    SENDS,
    is_delivery=True,
    message_id="12345678901234567",
    metadata={"rapport_contact_id": "c-1", "n": "2", "CustomID": "letter-1"},
)
_add("mailjet", "open", _mailjet("open", ip="192.0.2.7", geo="US", agent=AGENT), OPENS, user_agent=AGENT)
_add("mailjet", "click", _mailjet("click", url=SHOP, ip="192.0.2.7", agent=AGENT), CLICKS, link_url=SHOP)
for _error, _code in {
    "user unknown": B,
    "invalid domain": B,
    "no mail host": B,
    "quota exceeded": F,
    "mailbox inactive": S,
    "blacklisted": Z,
    "relay/access denied": Z,
    "connection issue": D,
    "size limit": X,
}.items():
    _add("mailjet", f"bounce: {_error}", _mailjet("bounce", hard_bounce=True, error=_error), BOUNCES, bounce_code=_code)
_add("mailjet", "greylisted", _mailjet("bounce", hard_bounce=False, blocked=False, error="greylisted"), None)
_add(
    "mailjet", "blocked", _mailjet("blocked", error_related_to="recipient", error="preblocked"), BOUNCES, bounce_code=S
)
_add("mailjet", "typo", _mailjet("blocked", error_related_to="domain", error="typofix"), BOUNCES, bounce_code=B)
_add("mailjet", "spam", _mailjet("spam", source="JMRPP"), OPTOUTS, opt_out_reason="complaint")
_add("mailjet", "unsub", _mailjet("unsub", mj_list_id=1, agent="List-Unsubscribe"), OPTOUTS, opt_out_reason=None)


def _brevo(event: str, **fields: object) -> dict[str, object]:
    return {
        "event": event,
        "email": GRACE,
        "id": 1,
        "date": "2026-02-24 21:56:40",
        "ts": TIME - 36_000,
        "ts_event": TIME,
        "ts_epoch": TIME * 1_000,
        "message-id": "<202602250556.27287306012@smtp-relay.mailin.fr>",
        "subject": "Spring is here",
        "tag": '["spring","letters"]',
        "X-Mailin-custom": '{"rapport_contact_id": "c-1"}',
        "sending_ip": "192.0.2.200",
        **fields,
    }


_add(
    "brevo",
    "request",
    _brevo("request"),
    SENDS,
    tags=("spring", "letters"),
    metadata={"rapport_contact_id": "c-1"},
    ip_address=None,
)
_add("brevo", "delivered", _brevo("delivered"), None, is_delivery=True)
_add("brevo", "opened", _brevo("opened"), OPENS, machine=None)
_add("brevo", "unique_opened", _brevo("unique_opened"), OPENS, machine=None)
_add("brevo", "proxy_open", _brevo("proxy_open", ts_epoch=None), OPENS, machine="proxy")
_add("brevo", "unique_proxy_open", _brevo("unique_proxy_open"), OPENS, machine="proxy")
_add("brevo", "click", _brevo("click", link=SHOP), CLICKS, link_url=SHOP)
_add(
    "brevo",
    "hard_bounce",
    _brevo("hard_bounce", reason=" RecipientError: 550 5.5.0 Requested action not taken: mailbox unavailable."),
    BOUNCES,
    bounce_code=B,
)
_add("brevo", "soft_bounce", _brevo("soft_bounce", reason="552 5.2.2 mailbox full"), BOUNCES, bounce_code=F)
_add("brevo", "no MX", _brevo("soft_bounce", reason="undefined Unable to find MX of domain x"), BOUNCES, bounce_code=B)
_add("brevo", "invalid_email", _brevo("invalid_email", reason="invalid email"), BOUNCES, bounce_code=B)
_add("brevo", "blocked", _brevo("blocked", reason="blocked : due to blacklist user"), BOUNCES, bounce_code=S)
_add("brevo", "error", _brevo("error", reason="something else"), BOUNCES, bounce_code=X)
_add("brevo", "unsubscribe", _brevo("unsubscribe"), OPTOUTS, opt_out_reason=None)
_add("brevo", "unsubscribed", _brevo("unsubscribed"), OPTOUTS, opt_out_reason=None)
_add("brevo", "spam", _brevo("spam"), OPTOUTS, opt_out_reason="complaint")
_add("brevo", "complaint", _brevo("complaint"), OPTOUTS, opt_out_reason="complaint")
_add("brevo", "deferred", _brevo("deferred", reason="450 try again later"), None)


def _sparkpost(kind: str, group: str = "message_event", **fields: object) -> dict[str, object]:
    event = {
        "type": kind,
        "event_id": "92356927693813856",
        "message_id": "000443ee14578172be22",
        "transmission_id": "65832150921904138",
        "raw_rcpt_to": GRACE,
        "rcpt_to": GRACE.lower(),
        "timestamp": str(TIME),
        "campaign_id": "spring",
        "rcpt_meta": {"rapport_contact_id": "c-1"},
        **fields,
    }
    return {"msys": {group: event}, "cust": {"id": "1"}}


_add("sparkpost", "injection", _sparkpost("injection", subject="Spring is here"), SENDS, tags=("spring",))
_add("sparkpost", "delivery", _sparkpost("delivery"), None, is_delivery=True)
_add("sparkpost", "open", _sparkpost("open", "track_event", user_agent=AGENT), OPENS, machine=None)
_add(
    "sparkpost",
    "open by a machine",
    _sparkpost("open", "track_event", user_agent_parsed={"is_proxy": True, "is_prefetched": True}),
    OPENS,
    machine="prefetched",
)
_add("sparkpost", "initial open", _sparkpost("initial_open", "track_event"), None)
_add("sparkpost", "amp open", _sparkpost("amp_open", "track_event"), OPENS)
_add("sparkpost", "amp initial open", _sparkpost("amp_initial_open", "track_event"), None)
_add("sparkpost", "click", _sparkpost("click", "track_event", target_link_url=SHOP), CLICKS, link_url=SHOP)
_add("sparkpost", "amp click", _sparkpost("amp_click", "track_event", target_link_url=SHOP), CLICKS, link_url=SHOP)
for _class, _text, _code in (
    ("10", "550 5.1.1 <grace@example.net>: Recipient address rejected: User unknown", B),
    ("30", "554 5.4.4 no MX", B),
    ("22", "552 5.2.2 full", F),
    ("20", "451 deferred", D),
    ("25", "550 5.7.1 administrative", S),
    ("60", "auto-reply", V),
    ("100", "challenge", V),
    ("1", "", X),
    ("40", "", X),
    ("51", "554 5.7.1 listed at a block list", Z),
):
    _add(
        "sparkpost",
        f"bounce {_class}",
        _sparkpost("bounce", bounce_class=_class, raw_reason=_text),
        BOUNCES,
        bounce_code=_code,
    )
_add("sparkpost", "unsubscribed by bounce", _sparkpost("bounce", bounce_class="90", raw_reason="unsubscribe"), OPTOUTS)
_add(
    "sparkpost",
    "out of band",
    _sparkpost("out_of_band", bounce_class="10", raw_reason="550 5.1.1"),
    BOUNCES,
    bounce_code=B,
)
_add("sparkpost", "policy", _sparkpost("policy_rejection", raw_reason="550 5.7.1 policy"), BOUNCES, bounce_code=Z)
_add("sparkpost", "complaint", _sparkpost("spam_complaint", fbtype="abuse"), OPTOUTS, opt_out_reason="complaint")
_add("sparkpost", "list unsubscribe", _sparkpost("list_unsubscribe", "unsubscribe_event"), OPTOUTS, opt_out_reason=None)
_add("sparkpost", "link unsubscribe", _sparkpost("link_unsubscribe", "unsubscribe_event"), OPTOUTS, opt_out_reason=None)
_add("sparkpost", "delay", _sparkpost("delay", bounce_class="21", raw_reason="454 4.4.4 no MX"), None)
_add("sparkpost", "generation failure", _sparkpost("generation_failure", "gen_event", timestamp=ISO), None)
_add("sparkpost", "generation rejection", _sparkpost("generation_rejection", "gen_event"), None)


def _resend(kind: str, **data: object) -> dict[str, object]:
    fields = {
        "created_at": "2026-02-25T05:50:00.982Z",
        "email_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "from": "Shop <letters@shop.example.com>",
        "headers": [{"name": "X-Rapport-Contact-Id", "value": "c-1"}, {"name": "Reply-To", "value": "r@example.com"}],
        "subject": "Spring is here",
        "tags": {"campaign": "spring"},
        "to": [f"Grace Hopper <{GRACE}>"],
        **data,
    }
    return {"type": kind, "created_at": ISO, "data": fields}


_add(
    "resend",
    "sent",
    _resend("email.sent"),
    SENDS,
    created_time=1_771_999_000_101,
    metadata={"rapport_contact_id": "c-1", "campaign": "spring"},
    tags=("spring",),
)
_add("resend", "sent to several", _resend("email.sent", to=[GRACE, ALAN]), SENDS, recipient=None)
_add(
    "resend",
    "older tags",
    _resend("email.sent", tags=[{"name": "campaign", "value": "spring"}]),
    SENDS,
    tags=("spring",),
)
_add("resend", "delivered", _resend("email.delivered"), None, is_delivery=True)
_add("resend", "opened", _resend("email.opened"), OPENS)
_add(
    "resend",
    "clicked",
    _resend("email.clicked", click={"link": SHOP, "timestamp": ISO, "userAgent": AGENT, "ipAddress": "192.0.2.7"}),
    CLICKS,
    link_url=SHOP,
    user_agent=AGENT,
    ip_address="192.0.2.7",
)
_HARD = "The recipient's email provider sent a hard bounce message, but didn't specify the reason for the hard bounce."
_add("resend", "bounced", _resend("email.bounced", bounce={"message": _HARD}), BOUNCES, bounce_code=B)
_add(
    "resend",
    "bounced with a diagnostic",
    _resend("email.bounced", bounce={"type": "Transient", "subType": "General", "diagnosticCode": ["552 5.2.2 full"]}),
    BOUNCES,
    bounce_code=F,
)
_add(
    "resend",
    "suppressed by bounce",
    _resend(
        "email.bounced", bounce={"type": "Permanent", "subType": "Suppressed", "message": "Resend has suppressed it"}
    ),
    BOUNCES,
    bounce_code=S,
)
_add("resend", "suppressed", _resend("email.suppressed"), BOUNCES, bounce_code=S)
_add("resend", "failed", _resend("email.failed", failed={"reason": "reached_daily_quota"}), BOUNCES, bounce_code=X)
_add("resend", "complained", _resend("email.complained"), OPTOUTS, opt_out_reason="complaint")
_add("resend", "delayed", _resend("email.delivery_delayed"), None)
_add("resend", "scheduled", _resend("email.scheduled"), None)
_UPDATED = {"id": "e169aa45", "email": GRACE, "unsubscribed": True}
_add("resend", "contact unsubscribed", {"type": "contact.updated", "created_at": ISO, "data": _UPDATED}, OPTOUTS)
_add(
    "resend",
    "contact updated",
    {"type": "contact.updated", "created_at": ISO, "data": {**_UPDATED, "unsubscribed": False}},
    None,
)


def _mailersend(kind: str, morph: dict[str, object] | None = None) -> dict[str, object]:
    email = {
        "id": "63fd1c1d5f010335ed07066c",
        "subject": "Spring is here",
        "tags": ["spring"],
        "message": {"id": "63fd1c1d5f010335ed07066b"},
        "recipient": {"email": GRACE},
    }
    data = {
        "object": "activity",
        "id": "63fd1e05532bd6cc700a793b",
        "type": kind,
        "created_at": ISO.replace("101Z", "101000Z"),
    }
    return {"type": f"activity.{kind}", "data": {**data, "email": email, "morph": morph}}


_add("mailersend", "sent", _mailersend("sent"), SENDS, tags=("spring",), message_id="63fd1c1d5f010335ed07066b")
_add("mailersend", "delivered", _mailersend("delivered"), None, is_delivery=True)
_add(
    "mailersend", "opened", _mailersend("opened", {"object": "open", "ip": "192.0.2.7"}), OPENS, ip_address="192.0.2.7"
)
_add("mailersend", "opened_unique", _mailersend("opened_unique", {"object": "open"}), None)
_add("mailersend", "clicked", _mailersend("clicked", {"object": "click", "url": SHOP}), CLICKS, link_url=SHOP)
_add("mailersend", "clicked_unique", _mailersend("clicked_unique", {"object": "click", "url": SHOP}), None)
_add(
    "mailersend",
    "hard_bounced",
    _mailersend("hard_bounced", {"reason": "Host or domain name not found"}),
    BOUNCES,
    bounce_code=B,
)
_add(
    "mailersend",
    "hard_bounced, unknown",
    _mailersend("hard_bounced", {"reason": "Unknown reason"}),
    BOUNCES,
    bounce_code=B,
)
_add("mailersend", "soft_bounced", _mailersend("soft_bounced", {"reason": "Unknown reason"}), BOUNCES, bounce_code=X)
_add(
    "mailersend", "spam_complaint", _mailersend("spam_complaint", {"reason": None}), OPTOUTS, opt_out_reason="complaint"
)
_add(
    "mailersend",
    "unsubscribed",
    _mailersend("unsubscribed", {"reason": "option_3", "readable_reason": "I get too many emails"}),
    OPTOUTS,
    opt_out_reason="I get too many emails",
)


def _mandrill(event: str, message: dict[str, object] | None = None, **fields: object) -> dict[str, object]:
    shared = {
        "ts": TIME - 100,
        "subject": "Spring is here",
        "email": GRACE,
        "sender": "letters@shop.example.com",
        "tags": ["spring"],
        "metadata": {"rapport_contact_id": "c-1"},
        "_id": "abcdef012345789abcdef012345789",
    }
    identifier = "abcdef012345789abcdef012345789"
    return {"event": event, "ts": TIME, "_id": identifier, "msg": {**shared, **(message or {})}, **fields}


_add("mandrill", "send", _mandrill("send"), SENDS, metadata={"rapport_contact_id": "c-1"}, created_time=TIME * 1_000)
_add("mandrill", "delivered", _mandrill("delivered"), None, is_delivery=True)
_add("mandrill", "deferral", _mandrill("deferral", {"smtp_events": []}), None)
_add("mandrill", "open", _mandrill("open", ip="192.0.2.7", user_agent=AGENT), OPENS, ip_address="192.0.2.7")
_add("mandrill", "click", _mandrill("click", url=SHOP, user_agent=AGENT), CLICKS, link_url=SHOP)
for _description, _diag, _code in (
    ("bad_mailbox", "smtp;550 5.1.1 The email account does not exist.", B),
    ("invalid_domain", "", B),
    ("mailbox_full", "", F),
    ("general", "", D),
    ("spam", "", Z),
    ("other", "", X),
):
    _add(
        "mandrill",
        f"bounce: {_description}",
        _mandrill("hard_bounce", {"bounce_description": _description, "diag": _diag}),
        BOUNCES,
        bounce_code=_code,
    )
_add("mandrill", "soft", _mandrill("soft_bounce", {"bounce_description": "mailbox_full"}), BOUNCES, bounce_code=F)
_add("mandrill", "reject", _mandrill("reject"), BOUNCES, bounce_code=S)
_add("mandrill", "unsub", _mandrill("unsub"), OPTOUTS, opt_out_reason=None)
_add("mandrill", "spam", _mandrill("spam"), OPTOUTS, opt_out_reason="complaint")


def _postal(event: str, **payload: object) -> dict[str, object]:
    message = {
        "id": 1564,
        "token": "Kmo8CRdjuM7B",
        "direction": "outgoing",
        "message_id": "7b095c0e-2c98-4e68-a41f-7bd217a83925@rp.postal.example.com",
        "to": GRACE,
        "from": "letters@shop.example.com",
        "subject": "Spring is here",
        "timestamp": TIME - 100.5,
        "tag": "spring",
    }
    uuid = "0fcc831f-92b9-4e2b-97f2-d873abc77fab"
    return {"event": event, "timestamp": TIME + 0.25, "uuid": uuid, "payload": {"message": message, **payload}}


def _postal_bounce() -> dict[str, object]:
    event = _postal("MessageBounced")
    assert isinstance(event["payload"], dict)
    message = event["payload"]["message"]
    bounce = {**message, "id": 1570, "direction": "incoming", "subject": "Mail delivery failed: user unknown"}
    return {**event, "payload": {"original_message": message, "bounce": bounce}}


_add(
    "postal",
    "sent",
    _postal("MessageSent", status="Sent", output="250 2.0.0 OK\n"),
    SENDS,
    is_delivery=True,
    tags=("spring",),
    created_time=TIME * 1_000 + 250,
)
_add("postal", "delayed", _postal("MessageDelayed", status="SoftFail", details="later"), None)
_add("postal", "held", _postal("MessageHeld", status="Held", details="on the suppression list"), None)
_add("postal", "failed", _postal("MessageDeliveryFailed", output="550 5.1.1 User unknown"), BOUNCES, bounce_code=B)
_add(
    "postal", "suppressed", _postal("MessageDeliveryFailed", details="on the suppression list"), BOUNCES, bounce_code=S
)
_add("postal", "bounced", _postal_bounce(), BOUNCES, bounce_code=B)
_add("postal", "loaded", _postal("MessageLoaded", user_agent=AGENT, ip_address="192.0.2.7"), OPENS, user_agent=AGENT)
_add("postal", "clicked", _postal("MessageLinkClicked", url=SHOP, user_agent=AGENT), CLICKS, link_url=SHOP)


def _generic(event: str, **fields: object) -> dict[str, object]:
    return {"event": event, "at": ISO, "id": "e-1", "user": {"email": GRACE}, "issue": "spring", **fields}


_add("generic", "sent", _generic("sent"), SENDS)
_add("generic", "opened", _generic("opened"), OPENS, event_id="generic:e-1")
_add("generic", "clicked", _generic("clicked", url=SHOP), CLICKS, link_url=SHOP)
_add("generic", "bounced", _generic("bounced", smtp="550 5.1.1 user unknown"), BOUNCES, bounce_code=B)
_add("generic", "left", _generic("left", why="Too often"), OPTOUTS, opt_out_reason="Too often")
_add("generic", "forwarded", _generic("forwarded"), ActivityType.EM_FORWARDS)
_add("generic", "visited", _generic("visited"), ActivityType.P_CONTACT_OPEN)
_add("generic", "ping", _generic("ping"), None)

NOTHING: list[tuple[str, str, Any]] = [
    ("sparkpost", "ping", {"msys": {}}),
    ("mandrill", "sync", {"type": "blacklist", "action": "add", "reject": {"email": GRACE, "reason": "manual"}}),
    ("resend", "contact created", {"type": "contact.created", "created_at": ISO, "data": {"email": GRACE}}),
    ("resend", "domain", {"type": "domain.created", "created_at": ISO, "data": {"name": "example.com"}}),
    ("postal", "limit", {"event": "SendLimitApproaching", "timestamp": TIME, "uuid": "1", "payload": {"server": {}}}),
    ("amazon-ses", "validated", "Successfully validated SNS topic for Amazon SES event publishing."),
    ("sendgrid", "status", {"event": "account_status_change", "timestamp": TIME, "type": "compliance_suspend"}),
    ("mailersend", "survey", _mailersend("survey_opened")),
]
"""What providers send that isn't about a message."""
