"""Every figure that /metrics shows, declared once."""

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
"""The variable by which the workers of one server are told, before this module is loaded, where they count together."""

# Half as many series: when a count began is of no use to anybody who scrapes it.
disable_created_metrics()

REQUESTS: Final = Histogram(
    "rapport_request_seconds",
    "Requests by route and status, with the seconds from their arrival to their response.",
    ["route", "status"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ACTIVITIES: Final = Counter("rapport_activities_recorded", "Activities recorded for the first time, by type.", ["type"])
DUPLICATES: Final = Counter("rapport_activities_duplicate", "Activities that came in and were there already.")
REJECTED: Final = Counter("rapport_activities_rejected", "Lines that came in and were no activities.")
WAITING: Final = Gauge(
    "rapport_activities_waiting", "Activities that wait for their commit.", multiprocess_mode="livesum"
)
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
    "Seconds that a group of batches took to be durable.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
COMMIT_SIZE: Final = Histogram(
    "rapport_commit_activities",
    "Activities in one commit.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000),
)


def exposition() -> tuple[bytes, str]:
    """All figures and their media type; with several workers, the sum of them."""
    registry = REGISTRY
    if _counted_together():
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_dead_workers() -> None:
    """Take what waited in a worker that is gone out of the sums; its counts stay in them."""
    if not _counted_together():
        return
    for file in Path(os.environ[SHARED_FOLDER]).glob("gauge_live*_*.db"):
        worker = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{worker}").exists():
            mark_process_dead(worker)


def _counted_together() -> bool:
    return bool(getattr(ValueClass, "_multiprocess", False))
