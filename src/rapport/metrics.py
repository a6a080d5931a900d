"""The metrics that /metrics exposes."""

import os
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import ValueClass

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable with the folder in which a server's workers share their metrics.

The Prometheus client reads it when it is imported, so it must be set before this module is imported.
"""

REQUESTS: Final = Histogram(
    "rapport_request_seconds",
    "Seconds from a request's arrival to its response, by route and status.",
    ["route", "status"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ACTIVITIES: Final = Counter("rapport_activities_recorded", "Activities recorded for the first time, by type.", ["type"])
DUPLICATES: Final = Counter("rapport_activities_duplicate", "Activities received that had been recorded before.")
REJECTED: Final = Counter("rapport_activities_rejected", "Lines received that were not valid activities.")
WAITING: Final = Gauge("rapport_activities_waiting", "Activities waiting to be committed.", multiprocess_mode="livesum")
CAPTURED: Final = Counter(
    "rapport_captured_requests",
    "Requests of email providers, by provider and outcome: kept, recorded, refused, full, failed, deleted.",
    ["provider", "outcome"],
)
UNMATCHED: Final = Counter("rapport_unmatched_items", "Captured items that could not be read or matched.")
SPOOL_BYTES: Final = Gauge(
    "rapport_spool_bytes", "Bytes of captured requests that wait to be recorded.", multiprocess_mode="livemax"
)
SPOOL_AGE: Final = Gauge(
    "rapport_spool_age_seconds", "Age of the oldest captured request that waits.", multiprocess_mode="livemax"
)
COMMIT_SECONDS: Final = Histogram(
    "rapport_commit_seconds",
    "Seconds that a commit took.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
COMMIT_SIZE: Final = Histogram(
    "rapport_commit_activities",
    "Activities in one commit.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000),
)


def configure() -> None:
    """Configure the Prometheus client: leave out the series with each counter's creation time."""
    disable_created_metrics()


def render_metrics() -> tuple[bytes, str]:
    """Return all metrics, summed over the workers, and their media type."""
    registry = REGISTRY
    if _are_shared():
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_dead_workers() -> None:
    """Remove the gauges of workers that have died from the sums; their counters stay in them."""
    if not _are_shared():
        return
    for file in Path(os.environ[SHARED_FOLDER]).glob("gauge_live*_*.db"):
        worker = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{worker}").exists():
            mark_process_dead(worker)


def _are_shared() -> bool:
    return bool(getattr(ValueClass, "_multiprocess", False))
