"""Instants and settings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.errors import InvalidSetting
from rapport.instant import Instant, iso, parse_instant, parse_query_time
from rapport.settings import Limits, LogFormat, Settings, read_settings


@given(st.integers(0, 253_402_300_799_999))
def test_an_instant_is_written_and_read_back(milliseconds: int) -> None:
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
def test_every_way_to_write_an_instant_means_the_same(  # noqa: PLR0917 - hypothesis passes them by name
    moment: datetime, date_form: str, between: str, time_form: str, decimals: int, offset: str
) -> None:
    fraction = f".{moment.microsecond:06}"[: decimals + 1] if decimals else ""
    text = moment.strftime(f"{date_form}{between}{time_form}") + fraction + offset
    kept = moment.replace(microsecond=int(fraction[1:].ljust(6, "0")) if decimals else 0)
    aware = datetime.fromisoformat(f"{kept.isoformat()}{offset.upper()}")
    assert parse_instant(text) == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "meant"),
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
def test_a_bound_is_taken_in_every_form_that_clients_send(text: str, meant: str) -> None:
    assert iso(parse_query_time(text)) == meant


@pytest.mark.parametrize(
    "text", ["", " ", "2018", "2018-13-01", "2018-01-01T00:00:00", "now", "1514764800000", "²018-01-01"]
)
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_query_time(text)


@given(st.text(max_size=40))
def test_no_text_whatever_raises_anything_but_a_value_error(text: str) -> None:
    for parse in (parse_instant, parse_query_time):
        try:
            assert isinstance(parse(text), int)
        except ValueError:
            continue


def test_the_defaults_work() -> None:
    assert read_settings({}) == Settings()


def test_an_option_wins_over_the_variable() -> None:
    environment = {"RAPPORT_PORT": "1", "RAPPORT_LIMITS": "off", "RAPPORT_LOG": "json", "OTHER": "x"}
    assert read_settings(environment, port=2, host=None) == Settings(port=2, limits=Limits.OFF, log=LogFormat.JSON)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RAPPORT_PORT", "tcp://10.0.0.1:80"),
        ("RAPPORT_PORT", "65536"),
        ("RAPPORT_PORT", "\uff18\uff10"),
        ("RAPPORT_WORKERS", "0"),
        ("RAPPORT_LIMITS", "none"),
        ("RAPPORT_LOG", "xml"),
        ("RAPPORT_LEGACY_DEFAULT_TYPE", "yes"),
        ("RAPPORT_DATA", ""),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_told_with_its_name(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name}.*must"):
        read_settings({name: text})


def test_instants_are_no_ordinary_numbers_to_the_checker() -> None:
    assert Instant(5) == 5
