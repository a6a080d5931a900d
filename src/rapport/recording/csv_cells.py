"""Write cells of CSV so that spreadsheets don't interpret them as formulas, and imports read them back unchanged.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, also after a tab or a line break. Such a cell is
written with an apostrophe before it. So are the texts that an import would otherwise change: blanks at the ends, which
it trims, and NULL, which it takes for an empty cell.
"""

import re
from typing import Final

NULLS: Final = frozenset({"NULL", "null", "\\N"})
"""What databases write for nothing."""

_GUARD: Final = "'"
_FORMULA: Final = re.compile(r'="(.*)"', re.DOTALL)
"""A text that was written as a formula, so that a spreadsheet doesn't take it for a number."""
_GUARDED: Final = re.compile(r"'*(?:[=+\-@\s]|(?:NULL|null|\\N)\Z)|.*\s\Z", re.DOTALL)


def guard_cell(text: str) -> str:
    """Return the text as it is written to a cell."""
    return _GUARD + text if _GUARDED.match(text) is not None else text


def read_cell(cell: str) -> str:
    """Return the text of a cell: without its guard, or trimmed if it has none."""
    if cell.startswith(_GUARD) and _GUARDED.match(cell[1:]) is not None:
        return cell[1:]
    cell = cell.strip()
    if cell in NULLS:
        return ""
    formula = _FORMULA.fullmatch(cell)
    return cell if formula is None else formula[1].replace('""', '"').strip()
