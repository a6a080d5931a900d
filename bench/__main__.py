"""`python -m bench [NAME…]`: run all benchmarks, or the named ones, and print a table and JSON lines.

With `--check`, run them with little data to see that they work. The ratios of such a run mean nothing.
"""

import sys
from collections.abc import Callable
from typing import Final

from bench import browsing, cluster, export, files, growth, ingest, pages, postgresql, reports, webhooks
from bench.measure import Measurement, json_lines, table

MEASUREMENTS: Final[dict[str, Callable[..., list[Measurement]]]] = {
    "pages": pages.measure,
    "growth": growth.measure,
    "ingest": ingest.measure,
    "files": files.measure,
    "webhooks": webhooks.measure,
    "export": export.measure,
    "reports": reports.measure,
    "postgresql": postgresql.measure,
    "browsing": browsing.measure,
    "cluster": cluster.measure,
}


def main(arguments: list[str]) -> int:
    """Run the benchmarks and print the results. Return 1 if a target was missed, otherwise 0."""
    small = "--check" in arguments
    names = [name for name in arguments if name != "--check"] or list(MEASUREMENTS)
    unknown = set(names) - MEASUREMENTS.keys()
    if unknown:
        print(
            f"unknown benchmark {', '.join(sorted(unknown))}; expected one of {', '.join(MEASUREMENTS)}",
            file=sys.stderr,
        )
        return 2
    measures: list[Measurement] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        measures += MEASUREMENTS[name](small=small)
    if small:
        print(f"{len(measures)} measurements work")
        return 0
    print(table(measures), end="\n\n")
    print(json_lines(measures))
    return 1 if any(measure.passed is False for measure in measures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
