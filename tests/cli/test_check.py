"""`rapport check`."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.helpers.api import make_line
from tests.helpers.command import run_rapport
from tests.helpers.postgres import Databases
from tests.helpers.sql import execute_sql

pytestmark = pytest.mark.slow


def test_wrong_counters_are_listed_and_repaired(location: str) -> None:
    lines = [
        make_line(),
        make_line(contact_id="c2", device_type="mobile"),
        make_line(activity_type="em_bounces", bounce_code="B"),
    ]
    run_rapport("import", "-", "--data", location, stdin=b"\n".join(json.dumps(line).encode() for line in lines))
    assert run_rapport("check", "--data", location).stdout == "All counters match.\n"
    execute_sql(
        location,
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
    process = run_rapport("check", "--data", location, code=1)
    assert process.stdout == wrong
    assert "--repair" in process.stderr
    assert run_rapport("check", "--data", location, "--repair").stdout == f"{wrong}4 mismatches repaired.\n"
    assert run_rapport("check", "--data", location).stdout == "All counters match.\n"


def test_permissions_that_are_wrong_are_listed_and_repaired(location: str) -> None:
    lines = [
        make_line(activity_type="em_optouts", opt_out_reason="Too many"),
        make_line(contact_id="c2", activity_type="p_contact_add"),
    ]
    run_rapport("import", "-", "--data", location, stdin=b"\n".join(json.dumps(line).encode() for line in lines))
    execute_sql(
        location,
        "UPDATE contact SET permission_to_send = 1, opt_out_date = NULL, opt_out_source = NULL, opt_out_reason = NULL",
    )
    wrong = {
        "default contact c1: implicit, should be unsubscribed since 2026-03-01T10:00:00.000Z by contact 'Too many'",
        "default contact c2: implicit, should be explicit",
    }
    assert set(run_rapport("check", "--data", location, code=1).stdout.splitlines()) == wrong
    assert run_rapport("check", "--data", location, "--repair").stdout.endswith("2 mismatches repaired.\n")
    assert run_rapport("check", "--data", location).stdout == "All counters match.\n"


def test_check_without_data_fails(databases: Databases | None, tmp_path: Path) -> None:
    with nullcontext(str(tmp_path)) if databases is None else databases.empty_schema() as nothing:
        assert "there is no data" in run_rapport("check", "--data", nothing, code=1).stderr
