"""Every setting: its name, default and sentence. No other file reads the environment.

The setting `x_y` is the environment variable `RAPPORT_X_Y`; where a command has the option `--x-y`, the option wins.
"""

import enum
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from rapport.errors import InvalidSetting

_MAIN_PROCESS = "_RAPPORT_MAIN_PROCESS"
"""The variable that names the main process to its workers. Not a setting."""

T = TypeVar("T")
Choice = TypeVar("Choice", bound=enum.Enum)


class Limits(enum.Enum):
    """How many requests a client may make (docs/compatibility.md#rate-limits)."""

    GENEROUS = "generous"
    CONSTANT_CONTACT = "constant-contact"
    OFF = "off"


class LogFormat(enum.Enum):
    """How a line of the log looks."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"
    QUIET = "quiet"


def _text(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _url(text: str) -> str:
    if text and re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+", text) is None:
        raise ValueError("must be https:// or http:// and a host, without a path")
    return text


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _choice(choices: type[Choice]) -> Callable[[str], Choice]:
    def read(text: str) -> Choice:
        for choice in choices:
            if choice.value == text:
                return choice
        raise ValueError("must be one of " + ", ".join(str(choice.value) for choice in choices))

    return read


def _on_or_off(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("must be on or off")
    return text == "on"


def _setting(default: T, read: Callable[[str], T], sentence: str) -> T:
    made: T = field(default=default, metadata={"read": read, "sentence": sentence})
    return made


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one process, read once at its start."""

    data: str = _setting("./data", _text, "Where the data is: a directory, or the URL of a PostgreSQL database.")
    host: str = _setting("127.0.0.1", _text, "The address that the server listens on.")
    port: int = _setting(8080, _whole_number(1, 65_535), "The port that the server listens on.")
    public_url: str = _setting(
        "",
        _url,
        "The address at which others reach this server, where it isn't the one that it listens on: "
        "`https://rapport.example.com`, say, that of the proxy before it.",
    )
    workers: int = _setting(1, _whole_number(1, 256), "How many processes serve.")
    connections: int = _setting(
        20,
        _whole_number(4, 1_000),
        "How many connections to PostgreSQL a worker has at most: half of them read, half write.",
    )
    pgbouncer: bool = _setting(False, _on_or_off, "`on`: PostgreSQL is reached through PgBouncer in transaction mode.")
    limits: Limits = _setting(
        Limits.GENEROUS,
        _choice(Limits),
        "Requests that a client may make: `generous` (1000 a second and worker), "
        "`constant-contact` (exactly the vendor's 4 a second and 10 000 a day) or `off`.",
    )
    waiting: int = _setting(
        100_000,
        _whole_number(1, 10_000_000),
        "How many activities may wait for the disk before more of them are answered 503, a worker.",
    )
    spool: str = _setting(
        "",
        str,
        "The directory in which requests of email providers wait until they are recorded. Empty: `spool` in the data "
        "directory, or `./spool-…` if the data is in a database.",
    )
    spool_mb: int = _setting(
        1_000,
        _whole_number(1, 10_000_000),
        "Megabytes that may wait in the spool before providers are asked to send again later.",
    )
    streams: int = _setting(
        200,
        _whole_number(1, 100_000),
        "How many programs and pages may listen to what is recorded before the next is answered 503, a worker.",
    )
    issuer: str = _setting("rapport", _text, "The `iss` of the tokens that this server makes and accepts.")
    audience: str = _setting("rapport", _text, "The `aud` of the tokens that this server makes and accepts.")
    trusted_issuer: str = _setting("", str, "The `iss` of another issuer whose tokens are accepted; empty for none.")
    trusted_keys: str = _setting("", str, "That issuer's public keys: a file that holds its JWKS.")
    legacy_default_type: bool = _setting(
        False,
        _on_or_off,
        "`on`: a page asked for without an activity type is one of `em_clicks`, as the vendor once did, and not a 400.",
    )
    log: LogFormat = _setting(
        LogFormat.AUTO,
        _choice(LogFormat),
        "The log's lines: `json`, `text`, `auto` (text on a terminal), or `quiet`: as `auto`, but warnings only.",
    )


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return f"RAPPORT_{name.upper()}"


def sentences() -> dict[str, str]:
    """Each setting's name and sentence, in order."""
    return {setting.name: setting.metadata["sentence"] for setting in fields(Settings)}


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """The RAPPORT_ variables in the environment that are no setting's: misspelt, most likely."""
    known = {variable(setting.name) for setting in fields(Settings)}
    return sorted(name for name in environment if name.startswith("RAPPORT_") and name not in known)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value.value if isinstance(value, enum.Enum) else value)


def load_settings(**options: str | int | None) -> Settings:
    """`read_settings` from this process's environment."""
    return read_settings(os.environ, **options)


def export_to_environment(settings: Settings) -> None:
    """Put the settings into this process's environment, for the workers that it starts."""
    for setting in fields(Settings):
        os.environ[variable(setting.name)] = _written(getattr(settings, setting.name))
    os.environ[_MAIN_PROCESS] = str(os.getpid())


def main_process() -> int:
    """Return the id of the process that passed its settings on to this one; without one, of its parent."""
    return int(os.environ.get(_MAIN_PROCESS, os.getppid()))


def read_settings(environment: Mapping[str, str], **options: str | int | None) -> Settings:
    """The settings from the environment, and from a command's `options` where they are not None.

    Raises InvalidSetting, naming the setting, for a value that it can't have.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        option = options.get(setting.name)
        source = variable(setting.name) if option is None else f"--{setting.name}"
        text = environment.get(source) if option is None else str(option)
        if text is None:
            continue
        try:
            values[setting.name] = setting.metadata["read"](text)
        except ValueError as problem:
            raise InvalidSetting(f"{source}={text!r}: {problem}") from None
    return Settings(**values)
