"""What a measurement says, and how it is shown."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure, what it was held against, and the promise that it keeps or doesn't."""

    question: str
    value: float
    unit: str
    yardstick: str
    ratio: float | None = None
    promise: str = ""
    kept: bool | None = None


def at_least(bound: float, **said: object) -> Measure:
    """A measure whose ratio to its yardstick must be `bound` or more."""
    ratio = float(str(said["ratio"]))
    return Measure(**said, promise=f"≥ {bound:g} ×", kept=ratio >= bound)  # type: ignore[arg-type]


def at_most(bound: float, **said: object) -> Measure:
    """A measure whose ratio to its yardstick, or whose value if there is none, must be `bound` or less."""
    ratio = said.get("ratio")
    figure = float(str(said["value"] if ratio is None else ratio))
    times = "" if ratio is None else " ×"
    return Measure(**said, promise=f"≤ {bound:g}{times}", kept=figure <= bound)  # type: ignore[arg-type]


def microseconds(work: Callable[[], object], *, rounds: int = 7, calls: int = 200) -> float:
    """The median over the rounds of how long a call takes."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        taken.append((time.perf_counter() - began) / calls * 1e6)
    return statistics.median(taken)


def table(measures: list[Measure]) -> str:
    """The measures for people."""
    rows = [("question", "figure", "against", "ratio", "promise", "")]
    for measure in measures:
        ratio = "" if measure.ratio is None else f"{measure.ratio:.2f} ×"
        kept = {True: "kept", False: "BROKEN", None: ""}[measure.kept]
        # A bound of zero promises nothing: the row is a mere comparison.
        promise, kept = ("", "") if measure.promise == "≥ 0 ×" else (measure.promise, kept)
        figure = (
            f"{measure.value:,.0f} {measure.unit}" if measure.value >= 100 else f"{measure.value:.1f} {measure.unit}"
        )
        rows.append((measure.question, figure, measure.yardstick, ratio, promise, kept))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def json_lines(measures: list[Measure]) -> str:
    """The measures for machines."""
    return "\n".join(json.dumps(asdict(measure), ensure_ascii=False) for measure in measures)
