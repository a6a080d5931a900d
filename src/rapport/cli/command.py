"""What the commands share: the `--data` option, an open store, failures told as sentences."""

import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import click

from rapport.activity import ID_ALLOWED, is_id
from rapport.errors import RapportError
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.settings import Settings, settings_from_environment, unknown_variables
from rapport.store.engines import store_at
from rapport.store.protocol import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)


class Commands(click.Group):
    """The commands, whose failures are told as a sentence, with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RapportError as problem:
            raise click.ClickException(str(problem)) from problem


def data_option(command: Command) -> Command:
    """Give the command `--data`."""
    return click.option("--data", metavar="DIR", help="Where the data is. [default: ./data; also RAPPORT_DATA]")(
        command
    )


def account_option(command: Command) -> Command:
    """Give the command `--account`."""
    return click.option(
        "--account", type=AccountId(), default="default", show_default=True, help="The account that is meant."
    )(command)


class AccountId(click.ParamType[str]):
    """An account's id."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id as given. Fails when it can't be one."""
        if not isinstance(value, str) or not is_id(value):
            self.fail(f"{value!r} {ID_ALLOWED}", param, ctx)
        return value


class Duration(click.ParamType[int]):
    """A length of time: 90s, 15m, 24h, 30d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The duration in milliseconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} must be a number with s, m, h or d, such as 15m, 24h or 30d", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


def settings_for(**options: str | int | None) -> Settings:
    """The settings of this run; misspelt variables are pointed out."""
    for name in unknown_variables(os.environ):
        click.echo(f"rapport: {name} is set, but is no setting: see `docs/settings.md`", err=True)
    return settings_from_environment(**options)


@contextlib.asynccontextmanager
async def opened(data: str) -> AsyncIterator[Store]:
    """The store at `data`, open."""
    store = store_at(data)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def now() -> Instant:
    """This instant."""
    return Instant(time.time_ns() // 1_000_000)
