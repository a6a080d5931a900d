"""What a process has to see to beside its work."""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

_STOP: Final = frozenset({signal.SIGINT, signal.SIGTERM})
_PR_SET_PDEATHSIG: Final = 1
_BEFORE_STOPPING: Final[list[Callable[[], object]]] = []


def exit_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, ends (Linux, prctl(2)).

    Otherwise a worker would go on serving, on a port that the next server shares with it. `parent` was passed on by
    that process itself: it may have ended before this is called, and then `getppid` names another one.

    Until the worker serves, SIGKILL: Granian's main process hands its own signal handlers down, which ignore SIGTERM.
    """
    _watch_parent(parent, signal.SIGKILL)


def stop_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM instead when `parent` ends, so that this worker finishes what it has begun."""
    _watch_parent(parent, signal.SIGTERM)


def _watch_parent(parent: int, sent: signal.Signals) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sent)
    if os.getppid() != parent:
        # It ended before it could be watched.
        os.kill(os.getpid(), sent)


def ignore_repeated_signals() -> None:
    """Let the first signal to stop through, and no other.

    Ctrl-C reaches the worker from the terminal and then again from its parent; Granian's worker may hang when it is
    told to stop while it is stopping. To be called before other threads are started: they inherit what is blocked.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)

    def export_to_environment() -> None:
        signal.sigwait(_STOP)
        for tell in _BEFORE_STOPPING:
            tell()
        # In this thread alone the signal isn't blocked, and this thread ends here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=export_to_environment, name="stop-once", daemon=True).start()


def on_shutdown(tell: Callable[[], object]) -> None:
    """Have somebody told, in another thread, when the signal to stop has come: before Granian waits for all answers."""
    _BEFORE_STOPPING.append(tell)


def abort_connection(host: str, port: int) -> None:
    """Cut the connection to a client, if it is there still: one that doesn't read what it is sent.

    Granian has no way to do so, and would wait for such a client for as long as it may when it is told to stop.
    """
    for path in list(Path("/dev/fd").iterdir()):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(path.name)).st_mode):
                with socket.socket(fileno=os.dup(int(path.name))) as connection:
                    if connection.getpeername()[:2] == (host, port):
                        connection.shutdown(socket.SHUT_RDWR)


def tune_gc(after: int = 100_000) -> None:
    """Look for cyclic garbage when there are so many more objects than at the last look.

    Batches are thousands of tuples without a cycle; to look through them again and again costs an import as much as
    all else that it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(after, 20, 20)
