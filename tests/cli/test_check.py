"""`rapport check`."""

import json
from contextlib import nullcontext
from pathlib import Path

from tests.cli.command import rapport
from tests.postgres import Databases
from tests.store.earlier import execute
from tests.world import line


def test_wrong_counters_are_listed_and_repaired(data: str) -> None:
    lines = [
        line(),
        line(contact_id="c2", device_type="mobile"),
        line(activity_type="em_bounces", bounce_code="B"),
    ]
    rapport("import", "-", "--data", data, given=b"\n".join(json.dumps(each).encode() for each in lines))
    assert rapport("check", "--data", data).stdout == "All counts are right.\n"
    execute(
        data,
        "UPDATE campaign_activity_stats SET total = total * 3 WHERE type = 1 AND detail = -1",
        "DELETE FROM campaign_activity_stats WHERE type = 1 AND detail = 1",
        "DELETE FROM engagement WHERE type = 3",
        "UPDATE bounced_contact SET activities = 2",
    )
    wrong = (
        "default ca-1 em_opens: 6 of 2 contacts until 2026-03-01T10:00:00.000Z, "
        "should be 2 of 2 contacts until 2026-03-01T10:00:00.000Z\n"
        "default ca-1 em_opens mobile: none, should be 1 until 2026-03-01T10:00:00.000Z\n"
        "default ca-1 em_bounces contact c1: none, "
        "should be 1 until 2026-03-01T10:00:00.000Z\n"
        "default ca-1 em_bounces B contact c1: 2, should be 1\n"
    )
    told = rapport("check", "--data", data, code=1)
    assert told.stdout == wrong
    assert "--repair" in told.stderr
    assert rapport("check", "--data", data, "--repair").stdout == f"{wrong}4 were wrong, and are right now.\n"
    assert rapport("check", "--data", data).stdout == "All counts are right.\n"


def test_permissions_that_are_wrong_are_listed_and_repaired(data: str) -> None:
    lines = [
        line(activity_type="em_optouts", opt_out_reason="Too many"),
        line(contact_id="c2", activity_type="p_contact_add"),
    ]
    rapport("import", "-", "--data", data, given=b"\n".join(json.dumps(each).encode() for each in lines))
    execute(
        data,
        "UPDATE contact SET permission_to_send = 1, opt_out_date = NULL, opt_out_source = NULL, opt_out_reason = NULL",
    )
    wrong = {
        "default contact c1: implicit, should be unsubscribed since 2026-03-01T10:00:00.000Z by contact 'Too many'",
        "default contact c2: implicit, should be explicit",
    }
    assert set(rapport("check", "--data", data, code=1).stdout.splitlines()) == wrong
    assert rapport("check", "--data", data, "--repair").stdout.endswith("2 were wrong, and are right now.\n")
    assert rapport("check", "--data", data).stdout == "All counts are right.\n"


def test_check_without_data_fails(databases: Databases | None, tmp_path: Path) -> None:
    with nullcontext(str(tmp_path)) if databases is None else databases.bare() as nothing:
        assert "there is no data" in rapport("check", "--data", nothing, code=1).stderr
