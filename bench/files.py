"""What other forms of a file cost: CSV, mapped columns and presets, against NDJSON of the same rows."""

import csv
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bench.data import activities
from bench.load import BIN
from bench.measure import Measurement, expect_min
from rapport.activity import TYPE_NAMES, Activity, ActivityType
from rapport.instant import iso
from rapport.recording.activity_codec import encode_activity

_EVENTS: Final = {
    ActivityType.EM_SENDS: "processed",
    ActivityType.EM_OPENS: "open",
    ActivityType.EM_CLICKS: "click",
    ActivityType.EM_BOUNCES: "bounce",
    ActivityType.EM_OPTOUTS: "unsubscribe",
}
_MAPPED: Final = ("--map", "Subscriber=contact_id", "--map", "Mailing=campaign_activity_id", "--ignore-unknown")


def measure(*, small: bool) -> list[Measurement]:
    """Import the same rows in each form, in turns."""
    count, rounds = (20_000, 1) if small else (300_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        forms: dict[str, tuple[Path, tuple[str, ...]]] = {}
        for name, (write, options) in _FORMS.items():
            file = Path(folder) / name.replace(" ", "-")
            write(file, activities(count, count // 40))
            forms[name] = file, options
        best = dict.fromkeys(forms, 0.0)
        for _ in range(rounds):
            for name, (file, options) in forms.items():
                best[name] = max(best[name], count / _seconds(file, options, folder))
    return [
        expect_min(
            0.9,
            name=f"import of {count:,} rows as {name}",
            value=best[name],
            unit="activities/s",
            baseline=f"the same rows as {plain}, {best[plain]:,.0f}/s",
            ratio=best[name] / best[plain],
        )
        for name, plain in _PLAIN.items()
    ]


def _seconds(file: Path, options: tuple[str, ...], folder: str) -> float:
    data = f"{folder}/data"
    began = time.perf_counter()
    command = [str(BIN / "rapport"), "import", str(file), "--data", data, "--create", *options]
    subprocess.run(command, check=True, capture_output=True)
    taken = time.perf_counter() - began
    shutil.rmtree(data)
    return taken


def _write_ndjson(file: Path, rows: Iterable[Activity]) -> None:
    with file.open("wb") as lines:
        lines.writelines(encode_activity(activity) + b"\n" for activity in rows)


def _write_csv(names: tuple[str, ...]) -> Callable[[Path, Iterable[Activity]], None]:
    def write(file: Path, rows: Iterable[Activity]) -> None:
        with file.open("w", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(names)
            writer.writerows(map(_cells, rows))

    return write


def _cells(activity: Activity) -> tuple[str, ...]:
    return (
        activity.contact_id,
        activity.campaign_activity_id,
        TYPE_NAMES[activity.type],
        iso(activity.created_time),
        (activity.person and activity.person.email_address) or "",
        (activity.link and activity.link.link_url) or "",
        "" if activity.device_type is None else activity.device_type.name.lower(),
    )


def sendgrid_event(number: int, activity: Activity) -> dict[str, object]:
    """Return an activity as an event of SendGrid's webhook."""
    event: dict[str, object] = {
        "email": activity.person and activity.person.email_address,
        "timestamp": activity.created_time / 1_000,
        "event": _EVENTS[activity.type],
        "category": activity.campaign_activity_id,
        "sg_event_id": f"event-{number}",
        "sg_message_id": f"message-{number}",
    }
    if activity.link is not None:
        event |= {"url": activity.link.link_url, "useragent": "Mozilla/5.0 (iPhone)"}
    return event


def _write_sendgrid(file: Path, rows: Iterable[Activity]) -> None:
    with file.open("w") as lines:
        for number, activity in enumerate(rows):
            lines.write(json.dumps(sendgrid_event(number, activity)) + "\n")


def _write_sendgrid_as_ndjson(file: Path, rows: Iterable[Activity]) -> None:
    """Write the same activities as the preset reads, in our own form."""
    with file.open("w") as lines:
        for number, activity in enumerate(rows):
            address = activity.person and activity.person.email_address
            line: dict[str, object] = {
                "contact_id": address,
                "campaign_activity_id": activity.campaign_activity_id,
                "tracking_activity_type": TYPE_NAMES[activity.type],
                "created_time": iso(activity.created_time),
                "event_id": f"event-{number}",
                "email_address": address,
            }
            if activity.link is not None:
                line |= {"link_url": activity.link.link_url, "device_type": "mobile"}
            lines.write(json.dumps(line) + "\n")


_OWN: Final = (
    "contact_id",
    "campaign_activity_id",
    "tracking_activity_type",
    "created_time",
    "email_address",
    "link_url",
    "device_type",
)
_FOREIGN: Final = ("Subscriber", "Mailing", *_OWN[2:])

_FORMS: Final[dict[str, tuple[Callable[[Path, Iterable[Activity]], None], tuple[str, ...]]]] = {
    "NDJSON": (_write_ndjson, ()),
    "CSV": (_write_csv(_OWN), ()),
    "CSV with mapped columns": (_write_csv(_FOREIGN), _MAPPED),
    "NDJSON with event ids": (_write_sendgrid_as_ndjson, ()),
    "a file of SendGrid": (_write_sendgrid, ()),
}

_PLAIN: Final = {
    "CSV": "NDJSON",
    "CSV with mapped columns": "NDJSON",
    "a file of SendGrid": "NDJSON with event ids",
}
"""Against what each form is measured."""
