"""The settings: names, defaults and help texts. No other module reads the environment.

The setting `x_y` is the environment variable `RAPPORT_X_Y`; an option `--x-y` of a command overrides it. The help texts
are in Markdown; docs/settings.md, the options' help and the error messages are made from them.
"""

import enum
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from rapport.errors import InvalidSetting

_MAIN_PROCESS = "_RAPPORT_MAIN_PROCESS"
"""The variable with the id of the main process, set for its workers. Not a setting."""

T = TypeVar("T")
Choice = TypeVar("Choice", bound=enum.Enum)


class Limits(enum.Enum):
    """Limits on the number of requests per client (docs/compatibility.md#rate-limits)."""

    GENEROUS = "generous"
    CONSTANT_CONTACT = "constant-contact"
    OFF = "off"


class LogFormat(enum.Enum):
    """The format of the log."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"
    QUIET = "quiet"


def _parse_text(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _parse_url(text: str) -> str:
    if text and re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+", text) is None:
        raise ValueError("must be https:// or http:// followed by a host, without a path")
    return text


def _parse_smtp_url(text: str) -> str:
    if text and re.fullmatch(r"smtps?://(?:[^\s/@]+@)?[A-Za-z0-9.:\[\]_-]+/?", text) is None:
        raise ValueError("must be smtp:// or smtps:// followed by user:password@ and a host; percent-encode @ and /")
    return text


def _parse_provider_url(text: str) -> str:
    if text and re.fullmatch(r"https://[^\s?#]+|http://(?:127\.0\.0\.1|localhost|\[::1\])[^\s?#]*", text) is None:
        raise ValueError("must be https:// followed by a host and a path, or http:// with a loopback address")
    return text


def _integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and minimum <= int(text) <= maximum):
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def _choice(choices: type[Choice]) -> Callable[[str], Choice]:
    def parse(text: str) -> Choice:
        for choice in choices:
            if choice.value == text:
                return choice
        raise ValueError("must be one of " + ", ".join(str(choice.value) for choice in choices))

    return parse


def _parse_switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("must be on or off")
    return text == "on"


def _setting(default: T, parse: Callable[[str], T], help_text: str, *, is_secret: bool = False) -> T:
    metadata = {"parse": parse, "help": help_text, "is_secret": is_secret}
    setting: T = field(default=default, metadata=metadata)
    return setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a process, read once when it starts."""

    data: str = _setting(
        "./data",
        _parse_text,
        "The location of the data: a directory, or the URL of a PostgreSQL database.",
    )
    host: str = _setting("127.0.0.1", _parse_text, "The address to listen on; `0.0.0.0` for all addresses.")
    port: int = _setting(8080, _integer(1, 65_535), "The port to listen on.")
    public_url: str = _setting(
        "",
        _parse_url,
        "The server's public URL, such as `https://rapport.example.com`, if it differs from the address that it "
        "listens on. Links and code examples begin with it.",
    )
    workers: int = _setting(1, _integer(1, 256), "The number of worker processes; use at most one per core.")
    connections: int = _setting(
        20,
        _integer(4, 1_000),
        "The maximum number of PostgreSQL connections per worker: half of them read, half write.",
    )
    pgbouncer: bool = _setting(
        False, _parse_switch, "Set to `on` if PostgreSQL is reached through PgBouncer in transaction mode."
    )
    limits: Limits = _setting(
        Limits.GENEROUS,
        _choice(Limits),
        "The rate limits per client: `generous` (1,000 requests per second per worker), `constant-contact` "
        "(exactly Constant Contact's 4 per second and 10,000 per day) or `off`.",
    )
    max_queued_activities: int = _setting(
        100_000,
        _integer(1, 10_000_000),
        "Per worker: how many activities may be queued for recording before new requests get 503.",
    )
    spool: str = _setting(
        "",
        str,
        "The directory for requests of email providers that wait to be recorded; empty for `spool` in the data "
        "directory, or `./spool-…` if the data is in a database.",
    )
    spool_mb: int = _setting(
        1_000,
        _integer(1, 10_000_000),
        "How many megabytes may wait in the spool before providers get 503 and send again later.",
    )
    max_streams: int = _setting(
        200,
        _integer(1, 100_000),
        "Per worker: how many clients and pages may receive live activities before new ones get 503.",
    )
    issuer: str = _setting("rapport", _parse_text, "The `iss` claim of the tokens that this server issues and accepts.")
    audience: str = _setting(
        "rapport", _parse_text, "The `aud` claim of the tokens that this server issues and accepts."
    )
    trusted_issuer: str = _setting(
        "", str, "The `iss` claim of another issuer whose tokens are accepted; empty for none."
    )
    trusted_keys: str = _setting(
        "", str, "The path of a file with that issuer's public keys (JWKS). It is read again when it changes."
    )
    smtp_url: str = _setting(
        "",
        _parse_smtp_url,
        "The server that sends invitations and links for new passwords by email, such as "
        "`smtp://user:password@mail.example.com:587` (with STARTTLS) or `smtps://…` (with TLS); empty to show links "
        "only.",
        is_secret=True,
    )
    smtp_from: str = _setting("", str, "The sender's email address, such as `rapport@example.com`.")
    oidc_issuer: str = _setting(
        "",
        _parse_provider_url,
        "The issuer URL of an OpenID Connect provider, such as `https://login.example.com`, through which users can "
        "sign in; empty for none.",
    )
    oidc_client_id: str = _setting("", str, "The client id of this server at the OpenID Connect provider.")
    oidc_client_secret: str = _setting(
        "",
        str,
        "The client secret of this server at the provider; empty if the provider needs none.",
        is_secret=True,
    )
    oidc_name: str = _setting(
        "single sign-on", _parse_text, "The provider's name on the sign-in page, after “Sign in with”."
    )
    legacy_default_type: bool = _setting(
        False,
        _parse_switch,
        "Set to `on` to return `em_clicks` for requests without an activity type, as Constant Contact once did, "
        "instead of 400.",
    )
    log: LogFormat = _setting(
        LogFormat.AUTO,
        _choice(LogFormat),
        "The log format: `json`, `text`, `auto` (`text` on a terminal, else `json`), or `quiet` (like `auto`, but "
        "warnings only).",
    )


def variable_name(setting: str) -> str:
    """Return the name of a setting's environment variable."""
    return f"RAPPORT_{setting.upper()}"


def setting_help() -> dict[str, str]:
    """Return the help text of each setting, by its name."""
    return {setting.name: setting.metadata["help"] for setting in fields(Settings)}


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables in the environment that begin with RAPPORT_ but aren't settings."""
    known = {variable_name(setting.name) for setting in fields(Settings)}
    return sorted(name for name in environment if name.startswith("RAPPORT_") and name not in known)


def format_value(value: object) -> str:
    """Return a setting's value as it is written in its environment variable."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value.value if isinstance(value, enum.Enum) else value)


def load_settings(**options: str | int | None) -> Settings:
    """Read the settings from this process's environment. See `read_settings`."""
    return read_settings(os.environ, **options)


def export_to_environment(settings: Settings) -> None:
    """Set this process's environment variables to the settings, for the workers that it starts."""
    for setting in fields(Settings):
        os.environ[variable_name(setting.name)] = format_value(getattr(settings, setting.name))
    os.environ[_MAIN_PROCESS] = str(os.getpid())


def main_process() -> int:
    """Return the id of the process that exported its settings to this one, or else of the parent process."""
    return int(os.environ.get(_MAIN_PROCESS, os.getppid()))


def read_settings(environment: Mapping[str, str], **options: str | int | None) -> Settings:
    """Read the settings from the environment. A command's `options` override it, except those that are None.

    Raises InvalidSetting, which names the variable or option, its value and what is allowed.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        option = options.get(setting.name)
        source = variable_name(setting.name) if option is None else f"--{setting.name.replace('_', '-')}"
        text = environment.get(source) if option is None else str(option)
        if text is None:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as exc:
            shown = "…" if setting.metadata["is_secret"] else repr(text)
            raise InvalidSetting(f"{source}={shown}: {exc}. {setting.metadata['help']}") from None
    settings = Settings(**values)
    _check_dependencies(settings)
    return settings


def _check_dependencies(settings: Settings) -> None:
    """Check settings that need another one. Raises InvalidSetting."""
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise InvalidSetting(
            f"RAPPORT_OIDC_ISSUER={settings.oidc_issuer!r}: RAPPORT_OIDC_CLIENT_ID is empty; set it to the client id "
            "of this server at the provider"
        )
    if settings.smtp_url and re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", settings.smtp_from) is None:
        raise InvalidSetting(
            f"RAPPORT_SMTP_FROM={settings.smtp_from!r}: must be the sender's email address, such as "
            "rapport@example.com, because RAPPORT_SMTP_URL is set"
        )
