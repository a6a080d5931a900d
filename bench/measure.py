"""Measurements and how they are printed."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A measured value, its baseline, and the target that it meets or misses."""

    name: str
    value: float
    unit: str
    baseline: str
    ratio: float | None = None
    target: str = ""
    passed: bool | None = None


def expect_min(bound: float, **fields: object) -> Measurement:
    """Return a measurement whose ratio to its baseline must be at least `bound`."""
    ratio = float(str(fields["ratio"]))
    return Measurement(**fields, target=f"≥ {bound:g} ×", passed=ratio >= bound)  # type: ignore[arg-type]


def expect_max(bound: float, **fields: object) -> Measurement:
    """Return a measurement whose ratio to its baseline, or whose value if it has no ratio, must be at most `bound`."""
    ratio = fields.get("ratio")
    figure = float(str(fields["value"] if ratio is None else ratio))
    times = "" if ratio is None else " ×"
    return Measurement(**fields, target=f"≤ {bound:g}{times}", passed=figure <= bound)  # type: ignore[arg-type]


def median_microseconds(work: Callable[[], object], *, rounds: int = 7, calls: int = 200) -> float:
    """Return the median over the rounds of the time of a call."""
    elapsed = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(calls):
            work()
        elapsed.append((time.perf_counter() - started) / calls * 1e6)
    return statistics.median(elapsed)


def table(measurements: list[Measurement]) -> str:
    """Format the measurements as a table."""
    rows = [("benchmark", "value", "baseline", "ratio", "target", "")]
    for measurement in measurements:
        ratio = "" if measurement.ratio is None else f"{measurement.ratio:.2f} ×"
        passed = {True: "met", False: "MISSED", None: ""}[measurement.passed]
        # A bound of zero is no target: the row is only a comparison.
        target, passed = ("", "") if measurement.target == "≥ 0 ×" else (measurement.target, passed)
        figure = (
            f"{measurement.value:,.0f} {measurement.unit}"
            if measurement.value >= 100
            else f"{measurement.value:.1f} {measurement.unit}"
        )
        rows.append((measurement.name, figure, measurement.baseline, ratio, target, passed))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def json_lines(measurements: list[Measurement]) -> str:
    """Format the measurements as JSON lines."""
    return "\n".join(json.dumps(asdict(measurement), ensure_ascii=False) for measurement in measurements)
