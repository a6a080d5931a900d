"""What an open SQLite store is made of."""

from typing import NamedTuple

import apsw

from rapport.store.sqlite.checkpoint import Checkpointer
from rapport.store.sqlite.contact_reader import ContactReader
from rapport.store.sqlite.counter_reader import CounterReader
from rapport.store.sqlite.feed import FeedReader
from rapport.store.sqlite.reader import Reader
from rapport.store.sqlite.writer import Writer


class Parts(NamedTuple):
    """What writes, and what reads in the event loop, while the store is open."""

    writer: Writer
    checkpointer: Checkpointer
    reader: Reader
    contacts: ContactReader
    stats: CounterReader
    feed: FeedReader
    reading: apsw.Connection
