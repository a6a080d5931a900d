"""Reports about the same activities agree, also after erasures and during recording."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

KINDS = ("em_opens", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_forwards")
BEGIN = 1_767_225_600_000


def random_history(rng: random.Random) -> list[dict[str, object]]:
    """Return a random history in which each contact has a send, and some activities come before it."""
    lines: list[dict[str, object]] = []
    for contact in range(60):
        sends = rng.choice((1, 1, 1, 2))
        lines += [make_line(f"c{contact}", "em_sends", BEGIN + rng.randrange(10_000)) for _ in range(sends)]
        for activity_type in rng.choices(KINDS, k=rng.randrange(4)):
            link = {"link_url": f"https://example.com/{rng.randrange(3)}"} if activity_type == "em_clicks" else {}
            lines.append(make_line(f"c{contact}", activity_type, BEGIN + rng.randrange(10_000), **link))
    rng.shuffle(lines)
    return lines


def list_contacts(client: ApiClient, report: str) -> list[str]:
    return [row["contact_id"] for page in client.walk_tracking("ca-1", report, "limit=7") for row in page]


def get_stats(client: ApiClient) -> dict[str, Any]:
    (result,) = client.get("/v3/reports/stats/email_campaign_activities/ca-1").raise_for_status().json()["results"]
    results: dict[str, Any] = result["stats"]
    return results


@pytest.mark.parametrize("seed", range(3))
def test_reports_of_same_activities_agree(server: Server, seed: int) -> None:
    rng = random.Random(seed)
    with server.client(f"agree-{uuid4().hex}", frozenset(Scope)) as client:
        client.record(*random_history(rng))
        sent, opened, silent, bounced = (
            list_contacts(client, report) for report in ("sends", "unique_opens", "didnotopens", "bounces")
        )
        assert len(set(opened)) == len(opened)
        assert set(silent) | set(opened) | set(bounced) == set(sent)
        assert not set(silent) & (set(opened) | set(bounced))
        counted = get_stats(client)
        assert counted["em_sends"] == len(set(sent))
        assert counted["em_opens"] == len(opened)
        assert counted["em_opens_all"] == len(list_contacts(client, "opens"))
        assert counted["em_clicks"] == len(set(list_contacts(client, "clicks")))
        assert counted["em_clicks_all"] == len(list_contacts(client, "clicks"))
        assert counted["em_bounces"] == len(set(bounced))
        for contact_id in set(sent):
            (summary,) = client.get(
                f"/v3/reports/contact_reports/{contact_id}/activity_summary?start=2026-01-01&end=2026-12-31"
            ).json()["campaign_activities"]
            assert summary["em_sends"] == sent.count(contact_id)
            assert (summary["em_opens"] > 0) == (contact_id in opened)

        erased = rng.sample(sorted(set(sent)), 9)
        for contact_id in erased:
            assert client.delete(f"/track/v1/contacts/{contact_id}").status_code == 204
        assert get_stats(client) == counted
        assert not set(erased) & {
            *list_contacts(client, "sends"),
            *list_contacts(client, "unique_opens"),
            *list_contacts(client, "didnotopens"),
        }


@contextmanager
def record_continuously(server: Server, account: str) -> Iterator[None]:
    """Record batches continuously, each with a send, an open and a click of five contacts."""
    ended = threading.Event()

    def record(writer: int) -> None:
        with server.client(account, frozenset(Scope)) as client:
            number = 0
            while not ended.is_set():
                number += 1
                contacts = [f"w{writer}-{number}-{place}" for place in range(5)]
                activity_types = ("em_sends", "em_opens", "em_clicks")
                client.record(
                    *(
                        make_line(contact, activity_type, campaign_id="k1")
                        for contact in contacts
                        for activity_type in activity_types
                    )
                )

    threads = [threading.Thread(target=record, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_report_is_consistent_during_recording(server: Server, engine: str) -> None:
    """On a cluster, a report may contain a part of a batch, but all or nothing of each contact."""
    at_once = 1 if engine == "citus" else 5
    account = f"torn-{uuid4().hex}"
    with server.client(account, frozenset(Scope)) as client:
        client.record(
            *(
                make_line("c1", activity_type, campaign_id="k1")
                for activity_type in ("em_sends", "em_opens", "em_clicks")
            )
        )
        with record_continuously(server, account):
            before = 0
            for _ in range(60):
                counted = get_stats(client)
                assert counted["em_sends"] == counted["em_opens"] == counted["em_clicks"] == counted["em_clicks_all"]
                assert (counted["em_sends"] - 1) % at_once == 0
                assert counted["em_sends"] >= before
                before = counted["em_sends"]
                (summary,) = client.get("/v3/reports/summary_reports/email_campaign_summaries").json()[
                    "bulk_email_campaign_summaries"
                ]
                unique = summary["unique_counts"]
                assert unique["sends"] == unique["opens"] == unique["clicks"]
                page = client.get("/v3/reports/email_reports/ca-1/tracking/sends").json()["tracking_activities"]
                assert len(page) == 500 or (len(page) - 1) % at_once == 0
        assert before > 1
        assert len(list_contacts(client, "sends")) == get_stats(client)["em_sends"]
