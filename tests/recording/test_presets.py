"""Files of other systems, with the shape of the real ones: which activities they become."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from rapport.activity import Activity
from rapport.catalog import ContactUpdate
from rapport.errors import UnreadableFile
from rapport.instant import parse_instant
from rapport.recording.activity_codec import encode_activity
from rapport.recording.catalog_codec import CONTACTS, get_contact_fields
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.files import read_file
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.presets import PRESETS
from rapport.recording.reading_log import ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.recording.times import DateOrder

NOW = parse_instant("2026-06-01T00:00:00Z")
ADA = "ada@example.com"


def read(content: str | bytes, options: ImportOptions = NO_OPTIONS) -> tuple[list[dict[str, Any]], ReadingLog]:
    """Return the activities as JSON, without times but to the second, and what was noted."""
    raw = content.encode() if isinstance(content, str) else content
    log = ReadingLog()
    read = list(read_file(io.BufferedReader(io.BytesIO(raw)), "a", NOW, ACTIVITIES, options=options, log=log))
    assert [line for line in read if isinstance(line, InvalidLine)] == []
    return [json.loads(encode_activity(line)) for line in read if isinstance(line, Activity)], log


def summarize(content: str | bytes, options: ImportOptions = NO_OPTIONS) -> list[tuple[str, str, str]]:
    """Return type, contact and campaign activity of each activity."""
    names = ("tracking_activity_type", "contact_id", "campaign_activity_id")
    return [tuple(activity[name] for name in names) for activity in read(content, options)[0]]  # type: ignore[misc]


SENDGRID = [
    {
        "email": "Ada@Example.com",
        "timestamp": 1775120400,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event,
        "category": ["cat facts"],
        "sg_event_id": f"ZGVsaXZlcmVkLTA{number}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        **more,
    }
    for number, (event, more) in enumerate(
        [
            ("processed", {}),
            ("deferred", {"response": "400 try again later", "attempt": "5"}),
            ("delivered", {"response": "250 OK"}),
            ("open", {"useragent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", "sg_machine_open": False}),
            ("click", {"useragent": "Mozilla/5.0 (Windows NT 10.0)", "url": "http://www.sendgrid.com/"}),
            ("bounce", {"reason": "500 unknown recipient", "status": "5.1.1", "type": "bounce"}),
            ("spamreport", {}),
            ("group_unsubscribe", {"asm_group_id": 10}),
        ]
    )
]


@pytest.mark.parametrize("write", [json.dumps, lambda events: "\n".join(map(json.dumps, events))])
def test_sendgrid_webhook(write: Callable[[list[dict[str, Any]]], str]) -> None:
    activities, log = read(write(SENDGRID))
    assert [activity["tracking_activity_type"] for activity in activities] == [
        *("em_sends", "em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_optouts"),
    ]
    assert {activity["contact_id"] for activity in activities} == {ADA}
    assert {activity["campaign_activity_id"] for activity in activities} == {"cat facts"}
    # Processed and delivered are one send.
    assert activities[0]["event_id"] == activities[1]["event_id"] == "14c5d75ce93"
    assert activities[2]["device_type"] == "mobile"
    assert activities[3]["link_url"] == "http://www.sendgrid.com/"
    assert activities[4]["bounce_code"] == "B"
    assert activities[0]["created_time"] == "2026-04-02T09:00:00.000Z"
    assert log.skipped == {"deferred": 1}


def test_sendgrid_email_activity_export() -> None:
    header = (
        "processed,message_id,event,api_key_id,recv_message_id,credential_id,subject,from,email,asm_group_id,template_id,"
        "originating_ip,reason,outbound_ip,outbound_ip_type,mx,attempt,url,user_agent,type,is_unique,username,categories,"
        "marketing_campaign_id,marketing_campaign_name,marketing_campaign_split_id,marketing_campaign_version,unique_args"
    )
    row = '2026-04-02 09:00:00,mid1,{},,,,April,me@example.com,ada@example.com,,,,,,,,,{},,,,,"[""news""]",{},,,,'
    content = "\n".join([header, row.format("delivered", "", ""), row.format("click", "https://x.example/", "77")])
    assert summarize(content) == [("em_sends", ADA, "news"), ("em_clicks", ADA, "77")]


def test_mailgun_webhook_and_events_api() -> None:
    event = {
        "id": "CPgfbmQMTCKtHW6uIWtuVe",
        "timestamp": 1775120400.854306,
        "log-level": "info",
        "event": "delivered",
        "recipient": ADA,
        "tags": ["my_tag_1", "my_tag_2"],
        "campaigns": [],
        "message": {"headers": {"message-id": "20130503182626.18666.16540@example.com"}},
        "delivery-status": {"code": 250},
    }
    opened = {**event, "event": "opened", "client-info": {"device-type": "desktop", "client-type": "browser"}}
    clicked = {**opened, "event": "clicked", "url": "https://example.com/"}
    failed = {**event, "event": "failed", "severity": "permanent", "delivery-status": {"code": 550}}
    delayed = {**failed, "severity": "temporary"}
    complained = {**event, "event": "complained"}
    items = [event, opened, clicked, failed, delayed, complained]
    expected = [(name, ADA, "my_tag_1") for name in ("em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts")]
    assert summarize(json.dumps({"items": items, "paging": {}}, indent=2)) == expected
    webhook = "\n".join(json.dumps({"signature": {"token": "x"}, "event-data": item}) for item in items)
    activities, log = read(webhook)
    assert activities[1]["device_type"] == "computer"
    assert activities[3]["bounce_code"] == "B"
    assert log.skipped == {"failed for the time being": 1}


def test_postmark_webhooks() -> None:
    base = {"MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Tag": "welcome-email", "MessageStream": "broadcast"}
    events = [
        {**base, "RecordType": "Delivery", "Recipient": ADA, "DeliveredAt": "2026-04-02T09:00:00.0000000-04:00"},
        {**base, "RecordType": "Open", "Recipient": ADA, "ReceivedAt": "2026-04-02T09:00:00Z", "Platform": "WebMail"},
        {**base, "RecordType": "Open", "Recipient": ADA, "ReceivedAt": "2026-04-03T09:00:00Z", "Platform": "Unknown"},
        {
            **base,
            "RecordType": "Click",
            "Recipient": ADA,
            "ReceivedAt": "2026-04-02T09:01:00Z",
            "OriginalLink": "https://example.com/",
        },
        {
            **base,
            "RecordType": "Bounce",
            "ID": 4323372036854775807,
            "Type": "HardBounce",
            "Email": ADA,
            "BouncedAt": "2026-04-02T09:00:00Z",
        },
        {**base, "RecordType": "SpamComplaint", "ID": 42, "Email": ADA, "BouncedAt": "2026-04-02T09:00:00Z"},
        {
            **base,
            "RecordType": "SubscriptionChange",
            "Recipient": ADA,
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
            "ChangedAt": "2026-04-02T09:00:00Z",
        },
        {
            **base,
            "RecordType": "SubscriptionChange",
            "Recipient": ADA,
            "SuppressSending": False,
            "ChangedAt": "2026-04-02T09:00:00Z",
        },
    ]
    activities, log = read("\n".join(map(json.dumps, events)))
    assert [activity["tracking_activity_type"] for activity in activities] == [
        *("em_sends", "em_opens", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_optouts"),
    ]
    assert {activity["campaign_activity_id"] for activity in activities} == {"welcome-email"}
    assert activities[0]["created_time"] == "2026-04-02T13:00:00.000Z"
    assert [activity.get("device_type") for activity in activities[1:3]] == ["computer", None]
    assert activities[5]["opt_out_reason"] == "spam complaint"
    assert log.skipped == {"SubscriptionChange": 1}


def test_postmark_lists() -> None:
    message = {
        "MessageID": "m1",
        "To": [{"Email": ADA, "Name": None}],
        "ReceivedAt": "2026-04-02T09:00:00Z",
        "Tag": "t",
    }
    opens = {"MessageID": "m1", "Recipient": ADA, "ReceivedAt": "2026-04-02T09:00:00Z", "FirstOpen": True, "Tag": "t"}
    assert summarize(json.dumps({"TotalCount": 1, "Messages": [message]})) == [("em_sends", ADA, "t")]
    assert summarize(json.dumps({"TotalCount": 1, "Opens": [opens]})) == [("em_opens", ADA, "t")]


def ses(event: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventType": event,
        "mail": {
            "timestamp": "2026-04-02T09:00:00.000Z",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": [ADA],
            "tags": {"ses:configuration-set": ["ConfigSet"], "campaign": ["spring"]},
        },
        event.lower(): detail,
    }


SES = [
    ses("Send", {}),
    ses("Delivery", {"timestamp": "2026-04-02T09:00:01.000Z", "recipients": [ADA]}),
    ses("Open", {"timestamp": "2026-04-02T09:05:00.000Z", "userAgent": "Mozilla/5.0 (iPad)"}),
    ses("Click", {"timestamp": "2026-04-02T09:06:00.000Z", "link": "http://docs.aws.amazon.com/"}),
    ses(
        "Bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": ADA, "action": "failed", "status": "5.1.1"}],
            "timestamp": "2026-04-02T09:00:02.000Z",
            "feedbackId": "f1",
        },
    ),
    ses("Complaint", {"complainedRecipients": [{"emailAddress": ADA}], "timestamp": "2026-04-02T10:00:00.000Z"}),
    ses("DeliveryDelay", {"timestamp": "2026-04-02T09:00:02.000Z"}),
]
SES_ACTIVITIES = [
    (name, ADA, "spring") for name in ("em_sends", "em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts")
]


@pytest.mark.parametrize(
    "write",
    [
        lambda events: "\n".join(map(json.dumps, events)),
        lambda events: "".join(map(json.dumps, events)),
        lambda events: "\n".join(
            json.dumps({"Type": "Notification", "Message": json.dumps(event)}) for event in events
        ),
        lambda events: "\n".join(json.dumps({"source": "aws.ses", "detail": event}) for event in events),
    ],
)
def test_amazon_ses_events(write: Callable[[list[dict[str, Any]]], str]) -> None:
    content = write(SES)
    assert summarize(content) == SES_ACTIVITIES
    activities, log = read(content)
    assert activities[0]["event_id"] == activities[1]["event_id"]
    assert activities[2]["device_type"] == "tablet"
    assert activities[4]["bounce_code"] == "B"
    assert log.skipped == {"DeliveryDelay": 1}


def test_brevo_webhooks_and_logs() -> None:
    marketing = {
        "id": 1,
        "camp_id": 12,
        "email": ADA,
        "campaign name": "My First Campaign",
        "date_sent": "2026-04-02 00:00:00",
        "date_event": "2026-04-02 11:00:00",
        "ts_sent": 1775120400,
        "ts_event": 1775120400,
    }
    names = ["delivered", "opened", "proxy_open", "click", "hard_bounce", "soft_bounce", "unsubscribe", "list_addition"]
    activities, log = read(
        "\n".join(json.dumps({**marketing, "event": name, "URL": "https://x.example"}) for name in names)
    )
    assert [activity["tracking_activity_type"] for activity in activities] == [
        *("em_sends", "em_opens", "em_opens", "em_clicks", "em_bounces", "em_bounces", "em_optouts"),
    ]
    assert activities[0]["campaign_activity_id"] == "12"
    assert activities[0]["campaign_activity_name"] == "My First Campaign"
    assert activities[0]["created_time"] == "2026-04-02T09:00:00.000Z"
    assert log.skipped == {"list_addition": 1}
    logs = "st_text,ts,sub,frm,email,tag,mid,link\nClicked,02-04-2026 11:00:00,April,me@x.example,ada@example.com,news,<m1>,https://x.example\n"
    options = ImportOptions(timezone="Europe/Paris")
    assert read(logs, options)[0][0]["created_time"] == "2026-04-02T09:00:00.000Z"
    assert summarize(logs, options) == [("em_clicks", ADA, "news")]


def test_hubspot_email_events() -> None:
    base = {"appId": 113, "portalId": 62515, "recipient": ADA, "emailCampaignId": 54078, "created": 1775120400000}
    sent = {**base, "type": "SENT", "id": "9a2f6a0c"}
    events = [
        sent,
        {**base, "type": "DELIVERED", "id": "b1", "sentBy": {"id": "9a2f6a0c", "created": 1775120400000}},
        {**base, "type": "OPEN", "id": "c1", "deviceType": "COMPUTER", "filteredEvent": False},
        {**base, "type": "OPEN", "id": "c2", "filteredEvent": True},
        {**base, "type": "CLICK", "id": "d1", "url": "https://example.com/", "deviceType": "MOBILE"},
        {**base, "type": "BOUNCE", "id": "e1", "category": "MAILBOX_FULL", "status": "5.2.2"},
        {**base, "type": "STATUSCHANGE", "id": "f1", "portalSubscriptionStatus": "UNSUBSCRIBED"},
        {**base, "type": "PROCESSED", "id": "g1"},
    ]
    activities, log = read(json.dumps({"hasMore": False, "offset": "x", "events": events}))
    assert [activity["tracking_activity_type"] for activity in activities] == [
        *("em_sends", "em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts"),
    ]
    assert activities[0]["event_id"] == activities[1]["event_id"]
    assert [activity.get("device_type") for activity in activities[2:4]] == ["computer", "mobile"]
    assert activities[4]["bounce_code"] == "F"
    assert log.skipped == {"filtered": 1, "PROCESSED": 1}


def test_listmonk_tables() -> None:
    views = (
        "id,campaign_id,subscriber_id,created_at\n1,7,42,2026-04-02 09:00:00.123+00\n2,7,\\N,2026-04-02 09:00:00+00\n"
    )
    clicks = "id,campaign_id,link_id,subscriber_id,created_at\n1,7,3,42,2026-04-02 09:00:00+00\n"
    bounces = 'id,subscriber_id,campaign_id,type,source,meta,created_at\n1,42,7,hard,ses,"{}",2026-04-02 09:00:00+00\n'
    assert summarize(views) == [("em_opens", "42", "7")]
    assert read(views)[1].skipped == {"without a subscriber": 1}
    assert summarize(clicks) == [("em_clicks", "42", "7")]
    assert read(clicks)[0][0]["url_id"] == "3"
    assert read(bounces)[0][0]["bounce_code"] == "B"


def test_mautic_tables() -> None:
    stats = (
        "id,email_id,lead_id,email_address,is_read,is_failed,date_sent,date_read,tracking_hash,open_count,last_opened,open_details\n"
        "1,5,42,ada@example.com,1,0,2026-04-02 09:00:00,2026-04-02 10:00:00,abc,2,2026-04-03 10:00:00,"
        '"[{""datetime"":""2026-04-02 10:00:00"",""useragent"":""Mozilla/5.0 (iPhone)"",""inBrowser"":false}]"\n'
        "2,5,43,bob@example.com,0,0,2026-04-02 09:00:00,NULL,def,0,NULL,NULL\n"
    )
    assert summarize(stats) == [
        ("em_sends", "42", "5"),
        ("em_opens", "42", "5"),
        ("em_opens", "42", "5"),
        ("em_sends", "43", "5"),
    ]
    hits = (
        "id,redirect_id,email_id,lead_id,date_hit,url\n9,2,5,42,2026-04-02 09:00:00,https://x.example/\n"
        "10,,,42,2026-04-02 09:00:00,https://x.example/\n"
    )
    assert summarize(hits) == [("em_clicks", "42", "5")]
    assert read(hits)[1].skipped == {"page hits without an email": 1}
    dnc = (
        "id,lead_id,date_added,reason,channel,channel_id,comments\n1,42,2026-04-02 09:00:00,1,email,5,Too many\n"
        "2,43,2026-04-02 09:00:00,2,email,5,\n"
    )
    assert summarize(dnc) == [("em_optouts", "42", "5"), ("em_bounces", "43", "5")]


def test_mailchimp_reports_and_activity() -> None:
    email_activity = {
        "emails": [
            {
                "campaign_id": "42694e9e57",
                "list_id": "57afe96172",
                "email_id": "62eeb292278cc15f5817cb78f7790b08",
                "email_address": ADA,
                "activity": [
                    {"action": "open", "timestamp": "2026-04-02T09:00:00+00:00", "ip": "192.0.2.1"},
                    {"action": "click", "timestamp": "2026-04-02T09:01:00+00:00", "url": "https://example.com/"},
                    {"action": "bounce", "type": "hard", "timestamp": "2026-04-02T09:02:00+00:00"},
                ],
            }
        ],
        "campaign_id": "42694e9e57",
        "total_items": 1,
    }
    types = ("em_opens", "em_clicks", "em_bounces")
    assert summarize(json.dumps(email_activity)) == [(name, ADA, "42694e9e57") for name in types]
    export_api = json.dumps(
        {ADA: [{"action": "open", "timestamp": "2026-04-02 09:00:00", "url": None, "ip": "192.0.2.1"}]}
    )
    options = ImportOptions(constants={"campaign_activity_id": "spring"})
    assert summarize(export_api, options) == [("em_opens", ADA, "spring")]
    clicks = "Timestamp,IP,Email,URL\n2026-04-02 09:00:00,192.0.2.1,ada@example.com,https://example.com/\n"
    assert summarize(clicks, options) == [("em_clicks", ADA, "spring")]
    member = {
        "activity": [
            {"activity_type": "sent", "created_at_timestamp": "2026-04-02T09:00:00+00:00", "campaign_id": "c1"}
        ],
        "email_id": "62eeb292",
        "list_id": "57afe96172",
    }
    assert summarize(json.dumps(member)) == [("em_sends", "62eeb292", "c1")]


def test_constant_contact_pages_and_exports() -> None:
    page = {
        "tracking_activities": [
            {
                "contact_id": "aa9ff7b0-478d-11e6-8059-00163e3c8e19",
                "campaign_activity_id": "fe8c43d5-9718-4b5f-b463-4a5f8b0b1d2e",
                "tracking_activity_type": "em_opens",
                "email_address": ADA,
                "first_name": "Ada",
                "device_type": "mobile",
                "created_time": "2026-04-02T09:00:00.000Z",
                "deleted_at": "2026-04-03T09:00:00.000Z",
                "current_email_address": "ada@new.example",
            }
        ],
        "_links": {"next": {"href": "/v3/…"}},
    }
    activities, log = read(json.dumps(page))
    assert (activities[0]["email_address"], activities[0]["device_type"]) == (ADA, "mobile")
    assert log.notices == {}
    # The rows alone need no preset.
    assert len(read("\n".join(json.dumps(row) for row in page["tracking_activities"]))[0]) == 1
    opens = (
        "Email address,First name,Last name,Opened At,Device Type\nada@example.com,Ada,L,04/02/2026 4:08 AM,Mobile\n"
    )
    with pytest.raises(UnreadableFile, match="--dates mdy or --dates dmy"):
        read(opens)
    options = ImportOptions(
        timezone="America/New_York", dates=DateOrder.MDY, constants={"campaign_activity_id": "spring"}
    )
    activities, _ = read(opens, options)
    assert summarize(opens, options) == [("em_opens", ADA, "spring")]
    assert activities[0]["created_time"] == "2026-04-02T08:08:00.000Z"
    both = (
        "Campaign Name,Email Address,Sent At,Clicked At,Link URL\n"
        "Spring,ada@example.com,2026-04-02 09:00:00 EDT,2026-04-02 09:05:00 EDT,https://x.example\n"
    )
    assert summarize(both) == [("em_sends", ADA, "Spring"), ("em_clicks", ADA, "Spring")]


def test_own_columns_are_read_without_a_preset() -> None:
    header = "contact_id,campaign_activity_id,tracking_activity_type,created_time,timestamp"
    content = f"{header}\n1,m,em_opens,2026-04-02T09:00:00Z,x\n"
    with pytest.raises(UnreadableFile, match="timestamp"):
        read(content)
    assert summarize(content, ImportOptions(ignore_unknown=True)) == [("em_opens", "1", "m")]


@pytest.mark.parametrize("name", PRESETS)
def test_named_preset_reads_every_format(name: str) -> None:
    log = ReadingLog()
    content = b'{"a": 1}\n[]\n{"event": {"x": 1}, "email": 5}\n'
    options = ImportOptions(preset=name)
    lines = list(read_file(io.BufferedReader(io.BytesIO(content)), "a", NOW, ACTIVITIES, options=options, log=log))
    assert all(isinstance(line, InvalidLine) for line in lines)


REPORT_HEADER = ",".join(
    [
        *("Email address", "First name", "Last name", "Company", "Job title", "Email status"),
        *("Email permission status", "Email update source", "Confirmed Opt-Out Date", "Confirmed Opt-Out Source"),
        *("Confirmed Opt-Out Reason", "Phone - home", "Street address line 1 - Home", "City - Home"),
        *("State/Province - Home", "Zip/Postal Code - Home", "Country - Home", "Tags", "Email Lists", "Source Name"),
        *("Created At", "Updated At"),
    ]
)
"""The columns of a contact, with which Constant Contact's exports of reports begin."""


def test_constant_contact_report_has_all_columns_of_contacts() -> None:
    contact = (
        "Ada@example.com,Ada,L,,,Active,Implied,Added by you,,,,,,,,,,,News,,2020-01-02 10:00:00,2021-01-02 10:00:00"
    )
    options = ImportOptions(
        timezone="America/New_York", dates=DateOrder.MDY, constants={"campaign_activity_id": "spring"}
    )
    clicks = f"{REPORT_HEADER},Clicked Link Address,Clicked At\n{contact},https://x.example/,04/02/2026 4:08 AM\n"
    (click,), _ = read(clicks, options)
    assert summarize(clicks, options) == [("em_clicks", ADA, "spring")]
    assert (click["link_url"], click["created_time"]) == ("https://x.example/", "2026-04-02T08:08:00.000Z")
    opens = f"{REPORT_HEADER},Opened At\n{contact},04/02/2026 4:08 AM\n"
    assert summarize(opens, options) == [("em_opens", ADA, "spring")]


def test_constant_contact_contacts_keep_opt_outs() -> None:
    row = (
        "ada@example.com,Ada,L,Acme,Dr,Unsubscribed,,,2026-03-01 10:00,Contact,Too many,,,,,,,,News,,2020-01-02 10:00,"
        "2026-03-01 10:00"
    )
    content = io.BufferedReader(io.BytesIO(f"{REPORT_HEADER}\n{row}\n".encode()))
    (contact,) = read_file(content, "a", NOW, CONTACTS, options=ImportOptions(timezone="UTC"))
    assert isinstance(contact, ContactUpdate)
    fields = get_contact_fields(contact)
    assert (fields["permission_to_send"], fields["opt_out_reason"]) == ("unsubscribed", "Too many")
    assert fields["opt_out_date"] == "2026-03-01T10:00:00.000Z"
    assert (fields["company_name"], fields["job_title"]) == ("Acme", "Dr")


def test_brevo_logs_without_tag_and_in_italian() -> None:
    header = "st_text,ts,sub,frm,email,tag,mid,link\n"
    events = ["Inviata", "Consegnata", "Prima apertura", "Aperta", "Cliccata", "Caricata per procura", "Bloccata"]
    rows = "".join(
        f"{event},21-01-2026 10:22:0{second},Subject,me@x.example,ada@example.com,NA,<m1@smtp-relay.mailin.fr>,NA\n"
        for second, event in enumerate(events)
    )
    options = ImportOptions(timezone="Europe/Rome", constants={"campaign_activity_id": "january"})
    types = ("em_sends", "em_sends", "em_opens", "em_opens", "em_clicks", "em_opens", "em_bounces")
    assert summarize(header + rows, options) == [(name, ADA, "january") for name in types]
    assert "link_url" not in read(header + rows, options)[0][4]


def test_mailgun_logs_api() -> None:
    item = {
        "id": "JDhSWf9mT5OFxCkZfpDU5d",
        "event": "failed",
        "severity": "permanent",
        "@timestamp": "2024-07-08T16:30:18.530Z",
        "account": {"id": "12345"},
        "delivery-status": {"message": "server connection failed", "attempt-no": 5, "code": 550},
        "recipient": ADA,
        "tags": ["july"],
    }
    page = json.dumps({"start": "Mon, 08 Jul 2024 00:00:00 -0000", "items": [item], "pagination": {"total": 1}})
    assert summarize(page) == [("em_bounces", ADA, "july")]
    assert read(page)[0][0]["created_time"] == "2024-07-08T16:30:18.530Z"


def test_hubspot_tables_of_warehouses() -> None:
    content = (
        "APP_ID,CREATED,EMAIL_CAMPAIGN_ID,ID,RECIPIENT,TYPE,SENT_BY_ID,DEVICE_TYPE,FILTERED_EVENT,URL\n"
        "113,1775120400000,54078,c1,ada@example.com,CLICK,9a2f6a0c,MOBILE,false,https://x.example/\n"
        "113,1775120400000,54078,c2,ada@example.com,OPEN,9a2f6a0c,MOBILE,true,\n"
    )
    assert summarize(content) == [("em_clicks", ADA, "54078")]
    assert read(content)[0][0]["device_type"] == "mobile"
