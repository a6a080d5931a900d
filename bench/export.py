"""What the export of an account costs: rate and memory, against the bare SQL that reads the same rows."""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import apsw

from bench.data import fill_store, histories
from bench.load import BIN
from bench.measure import Measurement, expect_max

_MAX_MEGABYTES: Final = 250

_BARE: Final = """
SELECT contact.contact_id, campaign_activity.campaign_activity_id, type, created_time, event_id,
       campaign_activity_name, campaign.campaign_id, contact.email_address, contact.first_name, contact.last_name,
       link_url, url_id, device_type, bounce_code, tracking_activity.opt_out_reason
FROM contact
CROSS JOIN tracking_activity ON tracking_activity.contact = contact.key
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
WHERE contact.account = (SELECT key FROM account WHERE account_id = 'default')
ORDER BY contact.contact_id
"""


def measure(*, small: bool) -> list[Measurement]:
    """Export the same account as Parquet and as CSV."""
    count = 20_000 if small else int(os.environ.get("RAPPORT_BENCH_EXPORT", "10000000"))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        asyncio.run(fill_store(data, histories(count, max(1, count // 25))))
        bare = count / _read_bare(data)
        for suffix in ("parquet", "csv", "ndjson"):
            seconds, megabytes = _export(data, Path(folder) / f"activities.{suffix}")
            results += [
                Measurement(
                    name=f"export of {count:,} activities as {suffix}",
                    value=count / seconds,
                    unit="activities/s",
                    baseline=f"bare SQL of the same rows, {bare:,.0f}/s",
                    ratio=count / seconds / bare,
                ),
                expect_max(
                    _MAX_MEGABYTES,
                    name=f"memory of the export as {suffix}",
                    value=megabytes,
                    unit="MB",
                    baseline="",
                ),
            ]
    return results


def _read_bare(data: str) -> float:
    connection = apsw.Connection(f"{data}/rapport.db", flags=apsw.SQLITE_OPEN_READONLY)
    started = time.perf_counter()
    for _ in connection.execute(_BARE):
        pass
    return time.perf_counter() - started


def _export(data: str, file: Path) -> tuple[float, float]:
    """Return the seconds and the megabytes that an export takes."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(BIN / "rapport"), "export", "--data", data, "--output", str(file)], stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"the export ended with exit code {process.returncode}")
    file.unlink()
    return seconds, usage.ru_maxrss / 1024
