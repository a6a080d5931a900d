"""Notes taken while a file is read: warnings, skipped rows, and how the file was read."""

from collections import Counter
from typing import Final

import msgspec

from rapport.recording.activity_codec import excerpt

MAX_NOTICES: Final = 50
"""The maximum number of distinct warnings that are kept at a time."""


class Notice(msgspec.Struct):
    """Equal warnings: the field, what was done with it, the number of lines, and the first line with its value."""

    field: str
    action: str
    count: int
    line: int
    value: str | int | float | bool | None


class ReadingLog:
    """Collects notes about a file. `line` is the number of the line that is being read."""

    def __init__(self) -> None:
        self.line = 0
        self.member = ""
        self.notes: list[str] = []
        self.skipped: Counter[str] = Counter()
        self.notices: dict[tuple[str, str], Notice] = {}
        self._noted: set[str] = set()

    def warn(self, field: str, value: object, action: str) -> None:
        """Count a warning about the current line."""
        key = field, action
        notice = self.notices.get(key)
        if notice is not None:
            notice.count += 1
            return
        if len(self.notices) >= MAX_NOTICES:
            key = "", "further fields were changed or left out"
            if key in self.notices:
                self.notices[key].count += 1
                return
        self.notices[key] = Notice(*key, 1, self.line, excerpt(value))

    def skip(self, label: str) -> None:
        """Count a row that isn't an activity, such as the delay of a message."""
        self.skipped[label[:50]] += 1

    def note(self, text: str) -> None:
        """Note something about the file, once."""
        if text not in self._noted:
            self._noted.add(text)
            self.notes.append(text)

    def drain(self) -> tuple[list[str], dict[str, int], list[Notice]]:
        """Return what was noted since the last call."""
        drained = self.notes, dict(self.skipped), list(self.notices.values())
        self.notes, self.skipped, self.notices = [], Counter(), {}
        return drained
