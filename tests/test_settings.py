"""Reading settings from options and the environment."""

import pytest

from rapport.errors import InvalidSetting
from rapport.settings import Limits, LogFormat, Settings, read_settings


def test_empty_environment_gives_defaults() -> None:
    assert read_settings({}) == Settings()


def test_option_overrides_environment_variable() -> None:
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
def test_invalid_value_is_reported_with_variable_name(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name}.*must"):
        read_settings({name: text})
