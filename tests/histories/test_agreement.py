"""What several reports say of the same thing is the same, also of people who were erased, and while others record."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from rapport.auth.scope import Scope
from tests.world import Caller, Server, line

KINDS = ("em_opens", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_forwards")
BEGIN = 1_767_225_600_000


def history(rng: random.Random) -> list[dict[str, object]]:
    """Each contact gets it at least once, and not everything that it does comes after."""
    lines: list[dict[str, object]] = []
    for contact in range(60):
        sends = rng.choice((1, 1, 1, 2))
        lines += [line(f"c{contact}", "em_sends", BEGIN + rng.randrange(10_000)) for _ in range(sends)]
        for activity_type in rng.choices(KINDS, k=rng.randrange(4)):
            link = {"link_url": f"https://example.com/{rng.randrange(3)}"} if activity_type == "em_clicks" else {}
            lines.append(line(f"c{contact}", activity_type, BEGIN + rng.randrange(10_000), **link))
    rng.shuffle(lines)
    return lines


def who(caller: Caller, report: str) -> list[str]:
    return [row["contact_id"] for page in caller.walk_tracking("ca-1", report, "limit=7") for row in page]


def stats(caller: Caller) -> dict[str, Any]:
    (result,) = caller.get("/v3/reports/stats/email_campaign_activities/ca-1").raise_for_status().json()["results"]
    found: dict[str, Any] = result["stats"]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_reports_of_same_activities_agree(server: Server, seed: int) -> None:
    rng = random.Random(seed)
    with server.caller(f"agree-{uuid4().hex}", frozenset(Scope)) as caller:
        caller.record(*history(rng))
        sent, opened, silent, bounced = (
            who(caller, report) for report in ("sends", "unique_opens", "didnotopens", "bounces")
        )
        assert len(set(opened)) == len(opened)
        assert set(silent) | set(opened) | set(bounced) == set(sent)
        assert not set(silent) & (set(opened) | set(bounced))
        counted = stats(caller)
        assert counted["em_sends"] == len(set(sent))
        assert counted["em_opens"] == len(opened)
        assert counted["em_opens_all"] == len(who(caller, "opens"))
        assert counted["em_clicks"] == len(set(who(caller, "clicks")))
        assert counted["em_clicks_all"] == len(who(caller, "clicks"))
        assert counted["em_bounces"] == len(set(bounced))
        for contact_id in set(sent):
            (summary,) = caller.get(
                f"/v3/reports/contact_reports/{contact_id}/activity_summary?start=2026-01-01&end=2026-12-31"
            ).json()["campaign_activities"]
            assert summary["em_sends"] == sent.count(contact_id)
            assert (summary["em_opens"] > 0) == (contact_id in opened)

        erased = rng.sample(sorted(set(sent)), 9)
        for contact_id in erased:
            assert caller.delete(f"/track/v1/contacts/{contact_id}").status_code == 204
        assert stats(caller) == counted
        assert not set(erased) & {*who(caller, "sends"), *who(caller, "unique_opens"), *who(caller, "didnotopens")}


@contextmanager
def recording(server: Server, account: str) -> Iterator[None]:
    """Batches that come in all the time, each with a send, an open and a click of five contacts."""
    ended = threading.Event()

    def record(writer: int) -> None:
        with server.caller(account, frozenset(Scope)) as caller:
            number = 0
            while not ended.is_set():
                number += 1
                contacts = [f"w{writer}-{number}-{place}" for place in range(5)]
                activity_types = ("em_sends", "em_opens", "em_clicks")
                caller.record(
                    *(
                        line(contact, activity_type, campaign_id="k1")
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


def test_report_is_consistent_during_recording(server: Server, engine: str) -> None:
    """A cluster has no one moment over its nodes, and may show a part of a batch, of each contact all or nothing."""
    at_once = 1 if engine == "citus" else 5
    account = f"torn-{uuid4().hex}"
    with server.caller(account, frozenset(Scope)) as caller:
        caller.record(
            *(line("c1", activity_type, campaign_id="k1") for activity_type in ("em_sends", "em_opens", "em_clicks"))
        )
        with recording(server, account):
            before = 0
            for _ in range(60):
                counted = stats(caller)
                assert counted["em_sends"] == counted["em_opens"] == counted["em_clicks"] == counted["em_clicks_all"]
                assert (counted["em_sends"] - 1) % at_once == 0
                assert counted["em_sends"] >= before
                before = counted["em_sends"]
                (summary,) = caller.get("/v3/reports/summary_reports/email_campaign_summaries").json()[
                    "bulk_email_campaign_summaries"
                ]
                unique = summary["unique_counts"]
                assert unique["sends"] == unique["opens"] == unique["clicks"]
                page = caller.get("/v3/reports/email_reports/ca-1/tracking/sends").json()["tracking_activities"]
                assert len(page) == 500 or (len(page) - 1) % at_once == 0
        assert before > 1
        assert len(who(caller, "sends")) == stats(caller)["em_sends"]
