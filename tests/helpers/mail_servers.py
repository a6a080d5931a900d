"""Real mail servers on loopback: Postfix and Dovecot, as Debian packages them."""

import base64
import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.helpers.network import find_free_port

USER = "nobody"
"""Mail is delivered, and commands are run, as this user."""


def ensure_installed(program: str, package: str) -> str:
    """Return the path of a program; install its package if it may. Skips the test if this machine can't have it."""
    search_path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if os.geteuid() != 0:
        pytest.skip(f"{program} is started as root only")
    if shutil.which(program, path=search_path) is None and shutil.which("apt-get") is not None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", package]):
            subprocess.run(command, env=environment, check=False, capture_output=True, timeout=300)
    path = shutil.which(program, path=search_path)
    if path is None:
        pytest.skip(f"{program} is not installed, and {package} can't be installed here")
    return path


@contextlib.contextmanager
def make_reachable_folder() -> Iterator[Path]:
    """Yield a temporary folder that every user can reach; those of pytest can't be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def make_folder(folder: Path) -> Path:
    """Create a folder that belongs to USER."""
    folder.mkdir(parents=True)
    shutil.chown(folder, USER)
    return folder


def write_command(folder: Path, module: str) -> Path:
    """Write a command that USER can run: the test's Python may be out of its reach."""
    python = Path(sys.executable).resolve()
    if subprocess.run(["runuser", "-u", USER, "--", str(python), "--version"], check=False).returncode != 0:
        python = _link_python(folder)
    packages = f"{Path.cwd() / 'src'}:{sysconfig.get_path('purelib')}"
    command = folder / module.rpartition(".")[2]
    entry = f"from {module} import rapport; rapport()"
    libraries = python.parent.parent / "lib"
    command.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={packages} LD_LIBRARY_PATH={libraries}\nexec {python} -c "{entry}" "$@"\n'
    )
    command.chmod(0o755)
    return command


def _link_python(folder: Path) -> Path:
    """Return a copy of Python's interpreter and standard library, made of hard links if possible."""
    base = Path(sys.base_prefix)
    target = folder / "python"

    def link(source: str, destination: str) -> None:
        try:
            os.link(source, destination)
        except OSError:
            shutil.copy2(source, destination)

    version = f"python{sysconfig.get_python_version()}"
    skipped = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib", "tkinter")
    shutil.copytree(base / "lib" / version, target / "lib" / version, copy_function=link, ignore=skipped)
    for library in (base / "lib").glob("libpython*"):
        link(str(library), str(target / "lib" / library.name))
    (target / "bin").mkdir()
    link(str(base / "bin" / version), str(target / "bin" / version))
    return target / "bin" / version


@contextlib.contextmanager
def run_postfix(folder: Path, *, aliases: str, transports: str, domains: str) -> Iterator[int]:
    """Run Postfix, and yield its port. `domains` are delivered by its aliases."""
    postfix = ensure_installed("postfix", "postfix")
    port = find_free_port()
    for name in ("queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    folder.chmod(0o755)
    (folder / "aliases").write_text(aliases)
    (folder / "transports").write_text(transports)
    (folder / "main.cf").write_text(
        dedent(f"""
            compatibility_level = 3.6
            queue_directory = {folder}/queue
            data_directory = {folder}/data
            maillog_file = {folder}/log
            maillog_file_prefixes = {folder}
            command_directory = /usr/sbin
            daemon_directory = /usr/lib/postfix/sbin
            mail_owner = postfix
            setgid_group = postdrop
            myhostname = mx.example.org
            myorigin = mx.example.org
            mydestination = {domains}
            local_recipient_maps =
            alias_maps = hash:{folder}/aliases
            transport_maps = texthash:{folder}/transports
            relay_domains = lmtp.example.com
            mynetworks = 127.0.0.0/8
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            smtpd_recipient_restrictions = permit_mynetworks, reject
            smtpd_peername_lookup = no
            smtpd_reject_unlisted_recipient = no
            recipient_delimiter = +
            minimal_backoff_time = 1s
            maximal_backoff_time = 2s
            queue_run_delay = 1s
            lmtp_host_lookup = native
            """)
    )
    services = (
        "pickup:unix cleanup:unix qmgr:unix rewrite:unix bounce:unix defer:unix trace:unix verify:unix flush:unix"
    )
    services += " proxymap:unix smtp:unix relay:unix lmtp:unix local:unix error:unix retry:unix discard:unix anvil:unix"
    commands = {"rewrite": "trivial-rewrite", "relay": "smtp", "defer": "bounce", "trace": "bounce", "retry": "error"}
    lines = [f"127.0.0.1:{port} inet n - n - - smtpd", "postlog unix-dgram n - n - 1 postlogd"]
    for service in services.split():
        name = service.partition(":")[0]
        wakeup = {"pickup": "1", "qmgr": "1"}.get(name, "-")
        private = "n" if name in {"pickup", "cleanup", "qmgr"} else "-"
        # local(8) changes to the users to whom it delivers.
        unprivileged = "n" if name == "local" else "-"
        limit = {
            "pickup": 1,
            "qmgr": 1,
            "verify": 1,
            "anvil": 1,
            "cleanup": 0,
            "bounce": 0,
            "defer": 0,
            "trace": 0,
            "flush": 0,
        }
        processes = limit.get(name, "-")
        lines.append(f"{name} unix {private} {unprivileged} n {wakeup} {processes} {commands.get(name, name)}")
    (folder / "master.cf").write_text("\n".join(lines) + "\n")
    postalias = ensure_installed("postalias", "postfix")
    subprocess.run([postalias, "-c", folder, f"hash:{folder}/aliases"], check=True, timeout=60)
    # Commands are run with the rights of the owner of this file.
    shutil.chown(folder / "aliases.db", USER)
    # Its daemons keep the output open.
    with (folder / "output").open("wb") as output:
        started = subprocess.run(
            [postfix, "-c", folder, "start"], stdout=output, stderr=output, check=False, timeout=60
        )
    assert started.returncode == 0, (folder / "output").read_text() + (folder / "log").read_text()
    try:
        yield port
    finally:
        subprocess.run(
            [postfix, "-c", folder, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )


@contextlib.contextmanager
def run_dovecot(
    folder: Path, *, password: str, oauth_key: bytes = b"", mechanisms: str = "plain"
) -> Iterator[tuple[int, Path]]:
    """Run Dovecot, and yield its IMAP port and the Maildir of every user.

    With `oauth_key`, access tokens are JWTs that are signed with it (HS256), and name the user in `email`.
    """
    dovecot = ensure_installed("dovecot", "dovecot-imapd")
    port = find_free_port()
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    maildir = make_folder(folder / "mail")
    for name in ("new", "cur", "tmp"):
        make_folder(maildir / name)
    oauth = ""
    if oauth_key:
        key = folder / "keys" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_text(base64.b64encode(oauth_key).decode())
        settings = folder / "oauth2.conf"
        settings.write_text(
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={folder}/keys/\n"
            "username_attribute = email\n"
        )
        oauth = f"passdb {{\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = {settings}\n}}\n"
    (folder / "dovecot.conf").write_text(
        oauth
        + dedent(f"""
            base_dir = {folder}/run
            state_dir = {folder}/run
            log_path = {folder}/log
            protocols = imap
            listen = 127.0.0.1
            ssl = no
            disable_plaintext_auth = no
            auth_mechanisms = {mechanisms}
            mail_location = maildir:{maildir}
            mail_uid = {USER}
            mail_gid = nogroup
            first_valid_uid = 1
            passdb {{
              driver = static
              args = password={password}
            }}
            userdb {{
              driver = static
              args = uid={USER} gid=nogroup home={maildir}
            }}
            service imap-login {{
              inet_listener imap {{
                port = {port}
              }}
              inet_listener imaps {{
                port = 0
              }}
            }}
            """)
    )
    process = subprocess.Popen([dovecot, "-F", "-c", folder / "dovecot.conf"])
    try:
        deadline = time.monotonic() + 20
        while not (folder / "run" / "login" / "login").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port, maildir
    finally:
        process.terminate()
        process.wait(20)
