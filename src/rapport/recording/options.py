"""Options for reading the files of an import."""

from zoneinfo import ZoneInfo

import msgspec

from rapport.recording.times import DateOrder, TimeFormat


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for reading files. The command passes them to the process that reads."""

    preset: str | None = None
    columns: dict[str, str] = {}
    """The field of each column whose name isn't that of a field."""
    constants: dict[str, str] = {}
    """The value of fields that the file doesn't have."""
    ignore_unknown: bool = False
    timezone: str | None = None
    dates: DateOrder | None = None
    encoding: str | None = None

    @property
    def times(self) -> TimeFormat:
        """The format of ambiguous times."""
        return TimeFormat(None if self.timezone is None else ZoneInfo(self.timezone), self.dates)


NO_OPTIONS = ImportOptions()
