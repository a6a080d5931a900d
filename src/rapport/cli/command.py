"""Shared parts of the commands: options, the store, and error messages."""

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
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from rapport.activity import ACCOUNT_ID_ALLOWED, ID_ALLOWED, is_account_id, is_id
from rapport.errors import DataNotFound, RapportError
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.settings import (
    Settings,
    format_value,
    load_settings,
    setting_help,
    unknown_variables,
    variable_name,
)
from rapport.store.engines import find_directory, format_location, open_store
from rapport.store.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)

DEFAULT_ACCOUNT: Final = "default"
"""The account that commands use without `--account`."""

_HOW_TO_CREATE: Final = "check --data, or start with `rapport import --create` or `rapport serve`"

_WRITE_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})

_RUNS_WITHOUT_OUTPUT: Final = "serve"
"""The only command whose output isn't its result."""


def format_count(count: int, singular: str) -> str:
    """Return the number with its noun, such as '1 event' or '2,000 events'."""
    return f"{count:,} {singular}" if count == 1 else f"{count:,} {singular}s"


class Commands(click.Group):
    """A group of commands that are imported when they are used, and whose errors are printed as messages."""

    def __init__(self, *, modules: Mapping[str, str], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**attributes)
        self._modules = modules

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's own
        """Run the program, and print errors of the operating system as messages."""
        _prepare_standard_streams()
        try:
            return super().main(*args, **extra)
        except OSError as exc:
            # Without EPIPE: click exits silently when the reader of our output has closed it.
            click.ClickException(_describe_os_error(exc)).show()
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        """Return the names of the commands in the order of the help."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's own
        """Import and return a command."""
        if cmd_name not in self._modules:
            return None
        module, _, attribute = self._modules[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run, or fail with the most similar name."""
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
        except RapportError as exc:
            raise click.ClickException(str(exc)) from exc


def _prepare_standard_streams() -> None:
    """Open closed standard streams on /dev/null, and escape characters that the encoding lacks.

    Otherwise the next opened file, such as the database, would get the file descriptor of standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # `open` returns the lowest free number, which is this one.
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
        # Otherwise the interpreter would try to flush, and report the error, again when it exits.
        with open(os.devnull, "wb") as null:  # noqa: PTH123 - a constant, not a path
            os.dup2(null.fileno(), sys.stdout.fileno())
    return f"the output can't be written: {reason}"


def create_option(command: Command) -> Command:
    """Add `--create` to the command."""
    return click.option("--create", is_flag=True, help="Create the store if there is none.")(command)


def data_option(command: Command) -> Command:
    """Add `--data` to the command."""
    return setting_option("data", metavar="DIR")(command)


def setting_option(name: str, *, metavar: str | None = None) -> Callable[[Command], Command]:
    """Return a decorator that adds the option of a setting, with the setting's help text."""
    default = getattr(Settings(), name)
    text = setting_help()[name].replace("`", "")
    return click.option(
        f"--{name.replace('_', '-')}",
        type=type(default),
        metavar=metavar,
        help=f"{text} [default: {format_value(default)}; env: {variable_name(name)}]",
    )


def account_option(command: Command) -> Command:
    """Add `--account` to the command."""
    return click.option(
        "--account", type=AccountId(), default=DEFAULT_ACCOUNT, show_default=True, help="The account to use."
    )(command)


class AccountId(click.ParamType[str]):
    """The id of an account."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id. Fails if it is invalid."""
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
    """A duration, such as 90s, 15m, 24h or 30d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the duration in milliseconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} must be a number followed by s, m, h or d, such as 15m, 24h or 30d", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


def get_settings(**options: str | int | None) -> Settings:
    """Return the settings from the environment and the options. Print a warning for each unknown variable."""
    known = [variable_name(name) for name in setting_help()]
    for name in unknown_variables(os.environ):
        close = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {close[0]}?" if close else " See docs/settings.md."
        click.echo(f"rapport: unknown setting {name}.{hint}", err=True)
    return load_settings(**options)


@contextlib.asynccontextmanager
async def open_command_store(
    settings: Settings, *, create: bool = False, how_to_create: str = _HOW_TO_CREATE
) -> AsyncIterator[Store]:
    """Open the store that the settings name, and print its location to standard error.

    Raises DataNotFound, with the location and `how_to_create`, if there is no store and `create` is False.
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


async def require_account(store: Store, account_id: str) -> None:
    """Check that the account exists; the default account always does. Raises BadParameter."""
    account_ids = {DEFAULT_ACCOUNT, *await store.accounts.list_ids()}
    if account_id not in account_ids:
        raise click.BadParameter(
            f"there is no account {account_id!r}; expected one of {', '.join(sorted(account_ids))}",
            param_hint="--account",
        )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the names of columns, and rows, with tabs between the columns."""
    for row in (columns, *rows):
        click.echo("\t".join(row))


def to_printable(text: str) -> str:
    """Return the text with `?` for characters that can't be printed: other issuers' user names may contain any."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _warn_if_others_can_read(data: str) -> None:
    """Print a warning if other users can list the data directory.

    Its files are readable by their owner only. Rapport didn't create the directory, so it doesn't change its mode:
    others may need it.
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
    """Return the current time."""
    return Instant(time.time_ns() // 1_000_000)
