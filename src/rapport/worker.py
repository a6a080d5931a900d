"""Process-level setup: signals, the parent process and garbage collection."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_SHUTDOWN_CALLBACKS: Final[list[Callable[[], object]]] = []


def exit_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, ends (Linux, prctl(2)).

    Otherwise a worker would keep serving, on a port that it shares with the next server. `parent` must come from the
    parent itself: it may have ended before this is called, and `getppid` would then return another process.

    The signal is SIGKILL until the worker serves, because workers inherit Granian's handlers, which ignore SIGTERM.
    """
    _watch_parent(parent, signal.SIGKILL)


def stop_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM instead when `parent` ends, so that this worker finishes its requests."""
    _watch_parent(parent, signal.SIGTERM)


def _watch_parent(parent: int, signum: signal.Signals) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        # It ended before it could be watched.
        os.kill(os.getpid(), signum)


def ignore_repeated_signals() -> None:
    """Deliver the first SIGTERM to the server, and ignore SIGINT and all later ones.

    At Ctrl-C, a worker gets SIGINT from the terminal, and SIGTERM from its parent. If it stopped at the first, the
    parent might take that for a crash, and exit with 1. Granian's worker may hang if it gets a signal while it is
    stopping. Call this before other threads are started, so that they inherit the blocked signals.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

    def deliver_first() -> None:
        signal.sigwait({signal.SIGTERM})
        for callback in _SHUTDOWN_CALLBACKS:
            callback()
        # Only this thread unblocks the signal, and it ends here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=deliver_first, name="stop-once", daemon=True).start()


def on_shutdown(callback: Callable[[], object]) -> None:
    """Register a callback to run, in another thread, when a shutdown signal arrives, before Granian starts to stop."""
    _SHUTDOWN_CALLBACKS.append(callback)


@contextlib.contextmanager
def defer_gc(threshold: int = 1_000_000) -> Iterator[None]:
    """Run the garbage collector only after `threshold` new objects while large batches are recorded.

    They are freed without it, and scanning them would stop the process for a tenth of a second.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(max(threshold, thresholds[0]), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def tune_gc(threshold: int = 100_000) -> None:
    """Run the garbage collector only after `threshold` new objects, and leave the present ones out.

    Batches are thousands of tuples without cycles; scanning them at the default threshold would double the time of an
    import.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold, 20, 20)
