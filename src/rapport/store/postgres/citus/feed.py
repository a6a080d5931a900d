"""Reads of the feed on a cluster, where activities may be readable a moment later than the feed's row of them."""

from rapport.store.postgres.citus.statements import SQL
from rapport.store.postgres.feed import FeedReader


class ClusterFeedReader(FeedReader):
    """Reads through a pool."""

    activities_statement = SQL["activities"]
    may_lag = True
