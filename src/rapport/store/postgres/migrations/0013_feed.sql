-- What was recorded last, for those who listen: keys alone, of the newest activities alone (store/feed.py). On a cluster
-- both tables stay where they are, as every server asks one and the same node.

-- Those who record commit in another order than that of their numbers. xid tells which rows a snapshot holds, so that
-- whoever has read up to one snapshot finds all that was committed since. account_id: no key of account, so that a row
-- is read without a join. keys: contact, type, created_time, identity, as 16 bytes and packed integers of 1, 8 and 8.
-- left_out: JSON, of each type how many the row leaves out.
CREATE TABLE feed (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    recorded_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    account_id    text        NOT NULL,
    left_out      text,
    keys          bytea       NOT NULL
);

-- Digests don't compress.
ALTER TABLE feed ALTER COLUMN keys SET STORAGE EXTERNAL;

CREATE INDEX feed_by_xid ON feed (xid, number);

-- Up to which number rows have been let go of.
CREATE TABLE feed_pruned (
    number bigint NOT NULL
);

INSERT INTO feed_pruned (number) VALUES (0);
