"""PgBouncer in transaction mode, where each transaction may use another connection."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.helpers.api import ALL_ACTIVITY_TYPES, make_line
from tests.helpers.network import find_free_port
from tests.helpers.postgres import PostgresServer
from tests.helpers.server import Server


@pytest.fixture
def bouncer(own_postgres: PostgresServer) -> Iterator[str]:
    """URL of a PgBouncer with three connections to an empty database."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "pgbouncer is missing: make test installs it"
    with tempfile.TemporaryDirectory() as folder:
        port = find_free_port()
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\npostgres = host=127.0.0.1 port={urlsplit(own_postgres.url).port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n"
        )
        Path(folder).chmod(0o755)
        user = "nobody" if os.geteuid() == 0 else None
        with subprocess.Popen([program, "--quiet", file], user=user, cwd="/") as process:
            time.sleep(0.5)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            process.terminate()


def test_server_works_through_pgbouncer(bouncer: str) -> None:
    with Server(bouncer, environment={"RAPPORT_PGBOUNCER": "on"}) as server, server.client("default") as client:
        lines = [make_line(f"c{number % 5}", time=1_767_225_600_000 + number) for number in range(3_000)]

        def post(first: int) -> int:
            headers = {"authorization": f"Bearer {client.token}"}
            response = httpx.post(
                f"{server.url}/track/v1/activities", json=lines[first : first + 100], headers=headers, timeout=30
            )
            return int(response.json()["accepted"])

        def pages(contact_id: str) -> int:
            return len(list(client.walk(contact_id, f"tracking_activities_list={ALL_ACTIVITY_TYPES}")))

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(post, range(0, 3_000, 100))) == 3_000
            assert list(threads.map(pages, [f"c{number}" for number in range(5)])) == [6] * 5
