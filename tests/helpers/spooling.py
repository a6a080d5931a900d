"""A process that appends numbers to a spool until it is killed, and prints each that was acknowledged."""

import asyncio
import resource
import sys
from pathlib import Path

from rapport.capture.errors import SpoolFull, SpoolUnavailable
from rapport.capture.spool import SpoolWriter
from rapport.instant import Instant
from tests.helpers.loop import run_async


async def append_numbers(folder: Path, senders: int, limit: int) -> None:
    writer = SpoolWriter(folder, 1 << 30)
    writer.start()

    async def send(sender: int) -> None:
        for number in range(limit):
            name = f"{sender}:{number}"
            try:
                await writer.append(name.encode() * 50, Instant(1_772_000_000_000 + number))
            except (SpoolUnavailable, SpoolFull):
                sys.stdout.write(f"refused {name}\n")
            else:
                sys.stdout.write(f"kept {name}\n")
                sys.stdout.flush()

    await asyncio.gather(*(send(sender) for sender in range(senders)))
    await writer.stop()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    run_async(append_numbers(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
