"""Rollups counted by brute force from the lines, and rollups as they are stored."""

import random
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from tests.helpers.recount import Line, get_milliseconds
from tests.helpers.sql import fetch_all

Key = tuple[str, str, str]

COMPLAINTS = ["complaint", "spam complaint", "spam report"]
DEVICES = ["computer", "mobile", "tablet", "other"]
START_TIME = 1_767_225_600_000


class Rollups(NamedTuple):
    """Counts per campaign activity and type, contact, bounce code, detail and hour, and who clicked which link."""

    engagement: dict[Key, tuple[int, int]]
    bounced: dict[Key, int]
    stats: dict[Key, tuple[int, int | None, int]]
    clicked: set[tuple[str, str | None, str | None, str]]
    hours: dict[tuple[str, str, int], int]


def random_line(rng: random.Random, number: int) -> Line:
    """Return a line about one of a few contacts and campaign activities; some repeat an event."""
    activity_type = rng.choice(["em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts"])
    line: Line = {
        "contact_id": f"c{rng.randrange(40)}",
        "campaign_activity_id": f"m{rng.randrange(3)}",
        "tracking_activity_type": activity_type,
        "created_time": START_TIME + rng.choice((0, 3_598_000, 86_400_000)) + rng.randrange(5_000),
    }
    if activity_type == "em_clicks":
        line["link_url"] = f"https://example.com/{rng.randrange(3)}"
    if activity_type in {"em_opens", "em_optouts"} and rng.random() < 0.8:
        line["device_type"] = rng.choice(DEVICES)
    if activity_type == "em_bounces":
        line["bounce_code"] = rng.choice(list("BDFSVXZ"))
    if activity_type == "em_optouts" and rng.random() < 0.7:
        line["opt_out_reason"] = rng.choice([*COMPLAINTS, "no longer interested"])
    if number % 3 == 0:
        line["event_id"] = f"e{rng.randrange(200)}"
    return line


def expected_rollups(recorded: Collection[Line]) -> Rollups:
    """Compute the rollups of these activities."""
    times: dict[Key, list[int]] = defaultdict(list)
    bounced: dict[Key, int] = defaultdict(int)
    kept: dict[Key, list[tuple[int, str]]] = defaultdict(list)
    for line in recorded:
        name, activity_type, contact = line["campaign_activity_id"], line["tracking_activity_type"], line["contact_id"]
        time = get_milliseconds(line)
        times[name, activity_type, contact].append(time)
        kept[name, activity_type, "all"].append((time, contact))
        code = line.get("bounce_code")
        if activity_type == "em_optouts" and line.get("opt_out_reason") in COMPLAINTS:
            code = "complaint"
        for detail in filter(None, (line.get("device_type"), code)):
            kept[name, activity_type, detail].append((time, contact))
        if code:
            bounced[name, code, contact] += 1
    return Rollups(
        {key: (len(each), max(each)) for key, each in times.items()},
        dict(bounced),
        {
            key: (
                len(each),
                len({contact for _, contact in each}) if key[2] not in DEVICES else None,
                max(time for time, _ in each),
            )
            for key, each in kept.items()
        },
        {
            (line["campaign_activity_id"], line.get("link_url"), line.get("url_id"), line["contact_id"])
            for line in recorded
            if line.get("link_url") or line.get("url_id")
        },
        Counter(
            (line["campaign_activity_id"], line["tracking_activity_type"], get_milliseconds(line) // 3_600_000)
            for line in recorded
        ),
    )


_WHERE = """
JOIN campaign_activity ON campaign_activity.key = counted.campaign_activity
JOIN account ON account.key = campaign_activity.account
"""


def stored_rollups(data: str, account: str) -> Rollups:
    """Read the stored rollups of an account."""
    named = "SELECT campaign_activity_id, activity_type.name"
    by_type = f"{_WHERE} JOIN activity_type ON activity_type.number = counted.type"
    contact = "JOIN contact ON contact.key = counted.contact"
    account_filter = f"WHERE account.account_id = '{account}'"
    engagement = fetch_all(
        data,
        f"{named}, contact_id, activities, last_time FROM engagement AS counted {by_type} {contact} {account_filter}",
    )
    bounced = fetch_all(
        data,
        "SELECT campaign_activity_id, coalesce(bounce_code.code, 'complaint'), contact_id, activities"  # noqa: S608
        f" FROM bounced_contact AS counted {_WHERE} {contact}"
        f" LEFT JOIN bounce_code ON bounce_code.number = counted.bounce_code {account_filter}",
    )
    stats = fetch_all(
        data,
        f"{named}, CASE detail WHEN 100 THEN 'complaint' ELSE coalesce(bounce_code.code, device_type.name, 'all') END,"
        " sum(total), sum(contacts), max(last_time)"
        f" FROM campaign_activity_stats AS counted {by_type}"
        " LEFT JOIN bounce_code ON counted.type = 3 AND bounce_code.number = detail"
        " LEFT JOIN device_type ON counted.type <> 3 AND device_type.number = detail"
        f" {account_filter} GROUP BY 1, 2, 3",
    )
    clicked = fetch_all(
        data,
        "SELECT campaign_activity_id, link_url, url_id, contact_id FROM clicked_link AS counted"  # noqa: S608
        f" {_WHERE} {contact} JOIN link ON link.key = counted.link {account_filter}",
    )
    hours = fetch_all(
        data,
        f"{named}, hour, sum(total) FROM campaign_activity_hour AS counted {by_type} {account_filter} GROUP BY 1, 2, 3",
    )
    return Rollups(
        {(row[0], row[1], row[2]): (row[3], _instant(row[4])) for row in engagement},
        {(row[0], row[1], row[2]): row[3] for row in bounced},
        {
            (row[0], row[1], row[2]): (int(row[3]), None if row[4] is None else int(row[4]), _instant(row[5]))
            for row in stats
        },
        {(row[0], row[1], row[2], row[3]) for row in clicked},
        {(row[0], row[1], _instant(row[2]) // 3_600_000): int(row[3]) for row in hours},
    )


def stored_lines(data: str, account: str) -> list[Line]:
    """Read the account's activities with SQL."""
    rows = fetch_all(
        data,
        "SELECT contact_id, campaign_activity_id, type, created_time, device_type, bounce_code, link_url, url_id,"  # noqa: S608
        f" opt_out_reason FROM activity WHERE account_id = '{account}'",
    )
    names = ("contact_id", "campaign_activity_id", "tracking_activity_type", "created_time", "device_type")
    lines = [
        dict(zip((*names, "bounce_code", "link_url", "url_id", "opt_out_reason"), row, strict=True)) for row in rows
    ]
    return [{**line, "created_time": _instant(line["created_time"])} for line in lines]


def _instant(time: Any) -> int:  # noqa: ANN401 - its type depends on the engine
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return round(time.timestamp() * 1000) if isinstance(time, datetime) else int(time)
