"""Lines: what is taken, what is refused and why, and back again."""

import json
from typing import Any

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
    identity_of_event,
)
from rapport.errors import InvalidField
from rapport.instant import DAY, Instant, iso, parse_instant
from rapport.recording.activity_codec import ACTIVITY_SCHEMA, FIELDS, decode_activity, encode_activity

NOW = parse_instant("2026-06-01T00:00:00Z")


def line(**changes: object) -> bytes:
    good: dict[str, object] = {
        "contact_id": "c",
        "campaign_activity_id": "m",
        "tracking_activity_type": "em_opens",
        "created_time": "2026-03-01T10:00:00Z",
    }
    return json.dumps({name: value for name, value in {**good, **changes}.items() if value != "absent"}).encode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contact_id": "absent"}, "contact_id"),
        ({"contact_id": ""}, "contact_id"),
        ({"contact_id": None}, "contact_id"),
        ({"contact_id": 7}, "contact_id"),
        ({"contact_id": "a b"}, "contact_id"),
        ({"contact_id": "x" * 65}, "contact_id"),
        ({"contact_id": "a\n"}, "contact_id"),
        ({"contact_id": "é"}, "contact_id"),
        ({"campaign_activity_id": "absent"}, "campaign_activity_id"),
        ({"campaign_activity_id": ["m"]}, "campaign_activity_id"),
        ({"campaign_activity_id": "m/1"}, "campaign_activity_id"),
        ({"campaign_id": "m/1"}, "campaign_id"),
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
        ({"created_time": 1.5}, "created_time"),
        ({"created_time": "yesterday"}, "created_time"),
        ({"created_time": "2026-03-01"}, "created_time"),
        ({"created_time": "2026-03-01T10:00:00"}, "created_time"),
        ({"created_time": "2026-02-30T10:00:00Z"}, "created_time"),
        ({"created_time": "2026-03-01T25:00:00Z"}, "created_time"),
        ({"created_time": "1989-12-31T23:59:59.999Z"}, "created_time"),
        ({"created_time": 1_767_225_600}, "created_time"),
        ({"created_time": 0}, "created_time"),
        ({"created_time": -1}, "created_time"),
        ({"created_time": 10**30}, "created_time"),
        ({"created_time": "9" * 30}, "created_time"),
        ({"created_time": "9999-12-31T23:59:59-12:00"}, "created_time"),
        ({"created_time": NOW + DAY + 1}, "created_time"),
        ({"email_address": "ada"}, "email_address"),
        ({"email_address": "@x"}, "email_address"),
        ({"email_address": "x@"}, "email_address"),
        ({"email_address": "a\u0000@b"}, "email_address"),
        ({"first_name": "A\nda"}, "first_name"),
        ({"last_name": "x" * 256}, "last_name"),
        ({"campaign_activity_name": "x" * 513}, "campaign_activity_name"),
        ({"event_id": 5}, "event_id"),
        ({"event_id": "x" * 256}, "event_id"),
        ({"link_url": "https://example.com"}, "link_url"),
        ({"url_id": "5"}, "url_id"),
        ({"tracking_activity_type": "em_clicks", "url_id": "a b"}, "url_id"),
        ({"tracking_activity_type": "em_clicks", "link_url": "x" * 8_193}, "link_url"),
        ({"device_type": "phone"}, "device_type"),
        ({"tracking_activity_type": "em_sends", "device_type": "mobile"}, "device_type"),
        ({"tracking_activity_type": "em_bounces", "device_type": "mobile"}, "device_type"),
        ({"bounce_code": "B"}, "bounce_code"),
        ({"tracking_activity_type": "em_clicks", "bounce_code": "B"}, "bounce_code"),
        ({"tracking_activity_type": "em_bounces", "bounce_code": "A"}, "bounce_code"),
        ({"tracking_activity_type": "em_bounces", "bounce_code": "b"}, "bounce_code"),
        ({"opt_out_reason": "spam"}, "opt_out_reason"),
        ({"tracking_activity_type": "em_optouts", "opt_out_reason": "\u0007"}, "opt_out_reason"),
        ({"zip": 1}, "zip"),
        ({"Contact_id": "c"}, "Contact_id"),
    ],
)
def test_invalid_line_is_rejected_with_field_value_and_reason(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        decode_activity(line(**changes), NOW)
    assert refused.value.field == field
    assert refused.value.reason
    value = changes[field]
    assert refused.value.value == (None if value in ("absent", "") else value)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b'{"a":}', b'{"contact_id":"\\ud800"}']
)
def test_line_that_is_not_an_object_is_rejected(raw: bytes) -> None:
    with pytest.raises(InvalidField) as refused:
        decode_activity(raw, NOW)
    assert refused.value.field == "line"


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
        ("1990-01-01T00:00:00Z", "1990-01-01T00:00:00.000Z"),
        (NOW + DAY, "2026-06-02T00:00:00.000Z"),
    ],
)
def test_times_accept_any_offset_and_milliseconds(time: str | int, meant: str) -> None:
    assert iso(decode_activity(line(created_time=time), NOW).created_time) == meant


def test_nulls_and_empty_strings_are_treated_as_missing() -> None:
    optional = dict.fromkeys([name for name in FIELDS if name not in json.loads(line())], None)
    assert decode_activity(line(**optional), NOW) == decode_activity(line(), NOW)
    assert decode_activity(line(**dict.fromkeys(optional, "")), NOW) == decode_activity(line(), NOW)


@pytest.mark.parametrize("listed", ["em_opens", ["em_opens"]])
@pytest.mark.parametrize("named", ["em_opens", "absent"])
def test_alternative_name_of_activity_type_field_is_accepted(listed: str | list[str], named: str) -> None:
    taken = decode_activity(line(tracking_activity_type=named, tracking_activities_list=listed), NOW)
    assert taken.type is ActivityType.EM_OPENS


def test_published_schema_lists_accepted_fields() -> None:
    assert tuple(ACTIVITY_SCHEMA["properties"]) == tuple(FIELDS)


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
IDS = st.text("abcXYZ0189_-", min_size=1, max_size=64)


@st.composite
def an_activity(draw: st.DrawFn) -> Activity:
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


@given(an_activity())
def test_exported_line_round_trips(activity: Activity) -> None:
    back = decode_activity(encode_activity(activity), NOW)
    assert back == activity
    assert back.identity == activity.identity


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_arbitrary_line_is_decoded_or_rejected(raw: bytes) -> None:
    with pytest.raises(InvalidField):
        decode_activity(raw, NOW)


def test_identities_equal_those_in_existing_stores() -> None:
    """They are stored: another value here would make duplicates of all that is recorded."""
    assert identity_of_event("e-1") == 2815958563748944611
    assert content_identity("em_clicks", "m1", "https://example.com") == 138727959694046
    assert len({content_identity(name, "m1") for name in TYPES}) == 10


def test_links_differ_by_url_and_id() -> None:
    clicked = [("https://a", None), ("https://a", "1"), ("https://a", "2"), (None, "https://a"), (None, "1")]
    assert len({content_identity("em_clicks", "m", *link) for link in clicked}) == len(clicked)
