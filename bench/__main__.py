"""`python -m bench [NAME…]`: every measurement, or those named, as a table and as JSON lines.

With `--check` they are only run small, to see that they work; a ratio of such a run says nothing.
"""

import sys
from collections.abc import Callable
from typing import Final

from bench import browsing, cluster, files, growth, ingest, pages, postgresql, reports
from bench.measure import Measure, json_lines, table

MEASUREMENTS: Final[dict[str, Callable[..., list[Measure]]]] = {
    "pages": pages.measure,
    "growth": growth.measure,
    "ingest": ingest.measure,
    "files": files.measure,
    "reports": reports.measure,
    "postgresql": postgresql.measure,
    "browsing": browsing.measure,
    "cluster": cluster.measure,
}


def main(arguments: list[str]) -> int:
    """Run, print, and return the exit code: 1 if a promise is broken."""
    small = "--check" in arguments
    names = [name for name in arguments if name != "--check"] or list(MEASUREMENTS)
    unknown = set(names) - MEASUREMENTS.keys()
    if unknown:
        print(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    measures: list[Measure] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        measures += MEASUREMENTS[name](small=small)
    if small:
        print(f"{len(measures)} measurements work")
        return 0
    print(table(measures), end="\n\n")
    print(json_lines(measures))
    return 1 if any(measure.kept is False for measure in measures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
