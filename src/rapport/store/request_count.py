"""What a client's requests are counted by."""

from typing import NamedTuple


class RequestCount(NamedTuple):
    """How many requests of a client there were in the running second and in the running day, this one included."""

    in_second: int
    in_day: int
