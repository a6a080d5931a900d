"""What the commands share: the `--data` option, an open store, failures told as sentences."""

import asyncio
import contextlib
import difflib
import errno
import importlib
import io
import os
import re
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

import click

from rapport.activity import ACCOUNT_ID_ALLOWED, ID_ALLOWED, is_account_id, is_id
from rapport.errors import DataNotFound, RapportError
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.settings import Settings, load_settings, sentences, unknown_variables, variable
from rapport.store.engines import find_directory, format_location, open_store
from rapport.store.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)

DEFAULT_ACCOUNT: Final = "default"
"""The account that is meant where nobody says another."""

_HOW_TO_CREATE: Final = "check --data, or start with `rapport import --create` or `rapport serve`"

_WRITE_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})

_RUNS_WITHOUT_OUTPUT: Final = "serve"
"""The one command whose output isn't its result."""


class Commands(click.Group):
    """The commands by their names, each loaded when it is asked for, whose failures are told as a sentence."""

    def __init__(self, *, modules: Mapping[str, str], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**attributes)
        self._modules = modules

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's own
        """Run the program; whatever the system refuses ends it with a sentence."""
        _prepare_standard_streams()
        try:
            return super().main(*args, **extra)
        except OSError as exc:
            # Except EPIPE: when the reader of our output has seen enough, click ends without a word.
            click.ClickException(_describe_os_error(exc)).show()
            sys.exit(1)

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
        if sys.stdout is None and args[0] != _RUNS_WITHOUT_OUTPUT:
            raise click.ClickException("standard output is closed, and the result would be lost")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RapportError as problem:
            raise click.ClickException(str(problem)) from problem


def _prepare_standard_streams() -> None:
    """Occupy the numbers of closed standard streams, and write characters that an encoding lacks as escapes.

    Otherwise the next file that is opened, the database say, would be what others know as standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _describe_os_error(exc: OSError) -> str:
    reason = exc.strerror or str(exc)
    if exc.filename is not None:
        return f"{os.fsdecode(exc.filename)}: {reason}"
    if exc.errno not in _WRITE_ERRORS:
        return reason
    try:
        sys.stdout.flush()
    except OSError:
        # What could not be written would be tried again, and reported again, when the interpreter exits.
        with open(os.devnull, "wb") as null:  # noqa: PTH123 - a constant, not a path
            os.dup2(null.fileno(), sys.stdout.fileno())
    return f"the output can't be written: {reason}"


def create_option(command: Command) -> Command:
    """Give the command `--create`."""
    return click.option("--create", is_flag=True, help="Create the store if there is none.")(command)


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
        if not isinstance(value, str) or not is_account_id(value):
            self.fail(f"{value!r} {ACCOUNT_ID_ALLOWED}", param, ctx)
        return value


class Id(click.ParamType[str]):
    """The id of a contact or a campaign, which may begin with a hyphen: see `TAKES_ID`."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id without blanks at its ends. Fails if it isn't one."""
        text = value.strip() if isinstance(value, str) else ""
        if not is_id(text):
            self.fail(f"{value!r} {ID_ALLOWED}", param, ctx)
        return text


TAKES_ID: Final[dict[str, Any]] = {"ignore_unknown_options": True}
"""The context settings of a command with an id as its argument: `-5` is an id and not an option."""


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
    return load_settings(**options)


@contextlib.asynccontextmanager
async def open_command_store(
    settings: Settings, *, create: bool = False, how_to_create: str = _HOW_TO_CREATE
) -> AsyncIterator[Store]:
    """Open the store that the settings name, and print its location to standard error.

    Raises NoData, with the location and `how_to_create`, if there is no store and `create` is False.
    """
    location = format_location(settings.data)
    click.echo(f"rapport: using the data in {location}", err=True)
    _warn_if_others_can_read(settings.data)
    async with contextlib.AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(open_store(settings, create=False))
        except DataNotFound:
            if not create:
                raise DataNotFound(f"there is no data in {location}: {how_to_create}") from None
            store = await stack.enter_async_context(open_store(settings))
            click.echo("rapport: there was none, and a new, empty store was created", err=True)
        yield store


def ensure_store(settings: Settings) -> None:
    """Create the store that the settings name if there is none, and print its location to standard error."""

    async def ensure() -> None:
        async with open_command_store(settings, create=True):
            pass

    asyncio.run(ensure())


def _warn_if_others_can_read(data: str) -> None:
    """Point out a data directory that everybody on the machine can list.

    Its files are readable by their owner only. The directory was not made by Rapport, so its mode is left alone: it
    may well be one that others need.
    """
    directory = find_directory(data)
    if directory is None:
        return
    with contextlib.suppress(OSError):
        if directory.is_dir() and directory.stat().st_mode & stat.S_IRWXO:
            click.echo(
                f"rapport: others can list the files in {format_location(data)}: chmod 700 keeps them out", err=True
            )


def now() -> Instant:
    """This instant."""
    return Instant(time.time_ns() // 1_000_000)
