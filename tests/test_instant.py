"""Reading and writing instants."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.instant import iso, parse_instant, parse_query_time


@given(st.integers(0, 253_402_300_799_999))
def test_formatted_instant_parses_to_same_value(milliseconds: int) -> None:
    text = iso(milliseconds)
    assert parse_instant(text) == milliseconds
    seconds, rest = divmod(milliseconds, 1_000)
    assert text == f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z".rjust(24, "0")


@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - its offset comes with the text
    date_form=st.sampled_from(["%Y-%m-%d", "%Y%m%d"]),
    between=st.sampled_from("Tt "),
    time_form=st.sampled_from(["%H:%M:%S", "%H%M%S"]),
    decimals=st.integers(0, 6),
    offset=st.sampled_from(["Z", "z", "+00:00", "-0500", "+05:30", "+14", "-03"]),
)
def test_all_iso_8601_forms_parse_to_same_instant(  # noqa: PLR0917 - Hypothesis passes them by name
    moment: datetime, date_form: str, between: str, time_form: str, decimals: int, offset: str
) -> None:
    fraction = f".{moment.microsecond:06}"[: decimals + 1] if decimals else ""
    text = moment.strftime(f"{date_form}{between}{time_form}") + fraction + offset
    kept = moment.replace(microsecond=int(fraction[1:].ljust(6, "0")) if decimals else 0)
    aware = datetime.fromisoformat(f"{kept.isoformat()}{offset.upper()}")
    assert parse_instant(text) == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-01-01T00:00:00-0500", "2019-01-01T05:00:00.000Z"),
        ("2018-08-16T12:30:00Z", "2018-08-16T12:30:00.000Z"),
        ("2018-01-01T00:00:00.000Z", "2018-01-01T00:00:00.000Z"),
        ("2018-01-01T00:00:00-05:00", "2018-01-01T05:00:00.000Z"),
        ("2018-01-01", "2018-01-01T00:00:00.000Z"),
        ("2018-01-01T00:00:00 0000", "2018-01-01T00:00:00.000Z"),
        ("2018-01-01T00:00:00.000 05:30", "2017-12-31T18:30:00.000Z"),
        (" 2018-01-01 ", "2018-01-01T00:00:00.000Z"),
    ],
)
def test_query_time_accepts_forms_sent_by_clients(text: str, expected: str) -> None:
    assert iso(parse_query_time(text)) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "2018", "2018-13-01", "2018-01-01T00:00:00", "now", "1514764800000", "²018-01-01"]
)
def test_invalid_query_time_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_query_time(text)


@given(st.text(max_size=40))
def test_arbitrary_text_parses_or_raises_value_error(text: str) -> None:
    for parse in (parse_instant, parse_query_time):
        try:
            assert isinstance(parse(text), int)
        except ValueError:
            continue
