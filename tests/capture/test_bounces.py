"""Bounce mail: reports, complaints and automatic replies, in every form and every line end."""

import json
import random
import time
from pathlib import Path
from textwrap import dedent

import pytest

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounces.reader import read_bounce
from rapport.capture.event import Event
from rapport.instant import Instant
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server

NOW = Instant(1_772_000_000_000)
GRACE = "grace.hopper@example.net"


def message(text: str) -> bytes:
    return dedent(text).lstrip().encode()


def dsn(
    *, action: str = "failed", status: str = "5.1.1", diagnostic: str = "smtp; 550 5.1.1 User unknown", to: str = GRACE
) -> bytes:
    return message(f"""
        From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
        To: letters@shop.example.com
        Subject: Undelivered Mail Returned to Sender
        Message-ID: <report-1@mx.example.org>
        Date: Tue, 24 Feb 2026 10:00:00 +0000
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        I'm sorry to have to inform you that your message could not be delivered.
        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.org

        Final-Recipient: rfc822; {to}
        Original-Recipient: rfc822;{to}
        Action: {action}
        Status: {status}
        Diagnostic-Code: {diagnostic}

        --b
        Content-Type: message/rfc822

        From: letters@shop.example.com
        To: {to}
        Subject: Spring is here
        Message-ID: <letter-1@shop.example.com>
        X-Rapport-Campaign-Activity-Id: spring

        Hello
        --b--
        """)


QMAIL = message(f"""
    Return-Path: <>
    From: MAILER-DAEMON@mx.example.org
    To: letters@shop.example.com
    Subject: failure notice

    Hi. This is the qmail-send program at mx.example.org.
    I'm afraid I wasn't able to deliver your message to the following addresses.
    This is a permanent error; I've given up. Sorry it didn't work out.

    <{GRACE}>:
    192.0.2.1 does not like recipient.
    Remote host said: 552 5.2.2 mailbox full
    Giving up on 192.0.2.1.

    --- Below this line is a copy of the message.

    From: letters@shop.example.com
    To: {GRACE}
    Subject: Spring is here

    Hello
    """)

EXIM = message(f"""
    From: Mail Delivery System <Mailer-Daemon@mx.example.org>
    To: letters@shop.example.com
    X-Failed-Recipients: {GRACE}
    Auto-Submitted: auto-replied
    Subject: Mail delivery failed: returning message to sender

    A message that you sent could not be delivered to one or more of its recipients.

      {GRACE}
        SMTP error from remote mail server after RCPT TO:<{GRACE}>:
        550 5.7.1 Message rejected due to a spam policy
    """)

AWAY = message(f"""
    From: Grace Hopper <{GRACE}>
    To: letters@shop.example.com
    Subject: Automatic reply: Spring is here
    Auto-Submitted: auto-replied

    I am away until Monday. Write to {GRACE.replace("grace", "alan")} if it is urgent.
    """)

PERSON = message(f"""
    From: Grace Hopper <{GRACE}>
    To: letters@shop.example.com
    Subject: Re: Spring is here

    Thank you! Please write to me at grace@example.org from now on.
    """)


def complaint(feedback_type: str, recipient: str = f"Original-Rcpt-To: <{GRACE}>") -> bytes:
    return message(f"""
        From: feedback@isp.example.org
        To: abuse@shop.example.com
        Subject: FW: Spring is here
        Content-Type: multipart/report; report-type=feedback-report; boundary="b"

        --b
        Content-Type: text/plain

        This is an email abuse report.
        --b
        Content-Type: message/feedback-report

        Feedback-Type: {feedback_type}
        Version: 1
        {recipient}

        --b
        Content-Type: message/rfc822

        From: letters@shop.example.com
        To: {GRACE}
        Message-ID: <letter-1@shop.example.com>
        Subject: Spring is here

        Hello
        --b--
        """)


def read(raw: bytes) -> list[Event]:
    return read_bounce(raw, NOW)


@pytest.mark.parametrize(
    ("raw", "code"), [(dsn(), BounceCode.B), (QMAIL, BounceCode.F), (EXIM, BounceCode.Z), (AWAY, BounceCode.V)]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bounce_is_read_with_any_line_ending(raw: bytes, code: BounceCode, end: bytes) -> None:
    [event] = read(raw.replace(b"\n", end))
    assert (event.type, event.recipient, event.bounce_code) == (ActivityType.EM_BOUNCES, GRACE, code)


def test_report_yields_id_of_returned_message() -> None:
    [event] = read(dsn())
    assert event.message_id == "<letter-1@shop.example.com>"
    assert event.metadata == {"rapport_campaign_activity_id": "spring"}
    assert event.subject == "Spring is here"
    assert event.created_time == 1_771_927_200_000


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_only_failed_deliveries_are_bounces(action: str) -> None:
    assert [event.type for event in read(dsn(action=action))] in ([], [None])


@pytest.mark.parametrize(
    ("status", "diagnostic", "code"),
    [
        ("5.2.2", "smtp; 552 5.2.2 Over quota", BounceCode.F),
        ("5.0.0", "smtp; 550 <grace.hopper@example.net>: Recipient address rejected: User unknown", BounceCode.B),
        ("5.1.1", "smtp; 550 5.7.1 IP address blacklisted by recipient", BounceCode.Z),
        ("4.4.7", "smtp; 450 4.4.1 Connection timed out", BounceCode.D),
        ("5.3.4", "smtp; 552 5.3.4 Message too large", BounceCode.X),
    ],
)
def test_code_comes_from_receiving_server(status: str, diagnostic: str, code: BounceCode) -> None:
    [event] = read(dsn(status=status, diagnostic=diagnostic))
    assert event.bounce_code is code


def test_complaint_is_recorded_as_opt_out() -> None:
    [event] = read(complaint("abuse"))
    assert (event.type, event.recipient, event.opt_out_reason) == (ActivityType.EM_OPTOUTS, GRACE, "complaint")
    assert event.message_id == "<letter-1@shop.example.com>"
    [event] = read(complaint("opt-out"))
    assert (event.type, event.opt_out_reason) == (ActivityType.EM_OPTOUTS, None)


@pytest.mark.parametrize("feedback_type", ["auth-failure", "fraud", "virus", "not-spam"])
def test_other_feedback_is_ignored(feedback_type: str) -> None:
    assert read(complaint(feedback_type)) == []


def test_missing_recipient_is_read_from_returned_message() -> None:
    [event] = read(complaint("abuse", "Source-IP: 192.0.2.1"))
    assert event.recipient == GRACE


def test_complaint_of_outlook_com_has_no_feedback_report() -> None:
    [event] = read(
        message(f"""
            From: staff@hotmail.com
            Subject: complaint about message from 192.0.2.1
            Content-Type: multipart/mixed; boundary="b"

            --b
            Content-Type: message/rfc822

            X-HmXmrOriginalRecipient: {GRACE}
            From: letters@shop.example.com
            To: undisclosed-recipients:;
            Message-ID: <letter-1@shop.example.com>

            Hello
            --b--
            """)
    )
    assert (event.type, event.recipient, event.opt_out_reason) == (ActivityType.EM_OPTOUTS, GRACE, "complaint")


def report(text: str, *, subject: str = "Returned mail") -> bytes:
    head = f"From: MAILER-DAEMON@mx.example.org\nTo: letters@shop.example.com\nSubject: {subject}\n\n"
    return head.encode() + dedent(text).strip().encode()


def test_each_recipient_of_transcript_has_its_own_code() -> None:
    events = read(
        report("""
            ----- Transcript of session follows -----
            550 <grace@example.net>... User unknown
            554 <alan@example.org>... 550 Host unknown (Authoritative answer from name server)
            552 <ada@example.com>... Mailbox full
            """)
    )
    codes = {event.recipient: event.bounce_code for event in events}
    assert codes == {
        "grace@example.net": BounceCode.B,
        "alan@example.org": BounceCode.B,
        "ada@example.com": BounceCode.F,
    }


def test_text_about_another_recipient_is_ignored() -> None:
    events = read(
        report("""
            ada@example.com: 552 5.2.2 <ada@example.com>: Mailbox full
            grace@example.net: 550 5.1.1 <grace@example.net>: User unknown
            """)
    )
    codes = {event.recipient: event.bounce_code for event in events}
    assert codes == {"ada@example.com": BounceCode.F, "grace@example.net": BounceCode.B}


@pytest.mark.parametrize(
    ("subject", "text", "code"),
    [
        ("Unzustellbar: Frühling", f"Unbekannter Empfänger: {GRACE}", BounceCode.B),
        ("Unzustellbar: Frühling", f"Das Postfach von {GRACE} ist voll.", BounceCode.F),
        ("Échec de la remise", f"{GRACE}: utilisateur inconnu", BounceCode.B),
        ("Échec de la remise", f"La boîte aux lettres de {GRACE} est pleine.", BounceCode.F),
        ("Falha na entrega", f"{GRACE}: o endereço não existe", BounceCode.B),
        ("Mancato recapito", f"La casella postale di {GRACE} è piena", BounceCode.F),
        ("Ваше сообщение не доставлено", f"Пользователь {GRACE} не найден", BounceCode.B),
        ("配信不能", f"{GRACE}\nディレクトリには見つかりません", BounceCode.B),
        ("退信", f"{GRACE}: 邮箱已满", BounceCode.F),
    ],
)
def test_reports_in_other_languages_are_read(subject: str, text: str, code: BounceCode) -> None:
    [event] = read(report(text, subject=subject))
    assert (event.recipient, event.bounce_code) == (GRACE, code)


def test_report_with_damaged_parts_is_read() -> None:
    [event] = read(dsn().replace(b'boundary="b"', b'boundary="c"'))
    assert (event.recipient, event.bounce_code) == (GRACE, BounceCode.B)
    assert event.message_id == "<letter-1@shop.example.com>"
    [event] = read(b"\n".join(line for line in dsn().split(b"\n") if not line.startswith(b"--")))
    assert (event.recipient, event.bounce_code) == (GRACE, BounceCode.B)


def test_report_within_returned_message_is_ignored() -> None:
    inner = b"\n--b\nContent-Type: message/rfc822\n\n" + dsn(to="alan@example.org").replace(b"--b", b"--c").replace(
        b'"b"', b'"c"'
    )
    outer = dsn()
    place = outer.index(b"\n--b\nContent-Type: message/rfc822")
    assert [event.recipient for event in read(outer[:place] + inner + b"\n--b--\n")] == [GRACE]


def test_expired_delivery_is_a_bounce() -> None:
    [event] = read(dsn(action="expired", status="", diagnostic="Connection timed out"))
    assert event.bounce_code is BounceCode.D


def test_forwarded_report_is_read() -> None:
    quoted = "".join(f"> {line}\n" for line in QMAIL.decode().splitlines())
    [event] = read(
        f"From: ada@example.org\nSubject: Fwd: failure notice\n\nBegin forwarded message:\n\n{quoted}".encode()
    )
    assert (event.recipient, event.bounce_code) == (GRACE, BounceCode.F)


@pytest.mark.parametrize("json_envelope", [False, True])
def test_notification_of_ses_by_mail_is_read(json_envelope: bool) -> None:
    notification = json.dumps(
        {
            "notificationType": "Complaint",
            "complaint": {
                "complainedRecipients": [{"emailAddress": GRACE}],
                "timestamp": "2026-02-24T10:00:00.000Z",
                "feedbackId": "f-1",
            },
            "mail": {"messageId": "m-1", "destination": [GRACE], "commonHeaders": {"subject": "Spring is here"}},
        }
    )
    body = json.dumps({"Type": "Notification", "Message": notification}, indent=2) if json_envelope else notification
    # Some mail servers fold long lines, even within a word.
    folded = body if json_envelope else f"{body[:90]}\n {body[90:]}"
    head = "From: Topic <no-reply@sns.amazonaws.com>\nSubject: AWS Notification Message\nx-amz-sns-message-id: 1\n\n"
    [event] = read(f"{head}{folded}\n\n--\nTo unsubscribe, visit the link {{below}}.\n".encode())
    assert (event.type, event.recipient, event.opt_out_reason) == (ActivityType.EM_OPTOUTS, GRACE, "complaint")


def test_reply_of_person_is_not_a_bounce() -> None:
    assert read(PERSON) == []


@pytest.mark.parametrize("subject", ["Re: your mailbox quota", "AW: Message could not be delivered?", "Re: bounce"])
def test_reply_about_delivery_is_not_a_bounce(subject: str) -> None:
    text = f"From: Ada <ada@example.org>\nSubject: {subject}\n\nPlease use {GRACE} instead, my old mailbox is full.\n"
    assert read(text.encode()) == []


def test_repeated_report_is_same_event() -> None:
    assert read_bounce(dsn(), NOW) == read_bounce(dsn(), Instant(NOW + 60_000))
    assert read(dsn(to=GRACE))[0].event_id != read(dsn(to="alan.turing@example.org"))[0].event_id


def test_damaged_messages_never_raise() -> None:
    rng = random.Random(1)
    for raw in (dsn(), QMAIL, EXIM, AWAY, complaint("abuse"), b"", b"\xff" * 100, b"From: \n\n"):
        for _ in range(60):
            data = bytearray(raw)
            for _ in range(rng.randrange(12)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            read(bytes(data[: rng.randrange(len(data) + 1)]))


@pytest.mark.slow
def test_bounces_are_recorded_for_contact(location: str, tmp_path: Path) -> None:
    environment = {"RAPPORT_SPOOL": str(tmp_path / "spool")}
    new = tmp_path / "Maildir" / "new"
    new.mkdir(parents=True)
    for number, raw in enumerate((dsn(), complaint("abuse"), PERSON)):
        (new / f"{number}.mx").write_bytes(raw)
    with Server(location, environment=environment) as server, server.client("default") as client:
        sent = make_line("c-1", "em_sends", campaign_activity_id="spring", event_id="<letter-1@shop.example.com>")
        client.record({**sent, "email_address": GRACE})
        run_rapport("bounce", "--data", location, stdin=dsn(), environment=environment)
        read_folder = ("bounce", "--data", location, "--maildir", str(tmp_path / "Maildir"))
        assert run_rapport(*read_folder, environment=environment).stdout == "3 messages stored.\n"
        assert list(new.iterdir()) == []
        assert len(list((tmp_path / "Maildir" / "cur").iterdir())) == 3
        types: list[str] = []
        ends = time.monotonic() + 20
        while len(types) < 2 and time.monotonic() < ends:
            time.sleep(0.05)
            page = client.page("c-1", tracking_activity_type="em_bounces,em_optouts").json()
            types = sorted(activity["tracking_activity_type"] for activity in page["tracking_activities"])
        assert types == ["em_bounces", "em_optouts"]


@pytest.mark.slow
def test_unstorable_bounce_is_temporarily_rejected(location: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"RAPPORT_SPOOL": str(tmp_path / "file" / "spool")}
    run_rapport("bounce", "--data", location, stdin=dsn(), environment=environment, code=75)
    run_rapport("bounce", "--data", location, stdin=b"", environment=environment, code=1)
