"""The options of `rapport import` that say how files are read."""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from rapport.recording.options import ImportOptions
from rapport.recording.presets import PRESETS
from rapport.recording.times import DateOrder

T = TypeVar("T")


class _Pair(click.ParamType[tuple[str, str]]):
    """Two texts with an equals sign between them. With `split_at_last`, the first text may contain others."""

    name = "pair"

    def __init__(self, *, split_at_last: bool) -> None:
        self._split_at_last = split_at_last

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401 - click's own
        """Return both texts. Fails without an equals sign."""
        if isinstance(value, tuple):
            return value
        first, equals, second = str(value).rpartition("=") if self._split_at_last else str(value).partition("=")
        if not equals or not first.strip() or not second.strip():
            self.fail(f"{value!r} must be two names with = between them", param, ctx)
        return first.strip(), second.strip()


def _check_zone(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise click.BadParameter(f"{value!r} is not a time zone; expected one such as Europe/Berlin") from None
    return value


def _check_encoding(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            b"".decode(value)
        except LookupError:
            raise click.BadParameter(f"{value!r} is not an encoding; expected one such as windows-1252") from None
    return value


def reading_options(command: Callable[..., T]) -> Callable[..., T]:
    """Give the command the options that say how files are read; it is called with `options`."""

    @functools.wraps(command)
    def run(
        *args: Any,  # noqa: ANN401 - the command's own
        preset: str | None,
        columns: tuple[tuple[str, str], ...],
        constants: tuple[tuple[str, str], ...],
        ignore_unknown: bool,
        timezone: str | None,
        dates: str | None,
        encoding: str | None,
        **kwargs: Any,  # noqa: ANN401 - the command's own
    ) -> T:
        options = ImportOptions(
            preset=preset,
            columns=dict(columns),
            constants=dict(constants),
            ignore_unknown=ignore_unknown,
            timezone=timezone,
            dates=None if dates is None else DateOrder(dates),
            encoding=encoding,
        )
        return command(*args, options=options, **kwargs)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


_OPTIONS: Final = (
    click.option(
        "--from",
        "preset",
        type=click.Choice(sorted(PRESETS)),
        help="The system that exported the files. [default: detected]",
    ),
    click.option(
        "--map",
        "columns",
        type=_Pair(split_at_last=True),
        multiple=True,
        metavar="COLUMN=FIELD",
        help="Import a column as this field. May be repeated.",
    ),
    click.option(
        "--set",
        "constants",
        type=_Pair(split_at_last=False),
        multiple=True,
        metavar="FIELD=VALUE",
        help="Set a field that is the same in all lines. May be repeated.",
    ),
    click.option("--ignore-unknown", is_flag=True, help="Ignore columns that aren't fields."),
    click.option("--timezone", callback=_check_zone, metavar="ZONE", help="The time zone of times without an offset."),
    click.option(
        "--dates", type=click.Choice(("mdy", "dmy")), help="The order of month and day in dates such as 04/02/2026."
    ),
    click.option(
        "--encoding", callback=_check_encoding, metavar="NAME", help="The encoding of the files. [default: detected]"
    ),
)
