"""What the commands share: the `--data` option, an open store, failures told as sentences."""

import difflib
import importlib
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from rapport.activity import ID_ALLOWED, is_id
from rapport.errors import RapportError
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.settings import Settings, sentences, settings_from_environment, unknown_variables, variable

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)

DEFAULT_ACCOUNT: Final = "default"
"""The account that is meant where nobody says another."""


class Commands(click.Group):
    """The commands by their names, each loaded when it is asked for, whose failures are told as a sentence."""

    def __init__(self, *, modules: Mapping[str, str], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        """The names, in the order in which they are shown."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's own
        """The command of that name."""
        if cmd_name not in self._modules:
            return None
        module, _, attribute = self._modules[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; one that there isn't is told with the one that it resembles."""
        close = [] if args[0] in self._modules else difflib.get_close_matches(args[0], self._modules, 1)
        if close:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]}?")
        return super().resolve_command(ctx, args)

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
        "--account", type=AccountId(), default=DEFAULT_ACCOUNT, show_default=True, help="The account that is meant."
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
    known = [variable(name) for name in sentences()]
    for name in unknown_variables(os.environ):
        close = difflib.get_close_matches(name, known, 1)
        meant = f" Did you mean {close[0]}?" if close else ""
        click.echo(f"rapport: {name} is set, but is no setting: see `docs/settings.md`.{meant}", err=True)
    return settings_from_environment(**options)


def now() -> Instant:
    """This instant."""
    return Instant(time.time_ns() // 1_000_000)
