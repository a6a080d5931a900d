"""Decoding and encoding the lines of activities."""

import json
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.activity import (
    BOUNCE_CODES,
    DEVICE_TYPES,
    EARLIEST,
    TYPES,
    Activity,
    ActivityType,
    ContactProfile,
    Link,
    content_identity,
    event_identity,
    is_id,
)
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.instant import DAY, Instant, iso, parse_instant
from rapport.recording.activity_codec import ACTIVITY_SCHEMA, FIELDS, IGNORED_FIELDS, Context, encode_activity
from rapport.recording.decoding import decode_activity
from rapport.recording.times import UNKNOWN_FORMAT, DateOrder, TimeFormat

NOW = parse_instant("2026-06-01T00:00:00Z")


def encode_line(**changes: object) -> bytes:
    valid: dict[str, object] = {
        "contact_id": "c",
        "campaign_activity_id": "m",
        "tracking_activity_type": "em_opens",
        "created_time": "2026-03-01T10:00:00Z",
    }
    return json.dumps({name: value for name, value in {**valid, **changes}.items() if value != "absent"}).encode()


def decode(raw: bytes, times: TimeFormat = UNKNOWN_FORMAT) -> Activity:
    return decode_activity(raw, Context(NOW, times=times))


def warnings_of(raw: bytes) -> tuple[Activity, list[tuple[str, object]]]:
    warnings: list[tuple[str, object]] = []
    activity = decode_activity(raw, Context(NOW, lambda field, value, _: warnings.append((field, value))))
    return activity, warnings


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contact_id": "absent"}, "contact_id"),
        ({"contact_id": ""}, "contact_id"),
        ({"contact_id": None}, "contact_id"),
        ({"contact_id": "  "}, "contact_id"),
        ({"contact_id": True}, "contact_id"),
        ({"contact_id": 4.5}, "contact_id"),
        ({"contact_id": "x" * 256}, "contact_id"),
        ({"contact_id": "a\nb"}, "contact_id"),
        ({"contact_id": "a\u0085b"}, "contact_id"),
        ({"campaign_activity_id": "absent"}, "campaign_activity_id"),
        ({"campaign_activity_id": ["m"]}, "campaign_activity_id"),
        ({"tracking_activity_type": "absent"}, "tracking_activity_type"),
        ({"tracking_activity_type": "opens"}, "tracking_activity_type"),
        ({"tracking_activity_type": "EM_OPENS"}, "tracking_activity_type"),
        ({"tracking_activity_type": "p_contact_opens"}, "tracking_activity_type"),
        ({"tracking_activities_list": "em_sends"}, "tracking_activities_list"),
        ({"tracking_activities_list": ["em_opens", "em_sends"]}, "tracking_activities_list"),
        ({"tracking_activities_list": [1]}, "tracking_activities_list"),
        ({"tracking_activities_list": 1}, "tracking_activities_list"),
        ({"created_time": "absent"}, "created_time"),
        ({"created_time": ""}, "created_time"),
        ({"created_time": True}, "created_time"),
        ({"created_time": "04/02/2026 4:08 AM"}, "created_time"),
        ({"created_time": "2026-03-01 10:00:00"}, "created_time"),
        ({"event_id": ["e"]}, "event_id"),
        ({"created_time": "yesterday"}, "created_time"),
        ({"created_time": "2026-03-01"}, "created_time"),
        ({"created_time": "2026-03-01T10:00:00"}, "created_time"),
        ({"created_time": "2026-02-30T10:00:00Z"}, "created_time"),
        ({"created_time": "2026-03-01T25:00:00Z"}, "created_time"),
        ({"created_time": "1989-12-31T23:59:59.999Z"}, "created_time"),
        ({"created_time": 0}, "created_time"),
        ({"created_time": -1}, "created_time"),
        ({"created_time": 10**30}, "created_time"),
        ({"created_time": "9" * 30}, "created_time"),
        ({"created_time": "9999-12-31T23:59:59-12:00"}, "created_time"),
        ({"created_time": NOW + DAY + 1}, "created_time"),
        ({"zip": 1}, "zip"),
        ({"Contact_id": "c"}, "Contact_id"),
    ],
)
def test_invalid_line_is_rejected_with_field_value_and_reason(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        decode(encode_line(**changes))
    assert refused.value.field == field
    assert refused.value.reason
    value = changes[field]
    assert refused.value.value == (None if value in ("absent", "", "  ") else value)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b'{"a":}', b'{"contact_id":"\\ud800"}']
)
def test_line_that_is_not_an_object_is_rejected(raw: bytes) -> None:
    with pytest.raises(InvalidField) as refused:
        decode(raw)
    assert refused.value.field == "line"


CLICK = {"tracking_activity_type": "em_clicks"}
BOUNCE = {"tracking_activity_type": "em_bounces"}


@pytest.mark.parametrize(
    ("changes", "field", "kept"),
    [
        ({"email_address": "ada"}, "email_address", None),
        ({"email_address": "@x"}, "email_address", None),
        ({"email_address": "x@"}, "email_address", None),
        ({"email_address": "a@b@c"}, "email_address", None),
        ({"email_address": "NULL"}, "email_address", None),
        ({"email_address": "a\u0000@b"}, "email_address", None),
        ({"email_address": "dee@example.com;eve@example.com"}, "email_address", None),
        ({"email_address": 5}, "email_address", None),
        ({"first_name": "A\nda"}, "first_name", "A da"),
        ({"first_name": 5}, "first_name", "5"),
        ({"last_name": "x" * 256}, "last_name", "x" * 255),
        ({"last_name": ["x"]}, "last_name", None),
        ({"campaign_activity_name": "x" * 513}, "campaign_activity_name", "x" * 512),
        ({"campaign_id": "m\u0000"}, "campaign_id", None),
        ({"event_id": "x" * 256}, "event_id", sha256(b"x" * 256).hexdigest()),
        ({"link_url": "https://example.com"}, "link_url", None),
        ({"url_id": "5"}, "url_id", None),
        ({**CLICK, "url_id": "x" * 256}, "url_id", None),
        ({**CLICK, "link_url": "x" * 8_193}, "link_url", None),
        ({**CLICK, "link_url": " https://example.com/\t"}, "link_url", "https://example.com/"),
        ({"device_type": "desktop"}, "device_type", "computer"),
        ({"device_type": "Phone"}, "device_type", "mobile"),
        ({"device_type": "toaster"}, "device_type", None),
        ({"tracking_activity_type": "em_sends", "device_type": "mobile"}, "device_type", None),
        ({**BOUNCE, "device_type": "mobile"}, "device_type", None),
        ({"bounce_code": "B"}, "bounce_code", None),
        ({**BOUNCE, "bounce_code": "b"}, "bounce_code", "B"),
        ({**BOUNCE, "bounce_code": 550}, "bounce_code", "B"),
        ({**BOUNCE, "bounce_code": "552"}, "bounce_code", "F"),
        ({**BOUNCE, "bounce_code": "5.2.2"}, "bounce_code", "F"),
        ({**BOUNCE, "bounce_code": "550 5.7.1 blocked by policy"}, "bounce_code", "Z"),
        ({**BOUNCE, "bounce_code": "499"}, "bounce_code", "D"),
        ({**BOUNCE, "bounce_code": "A"}, "bounce_code", None),
        ({"opt_out_reason": "spam"}, "opt_out_reason", None),
        ({"tracking_activity_type": "em_optouts", "opt_out_reason": "no\u0007\nmore"}, "opt_out_reason", "no \nmore"),
    ],
)
def test_optional_details_are_repaired_or_left_out_with_a_warning(
    changes: dict[str, Any], field: str, kept: str | None
) -> None:
    activity, warnings = warnings_of(encode_line(**changes))
    assert warnings == [(field, changes[field])]
    assert json.loads(encode_activity(activity)).get(field) == kept


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        (42, "42"),
        (2**64 - 1, str(2**64 - 1)),
        (10**29, str(10**29)),
        (-5, "-5"),
        (" 42\n", "42"),
        ("ada@example.com", "ada@example.com"),
        ("auth0|5f7c8ec7", "auth0|5f7c8ec7"),
        ("user/13", "user/13"),
        ("Spring 2026", "Spring 2026"),
        ("x" * 255, "x" * 255),
    ],
)
def test_ids_are_any_text_or_whole_number(given: str | int, id_: str) -> None:
    activity, warnings = warnings_of(
        encode_line(
            **{**CLICK, "contact_id": given, "campaign_activity_id": given, "campaign_id": given, "url_id": given}
        )
    )
    assert warnings == []
    assert activity.link is not None
    assert {activity.contact_id, activity.campaign_activity_id, activity.campaign_id, activity.link.url_id} == {id_}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("ada@example.com ", "ada@example.com"),
        ("\u00a0ada@example.com\u200b", "ada@example.com"),
        ('"John Smith" <john@example.com>', "john@example.com"),
        ("mailto:max@example.com?subject=x", "max@example.com"),
        ("CYD@Example.COM", "CYD@Example.COM"),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ("x@[192.0.2.1]", "x@[192.0.2.1]"),
        ("o'hara+news@example.com", "o'hara+news@example.com"),
        ("süd@BÜCHER.example", "süd@bücher.example"),
        ("sud@xn--bcher-kva.example", "sud@bücher.example"),
        ("user@localhost", "user@localhost"),
    ],
)
def test_addresses_are_normalized(given: str, stored: str) -> None:
    activity, warnings = warnings_of(encode_line(email_address=given))
    assert activity.person is not None
    assert (activity.person.email_address, warnings) == (stored, [])
    assert normalize_address(stored) == stored


@pytest.mark.parametrize(
    ("time", "meant"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.500Z"),
        ("2026-03-01T10:00:00.999999999Z", "2026-03-01T10:00:00.999Z"),
        ("2026-03-01T10:00:00+00:00", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01T05:00:00-0500", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01T15:30:00+05:30", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01T11:00+01", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01 10:00:00Z", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01t10:00:00z", "2026-03-01T10:00:00.000Z"),
        ("20260301T100000Z", "2026-03-01T10:00:00.000Z"),
        (1_772_359_200_000, "2026-03-01T10:00:00.000Z"),
        ("1772359200000", "2026-03-01T10:00:00.000Z"),
        (1_772_359_200, "2026-03-01T10:00:00.000Z"),
        (1_772_359_200.41447, "2026-03-01T10:00:00.414Z"),
        ("1772359200.41447", "2026-03-01T10:00:00.414Z"),
        (1_772_359_200_414.0, "2026-03-01T10:00:00.414Z"),
        (1_772_359_200_414_999, "2026-03-01T10:00:00.414Z"),
        (" 2026-03-01T10:00:00Z ", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01 12:00:00 +0200", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01 10:00:00 UTC", "2026-03-01T10:00:00.000Z"),
        ("Sun, 01 Mar 2026 05:00:00 -0500", "2026-03-01T10:00:00.000Z"),
        ("1 Mar 2026 10:00:00 GMT", "2026-03-01T10:00:00.000Z"),
        ("Mar 1, 2026 10:00 AM UTC", "2026-03-01T10:00:00.000Z"),
        ("3/15/2026 10:00 PM Z", "2026-03-15T22:00:00.000Z"),
        ("15/3/2026 10:00 Z", "2026-03-15T10:00:00.000Z"),
        ("1.3.2026 10:00 Z", "2026-03-01T10:00:00.000Z"),
        ("2026-02-28T24:00:00Z", "2026-03-01T00:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("1990-01-01T00:00:00Z", "1990-01-01T00:00:00.000Z"),
        (NOW + DAY, "2026-06-02T00:00:00.000Z"),
    ],
)
def test_times_accept_any_offset_and_milliseconds(time: str | int, meant: str) -> None:
    assert iso(decode(encode_line(created_time=time)).created_time) == meant


@pytest.mark.parametrize(
    ("time", "dates", "meant"),
    [
        ("04/02/2026 4:08 AM", DateOrder.MDY, "2026-04-02T02:08:00.000Z"),
        ("04/02/2026 4:08 AM", DateOrder.DMY, "2026-02-04T03:08:00.000Z"),
        ("04/02/2026 12:08 PM", DateOrder.MDY, "2026-04-02T10:08:00.000Z"),
        ("2026-04-02 09:00:00", None, "2026-04-02T07:00:00.000Z"),
        ("2026-04-02", None, "2026-04-01T22:00:00.000Z"),
        ("2026-04-02T09:00:00Z", None, "2026-04-02T09:00:00.000Z"),
    ],
)
def test_times_without_zone_or_order_follow_the_format(time: str, dates: DateOrder | None, meant: str) -> None:
    times = TimeFormat(ZoneInfo("Europe/Berlin"), dates)
    assert iso(decode(encode_line(created_time=time), times).created_time) == meant


def test_nulls_and_empty_strings_are_treated_as_missing() -> None:
    optional = dict.fromkeys([name for name in FIELDS if name not in json.loads(encode_line())], None)
    assert decode(encode_line(**optional)) == decode(encode_line())
    assert decode(encode_line(**dict.fromkeys(optional, ""))) == decode(encode_line())


@pytest.mark.parametrize("listed", ["em_opens", ["em_opens"]])
@pytest.mark.parametrize("named", ["em_opens", "absent"])
def test_alternative_name_of_activity_type_field_is_accepted(listed: str | list[str], named: str) -> None:
    taken = decode(encode_line(tracking_activity_type=named, tracking_activities_list=listed))
    assert taken.type is ActivityType.EM_OPENS


def test_published_schema_lists_accepted_fields() -> None:
    assert tuple(ACTIVITY_SCHEMA["properties"]) == (*FIELDS, *IGNORED_FIELDS)


@pytest.mark.parametrize("time", [-1.01e251, 1.01e251, 10**40, -(10**40), "1e400", "-1e400", 10**20])
def test_numbers_too_large_for_a_time_are_rejected(time: str | float) -> None:
    with pytest.raises(InvalidField):
        decode(encode_line(created_time=time))


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255).filter(is_id)


@st.composite
def draw_activity(draw: st.DrawFn) -> Activity:
    activity_type = draw(st.sampled_from(ActivityType))
    clicked = activity_type in {ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK}
    links = st.builds(Link, link_url=TEXT, url_id=IDS) | st.builds(Link, link_url=TEXT) | st.builds(Link, url_id=IDS)
    people = st.builds(
        ContactProfile,
        email_address=st.none() | st.just("ada@example.com"),
        first_name=TEXT,
        last_name=st.none() | TEXT,
    )
    with_device = activity_type not in {ActivityType.EM_SENDS, ActivityType.EM_BOUNCES}
    return Activity(
        contact_id=draw(IDS),
        campaign_activity_id=draw(IDS),
        type=activity_type,
        created_time=Instant(draw(st.integers(EARLIEST, NOW))),
        event_id=draw(st.none() | TEXT),
        person=draw(st.none() | people),
        campaign_activity_name=draw(st.none() | TEXT),
        campaign_id=draw(st.none() | IDS),
        link=draw(st.none() | links) if clicked else None,
        device_type=draw(st.none() | st.sampled_from([*DEVICE_TYPES.values()])) if with_device else None,
        bounce_code=draw(st.none() | st.sampled_from([*BOUNCE_CODES.values()]))
        if activity_type is ActivityType.EM_BOUNCES
        else None,
        opt_out_reason=draw(st.none() | TEXT | st.just("two\nlines"))
        if activity_type is ActivityType.EM_OPTOUTS
        else None,
    )


@given(draw_activity())
def test_exported_line_round_trips(activity: Activity) -> None:
    back = decode(encode_activity(activity))
    assert back == activity
    assert back.identity == activity.identity


@pytest.mark.slow
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_arbitrary_line_is_decoded_or_rejected(raw: bytes) -> None:
    with pytest.raises(InvalidField):
        decode(raw)


def test_identities_equal_those_in_existing_stores() -> None:
    """Identities are stored: a different value would duplicate every activity."""
    assert event_identity("em_opens", "m1", "e-1") == 4910497130053781522
    assert content_identity("em_clicks", "m1", "https://example.com") == 138727959694046
    assert len({content_identity(name, "m1") for name in TYPES}) == 10


def test_links_differ_by_url_and_id() -> None:
    clicked = [("https://a", None), ("https://a", "1"), ("https://a", "2"), (None, "https://a"), (None, "1")]
    assert len({content_identity("em_clicks", "m", *link) for link in clicked}) == len(clicked)
